package migration

import (
	"slices"
	"testing"

	"sluice/backends"
	"sluice/gateway/migrate"
	"sluice/gateway/migrate/throttle"
	"sluice/gateway/mirror"
	"sluice/test/process"
)

// TestTheDiskIsFull switches at once, with most objects on old alone, which is written to
// no more: everything is read, listed and deleted as if it were on new, while the crawl
// brings it there; a restart changes nothing.
func TestTheDiskIsFull(t *testing.T) {
	t.Parallel()
	l := small(t, 400, func(old *process.Upstream) { old.ReadOnly = true })
	held, err := l.operator.SetThrottle(t.Context(), throttle.Limits{Bandwidth: 100 << 10})
	if err != nil {
		t.Fatal(err)
	}
	l.run(migrate.Start)
	before, err := keys(t.Context(), l.old)
	if err != nil {
		t.Fatal(err)
	}
	_, err = l.operator.Command(t.Context(), process.Bucket, migrate.Switch, migrate.Order{Override: []string{"backfilled", "verified"}})
	if err != nil {
		t.Fatal(err)
	}
	if s := l.until("switched", func(s migrate.Status) bool { return s.Name == mirror.Switched }); s.Backfilled {
		t.Fatal("the backfill is complete already: nothing is tried")
	}
	for range 3 {
		l.traffic()
		l.listed()
	}
	l.gateway.Kill(t)
	l.gateway.Restart(t)
	l.listed()
	l.quiet() // until then, writes to what was under way are told to come back (R8)
	l.players.start(t.Context())
	l.asked(300)
	held.Limits.Bandwidth = 0
	if _, err := l.operator.SetThrottle(t.Context(), held.Limits); err != nil {
		t.Fatal(err)
	}
	l.until("the backfill is finished", func(s migrate.Status) bool { return s.Backfilled })
	l.players.end()
	l.listed()
	after, err := keys(t.Context(), l.old)
	if err != nil {
		t.Fatal(err)
	}
	if len(after) != len(before) {
		t.Errorf("old held %d objects, and holds %d", len(before), len(after))
	}
	if _, err := l.operator.Command(t.Context(), process.Bucket, migrate.Rollback, migrate.Order{}); err == nil {
		t.Error("there was a way back to a store that lacks what was written since")
	}
	l.quiet()
	l.run(migrate.Complete)
	l.players.holds(t.Context(), t, l.new)
	if failures := l.players.failures(); len(failures) > 0 {
		t.Error(failures)
	}
}

// listed compares what the gateway lists with what is there.
func (l *life) listed() {
	l.t.Helper()
	var want, got []string
	for _, known := range l.players.known {
		for key, o := range known {
			if o.version != gone {
				want = append(want, key)
			}
		}
	}
	for o, err := range backends.Walk(l.t.Context(), l.players.client, backends.ListRequest{MaxKeys: 50}) {
		if err != nil {
			l.t.Fatal(err)
		}
		got = append(got, o.Key)
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		l.t.Errorf("%d keys are listed, %d are there", len(got), len(want))
	}
}
