package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestConfig(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sluice.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const good = `
stores: { a: { endpoint: "https://a.example.com", access_key_id: k, secret_access_key: hush } }
buckets: { media: { old: a } }
credentials: [ { access_key_id: c, secret_access_key: hush } ]
`
	write(good)
	execute(t, 0, "config", "validate", "-c", file).expect(t, 0, file+" is good: 1 bucket, 1 store, 0 hosts\n", "")
	if o := execute(t, 0, "config", "show", "-c", file); o.code != 0 || strings.Contains(o.stdout, "hush") || !strings.Contains(o.stdout, "endpoint: https://a.example.com") {
		t.Errorf("%+v", o)
	}
	write(strings.Replace(good, "old: a", "old: b", 1))
	o := execute(t, 0, "config", "validate", "-c", file)
	if o.code != exitConfigInvalid || o.stdout != "" || !strings.Contains(o.stderr, `buckets.media.old: there is no store "b" under stores`) {
		t.Errorf("%+v", o)
	}
	if o := execute(t, 0, "config", "schema"); o.code != 0 || !json.Valid([]byte(o.stdout)) || !strings.Contains(o.stdout, "draft/2020-12/schema") {
		t.Errorf("%+v", o)
	}
}
