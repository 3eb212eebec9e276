package main

import (
	"strings"
	"testing"

	"sluice/gateway/notify"
)

func TestNotify(t *testing.T) {
	results := []notify.Result{{Service: "ntfy ntfy.sh"}, {Service: "smtp mail.test", Error: "there was no answer within 10s"}}
	f := newFake(t, map[string][]any{"POST /v1/notify/test": {results, results[:1], []notify.Result{}, results}})
	f.run(t, 0, "notify", "test").expect(t, exitError, `
SERVICE         RESULT
ntfy ntfy.sh    ok
smtp mail.test  there was no answer within 10s
`, "sluice: 1 of 2 services failed\n")
	f.run(t, 0, "notify", "test").expect(t, 0, `
SERVICE       RESULT
ntfy ntfy.sh  ok
`, "")
	f.run(t, 0, "notify", "test").expect(t, exitError, "",
		"sluice: nobody is told of trouble: name services in notify.urls, and run `sluice config reload`\n")
	if o := f.run(t, 0, "notify", "test", "-o", "json"); o.code != exitError || !strings.Contains(o.stdout, `"service": "ntfy ntfy.sh"`) {
		t.Errorf("%+v", o)
	}
}
