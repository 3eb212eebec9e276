package throttle

import (
	"context"
	"errors"
	"math/bits"
	"sync/atomic"
	"time"

	"sluice/backends"
)

// Side is one of a bucket's two stores.
type Side int

// The sides.
const (
	OldStore Side = iota
	NewStore
)

func (s Side) String() string { return [...]string{"old", "new"}[s] }

// Observe takes note of a store's answer. It is called for every request to a store, of
// clients too: what they feel is what the limits are about. It takes no lock, and without
// a limit on latencies or errors it does nothing.
func (t *Throttle) Observe(s Side, took time.Duration, err error) {
	if !t.measured.Load() || errors.Is(err, context.Canceled) { // who gave up is no answer of the store
		return
	}
	c := &t.counting[s]
	c.took[spanOf(took)].Add(1)
	// Other errors are good answers: that a key is absent, or that a right lacks.
	if errors.Is(err, backends.ErrUnavailable) || errors.Is(err, backends.ErrSlowDown) {
		c.failed.Add(1)
	}
}

// tally counts a store's answers by the time they took.
type tally struct {
	took   [spans]atomic.Uint32
	failed atomic.Uint32
}

// second is what a tally counted in one second.
type second struct {
	took   [spans]uint32
	failed uint32
}

// recent holds the answers of the last ten seconds, by side: long enough to tell a
// trouble from a moment's noise, short enough that its end is soon seen.
type recent struct {
	seconds [10][2]second
	next    int
}

// turn lets the oldest second go for what was counted since the last turn.
func (r *recent) turn(counting *[2]tally) {
	for side := range counting {
		from, to := &counting[side], &r.seconds[r.next][side]
		for span := range from.took {
			to.took[span] = from.took[span].Swap(0)
		}
		to.failed = from.failed.Swap(0)
	}
	r.next = (r.next + 1) % len(r.seconds)
}

// telling is how many bad answers it takes to believe them. One that is slow, or fails,
// among few says nothing of a store.
const telling = 3

// p95 is the time that 95 of 100 answers keep to; 0 without answers enough to tell.
func (r *recent) p95(s Side) time.Duration {
	var took [spans]int
	total := 0
	for i := range r.seconds {
		for span, n := range r.seconds[i][s].took {
			took[span] += int(n)
			total += int(n)
		}
	}
	slower := max(total/20+1, telling)
	for span := spans - 1; span >= 0; span-- {
		if slower -= took[span]; slower <= 0 {
			return shortest(span)
		}
	}
	return 0
}

// errorRate is the percentage of both stores' answers that were failures; 0 without
// failures enough to tell.
func (r *recent) errorRate() float64 {
	failed, total := 0, 0
	for i := range r.seconds {
		for side := range r.seconds[i] {
			failed += int(r.seconds[i][side].failed)
			for _, n := range r.seconds[i][side].took {
				total += int(n)
			}
		}
	}
	if failed < telling {
		return 0
	}
	return 100 * float64(failed) / float64(total)
}

// A span is a range of times. Spans grow with the times, as in an HDR histogram: each
// power of two microseconds has 32, so that one is no wider than 1/32 of its shortest.
const (
	spansPerPower = 32
	longest       = 1<<32 - 1 // microseconds, over an hour; what takes longer counts as that
	spans         = (32 - 6 + 2) * spansPerPower
)

func spanOf(took time.Duration) int {
	us := uint64(min(max(took.Microseconds(), 0), longest))
	power := max(bits.Len64(us)-6, 0)
	return power*spansPerPower + int(us>>power)
}

// shortest is the shortest time of a span.
func shortest(span int) time.Duration {
	power := max(span/spansPerPower-1, 0)
	return time.Duration((span-power*spansPerPower)<<power) * time.Microsecond
}
