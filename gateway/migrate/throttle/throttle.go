package throttle

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dustin/go-humanize"

	"sluice/backends"
)

// Throttle holds background work back: the number of copies at once as TCP does its
// window (one more while all goes well, half at a sign of trouble), bytes and requests
// by a rate. All methods may be called at once.
type Throttle struct {
	bandwidth, requests pace

	measured atomic.Bool // some limit needs what Observe counts
	counting [2]tally    // by Side; Observe adds, Run takes away

	watch    sync.Mutex // held while the conditions are looked at; before mu
	recent   recent     // watch's
	loadFile string     // /proc/loadavg

	mu        sync.Mutex // the fields below
	limits    Limits     // changed under watch too
	hindrance hindrance
	allowed   int       // copies at once, where nothing holds all of them
	busy      int       // copies under way
	queue     list.List // of chan struct{}: who waits for a place, first come first
	successes int       // since allowed changed, with all places taken
	slowed    time.Time // when a store last asked to slow down
	halved    time.Time // when that last halved allowed
}

const (
	// startWorkers are tried before anything is known of the stores.
	startWorkers = 8
	// slowDownRest is how long nothing grows after a store asked to slow down, and how
	// long that is named as the reason.
	slowDownRest = 5 * time.Second
)

// New makes a throttle. The conditions are looked at once; Run must run for them to be
// watched.
func New(l Limits) (*Throttle, error) {
	t := &Throttle{loadFile: "/proc/loadavg"}
	if err := t.Set(l); err != nil {
		return nil, err
	}
	return t, nil
}

// Set changes the limits, at once and for who waits already. Wrong limits change
// nothing.
func (t *Throttle) Set(l Limits) error {
	var wrong []error
	l.Check(func(setting, format string, args ...any) {
		wrong = append(wrong, fmt.Errorf("%s: %s", setting, fmt.Sprintf(format, args...)))
	})
	if wrong != nil {
		return errors.Join(wrong...)
	}
	l.Windows = slices.Clone(l.Windows)

	t.watch.Lock()
	defer t.watch.Unlock()
	seen := t.look(l)
	t.mu.Lock()
	defer t.mu.Unlock()
	if most := l.workers(); most > t.limits.workers() || t.allowed == 0 {
		t.allowed = max(t.allowed, min(startWorkers, most))
	} else {
		t.allowed = min(t.allowed, most)
	}
	t.limits, t.hindrance = l, seen
	t.bandwidth.set(float64(l.Bandwidth))
	t.requests.set(l.Requests)
	t.measured.Store(l.OldLatency > 0 || l.NewLatency > 0 || l.ErrorRate > 0)
	t.admit()
	return nil
}

// Limits are those of the last Set.
func (t *Throttle) Limits() Limits {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.limits
	l.Windows = slices.Clone(l.Windows)
	return l
}

// Begin waits for a place for one copy, first come first served. end gives the place
// back and says how the copy went; only its first call counts. A copy that began is
// not stopped by what comes later.
func (t *Throttle) Begin(ctx context.Context) (end func(err error), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	place := make(chan struct{})
	t.mu.Lock()
	waiter := t.queue.PushBack(place)
	t.admit()
	t.mu.Unlock()
	select {
	case <-place:
		var once sync.Once
		return func(err error) { once.Do(func() { t.end(err) }) }, nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	select {
	case <-place: // it came too late
		t.busy--
		t.admit()
	default:
		t.queue.Remove(waiter)
	}
	return nil, ctx.Err()
}

func (t *Throttle) end(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.busy--
	switch {
	case errors.Is(err, backends.ErrSlowDown):
		t.slowed = time.Now()
		// Copies that began before the last halving complain of what is mended already.
		if time.Since(t.halved) >= time.Second {
			t.halved = t.slowed
			t.halve()
		}
	case err == nil && t.queue.Len() > 0 && t.hindrance.reason == "" && !t.resting():
		// Another place is of use only while somebody waits for one.
		if t.successes++; t.successes >= t.allowed && t.allowed < t.limits.workers() {
			t.allowed++
			t.successes = 0
		}
	}
	t.admit()
}

// admit gives free places to who waits. The caller holds mu.
func (t *Throttle) admit() {
	for t.queue.Len() > 0 && t.busy < t.places() {
		t.busy++
		close(t.queue.Remove(t.queue.Front()).(chan struct{}))
	}
}

// places is how many copies may run at once now. The caller holds mu.
func (t *Throttle) places() int {
	if t.hindrance.hold {
		return 0
	}
	return t.allowed
}

// halve leaves at least one copy, by which to see that things got better. The caller
// holds mu.
func (t *Throttle) halve() {
	t.allowed = max(t.allowed/2, 1)
	t.successes = 0
}

// resting tells whether a store asked to slow down just now. The caller holds mu.
func (t *Throttle) resting() bool { return time.Since(t.slowed) < slowDownRest }

// Request pays for n requests to the stores: it waits until they may be sent.
func (t *Throttle) Request(ctx context.Context, n int) error { return t.requests.pay(ctx, n) }

// Bytes pays for n bytes that were moved: it waits until more may be.
func (t *Throttle) Bytes(ctx context.Context, n int) error { return t.bandwidth.pay(ctx, n) }

// Status is what holds work back, in an operator's words, "" if nothing does; and how
// many copies may run at once.
func (t *Throttle) Status() (reason string, workers int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.hindrance.reason != "":
		reason = t.hindrance.reason
	case t.resting():
		reason = backends.ErrSlowDown.Error()
	case t.bandwidth.felt():
		reason = fmt.Sprintf("bandwidth limit %s/s", humanize.IBytes(uint64(t.limits.Bandwidth)))
	case t.requests.felt():
		reason = fmt.Sprintf("requests limit %s/s", number(t.limits.Requests))
	}
	return reason, t.places()
}
