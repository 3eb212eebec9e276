package migration

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/gateway/migrate"
	"sluice/gateway/migrate/throttle"
	"sluice/test/process"
)

// TestThrottleNamesItsReason: the backfill is held back by a limit that is set while it
// runs, the status says by which and how much, and without the limit it ends. Seen to fail
// without Observe (open.go).
func TestThrottleNamesItsReason(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		limits throttle.Limits
		words  []string
	}{
		"latency":   {throttle.Limits{OldLatency: 20 * time.Millisecond}, []string{"old", "p95", "20 ms"}},
		"bandwidth": {throttle.Limits{Bandwidth: 100}, []string{"bandwidth", "100 B"}},
		"requests":  {throttle.Limits{Requests: 5}, []string{"requests", "5"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			old, new := startNumbered(t, 3000, true), startNumbered(t, 3000, false)
			old.delay = 60 * time.Millisecond
			g := process.StartBefore(t, old.upstream(), new.upstream(), "")
			l := &life{t: t, gateway: g, operator: g.Operator(t)}
			if _, err := l.operator.SetThrottle(t.Context(), c.limits); err != nil {
				t.Fatal(err)
			}
			l.run(migrate.Start)
			process.Eventually(t, 30*time.Second, func(ctx context.Context) error {
				now, err := l.operator.Throttle(ctx)
				for _, word := range c.words {
					if !strings.Contains(now.Reason, word) {
						err = fmt.Errorf("the reason is %q, not of %q", now.Reason, word)
					}
				}
				return err
			})
			l.until("the status shows it", func(s migrate.Status) bool {
				for _, c := range s.Conditions {
					if c.Type == "throttled" && c.Status {
						return true
					}
				}
				return false
			})
			if _, err := l.operator.SetThrottle(t.Context(), throttle.Limits{}); err != nil {
				t.Fatal(err)
			}
			l.until("the backfill is finished", func(s migrate.Status) bool { return s.Backfilled })
		})
	}
}
