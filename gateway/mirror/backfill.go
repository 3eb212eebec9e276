package mirror

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"sluice/backends"
	"sluice/gateway/journal"
)

// Copy is an order to copy a key from old to new.
type Copy struct {
	Key string
	// Size is what a listing said of it; 0: it was not listed.
	Size int64
	// Listed: a listing has shown that new lacks the key. Where new honours
	// conditional creates it is then not asked again.
	Listed bool
	// Replace makes new equal to old also if it holds something else: what was written
	// behind our back, or before there was a baseline (R11). On an incomplete primary
	// it means nothing: there new is right.
	Replace bool
	// Pace is called with every piece of a body that was read, before the next one is;
	// nil: at full speed.
	Pace func(ctx context.Context, bytes int) error
}

// Copied is what became of a copy.
type Copied int

// The results of a copy.
const (
	NotCopied  Copied = iota
	Created           // new has it now
	Replaced          // new has what old has now
	There             // new had it already
	GoneOnOld         // old has it no more
	OnlyOnNew         // old has it no more, new still does
	Tombstoned        // it is deleted: what a read-only old holds does not count
	NotNow            // in this phase nothing is copied to new
)

// Backfill copies a key from old to new, if it is clean, nothing runs on it, and new
// does not have it (R10). A key that is not clean is journal.ErrBusy: whether new has
// it will be known when what runs on it has ended. A copy that made way for something
// else is ErrStopped.
func (b *Bucket) Backfill(ctx context.Context, c Copy) (Copied, error) {
	return b.background(ctx, c.Key, func(reading context.Context, v view) (Copied, error) {
		switch {
		case v.phase.Name != Mirroring && !v.incomplete():
			return NotNow, nil // new is the truth, or not in use
		case v.incomplete() && b.old.ReadOnly && b.stamp(c.Key).Deleted(v.phase.Epoch):
			return Tombstoned, nil // until the migration is completed
		case v.incomplete():
			c.Replace = false
		}
		return b.backfill(ctx, reading, v, c)
	})
}

// background has a copy of a key run where mutations and phase changes can stop it: when
// reading ends it is given up, which is ErrStopped, unless its last bytes are on their way.
func (b *Bucket) background(
	ctx context.Context, key string, run func(reading context.Context, v view) (Copied, error),
) (copied Copied, err error) {
	ctx, end := b.o.Span(ctx, "copy", b.Name, key)
	defer func() { end(err) }()
	reading, done := b.copying.begin(ctx, key)
	defer done()
	if err := b.gate.Acquire(ctx, 1); err != nil {
		return NotCopied, err
	}
	defer b.gate.Release(1)
	v := b.view()
	if v.incomplete() {
		unlock, ok := b.locks.tryAlone(key)
		if !ok {
			return NotCopied, fmt.Errorf("%q: %w", key, journal.ErrBusy)
		}
		defer unlock()
	}
	copied, err = run(reading, v)
	if err != nil && !errors.Is(err, journal.ErrBusy) && reading.Err() != nil && ctx.Err() == nil {
		err = ErrStopped
	}
	return copied, err
}

// beginCopy opens a copy's intent. A key that is not clean is journal.ErrBusy.
func (b *Bucket) beginCopy(v view, key string) (*journal.Intent, error) {
	if halted := b.halted.Load(); halted != nil {
		return nil, *halted
	}
	in := b.journal.BeginCopy(b.stamp(key), v.phase.Epoch)
	if in == nil {
		return nil, fmt.Errorf("%q: %w", key, journal.ErrBusy)
	}
	return in, nil
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
	wait, cancel := context.WithTimeout(ctx, b.o.Settings().SyncTimeout)
	defer cancel()
	unlock, err := b.locks.lock(wait, key, alone)
	if err != nil {
		return fmt.Errorf("%q is in use by another operation: %w", key, journal.ErrBusy)
	}
	defer unlock()
	_, err = b.backfill(ctx, ctx, v, Copy{Key: key})
	return err
}

// backfill is one copy of a key from old to new, its source read under a context of
// its own.
func (b *Bucket) backfill(ctx, reading context.Context, v view, c Copy) (result Copied, err error) {
	in, err := b.beginCopy(v, c.Key)
	if err != nil {
		return NotCopied, err
	}
	outcome := journal.Untouched
	defer func() { in.End(outcome, outcome) }()
	from, source := *b.old, stoppable{b.old.Store, reading, c.Pace}
	from.Store = source
	r := route{from: &from, to: b.new}
	create := b.new.Profile.ConditionalCreate
	if b.o.OneServer && c.Size > smallBody && !v.incomplete() {
		// Such a copy is made whatever new holds by then. While old is the primary the
		// overlap rule is fence enough (I7).
		r.source, create = &source, false
	}
	if !create || !c.Listed || c.Replace {
		there, err := b.new.headOrAbsent(ctx, c.Key)
		switch {
		case err != nil:
			return NotCopied, err
		case there != nil && c.Replace:
			result, outcome, err = r.replace(ctx, in, there)
			return result, err
		case there != nil:
			return There, nil
		}
	}
	o, err := r.open(ctx, c.Key)
	if errors.Is(err, backends.ErrNotFound) {
		return GoneOnOld, nil
	}
	if err != nil {
		return NotCopied, err
	}
	defer o.close()
	if err := in.Durable(ctx); err != nil {
		return NotCopied, err
	}
	err = copyOpened(ctx, r, o, create)
	outcome = copied(err)
	if errors.Is(err, backends.ErrPrecondition) {
		// Somebody was faster; or it is the source that changed meanwhile.
		if info, headErr := b.new.headOrAbsent(ctx, c.Key); headErr == nil && info != nil {
			return There, nil
		}
	}
	if err != nil {
		return NotCopied, err
	}
	return Created, nil
}

// replace makes new's object, as there describes it, equal to old's.
func (r route) replace(ctx context.Context, in *journal.Intent, there *backends.Info) (Copied, journal.Outcome, error) {
	info, err := r.from.headOrAbsent(ctx, there.Key)
	if err != nil {
		return NotCopied, journal.Untouched, err
	}
	if info == nil {
		return OnlyOnNew, journal.Untouched, nil
	}
	var same bool
	if there.Header.Get(originHeader) == origin(info) { // it is our copy of this very object
		same, err = r.sameAttributes(ctx, info, there)
	} else {
		same, err = r.equal(ctx, info, there)
	}
	if same || err != nil {
		return There, journal.Untouched, err
	}
	if err := in.Durable(ctx); err != nil {
		return NotCopied, journal.Untouched, err
	}
	err = copyObject(ctx, r, info, false)
	if err != nil {
		return NotCopied, copied(err), err
	}
	return Replaced, journal.Applied, nil
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
			if b.new != nil && b.new.Circuit.Wait(ctx) != nil {
				return
			}
			copied, err := b.Backfill(ctx, Copy{Key: key})
			b.heardOfNew(copied, err)
			b.copies.done(key)
			switch {
			case ctx.Err() != nil:
				return
			case errors.Is(err, journal.ErrBusy): // the next read sees to it
			case errors.Is(err, ErrStopped):
				b.copies.add(key)
			case err != nil:
				b.log.Warn("lazy backfill failed; the next read tries again", "key", key, "error", err)
			}
		}
	}
}

// heardOfNew counts what a background copy heard of the store that it waited for. Its try
// may be the only one for a while.
func (b *Bucket) heardOfNew(copied Copied, err error) {
	var e *backends.Error
	switch {
	case b.new == nil:
	case b.Secondary() == b.new && (err == nil && (copied == Created || copied == There) || errors.As(err, &e) && e.Store == b.new.Name()):
		b.turned(b.new.Circuit.Count(err), err)
	default:
		b.new.Circuit.untried()
	}
}
