//go:build !race

package chaos

import (
	"slices"
	"testing"
	"testing/synctest"
)

// The race detector makes goroutines run in a random order on purpose, so that this
// holds without it alone.

// TestSeedTellsTheHistory: without that a failure could not be looked at again. What
// is left to chance is the order of two timers that are due in the same nanosecond,
// when one step let two operations go on together.
func TestSeedTellsTheHistory(t *testing.T) {
	one(t)
	differ := 0
	for seed := range uint64(200) {
		var traces [2][]string
		for i := range traces {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(newPlan(seed))
				w.run()
				traces[i] = w.trace
				w.end()
			})
		}
		if !slices.Equal(traces[0], traces[1]) {
			differ++
		}
	}
	if differ > 4 {
		t.Errorf("%d of 200 seeds played two histories", differ)
	}
}
