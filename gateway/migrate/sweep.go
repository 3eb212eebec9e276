package migrate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/backends"
	"sluice/gateway/config"
	"sluice/gateway/journal"
	"sluice/gateway/migrate/throttle"
	"sluice/gateway/mirror"
)

// finding is what a sweep found of a key.
type finding int

const (
	equal finding = iota
	missing
	extra
	different
	failed
	left     // on old alone, by a rule
	findings // how many there are
)

// result is what became of a key.
type result struct {
	found  finding
	copied bool
	size   int64 // of the object
	read   int64 // bytes of content that were compared
	why    error // of a failed one
}

// visitor is what a sweep does with every key: the crawl and the verification.
type visitor interface {
	// look judges a pair by what the listings say of it; more tells that this is not
	// enough.
	look(p pair) (r result, more bool)
	// found is told of everything that is not equal.
	found(key string, r result)
	// visit sees to a key. journal.ErrBusy and mirror.ErrStopped say that something
	// else ran on it, errLeft that the phase needs no sweep any more.
	visit(ctx context.Context, p pair) (result, error)
}

// errLeft is the end of a sweep that the phase has overtaken.
var errLeft = errors.New("the bucket has left the phase")

// sweep goes once over all keys of both stores: listed in order, by several at once,
// and worked on by many at once. It can be stopped and goes on where it was.
type sweep struct {
	old, new backends.Reader
	visitor  visitor
	throttle *throttle.Throttle
	path     string // of the record
	log      *slog.Logger
	giveUp   int // after so many attempts a key counts as failed; 0: never

	circuit mirror.Circuit // opens when one visit after the other fails
	jobs    chan job
	spans   spans

	saving sync.Mutex // one save at a time; before mu

	mu    sync.Mutex
	rec   record
	dirty bool // rec is not on disk
	meter meter
}

type job struct {
	w    *window // nil: the key is tried again
	item *item
	pair
}

const (
	listers = 4
	// visitors bounds what the throttle may allow.
	visitors = 256
	// attempts are made at a key before it is put off.
	attempts = 3
	// maxLater bounds the keys put off: with as many the sweep waits for the first
	// of them to be done.
	maxLater = 10_000
	// drainTime is what a stopped sweep gives the copies under way.
	drainTime = 10 * time.Second
)

// run sweeps until everything is done, or ctx is; then it waits a little for what is
// under way.
func (s *sweep) run(ctx context.Context) error {
	s.jobs = make(chan job)
	s.spans = spans{sweep: s, mu: &s.mu, changed: sync.NewCond(&s.mu)}
	for _, r := range s.rec.Spans {
		s.spans.free = append(s.spans.free, newWindow(r))
	}
	s.lookAhead()
	hard, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(drainTime, cancel) })()
	group, soft := errgroup.WithContext(ctx)
	defer context.AfterFunc(soft, s.spans.wake)()
	var listing sync.WaitGroup
	for range listers {
		listing.Add(1)
		group.Go(func() error {
			defer listing.Done()
			for w := s.spans.claim(soft); w != nil; w = s.spans.claim(soft) {
				if err := s.list(soft, w); err != nil {
					return err
				}
			}
			return nil
		})
	}
	var working sync.WaitGroup
	for range visitors {
		working.Add(1)
		group.Go(func() error {
			defer working.Done()
			for j := range s.jobs {
				if err := s.work(hard, soft, j); err != nil {
					return err
				}
			}
			return nil
		})
	}
	listed := make(chan struct{})
	group.Go(func() error {
		listing.Wait()
		close(s.jobs)
		working.Wait()
		close(listed)
		return nil
	})
	group.Go(func() error { return s.again(hard, soft, listed) })
	saved := make(chan struct{})
	saving, stopSaving := context.WithCancel(context.WithoutCancel(ctx))
	go func() { defer close(saved); s.keep(saving) }()
	if !s.rec.Counted {
		counting, stop := context.WithCancel(soft)
		counted := make(chan struct{})
		go func() { defer close(counted); s.count(counting) }()
		defer func() { stop(); <-counted }()
	}
	err := group.Wait()
	stopSaving()
	<-saved
	if err == nil {
		err = ctx.Err()
	}
	return errors.Join(err, s.save())
}

// list lists a span and hands out what is not judged by the listings alone.
func (s *sweep) list(ctx context.Context, w *window) error {
	after := w.After
	for {
		jump, err := s.listFrom(ctx, w, after)
		if err != nil || jump == "" {
			return err
		}
		after = jump
	}
}

// listFrom lists a span from a key on. When it comes upon a rule's keys it answers where
// to go on behind them.
func (s *sweep) listFrom(ctx context.Context, w *window, after string) (jump string, err error) {
	pairs := join(ctx, s.old, s.new, span{Prefix: w.Prefix, After: after, To: s.spans.to(w)})
	defer pairs.close()
	for {
		p, ok, err := pairs.next()
		if err != nil {
			return "", err
		}
		if !ok {
			s.spans.end(w)
			return "", nil
		}
		if prefix, ok := s.elsewhere(w.Rule, p.key); ok {
			if behind := prefix + lastOfAll; behind > p.key {
				return behind, nil
			}
			continue // a key that lastOfAll does not reach
		}
		it, err := s.spans.add(ctx, w, p.key)
		if err != nil {
			return "", err
		}
		if it == nil {
			s.spans.end(w)
			return "", nil
		}
		if s.adopt(it) {
			s.spans.done(w, it, nil)
			continue
		}
		if r, more := s.visitor.look(p); !more {
			s.spans.done(w, it, &r)
			continue
		}
		select {
		case s.jobs <- job{w, it, p}:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// lastOfAll is behind every character that a key can go on with.
const lastOfAll = "\U0010ffff"

// elsewhere tells whether a key belongs to a rule before a span's own.
func (s *sweep) elsewhere(own int, key string) (prefix string, ok bool) {
	for _, rule := range s.rec.Rules[:own] {
		if strings.HasPrefix(key, rule.Prefix) {
			return rule.Prefix, true
		}
	}
	return "", false
}

// work sees to one key. What can not be done is put off. The error ends the sweep.
func (s *sweep) work(hard, soft context.Context, j job) error {
	for attempt := 1; ; attempt++ {
		r, err := s.visit(hard, soft, j.pair)
		switch {
		case err == nil:
			s.finish(j, &r)
			return nil
		case soft.Err() != nil, errors.Is(err, errLeft):
			return err
		case attempt == attempts, errors.Is(err, journal.ErrBusy), errors.Is(err, mirror.ErrStopped):
			return s.putOff(soft, j, err)
		}
		if err := pause(soft, time.Duration(attempt)*300*time.Millisecond); err != nil {
			return err
		}
	}
}

// visit sees to a key once, when throttle and circuit allow it.
func (s *sweep) visit(hard, soft context.Context, p pair) (result, error) {
	if err := s.circuit.Wait(soft); err != nil {
		return result{}, err
	}
	end, err := s.throttle.Begin(soft)
	if err != nil {
		return result{}, err
	}
	r, err := s.visitor.visit(hard, p)
	end(err)
	s.circuit.Count(err)
	return r, err
}

func (s *sweep) finish(j job, r *result) {
	if r.found != equal {
		s.visitor.found(j.key, *r)
	}
	if j.w != nil {
		s.spans.done(j.w, j.item, r)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.rec.Later[j.key]
	r.size = cmp.Or(r.size, l.Size)
	delete(s.rec.Later, j.key)
	if l.item != nil && !l.item.passed {
		l.item.result = r
	} else {
		s.rec.Counts.add(*r)
	}
	s.dirty = true
}

// count finds out how much old holds, for people who want to know how long it takes.
func (s *sweep) count(ctx context.Context) {
	var total Amount
	for o, err := range backends.Walk(ctx, s.old, backends.ListRequest{Prefix: s.rec.Order.Prefix}) {
		if err != nil {
			return // it is known at the end
		}
		if mirror.IsReserved(o.Key) || !s.rec.All && s.leftOut(o.Key) {
			continue
		}
		total.add(1, o.Size)
		if total.Objects%1000 == 0 {
			s.total(total, false)
		}
	}
	s.total(total, true)
}

// leftOut tells whether a key is left to reads, by a rule.
func (s *sweep) leftOut(key string) bool { return leftOut(s.rec.Rules, key) }

func leftOut(rules []config.Rule, key string) bool {
	for _, rule := range rules {
		if strings.HasPrefix(key, rule.Prefix) {
			return rule.Mode != config.Copy
		}
	}
	return false
}

func (s *sweep) total(a Amount, counted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rec.Total, s.rec.Counted, s.dirty = a, counted, true
}

// keep saves the record, and meters the speed, every second.
func (s *sweep) keep(ctx context.Context) {
	for pause(ctx, time.Second) == nil {
		if err := s.save(); err != nil {
			s.log.Error("a crash would cost what was done since", "error", err)
		}
	}
}

// save writes the record if it changed.
func (s *sweep) save() error {
	s.saving.Lock()
	defer s.saving.Unlock()
	s.mu.Lock()
	s.meter.note(time.Now(), s.rec.Counts.Done)
	if !s.dirty {
		s.mu.Unlock()
		return nil
	}
	s.dirty = false
	copied := s.rec
	copied.Later = maps.Clone(s.rec.Later)
	copied.Spans = nil
	for _, sp := range s.rec.Spans {
		one := *sp
		copied.Spans = append(copied.Spans, &one)
	}
	s.mu.Unlock()
	err := copied.write(s.path)
	if err != nil {
		s.mu.Lock()
		s.dirty = true
		s.mu.Unlock()
	}
	return err
}

func (s *sweep) state() RunState {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rec.State
}

func (s *sweep) setState(state RunState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rec.State, s.dirty = state, true
}

// finished says that nothing is left to do.
func (s *sweep) finished() error {
	s.mu.Lock()
	s.rec.State, s.rec.Finished, s.dirty = Finished, time.Now().UTC(), true
	s.rec.Total, s.rec.Counted = s.rec.Counts.Done, true
	s.mu.Unlock()
	return s.save()
}

// pause waits, unless ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stopped: %w", ctx.Err())
	}
}
