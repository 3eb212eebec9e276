package migrate

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"sluice/gateway/migrate/throttle"
	"sluice/gateway/mirror"
)

// runner runs one sweep of a bucket at a time: the crawl's or the verification's.
type runner struct {
	bucket   *mirror.Bucket
	throttle *throttle.Throttle
	path     string // of the record
	log      *slog.Logger
	visitor  func(*sweep) visitor
	// due begins a sweep of its own accord, or tells that there is no need of the one
	// there is; it is called with mu held.
	due func() bool
	// finish is called when a sweep has gone through everything.
	finish func(context.Context, *sweep)
	// giveUp is after how many attempts a key counts as failed; 0: never.
	giveUp int

	mu    sync.Mutex
	sweep *sweep             // the one under way, or the last; nil before the first
	stop  context.CancelFunc // of the one under way; else nil
	ended chan struct{}      // closed when it has stopped
	rests int                // under way: nothing begins
	wake  chan struct{}
}

// open reads what there is of an earlier sweep.
func (r *runner) open() error {
	r.wake = make(chan struct{}, 1)
	rec, ok, err := readRecord(r.path)
	if ok {
		r.begin(rec)
	}
	return err
}

// begin makes a record the sweep. mu is held, or nobody knows r yet.
func (r *runner) begin(rec record) {
	s := &sweep{
		old: r.bucket.Old(), new: r.bucket.New(), throttle: r.throttle, path: r.path,
		log: r.log.With("bucket", r.bucket.Name), rec: rec, giveUp: r.giveUp,
	}
	s.visitor = r.visitor(s)
	r.sweep = s
}

// Run sweeps whenever there is something to sweep, until ctx is done.
func (r *runner) Run(ctx context.Context) {
	for ctx.Err() == nil {
		if s, sweeping := r.next(ctx); s != nil {
			r.run(sweeping, s)
			continue
		}
		select {
		case <-r.wake:
		case <-ctx.Done():
		}
	}
}

// next answers the sweep that is due, with the context it runs in; nil if none is.
func (r *runner) next(ctx context.Context) (*sweep, context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.rests > 0 || !r.due() || r.sweep == nil {
		return nil, nil
	}
	if state := r.sweep.state(); state != Running && state != Waiting {
		return nil, nil
	}
	ctx, r.stop = context.WithCancel(ctx)
	r.ended = make(chan struct{})
	return r.sweep, ctx
}

// underWay tells whether a sweep runs that has not come to its end. mu is held. One that
// has is about to be left by run, and must not be in the way of the next.
func (r *runner) underWay() bool {
	if r.stop == nil {
		return false
	}
	state := r.sweep.state()
	return state == Running || state == Waiting
}

// run runs a sweep to its end, or until it is stopped.
func (r *runner) run(ctx context.Context, s *sweep) {
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.stop()
		r.stop = nil
		close(r.ended)
	}()
	for ctx.Err() == nil {
		s.setState(Running)
		err := s.run(ctx)
		switch {
		case err == nil:
			r.finish(ctx, s)
			return
		case errors.Is(err, errLeft):
			s.setState(Stopped)
			return
		case ctx.Err() != nil:
			return
		}
		s.setState(Waiting)
		s.log.Warn("listing failed; it goes on in a moment", "error", err)
		_ = pause(ctx, 5*time.Second)
	}
}

// halt stops the sweep under way, with everything it does.
func (r *runner) halt(state RunState) error {
	defer r.rest()()
	r.mu.Lock()
	s, stop, ended := r.sweep, r.stop, r.ended
	r.mu.Unlock()
	if stop != nil {
		stop()
		<-ended
	}
	if s == nil || s.state() == Finished {
		return nil
	}
	s.setState(state)
	return s.save()
}

// rest lets nothing begin until it is ended.
func (r *runner) rest() (end func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rests++
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.rests--
	}
}

// Forget gives up what is known of earlier sweeps: what follows is another migration.
func (r *runner) Forget() error {
	defer r.rest()()
	if err := r.halt(Stopped); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sweep = nil
	return removeFile(r.path)
}

// Wake makes Run look whether there is something to do.
func (r *runner) Wake() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Progress is how far the sweep is; nil before the first.
func (r *runner) Progress() *Progress {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sweep == nil {
		return nil
	}
	p := r.sweep.progress()
	return &p
}
