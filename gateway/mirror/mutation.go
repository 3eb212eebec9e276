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

// mutate runs m on the bucket's stores; v is the view so far. It returns the
// primary's error, which is the client's answer; the intents end here, or, when the
// secondary is slower than the client may wait, in the background.
//
// A large body streams before the mutation enters: a phase change need not wait for
// it, only for what can take effect. From there on the way is: enter, begin the
// intents, wait until they are durable, release the last bytes to the primary, then
// the secondary, wait, end the intents, leave.
func (b *Bucket) mutate(ctx context.Context, v view, m *mutation) error {
	if !m.invisible && b.journal.Full() {
		return journal.ErrFull // before the body is taken in
	}
	if m.body != nil {
		if err := m.body.prime(); err != nil {
			return err
		}
	}
	m.alone = m.alone || v.mirror() == nil || !v.secondary.Circuit.closed()
	// The stores' calls outlive a client that goes away: once the last bytes
	// are released, an abandoned request would only have an unknown outcome.
	storeCtx := context.WithoutCancel(ctx)
	p, s := &call{side: primary, store: v.primary}, &call{side: secondary, store: v.mirror()}
	giveUp := func(err error) error {
		p.cut(err)
		s.cut(err)
		if perr := p.failed(); errors.Is(err, errStoreDone) && perr != nil {
			return perr
		}
		return err
	}
	if m.body != nil && m.body.left > 0 {
		m.stream(storeCtx, p, s)
		if err := m.body.feed(); err != nil {
			return giveUp(err)
		}
	}
	pass := pass{v, func() {}}
	if !m.part {
		var err error
		if pass, err = b.enter(ctx, m); err != nil {
			return giveUp(err)
		}
		if err := m.rearrange(pass.view, &p, &s); err != nil {
			pass.release()
			return giveUp(err)
		}
	}
	var intents []*journal.Intent
	if !m.invisible {
		var err error
		if intents, err = b.journal.Begin(m.opening(pass.view), b.Name, m.keys...); err != nil {
			pass.release()
			return giveUp(err)
		}
	}
	end := func() {
		b.end(m, intents, p, s)
		pass.release()
	}
	if err := m.deliver(ctx, storeCtx, intents, p, s, b.o); err != nil {
		err = giveUp(err)
		end()
		return err
	}

	p.finish(b.o.StoreTimeout)
	if p.err != nil {
		s.abandon(m, p.err, b.o.SyncTimeout)
		end()
		return p.err
	}
	mirrored := pass.view.mirror() != nil // the pass may be released behind our back
	b.finishSecondary(storeCtx, m, s, intents, end)
	if b.o.FailOnSecondary && mirrored && !m.invisible && !m.both {
		return ErrSecondary
	}
	return nil
}

// stream starts the calls on the stores with the body's taps.
func (m *mutation) stream(ctx context.Context, p, s *call) {
	size := m.body.size()
	p.tap = newTap(size)
	m.body.taps = []*tap{p.tap}
	m.start(ctx, p)
	if !m.alone {
		s.tap = newTap(size)
		m.body.taps = append(m.body.taps, s.tap)
		m.start(ctx, s)
	}
}

// errPhaseChanged: the phase changed while the body came in, and the store that is
// the primary now does not have it all.
var errPhaseChanged = errors.New("the bucket moved on to another phase while the body came in; send it again")

// rearrange fits the calls to the view that the mutation entered in. Usually it is
// the one they were started in.
func (m *mutation) rearrange(v view, p, s **call) error {
	if (*p).store != v.primary {
		*p, *s = *s, *p
		if (*s).done != nil { // they were started
			if (*p).done == nil || m.body.cutOff((*p).tap) || m.ordered {
				return errPhaseChanged
			}
			m.body.taps[0], m.body.taps[1] = m.body.taps[1], m.body.taps[0]
			m.lead = (*p).side
		}
	}
	if (*p).done == nil {
		(*p).side, (*s).side = primary, secondary
	}
	(*p).store = v.primary
	if (*s).store != v.mirror() && (*s).done != nil {
		(*s).cut(errPhaseChanged) // writes are no longer mirrored
		m.body.taps = m.body.taps[:1]
	}
	(*s).store = v.mirror()
	m.alone = m.alone || v.mirror() == nil || m.derived && v.incomplete()
	m.ordered = m.ordered || v.incomplete()
	return nil
}

// deliver brings the request to the point where the primary has all of it, and
// the secondary too unless the mutation is ordered. Nothing can take effect on
// either store before the intents are durable.
func (m *mutation) deliver(ctx, storeCtx context.Context, intents []*journal.Intent, p, s *call, o Options) error {
	streams := m.body != nil && m.body.size() > 0
	if streams {
		if p.done == nil {
			m.stream(storeCtx, p, s)
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
	return !m.body.cutOff(s.tap)
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
	if s.store != nil {
		b.turned(s.store.Circuit.report(s), s.failed())
	}
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
