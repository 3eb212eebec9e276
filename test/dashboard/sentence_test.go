package dashboard

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"sluice/gateway/migrate"
	"sluice/gateway/mirror"
)

// TestSentences: what the page says at the top of every state that a bucket can be in.
func TestSentences(t *testing.T) {
	s := newStand(t, 0, nil)
	b := newBrowser(t)
	b.do(t, chromedp.Navigate(s.address))
	run := func(state migrate.RunState, done, failed int64) *migrate.Progress {
		return &migrate.Progress{
			State: state, Counted: true, Total: migrate.Amount{Objects: 100, Bytes: 1000}, Done: migrate.Amount{Objects: done, Bytes: done * 10},
			Failed: failed, Remaining: 3 * time.Hour,
		}
	}
	finished := run(migrate.Finished, 100, 0)
	differing := run(migrate.Finished, 100, 0)
	differing.Missing, differing.Different, differing.Fixed = 3, 2, 1
	uncounted := run(migrate.Running, 1200, 0)
	uncounted.Counted, uncounted.Remaining = false, 0
	for _, c := range []struct {
		phase            mirror.PhaseName
		holds            string // conditions
		away             string // the store that does not answer
		backfill, verify *migrate.Progress
		want             string
	}{
		{phase: mirror.Passthrough, want: "calm: b is served from old alone. Start when you are ready; old stays as it is."},
		{phase: mirror.Mirroring, want: "work: b is being copied: just begun. Nothing to do."},
		{phase: mirror.Mirroring, backfill: uncounted, want: "work: b is being copied: 1,200 objects so far. Nothing to do."},
		{phase: mirror.Mirroring, backfill: run(migrate.Running, 63, 0), want: "work: b is being copied: 63 %, about 3 h left. Nothing to do."},
		{phase: mirror.Mirroring, backfill: run(migrate.Paused, 63, 0), want: "calm: b is being copied, but the copying rests at 63 %. Resume it when you like; writes go to both stores all the time."},
		{phase: mirror.Mirroring, backfill: run(migrate.Waiting, 99, 1), want: "work: b is being copied: 99 %, and 1 object is tried again. Look at the failures below if it lasts."},
		{phase: mirror.Mirroring, holds: "backfilled", backfill: finished, want: "work: Everything is on new, and 5 writes are being repaired. Nothing to do."},
		{phase: mirror.Mirroring, holds: "backfilled caught-up", backfill: finished, want: "trouble: Everything is copied, but new holds what old does not. Look at it under drift."},
		{phase: mirror.Mirroring, holds: "backfilled caught-up baseline", backfill: finished, want: "ready: Everything is on new. Verify it, then switch."},
		{phase: mirror.Mirroring, holds: "backfilled caught-up baseline", verify: run(migrate.Running, 40, 0), want: "work: Everything is on new and is being verified: 40 %. Nothing to do."},
		{phase: mirror.Mirroring, holds: "backfilled caught-up baseline", verify: differing, want: "trouble: The stores differ in 4 objects. Look at the drift, and mend it before you switch."},
		{phase: mirror.Mirroring, holds: "backfilled caught-up baseline verified", verify: finished, want: "ready: Everything is on new and verified. You can switch."},
		{phase: mirror.Mirroring, away: "new", want: "trouble: new does not answer. old serves everything, and what new misses is repaired when it is back."},
		{phase: mirror.Mirroring, away: "old", want: "trouble: old does not answer, and it is the primary: writes fail, reads of what the other store holds go on. Bring old back."},
		{phase: mirror.Switched, backfill: run(migrate.Running, 63, 0), want: "work: new is the primary, and the rest of b is being copied: 63 %, about 3 h left. Nothing to do."},
		{phase: mirror.Switched, holds: "backfilled reversible", want: "ready: new is the primary, and every write still goes to old too. Complete when all is well; until then you can go back."},
		{phase: mirror.Switched, holds: "backfilled", want: "ready: new is the primary, and there is no way back: old is read-only. Complete when all is well."},
		{phase: mirror.Switched, away: "new", want: "trouble: new does not answer, and it is the primary: writes fail, reads of what the other store holds go on. Bring new back."},
		{phase: mirror.Completed, away: "old", want: "done: b is on new alone. The migration is done, and old is left as it is."},
	} {
		status := migrate.Status{Bucket: "b", Old: "old", New: "new", Phase: mirror.Phase{Name: c.phase}, Pending: 5, Backfill: c.backfill, Verify: c.verify}
		for _, kind := range []string{"baseline", "backfilled", "caught-up", "verified", "reversible"} {
			status.Conditions = append(status.Conditions, migrate.Condition{Type: kind, Status: strings.Contains(c.holds, kind)})
		}
		of := []migrate.Condition{{Type: "store old", Status: c.away != "old"}, {Type: "store new", Status: c.away != "new"}}
		raw, err := json.Marshal([]any{status, of})
		must(t, err)
		got := answer[string](t, b, fmt.Sprintf(`import("/dashboard/sentence.js").then((m) => m.sentence(...%s)).then((s) => s.tone + ": " + s.text.replaceAll("\u00a0", " "))`, raw))
		if got != c.want {
			t.Errorf("%s, %q holds, %q is away:\n got %s\nwant %s", c.phase, c.holds, c.away, got, c.want)
		}
	}
	b.clean(t)
}
