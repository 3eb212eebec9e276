package mirror

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"sluice/backends"
	"sluice/gateway/journal"
)

// side is one of the two stores in an operation's view.
type side int

const (
	primary side = iota
	secondary
)

// mutation is one operation on its way to both stores.
type mutation struct {
	kind journal.Kind
	keys []string
	// invisible: the operation changes nothing a read can see (parts of
	// uploads), so it needs no intent.
	invisible bool
	// part: it belongs to an upload, and a phase change does not wait for it.
	part bool
	// from is the bucket that the operation reads from; nil: none, or its own.
	from *Bucket
	// whole: the operation can only be run on a primary that holds every object.
	whole bool
	// needs are the keys that the primary judges or reads.
	needs []need
	// ordered: the secondary is only touched once the primary answered
	// success (R7).
	ordered bool
	// alone: the secondary is left to the repairer.
	alone bool
	// derived: what a store makes of the operation depends on what it holds. On an
	// incomplete primary it must not be sent to old, which might make, and show,
	// something else.
	derived bool
	body    *body // nil: the operation has none
	// run sends the operation to one store. With a body it reads t.
	run func(ctx context.Context, s side, store *Store, t *tap) error
	// keyErr answers one key's own failure on a store whose call succeeded.
	keyErr func(s side, key int) error
	// both: the secondary answered success while the client waited. lead: the
	// side that the primary's call was started as; the phase may have changed
	// while the body came in. They are set when mutate returns.
	both bool
	lead side
	// late: the client was answered without the secondary.
	late atomic.Bool
	// doubt tells, after both stores answered success, that they may hold
	// different results all the same.
	doubt func() bool
}

// call is a mutation on one of the stores.
type call struct {
	side   side   // when it was started
	store  *Store // nil: there is none
	tap    *tap
	cancel context.CancelFunc
	done   chan struct{} // closed when err is final; nil: never started
	err    error
	sent   bool // a bodiless request was started
	// stalled: the call was ended because the store did not get on with it.
	stalled bool
}

// ErrNotTried is why a store's part was left out: its circuit is open, or it can not do it.
var ErrNotTried = errors.New("not tried")

func (m *mutation) start(ctx context.Context, c *call) {
	if c.store == nil {
		return
	}
	ctx, c.cancel = context.WithCancel(ctx)
	c.done = make(chan struct{})
	if c.tap != nil {
		c.done = c.tap.done
	} else {
		c.sent = true
	}
	s, store := c.side, c.store // a phase change may make the call another's
	go func() {
		defer close(c.done)
		defer c.cancel()
		c.err = m.run(ctx, s, store, c.tap)
	}()
}

// finish waits for the call's end, and ends it itself after limit.
func (c *call) finish(limit time.Duration) {
	if !c.wait(limit) {
		c.stalled = true
		c.cut(fmt.Errorf("no answer for %v", limit))
	}
}

// wait tells whether the call ended within limit.
func (c *call) wait(limit time.Duration) bool {
	if c.done == nil {
		return true
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-c.done:
		return true
	case <-timer.C:
		return false
	}
}

// cut ends the call now. What the store makes of it is known only if the last
// bytes were never released.
func (c *call) cut(why error) {
	if c.done == nil {
		return
	}
	if c.tap != nil {
		c.tap.abort(why)
	}
	c.cancel()
	<-c.done
}

// failed is the call's error; a call that was not made failed.
func (c *call) failed() error {
	if c.done == nil {
		return ErrNotTried
	}
	return c.err
}

// outcome is what the call did to its store, as far as err tells.
func (c *call) outcome(err error) journal.Outcome {
	complete := c.sent || c.tap != nil && c.tap.released
	switch {
	case c.store == nil:
		return journal.NoStore
	case c.done == nil:
		return journal.Untouched
	case err == nil && complete:
		return journal.Applied
	case err == nil, complete && backends.Unknown(err):
		return journal.Unknown // a success before the body was complete is no success
	default:
		return journal.Untouched
	}
}

// turned tells the operator, once, that the secondary went away or came back.
func (b *Bucket) turned(turned bool, err error) {
	switch {
	case !turned:
	case errors.Is(err, backends.ErrUnavailable):
		b.log.Warn("the secondary store does not answer: writes go to the primary alone and are repaired later", "error", err)
	default:
		b.log.Info("the secondary store answers again", "pending", b.journal.Pending())
		b.journal.Hasten()
	}
}

func (m *mutation) errOf(c *call, key int) error {
	if err := c.failed(); err != nil || m.keyErr == nil || c.store == nil {
		return err
	}
	return m.keyErr(c.side, key)
}
