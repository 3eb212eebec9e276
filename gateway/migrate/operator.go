package migrate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"sluice/gateway/config"
	"sluice/gateway/migrate/throttle"
	"sluice/gateway/mirror"
)

// Operator runs what operators order for one bucket: looks at the guards, changes the
// phase, steers crawl and verification, and writes down who did what.
type Operator struct {
	*Migration
	Crawl  *Crawl
	Verify *Verification
	Audit  *Audit

	mu sync.Mutex // one command at a time

	looking sync.Mutex
	seen    map[string]Condition // when it was last looked at, by type
}

// RefusedError is a command that guards refused; the report says which.
type RefusedError struct{ Report Report }

func (e *RefusedError) Error() string {
	for _, g := range e.Report.Guards {
		if !g.OK && !g.Overridden {
			return fmt.Sprintf("%s refused by the guard %s: %s", e.Report.Command, g.Name, g.Message)
		}
	}
	return string(e.Report.Command) + " refused"
}

func (e *RefusedError) Unwrap() error { return ErrGuard }

// NewOperator is who runs a bucket's migration, with the throttle's permission and by what
// rules answers, going on where the state in the directory ends.
func NewOperator(m *Migration, t *throttle.Throttle, rules func() []config.Rule, dir string) (o *Operator, err error) {
	o = &Operator{Migration: m, Audit: NewAudit(dir)}
	if o.Crawl, err = NewCrawl(m, t, rules, dir); err != nil {
		return nil, err
	}
	o.Verify, err = NewVerification(m, t, o.Crawl.swept, dir)
	return o, err
}

// lookEvery is how exactly it is known since when a condition holds.
const lookEvery = 5 * time.Second

// Run works in the background until ctx is done.
func (o *Operator) Run(ctx context.Context) {
	var work sync.WaitGroup
	work.Go(func() { o.Crawl.Run(ctx) })
	work.Go(func() { o.Verify.Run(ctx) })
	work.Go(func() {
		for pause(ctx, lookEvery) == nil {
			o.Status() // so that conditions are dated when nobody asks for them, too
		}
	})
	work.Wait()
}

// Command runs a command, or with DryRun says what it would do.
func (o *Operator) Command(ctx context.Context, c Command, order Order) (r Report, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	r = Report{Bucket: o.Bucket.Name, Command: c, From: o.Bucket.Phase().Name, To: o.Bucket.Phase().Name, DryRun: order.DryRun}
	if !order.DryRun {
		defer func() { err = errors.Join(err, o.Audit.Write(order, r, err)) }()
	}
	if c == Pause || c == Resume {
		return o.steer(c, r)
	}
	next, err := c.Next(o.Bucket.Phase(), Seen{GivenUp: true})
	if errors.Is(err, ErrWrongPhase) {
		return r, err
	}
	if err == nil {
		r.To = next.Name
	}
	r.Guards = o.guards(ctx, c)
	if err := override(r.Guards, order.Override); err != nil {
		return r, err
	}
	r.Steps, r.Notes = o.steps(c)
	refused := slices.ContainsFunc(r.Guards, func(g Guard) bool { return !g.OK && !g.Overridden })
	switch {
	case refused:
		return r, &RefusedError{r}
	case order.DryRun:
		return r, nil
	}
	if c == Start { // what was crawled is not of this migration
		if err := errors.Join(o.Crawl.Forget(), o.Verify.Forget()); err != nil {
			return r, err
		}
	}
	r.Held, err = o.do(ctx, c, o.givenUp())
	o.Crawl.Wake()
	if err != nil {
		return r, err
	}
	if c == Cancel { // start forgets it too, should this fail
		err = errors.Join(o.Crawl.Forget(), o.Verify.Forget())
	}
	r.Done, r.To = true, o.Bucket.Phase().Name
	return r, err
}

func (o *Operator) steer(c Command, r Report) (Report, error) {
	if !needsCrawl(o.Bucket.Phase()) {
		return r, fmt.Errorf("%s: %w: the bucket is %s, and nothing is backfilled", c, ErrWrongPhase, r.From)
	}
	if r.DryRun {
		return r, nil
	}
	r.Done = true
	if c == Pause {
		return r, o.Crawl.Pause()
	}
	o.Crawl.Resume()
	return r, nil
}

// steps says what a command does, and what an operator should know.
func (o *Operator) steps(c Command) (steps, notes []string) {
	old, new := o.Bucket.Old().Name(), o.Bucket.New().Name()
	hold := fmt.Sprintf("hold new writes for at most %v, and let those under way end", o.Hold())
	record := "record the phase in the state directory (that is the decision), then in both stores' markers"
	switch c {
	case Start:
		return []string{
				"list " + new + " to see whether it is empty", hold, record,
				"from then on write to both stores, and copy what only " + old + " has",
			},
			[]string{"Way back: cancel, at any time before the switch. Nothing is ever removed from " + old + "."}
	case Cancel:
		return []string{hold, record, "write to " + old + " alone; what was copied to " + new + " stays there"},
			[]string{"A later start begins anew: " + new + " is then no longer empty, and everything on it is compared first."}
	case Switch:
		steps = []string{hold, record, new + " is right from then on; writes go to " + old + " too"}
		if o.Bucket.Old().ReadOnly {
			steps[2] = new + " is right from then on; " + old + " is written to no more"
			return steps, []string{"There is no way back: " + old + " is read-only."}
		}
		return steps, []string{"Way back: rollback, at any time before complete; nothing is lost."}
	case Rollback:
		return []string{hold, record, old + " is right again; writes go to " + new + " too"},
			[]string{"Way forward: switch."}
	case Complete:
		return []string{hold, record, "from then on read from and write to " + new + " alone"},
			[]string{"There is no way back. " + old + " keeps what it holds; remove it when you are sure."}
	}
	return nil, nil
}

// Status is all there is to tell.
func (o *Operator) Status() Status {
	b, phase := o.Bucket, o.Bucket.Phase()
	s := Status{
		Bucket: b.Name, Old: b.Old().Name(), New: b.New().Name(), Phase: phase, Since: o.State.Since(b.Name),
		Pending: b.Pending(), Backfill: o.Crawl.Progress(), Verify: o.Verify.Progress(),
	}
	condition := func(kind string, status bool, message string) {
		s.Conditions = append(s.Conditions, Condition{Type: kind, Status: status, Message: message})
	}
	fromGuard := func(g Guard) { condition(g.Name, g.OK, g.Message) }
	if phase.Name == mirror.Mirroring || phase.Name == mirror.Switched {
		fromGuard(o.baseline(s.Backfill))
		fromGuard(o.backfilled(s.Backfill))
		if n := b.Unsettled(); n > 0 {
			condition(guardCaughtUp, false, fmt.Sprintf("%d writes wait for the repairer", n))
		} else {
			condition(guardCaughtUp, true, "no write waits for the repairer")
		}
		fromGuard(verified(s.Verify))
	}
	if phase.Name == mirror.Switched {
		fromGuard(o.reversible())
	}
	if p := s.Backfill; p != nil && needsCrawl(phase) {
		condition("paused", p.State == Paused, "")
		if reason, _ := o.Crawl.throttle.Status(); reason != "" {
			condition("throttled", true, reason)
		}
	}
	o.date(s.Conditions)
	return s
}

// date notes since when conditions are as they are.
func (o *Operator) date(list []Condition) {
	o.looking.Lock()
	defer o.looking.Unlock()
	seen := make(map[string]Condition, len(list))
	for i := range list {
		c := &list[i]
		c.Since = time.Now().UTC()
		if before, ok := o.seen[c.Type]; ok && before.Status == c.Status {
			c.Since = before.Since
		}
		seen[c.Type] = *c
	}
	o.seen = seen
}
