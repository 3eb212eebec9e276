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
	// ordered: the secondary is only touched once the primary answered
	// success (R7).
	ordered bool
	// alone: the secondary is left to the repairer.
	alone bool
	body  *body // nil: the operation has none
	// run sends the operation to one store. With a body it reads t.
	run func(ctx context.Context, s side, store backends.Store, t *tap) error
	// keyErr answers one key's own failure on a store whose call succeeded.
	keyErr func(s side, key int) error
	// both: the secondary answered success while the client waited. It is set
	// when mutate returns.
	both bool
	// late: the client was answered without the secondary.
	late atomic.Bool
	// doubt tells, after both stores answered success, that they may hold
	// different results all the same.
	doubt func() bool
}

// call is a mutation on one of the stores.
type call struct {
	side   side
	store  backends.Store // nil: there is none
	tap    *tap
	cancel context.CancelFunc
	done   chan struct{} // closed when err is final; nil: never started
	err    error
	sent   bool // a bodiless request was started
}

// errNotTried: the store's part of a mutation was left out.
var errNotTried = errors.New("not tried")

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
	go func() {
		defer close(c.done)
		defer c.cancel()
		c.err = m.run(ctx, c.side, c.store, c.tap)
	}()
}

// finish waits for the call's end, and ends it itself after limit.
func (c *call) finish(limit time.Duration) {
	if !c.wait(limit) {
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
		return errNotTried
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

// mutate runs m on the view's stores. It returns the primary's error, which is
// the client's answer; the intents end here, or, when the secondary is slower
// than the client may wait, in the background.
func (b *Bucket) mutate(ctx context.Context, v view, m *mutation) error {
	if m.body != nil {
		if err := m.body.prime(); err != nil {
			return err
		}
	}
	var intents []*journal.Intent
	if !m.invisible {
		var err error
		if intents, err = b.journal.Begin(m.kind, v.phase.Epoch, b.Name, m.keys...); err != nil {
			return err
		}
	}
	p, s := &call{side: primary, store: v.primary}, &call{side: secondary, store: v.secondary}
	end := func() { b.end(m, intents, p, s) }

	// The stores' calls outlive a client that goes away: once the last bytes
	// are released, an abandoned request would only have an unknown outcome.
	storeCtx := context.WithoutCancel(ctx)
	m.alone = m.alone || v.secondary == nil || !b.circuit.closed()
	if err := m.deliver(ctx, storeCtx, intents, p, s, b.o); err != nil {
		p.cut(err)
		s.cut(err)
		end()
		if perr := p.failed(); errors.Is(err, errStoreDone) && perr != nil {
			return perr
		}
		return err
	}

	p.finish(b.o.StoreTimeout)
	if p.err != nil {
		s.abandon(m, p.err, b.o.SyncTimeout)
		end()
		return p.err
	}
	b.finishSecondary(storeCtx, m, s, intents, end)
	if b.o.FailOnSecondary && v.secondary != nil && !m.invisible && !m.both {
		return ErrSecondary
	}
	return nil
}

// deliver brings the request to the point where the primary has all of it, and
// the secondary too unless the mutation is ordered. Nothing can take effect on
// either store before the intents are durable.
func (m *mutation) deliver(ctx, storeCtx context.Context, intents []*journal.Intent, p, s *call, o Options) error {
	streams := m.body != nil && len(m.body.held)+int(m.body.left) > 0
	if streams {
		size := m.body.left
		for _, c := range m.body.held {
			size += int64(c.n)
		}
		p.tap = newTap(size)
		m.body.taps = []*tap{p.tap}
		m.start(storeCtx, p)
		if !m.alone {
			s.tap = newTap(size)
			m.body.taps = append(m.body.taps, s.tap)
			m.start(storeCtx, s)
		}
		if err := m.body.feed(); err != nil {
			return err
		}
		m.body.share()
	}
	for _, in := range intents {
		if err := in.Durable(ctx); err != nil {
			return fmt.Errorf("journal: the intent of the write is not durable: %w", err)
		}
	}
	if !streams {
		m.start(storeCtx, p)
		if !m.ordered && !m.alone {
			m.start(storeCtx, s)
		}
		return nil
	}
	if err := m.body.release(p.tap, o.StoreTimeout); err != nil {
		return err
	}
	if !m.ordered && s.tap != nil && m.attached(s) {
		m.body.releaseSecondary(s.tap)
	}
	return nil
}

// attached tells whether the secondary was not cut off.
func (m *mutation) attached(s *call) bool {
	return len(m.body.taps) > 1 && m.body.taps[1] == s.tap
}

// abandon ends the secondary's call after the primary failed: an ordered one was
// never released, any other may finish if it is quick about it.
func (s *call) abandon(m *mutation, why error, limit time.Duration) {
	if m.ordered {
		s.cut(why)
		return
	}
	s.finish(limit)
}

// finishSecondary waits for the secondary as long as a client may be made to,
// then lets it finish behind the client's back if there is a slot, or cuts it
// off. end runs in either case.
func (b *Bucket) finishSecondary(ctx context.Context, m *mutation, s *call, intents []*journal.Intent, end func()) {
	switch {
	case s.tap != nil && !m.attached(s):
		s.cut(errNotTried) // it was cut off; this collects the call
	case !m.ordered || m.alone:
	case s.tap == nil:
		m.start(ctx, s)
	default:
		m.body.releaseSecondary(s.tap)
	}
	budget := b.o.SyncTimeout
	if m.body != nil {
		budget = m.body.budget
	}
	if s.wait(budget) {
		m.both = s.failed() == nil
		end()
		return
	}
	m.late.Store(true)
	select {
	case b.late <- struct{}{}:
	default:
		s.cut(fmt.Errorf("cut off: no answer for %v", budget))
		end()
		return
	}
	for _, in := range intents {
		in.Acknowledged()
	}
	b.wg.Go(func() {
		defer func() { <-b.late }()
		s.finish(b.o.StoreTimeout)
		end()
	})
}

// end closes the intents with what is known of both stores.
func (b *Bucket) end(m *mutation, intents []*journal.Intent, p, s *call) {
	b.turned(b.circuit.report(s), s.failed())
	doubt := m.doubt != nil && p.failed() == nil && s.failed() == nil && m.doubt()
	for i, in := range intents {
		po, so := p.outcome(m.errOf(p, i)), s.outcome(m.errOf(s, i))
		if doubt {
			so = journal.Untouched // known, and not equal
		}
		if !in.End(po, so) {
			b.log.Debug("write left to the repairer", "key", in.Key, "intent", in.ID,
				"primary", p.failed(), "secondary", s.failed())
		}
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
	}
}

func (m *mutation) errOf(c *call, key int) error {
	if err := c.failed(); err != nil || m.keyErr == nil || c.store == nil {
		return err
	}
	return m.keyErr(c.side, key)
}
