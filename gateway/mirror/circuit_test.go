package mirror

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"sluice/backends"
)

var down = &backends.Error{Kind: backends.ErrUnavailable}

// A busy store has many calls under way when it goes down. All of them fail, but that is
// one outage: the first try comes as soon as after a single failure.
func TestCircuitTriesSoonAfterManyFailuresAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Circuit
		for range 100 {
			c.Count(down)
		}
		if c.closed() {
			t.Error("closed after 100 failures")
		}
		time.Sleep(circuitInterval)
		if !c.closed() {
			t.Error("no try after the interval")
		}
		if !c.Count(nil) || !c.closed() {
			t.Error("a try that succeeded did not close the circuit")
		}
	})
}

func TestCircuitWaitsLongerAfterEachTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Circuit
		for range circuitFailures {
			c.Count(down)
		}
		for _, want := range []time.Duration{1, 2, 4, 8, 8} {
			began := time.Now()
			for !c.closed() {
				time.Sleep(circuitInterval / 10)
			}
			if took := time.Since(began); took != want*circuitInterval {
				t.Errorf("a try after %v, want %v", took, want*circuitInterval)
			}
			if c.closed() {
				t.Error("two tries at once")
			}
			c.Count(context.Canceled) // is no news
			c.Count(down)
			c.Count(down) // another's, that began before
		}
	})
}
