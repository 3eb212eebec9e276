package mirror

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"sluice/backends"
	"sluice/gateway/journal"
)

// Backfill copies a key from old to new, if it is clean, nothing runs on it, and
// new does not have it (R10). It is nil also when there was nothing to do. A key that
// is not clean is journal.ErrBusy: whether new has it will be known when what runs on
// it has ended.
func (b *Bucket) Backfill(ctx context.Context, key string) error {
	reading, done := b.copying.begin(ctx, key)
	defer done()
	if err := b.gate.Acquire(ctx, 1); err != nil {
		return err
	}
	defer b.gate.Release(1)
	v := b.view()
	if v.phase.Name != Mirroring && !v.incomplete() {
		return nil // new is the truth, or not in use
	}
	if v.incomplete() {
		unlock, ok := b.locks.tryAlone(key)
		if !ok {
			return fmt.Errorf("%q: %w", key, journal.ErrBusy)
		}
		defer unlock()
	}
	err := b.backfill(ctx, reading, v, key)
	switch {
	case errors.Is(err, journal.ErrBusy):
		return err
	case err != nil && reading.Err() != nil && ctx.Err() == nil:
		return errStopped
	}
	return err
}

// bring makes sure that an incomplete primary has a key that only old has (R8). It
// waits for another copy of the key as long as a client may be made to.
func (b *Bucket) bring(ctx context.Context, v view, key string) error {
	if !v.incomplete() {
		return nil
	}
	if info, err := v.primary.headOrAbsent(ctx, key); err != nil || info != nil || b.stamp(key).Deleted(v.phase.Epoch) {
		return err
	}
	if info, err := v.secondary.headOrAbsent(ctx, key); err != nil || info == nil {
		return err
	}
	if err := b.gate.Acquire(ctx, 1); err != nil {
		return err
	}
	defer b.gate.Release(1)
	if !b.current(v) {
		return nil // the caller sees it, too
	}
	wait, cancel := context.WithTimeout(ctx, b.o.SyncTimeout)
	defer cancel()
	unlock, err := b.locks.lock(wait, key, alone)
	if err != nil {
		return fmt.Errorf("%q is in use by another operation: %w", key, journal.ErrBusy)
	}
	defer unlock()
	return b.backfill(ctx, ctx, v, key)
}

// backfill is one copy of a key from old to new, its source read under a context of
// its own: when that ends the copy is given up, unless its last bytes are on their
// way. A key that is not clean is journal.ErrBusy.
func (b *Bucket) backfill(ctx, reading context.Context, v view, key string) error {
	if halted := b.halted.Load(); halted != nil {
		return *halted
	}
	in := b.journal.BeginCopy(b.stamp(key), v.phase.Epoch)
	if in == nil {
		return fmt.Errorf("%q: %w", key, journal.ErrBusy)
	}
	outcome := journal.Untouched
	defer func() { in.End(outcome, outcome) }()
	if err := in.Durable(ctx); err != nil {
		return err
	}
	if info, err := b.new.headOrAbsent(ctx, key); err != nil || info != nil {
		return err
	}
	info, err := b.old.headOrAbsent(ctx, key)
	if err != nil || info == nil {
		return err
	}
	from := *b.old
	from.Store = stoppable{b.old.Store, reading}
	err = copyObject(ctx, route{&from, b.new}, info, b.new.Profile.ConditionalCreate)
	outcome = copied(err)
	if errors.Is(err, backends.ErrPrecondition) {
		// Somebody was faster; or it is the source that changed meanwhile.
		if info, headErr := b.new.headOrAbsent(ctx, key); headErr == nil && info != nil {
			return nil
		}
	}
	return err
}

// stoppable is a store whose objects can be read only as long as a context lasts.
type stoppable struct {
	backends.Store
	reading context.Context
}

// Get opens an object.
func (s stoppable) Get(ctx context.Context, r backends.GetRequest) (*backends.Object, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	detach := context.AfterFunc(s.reading, func() { cancel(errStopped) })
	o, err := s.Store.Get(ctx, r)
	if err != nil {
		detach()
		cancel(nil)
		return nil, err
	}
	o.Body = &cancelBody{ReadCloser: o.Body, cancel: func(err error) { detach(); cancel(err) }}
	return o, nil
}

// copying are the background copies under way. A mutation of their key, or a phase
// change, stops them while that leaves nothing behind.
type copying struct {
	mu   sync.Mutex
	keys map[string]context.CancelFunc
}

var errStopped = errors.New("the copy made way; it is made again later")

func (c *copying) begin(ctx context.Context, key string) (reading context.Context, done func()) {
	reading, cancel := context.WithCancel(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.keys == nil {
		c.keys = make(map[string]context.CancelFunc)
	}
	if c.keys[key] != nil {
		return reading, cancel // a second copy of a key finds it dirty and ends at once
	}
	c.keys[key] = cancel
	return reading, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.keys, key)
		cancel()
	}
}

func (c *copying) stop(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if cancel := c.keys[key]; cancel != nil {
		cancel()
	}
}

func (c *copying) stopAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cancel := range c.keys {
		cancel()
	}
}

func copied(err error) journal.Outcome {
	switch {
	case err == nil:
		return journal.Applied
	case backends.Unknown(err):
		return journal.Unknown
	default:
		return journal.Untouched
	}
}

// copyQueue holds the keys whose background copy was asked for. It is bounded;
// what does not fit is dropped, and found again by the next read or the crawl.
type copyQueue struct {
	mu      sync.Mutex
	queued  map[string]bool // waiting or under way
	keys    chan string
	drained chan struct{} // closed when queued falls empty; nil: nobody waits
}

const copyQueueLength = 4096

func (q *copyQueue) init() {
	q.queued = make(map[string]bool)
	q.keys = make(chan string, copyQueueLength)
}

func (q *copyQueue) add(key string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.queued[key] {
		return
	}
	select {
	case q.keys <- key:
		q.queued[key] = true
	default:
	}
}

// begin claims a key for a copy that starts now, unless one is waiting or under
// way.
func (q *copyQueue) begin(key string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.queued[key] {
		return false
	}
	q.queued[key] = true
	return true
}

func (q *copyQueue) done(key string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.queued, key)
	if len(q.queued) == 0 && q.drained != nil {
		close(q.drained)
		q.drained = nil
	}
}

// CopiesDone returns when no background copy is waiting or under way, or with
// ctx's error.
func (b *Bucket) CopiesDone(ctx context.Context) error {
	q := &b.copies
	q.mu.Lock()
	if len(q.queued) == 0 {
		q.mu.Unlock()
		return nil
	}
	if q.drained == nil {
		q.drained = make(chan struct{})
	}
	drained := q.drained
	q.mu.Unlock()
	select {
	case <-drained:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b *Bucket) copyWorker(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case key := <-b.copies.keys:
			if b.new != nil && b.new.Circuit.wait(ctx) != nil {
				return
			}
			err := b.Backfill(ctx, key)
			b.copies.done(key)
			switch {
			case ctx.Err() != nil:
				return
			case errors.Is(err, journal.ErrBusy): // the next read sees to it
			case errors.Is(err, errStopped):
				b.copies.add(key)
			case err != nil:
				b.log.Warn("lazy backfill failed; the next read tries again", "key", key, "error", err)
			}
		}
	}
}
