package main

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"
	"time"

	"sluice/gateway/admin"
	"sluice/gateway/migrate"
	"sluice/gateway/mirror"
)

func TestPhaseCommands(t *testing.T) {
	done := func(c migrate.Command, from, to mirror.PhaseName, notes ...string) migrate.Report {
		return migrate.Report{Bucket: "media", Command: c, From: from, To: to, Done: true, Held: 120400 * time.Microsecond, Notes: notes}
	}
	for _, c := range []struct {
		report         migrate.Report
		reversible     bool
		stdout, stderr string
	}{
		{done(migrate.Start, mirror.Passthrough, mirror.Mirroring), true, "media is mirroring now; writes were held for 120ms; to go back: sluice cancel media\n", ""},
		{done(migrate.Pause, mirror.Mirroring, mirror.Mirroring), true, "media is mirroring, and its crawl rests; to go back: sluice resume media\n", ""},
		{done(migrate.Resume, mirror.Mirroring, mirror.Mirroring), true, "media is mirroring, and its crawl goes on; to go back: sluice pause media\n", ""},
		{done(migrate.Cancel, mirror.Mirroring, mirror.Passthrough, "hetzner keeps what was copied"), true, "media is passthrough now; writes were held for 120ms; to go back: sluice start media\n", "note: hetzner keeps what was copied\n"},
		{done(migrate.Switch, mirror.Mirroring, mirror.Switched), true, "media is switched now; writes were held for 120ms; to go back: sluice rollback media\n", ""},
		{done(migrate.Switch, mirror.Mirroring, mirror.Switched, "minio is read-only"), false, "media is switched now; writes were held for 120ms; there is no way back\n", "note: minio is read-only\n"},
		{done(migrate.Rollback, mirror.Switched, mirror.Mirroring), true, "media is mirroring now; writes were held for 120ms; to go back: sluice switch media\n", ""},
		{done(migrate.Complete, mirror.Switched, mirror.Completed), true, "media is completed now; writes were held for 120ms; there is no way back\n", ""},
	} {
		t.Run(string(c.report.Command), func(t *testing.T) {
			s := media()
			s.Conditions = []migrate.Condition{{Type: "reversible", Status: c.reversible}}
			at := "POST /v1/buckets/media/" + string(c.report.Command)
			f := newFake(t, map[string][]any{buckets: {[]migrate.Status{s}}, at: {c.report}})
			o := f.run(t, 0, string(c.report.Command)) // the only bucket need not be named
			o.expect(t, 0, c.stdout, c.stderr)
			if want := []string{at + " {}"}; !slices.Equal(o.requests, want) {
				t.Errorf("asked %q, not %q", o.requests, want)
			}
		})
	}
}

// plan is a switch with a guard of each kind.
func plan(guards ...migrate.Guard) migrate.Report {
	return migrate.Report{
		Bucket: "media", Command: migrate.Switch, From: mirror.Mirroring, To: mirror.Switched,
		Guards: append([]migrate.Guard{{Name: "baseline", OK: true, Message: "proven"}}, guards...),
		Steps:  []string{"hold new writes", "make hetzner the primary"},
		Notes:  []string{"minio stays a mirror"},
	}
}

var (
	lacking = migrate.Guard{Name: "backfilled", Overridable: true, Message: "12 objects are left"}
	waived  = migrate.Guard{Name: "verified", Overridable: true, Overridden: true, Message: "never"}
	pending = migrate.Guard{Name: "caught-up", Message: "2 writes are pending"}
)

func TestGuards(t *testing.T) {
	refusal := func(r migrate.Report) any {
		return &admin.Error{Kind: admin.Refused, Message: "switch media: refused", Report: &r}
	}
	dry := func(r migrate.Report) any { r.DryRun = true; return r }
	for _, c := range []struct {
		name           string
		args           []string
		answer         any
		code           int
		stdout, stderr string
		request        string
	}{
		{"all overridable", []string{"switch", "media", "--override", "verified"}, refusal(plan(lacking, waived)), exitRefused, `
GUARD       RESULT      OVERRIDE               SEEN
baseline    ok                                 proven
backfilled  refused     --override backfilled  12 objects are left
verified    overridden                         never
1. hold new writes
2. make hetzner the primary
`, `
note: minio stays a mirror
put right what refused, or pass over it: sluice switch media --override backfilled --override verified
sluice: switch media: refused
`, `{"override":["verified"]}`},
		{"never", []string{"switch", "media"}, refusal(plan(lacking, pending)), exitRefused, `
GUARD       RESULT   OVERRIDE               SEEN
baseline    ok                              proven
backfilled  refused  --override backfilled  12 objects are left
caught-up   refused  never                  2 writes are pending
1. hold new writes
2. make hetzner the primary
`, `
note: minio stays a mirror
what can not be overridden must be put right first: caught-up
sluice: switch media: refused
`, `{}`},
		{"dry", []string{"switch", "media", "--dry-run"}, dry(plan()), 0, `
GUARD     RESULT  OVERRIDE  SEEN
baseline  ok                proven
1. hold new writes
2. make hetzner the primary
`, "note: minio stays a mirror\n", `{"dry_run":true}`},
		{"dry refused", []string{"switch", "media", "--dry-run", "--override", "a", "--override", "b"}, dry(plan(pending)), exitRefused, `
GUARD      RESULT   OVERRIDE  SEEN
baseline   ok                 proven
caught-up  refused  never     2 writes are pending
1. hold new writes
2. make hetzner the primary
`, `
note: minio stays a mirror
what can not be overridden must be put right first: caught-up
sluice: switch media would be refused
`, `{"dry_run":true,"override":["a","b"]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			at := "POST /v1/buckets/media/switch"
			f := newFake(t, map[string][]any{at: {c.answer}})
			o := f.run(t, 0, c.args...)
			o.expect(t, c.code, c.stdout, c.stderr)
			if want := []string{at + " " + c.request}; !slices.Equal(o.requests, want) {
				t.Errorf("asked %q, not %q", o.requests, want)
			}
		})
	}
}

func TestPhaseCommandJSON(t *testing.T) {
	want := plan(waived)
	refused := &admin.Error{Kind: admin.Refused, Message: "no", Report: &want}
	f := newFake(t, map[string][]any{"POST /v1/buckets/media/switch": {refused, want}})
	var gotError admin.Error
	o := f.run(t, 0, "switch", "media", "-o", "json")
	if err := json.Unmarshal([]byte(o.stdout), &gotError); err != nil || o.code != exitRefused || !reflect.DeepEqual(&gotError, refused) {
		t.Errorf("refused: %+v, %v", o, err)
	}
	var got migrate.Report
	o = f.run(t, 0, "switch", "media", "-o", "json")
	if err := json.Unmarshal([]byte(o.stdout), &got); err != nil || o.code != 0 || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestStartWaitsForTheBackfill(t *testing.T) {
	began := migrate.Report{Bucket: "media", Command: migrate.Start, To: mirror.Mirroring, Done: true}
	stale, running, crawled, cancelled := media(), media(), media(), media()
	stale.Backfill = &migrate.Progress{State: migrate.Finished, Started: noon.Add(-time.Hour)}
	crawled.Backfill = &migrate.Progress{State: migrate.Finished, Started: noon}
	cancelled.Name = mirror.Passthrough
	for _, c := range []struct {
		name   string
		looks  []any
		code   int
		pauses int
	}{
		{"crawled", []any{[]migrate.Status{stale}, []migrate.Status{running}, []migrate.Status{crawled}}, 0, 2},
		{"cancelled", []any{[]migrate.Status{running}, []migrate.Status{cancelled}}, exitError, 1},
		{"interrupted", []any{[]migrate.Status{running}}, exitInterrupted, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t, map[string][]any{"POST /v1/buckets/media/start": {began}, buckets: c.looks})
			o := f.run(t, 3, "start", "media", "--wait")
			if o.code != c.code || o.pauses != c.pauses || len(o.requests) != 1 {
				t.Errorf("%+v", o)
			}
			same(t, "stdout", o.stdout, "media is mirroring now; writes were held for 0s; to go back: sluice cancel media\n")
		})
	}
}
