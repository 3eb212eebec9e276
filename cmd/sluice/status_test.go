package main

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"sluice/gateway/migrate"
)

func TestStatus(t *testing.T) {
	both := []any{[]migrate.Status{quiet(), media()}}
	for _, c := range []struct {
		name           string
		args           []string
		code           int
		stdout, stderr string
	}{
		{"all", nil, 0, `
BUCKET   PHASE        SINCE                 OLD    NEW      PENDING  RUNS
backups  passthrough  2026-03-01 12:00 UTC  minio           0
media    mirroring    2026-03-01 12:00 UTC  minio  hetzner  2        backfill running 50 %
`, ""},
		{"one", []string{"media"}, 0, `
bucket    media
phase     mirroring since 2026-03-01 12:00 UTC
stores    old minio, new hetzner
pending   2 writes
backfill  running, 50 %
          1,234,567 of 2,700,000 objects, 1.0 TiB of 2.0 TiB, 830 objects/s, 45 MiB/s, 6h31m0s left, 1 failed
          ! "a\nb": access denied (3 attempts)

CONDITION   HOLDS  SINCE                 BECAUSE
backfilled  no     2026-03-01 12:00 UTC  the backfill is running
throttled   yes    2026-03-01 12:00 UTC  minio is slow (p95 700ms)
`, ""},
		{"old alone", []string{"backups"}, 0, `
bucket   backups
phase    passthrough since 2026-03-01 12:00 UTC
stores   minio alone
pending  0 writes
`, ""},
		{"unknown", []string{"nobody"}, exitError, "", "sluice: there is no bucket \"nobody\"\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t, map[string][]any{buckets: both})
			f.run(t, 0, append([]string{"status"}, c.args...)...).expect(t, c.code, c.stdout, c.stderr)
		})
	}
}

func TestStatusJSON(t *testing.T) {
	want := []migrate.Status{quiet(), media()}
	f := newFake(t, map[string][]any{buckets: {want}})
	var got []migrate.Status
	if err := json.Unmarshal([]byte(f.run(t, 0, "status", "-o", "json").stdout), &got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestWatchedWithoutTerminal(t *testing.T) {
	f := newFake(t, map[string][]any{buckets: {[]migrate.Status{media()}}})
	f.run(t, 31, "status", "--watch").expect(t, exitInterrupted, strings.Repeat(
		"media: mirroring, 2 writes pending, throttled: minio is slow (p95 700ms); backfill running 50 %, 1,234,567 of 2,700,000 objects, "+
			"1.0 TiB of 2.0 TiB, 830 objects/s, 45 MiB/s, 6h31m0s left, 1 failed\n", 2), "sluice: interrupted\n")
}

func TestDisplayOnTerminal(t *testing.T) {
	var out strings.Builder
	height := 24
	d := display{w: &out, size: func() (int, int) { return 60, height }}
	show := func(want string, list ...migrate.Status) {
		t.Helper()
		out.Reset()
		if err := d.show(list, false); err != nil {
			t.Fatal(err)
		}
		same(t, "terminal", strings.NewReplacer("\x1b[K", "$", "\x1b[J", "<", "\x1b[", "^").Replace(out.String()), want)
	}
	s := media()
	show(`
media: mirroring, 2 writes pending, throttled: minio is slo…$
  backfill running [###############----------------] 50 %$
    1,234,567 of 2,700,000 objects, 1.0 TiB of 2.0 TiB, 830…$
<`, s)
	s.Conditions = nil
	s.Backfill.Counted, s.Backfill.State, s.Backfill.Remaining = false, migrate.Paused, 0
	show(`
^3Amedia: mirroring, 2 writes pending$
  backfill paused $
    1,234,567 of 2,700,000 objects, 1.0 TiB of 2.0 TiB coun…$
<`, s)
	s.Backfill.State = migrate.Finished
	show(`
^3Amedia: mirroring, 2 writes pending$
  backfill finished$
<`, s)
	height = 3
	show(`
^2Abackups: passthrough, 0 writes pending$
media: mirroring, 2 writes pending$
<`, quiet(), s)
}
