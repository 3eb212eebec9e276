package mirror

import (
	"context"
	"errors"
	"sync"
	"time"

	"sluice/backends"
)

// Circuit keeps a store that is down from being tried where another can do: by the
// secondary's half of writes, by reads that the primary can answer, by copies and
// repairs. It opens after a run of failures and lets a single call through each
// interval to see whether the store is back. What only the primary can answer is
// always tried: a refusal without a try could only make a failure of a success.
//
// The zero value is a closed circuit.
type Circuit struct {
	mu       sync.Mutex
	failures int // in a row; of an open circuit, with the tries that failed since
	retryAt  time.Time
	trying   bool // an open circuit let a call through, whose end is not known
}

const (
	circuitFailures = 5
	// circuitInterval is how long an open circuit waits before the next try. It
	// doubles with every try that fails: a store that hangs holds up whoever tries.
	circuitInterval    = time.Second
	circuitMaxInterval = 8 * time.Second
)

// closed tells whether the store should be tried.
func (c *Circuit) closed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failures < circuitFailures {
		return true
	}
	if time.Now().Before(c.retryAt) {
		return false
	}
	c.retryAt, c.trying = time.Now().Add(c.interval()), true
	return true
}

// interval is how long to wait after so many failures. c.mu is held.
func (c *Circuit) interval() time.Duration {
	return min(circuitInterval<<min(c.failures-circuitFailures, 10), circuitMaxInterval)
}

// report counts a call that was made; it answers as Count does.
func (c *Circuit) report(call *call) (turned bool) {
	switch {
	case call.done == nil:
		return false
	case call.stalled:
		return c.Count(errStalled)
	}
	return c.Count(call.err)
}

// errStalled: the store takes no more of a body, or answers nothing, for longer than
// it may.
var errStalled = &backends.Error{Kind: backends.ErrUnavailable, Message: "the store does not answer in time", MaybeApplied: true}

// Count counts an answer, and tells whether the circuit opened or closed by it.
// Only no usable answer is a failure; a refusal proves that the store is there.
func (c *Circuit) Count(err error) (turned bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, ErrNotTried):
		return false // no news of the store
	case errors.Is(err, backends.ErrUnavailable):
		if c.failures >= circuitFailures && !c.trying {
			return false // it was under way when the circuit opened, and tells nothing new
		}
		if c.failures++; c.failures >= circuitFailures {
			c.retryAt, c.trying = time.Now().Add(c.interval()), false
		}
		return c.failures == circuitFailures
	default:
		turned = c.failures >= circuitFailures
		c.failures, c.trying = 0, false
		return turned
	}
}

// untried gives back the try that an open circuit allowed: the store was not asked.
func (c *Circuit) untried() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.trying {
		c.retryAt, c.trying = time.Now(), false
	}
}

// Wait returns when the store should be tried again, or with ctx's error.
func (c *Circuit) Wait(ctx context.Context) error {
	for !c.closed() {
		timer := time.NewTimer(circuitInterval)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
	return nil
}
