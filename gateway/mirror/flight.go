package mirror

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sluice/gateway/journal"
)

// mutate runs m on the bucket's stores; v is the view so far. It returns the
// primary's error, which is the client's answer; the intents end here, or, when the
// secondary is slower than the client may wait, in the background.
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
	f := &flight{
		mutation: m, b: b, pass: pass{v, func() {}},
		p: &call{side: primary, store: v.primary}, s: &call{side: secondary, store: v.mirror()},
		// The stores' calls outlive a client that goes away: once the last bytes
		// are released, an abandoned request would only have an unknown outcome.
		stores: context.WithoutCancel(ctx),
	}
	if err := f.begin(ctx); err != nil {
		return f.giveUp(err)
	}
	if err := f.deliver(ctx); err != nil {
		err = f.giveUp(err)
		f.end()
		return err
	}
	f.p.finish(b.o.Settings().StoreTimeout)
	if f.p.err != nil {
		f.s.abandon(m, f.p.err, b.o.Settings().SyncTimeout)
		f.end()
		return f.p.err
	}
	mirrored := f.pass.view.mirror() != nil
	f.finishSecondary()
	if b.o.Settings().FailOnSecondary && mirrored && !m.invisible && !m.both {
		return ErrSecondary
	}
	return nil
}

// flight is a mutation under way. Its way is: stream a large body, enter, begin the
// intents, wait until they are durable, release the last bytes to the primary, then
// the secondary, wait for both, end the intents, leave.
type flight struct {
	*mutation
	b       *Bucket
	stores  context.Context // of the stores' calls
	p, s    *call           // on the primary, on the secondary
	pass    pass
	intents []*journal.Intent
}

// begin brings the mutation to where its intents are begun. A large body streams
// before that, all but its last bytes: a phase change need not wait for it, only for
// what can take effect.
func (f *flight) begin(ctx context.Context) error {
	if f.body != nil && f.body.left > 0 {
		f.stream()
		if err := f.body.feed(); err != nil {
			return err
		}
	}
	if !f.part {
		pass, err := f.b.enter(ctx, f.mutation)
		if err != nil {
			return err
		}
		f.pass = pass
		if err := f.rearrange(); err != nil {
			pass.release()
			return err
		}
	}
	if f.invisible {
		return nil
	}
	var err error
	if f.intents, err = f.b.journal.Begin(f.opening(f.pass.view), f.b.Name, f.keys...); err != nil {
		f.pass.release()
	}
	return err
}

// giveUp ends the calls, of which none was released, and answers why.
func (f *flight) giveUp(err error) error {
	f.p.cut(err)
	f.s.cut(err)
	if perr := f.p.failed(); errors.Is(err, errStoreDone) && perr != nil {
		return perr
	}
	return err
}

// stream starts the calls on the stores with the body's taps.
func (f *flight) stream() {
	size := f.body.size()
	f.p.tap = newTap(size)
	f.body.taps = []*tap{f.p.tap}
	f.start(f.stores, f.p)
	if !f.alone {
		f.s.tap = newTap(size)
		f.body.taps = append(f.body.taps, f.s.tap)
		f.start(f.stores, f.s)
	}
}

// ErrPhaseChanged is the refusal of a write whose body came in while the phase
// changed, if the store that is the primary now does not have it all.
var ErrPhaseChanged = errors.New("the bucket moved on to another phase while the body came in; send it again")

// rearrange fits the calls to the view that the mutation entered in. Usually it is
// the one they were started in.
func (f *flight) rearrange() error {
	v := f.pass.view
	if f.p.store != v.primary {
		f.p, f.s = f.s, f.p
		if f.s.done != nil { // they were started
			if f.p.done == nil || f.body.cutOff(f.p.tap) || f.ordered {
				return ErrPhaseChanged
			}
			f.body.taps[0], f.body.taps[1] = f.body.taps[1], f.body.taps[0]
			f.lead = f.p.side
		}
	}
	if f.p.done == nil {
		f.p.side, f.s.side = primary, secondary
	}
	f.p.store = v.primary
	if f.s.store != v.mirror() && f.s.done != nil {
		f.s.cut(ErrPhaseChanged) // writes are no longer mirrored
		f.body.taps = f.body.taps[:1]
	}
	f.s.store = v.mirror()
	f.alone = f.alone || v.mirror() == nil || f.derived && v.incomplete()
	f.ordered = f.ordered || v.incomplete()
	return nil
}

// deliver brings the request to the point where the primary has all of it, and
// the secondary too unless the mutation is ordered. Nothing can take effect on
// either store before the intents are durable.
func (f *flight) deliver(ctx context.Context) error {
	streams := f.body != nil && f.body.size() > 0
	if streams {
		if f.p.done == nil {
			f.stream()
		}
		f.body.share()
	}
	for _, in := range f.intents {
		if err := in.Durable(ctx); err != nil {
			return fmt.Errorf("journal: the intent of the write is not durable: %w", err)
		}
	}
	if !streams {
		f.start(f.stores, f.p)
		if !f.ordered && !f.alone {
			f.start(f.stores, f.s)
		}
		return nil
	}
	if err := f.body.release(f.p.tap, f.b.o.Settings().StoreTimeout); err != nil {
		return err
	}
	if !f.ordered && f.attached() {
		f.body.releaseSecondary(f.s.tap)
	}
	return nil
}

// attached tells whether the secondary gets the body.
func (f *flight) attached() bool { return f.s.tap != nil && !f.body.cutOff(f.s.tap) }

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
// off. The mutation ends in either case.
func (f *flight) finishSecondary() {
	b, s := f.b, f.s
	switch {
	case s.tap != nil && !f.attached():
		s.stalled = true
		s.cut(ErrNotTried) // it was cut off; this collects the call
	case !f.ordered || f.alone:
	case s.tap == nil:
		f.start(f.stores, s)
	default:
		f.body.releaseSecondary(s.tap)
	}
	budget := b.o.Settings().SyncTimeout
	if f.body != nil {
		budget = f.body.budget
	}
	if s.wait(budget) {
		f.both = s.failed() == nil
		f.end()
		return
	}
	f.late.Store(true)
	select {
	case b.late <- struct{}{}:
	default:
		s.stalled = true
		s.cut(fmt.Errorf("cut off: no answer for %v", budget))
		f.end()
		return
	}
	b.turned(s.store.Circuit.Count(errStalled), errStalled) // its answer counts when it comes
	for _, in := range f.intents {
		in.Acknowledged()
	}
	b.wg.Go(func() {
		defer func() { <-b.late }()
		s.finish(b.o.Settings().StoreTimeout)
		f.end()
	})
}

// end closes the intents with what is known of both stores, and lets others in.
func (f *flight) end() {
	p, s := f.p, f.s
	if s.store != nil {
		f.b.turned(s.store.Circuit.report(s), s.failed())
	}
	doubt := f.doubt != nil && p.failed() == nil && s.failed() == nil && f.doubt()
	for i, in := range f.intents {
		po, so := p.outcome(f.errOf(p, i)), s.outcome(f.errOf(s, i))
		if doubt {
			so = journal.Untouched // known, and not equal
		}
		if !in.End(po, so) {
			f.b.log.Debug("write left to the repairer", "key", in.Key, "intent", in.ID,
				"primary", p.failed(), "secondary", s.failed())
		}
	}
	f.pass.release()
}
