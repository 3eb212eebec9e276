// Package migrate is what moves a bucket from one store to the other behind the
// clients' backs: the repairer that settles what writes left behind, and the
// proof that the new store is a mirror at all.
package migrate

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"sluice/backends"
	"sluice/gateway/journal"
	"sluice/gateway/mirror"
)

// Repairer settles pending intents: it makes the secondary equal to the primary
// at once, and after the quarantine compares and settles (R4).
type Repairer struct {
	Journal *journal.Journal
	// Bucket finds a bucket. One that is not configured is nil; one that was
	// deleted is backends.ErrNoBucket.
	Bucket func(ctx context.Context, name string) (*mirror.Bucket, error)
	Log    *slog.Logger
	// Workers bounds the repairs under way at once.
	Workers int
	// Timeout bounds one repair.
	Timeout time.Duration
	// Span is told when a repair begins, as in mirror.Options.
	Span func(ctx context.Context, name, bucket, key string) (context.Context, func(error))

	repaired, failed atomic.Int64
}

// Repaired counts the keys settled, and the attempts that failed, since the
// start.
func (p *Repairer) Repaired() (settled, failed int64) {
	return p.repaired.Load(), p.failed.Load()
}

// Run repairs until ctx is done.
func (p *Repairer) Run(ctx context.Context) {
	var workers sync.WaitGroup
	for range max(p.Workers, 1) {
		workers.Go(func() {
			for {
				r, err := p.Journal.NextRepair(ctx)
				if err != nil {
					return
				}
				p.repair(ctx, r)
			}
		})
	}
	workers.Wait()
}

func (p *Repairer) repair(ctx context.Context, r *journal.Repair) {
	log := p.Log.With("bucket", r.Bucket, "key", r.Key)
	ctx, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	var err error
	if p.Span != nil {
		var end func(error)
		ctx, end = p.Span(ctx, "repair", r.Bucket, r.Key)
		defer func() { end(err) }()
	}
	b, err := p.Bucket(ctx, r.Bucket)
	switch {
	case errors.Is(err, backends.ErrNoBucket):
		r.Settle() // with the bucket all its objects are gone
		return
	case err != nil:
		p.failed.Add(1)
		log.Warn("repair failed: the bucket can not be opened", "error", err)
		r.Retry(r.Backoff())
		return
	case b == nil:
		// The bucket was taken out of the configuration. Its intents stay, so
		// that they are settled should it come back.
		log.Warn("pending writes of a bucket that is not configured; put it back to have them repaired")
		r.Retry(time.Hour)
		return
	}
	wait := r.Quarantine()
	verdict, err := b.Reconcile(ctx, r)
	if err == nil && verdict == mirror.Changed {
		// The comparison that settles comes after the repair's own write.
		verdict, err = b.Reconcile(ctx, r)
	}
	if err != nil && backends.Unknown(err) {
		r.Unknown()
	}
	switch {
	case errors.Is(err, mirror.ErrNotTried):
		r.Retry(r.Rest()) // that the store is down was said once, not for every key
	case err != nil:
		p.failed.Add(1)
		delay := r.Backoff()
		log.Warn("repair failed; it is tried again", "in", delay.Round(time.Millisecond), "error", err)
		r.Retry(delay)
	case verdict == mirror.Changed:
		r.Retry(r.Backoff()) // the primary changed meanwhile, or the secondary does not hold what it is given
	case wait > 0:
		// A request may still land. The stores are equal for now; the
		// comparison that settles comes after the quarantine.
		r.Retry(wait)
	case verdict == mirror.ReadOnly && r.Keep(b.Phase().Epoch),
		verdict != mirror.ReadOnly && r.Settle():
		p.repaired.Add(1)
		log.Debug("repaired")
	}
}
