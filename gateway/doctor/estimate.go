package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/dustin/go-humanize"
	"golang.org/x/sync/errgroup"

	"sluice/backends"
	"sluice/backends/s3"
	"sluice/gateway/config"
	"sluice/gateway/mirror"
)

const (
	sampled    = 256      // objects, of all that were counted
	sampleSize = 16 << 20 // bytes at most that are read of one
	measured   = 10 * time.Second
)

// estimates tells of each bucket that is to move what its move takes, one after the other:
// they would slow each other down.
func (d *doctor) estimates(ctx context.Context) {
	for _, name := range slices.Sorted(maps.Keys(d.Config.Buckets)) {
		b := d.Config.Buckets[name]
		if b.New == "" || ctx.Err() != nil {
			continue
		}
		s := subject{Bucket, name, d.report}
		if name == config.Wildcard {
			s.warn("estimate", "none is made for a mapping of many buckets", "name a bucket, to have an estimate of it")
			continue
		}
		old, new := d.open(ctx, b.Old, name), d.open(ctx, b.New, name)
		if old.store != nil && new.store != nil {
			d.estimate(ctx, s, old, new)
		}
		old.close()
		new.close()
	}
}

// open is a bucket on a store, with connections of its own; without a store, if that could
// not be made, which the checks of the store have told of.
func (d *doctor) open(ctx context.Context, store, bucket string) place {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	p := place{storeName: store, config: d.Config.Stores[store]}
	o := p.config.S3(store)
	p.bucket = cmp.Or(o.Bucket, bucket)
	o.Bucket = p.bucket
	p.store, _ = s3.New(ctx, o)
	return p
}

func (p place) close() {
	if p.store != nil {
		p.store.Close()
	}
}

// amount is what was counted of a bucket.
type amount struct {
	objects, bytes int64
	whole          bool // the listing came to its end
	sample         []backends.ListedObject
}

// count lists a bucket for no longer than it may, and draws a sample in which every object
// is as likely as the others (reservoir sampling).
func count(ctx context.Context, s backends.Reader, may time.Duration) (a amount, err error) {
	until := time.Now().Add(may)
	listing, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	for o, err := range backends.Walk(listing, s, backends.ListRequest{}) {
		switch {
		case err != nil && a.objects > 0 && ctx.Err() == nil && listing.Err() != nil:
			return a, nil // the time is over
		case err != nil:
			return a, err
		case mirror.IsReserved(o.Key):
			continue
		}
		a.objects++
		a.bytes += o.Size
		if len(a.sample) < sampled {
			a.sample = append(a.sample, o)
		} else if i := rand.Int64N(a.objects); i < sampled {
			a.sample[i] = o
		}
	}
	a.whole = true
	return a, nil
}

func (a amount) String() string {
	return fmt.Sprintf("%s objects, %s", humanize.Comma(a.objects), humanize.IBytes(uint64(a.bytes)))
}

// estimate counts a bucket's old store, and copies a sample to canaries on the new one, as
// many at once as the backfill does.
func (d *doctor) estimate(ctx context.Context, s subject, old, new place) {
	counted, err := count(ctx, old.store, d.Estimate)
	if err != nil {
		s.warn("estimate", "the old store could not be listed: "+old.explain(err).seen, "see the checks above")
		return
	}
	all, partly := counted.String(), ""
	if !counted.whole {
		all = fmt.Sprintf("at least %s: so much was counted in %v, and the listing was not at its end", all, d.Estimate)
		partly = ", for what was counted"
	}
	s.ok("objects", all)
	s.ok("egress", fmt.Sprintf("%s leave the old store%s; what that costs is its provider's to say", humanize.Bytes(uint64(counted.bytes)), partly))
	if counted.objects == 0 {
		return
	}
	speed, err := d.measure(ctx, old.store, new.store, counted.sample)
	if err != nil {
		at := new
		var e *backends.Error
		if errors.As(err, &e) && e.Store == old.storeName {
			at = old
		}
		s.warn("estimate", "no object could be copied to measure it: "+at.explain(err).seen, "see the checks above")
		return
	}
	took := max(float64(counted.objects)/speed.objects, float64(counted.bytes)/speed.bytes)
	s.ok("estimate", fmt.Sprintf("about %s%s, by %d objects that were copied at %.0f a second and %s/s, %d at once; throttles and live traffic make it longer",
		hours(took), partly, speed.copied, speed.objects, humanize.IBytes(uint64(speed.bytes)), d.Config.Migration.Backfill.Workers))
}

func hours(seconds float64) string {
	switch {
	case seconds < 60:
		return "a minute"
	case seconds < 3600:
		return fmt.Sprintf("%.0f minutes", seconds/60)
	}
	return fmt.Sprintf("%.1f hours", seconds/3600)
}

// rate is how fast objects were copied.
type rate struct {
	objects, bytes float64 // a second
	copied         int64
}

// measure copies objects of a sample, again from its beginning if it is small, until the
// time is over. Of a large object no more is read than sampleSize, and its bytes count.
func (d *doctor) measure(ctx context.Context, old, new backends.Store, sample []backends.ListedObject) (rate, error) {
	var next, objects, bytes atomic.Int64
	var failed atomic.Pointer[error]
	began := time.Now()
	var workers errgroup.Group
	for range d.Config.Migration.Backfill.Workers {
		workers.Go(func() error {
			c := backends.NewCanary(new)
			defer c.Remove(ctx)
			for time.Since(began) < min(d.Estimate, measured) && ctx.Err() == nil {
				n, err := transfer(ctx, old, c, sample[int(next.Add(1)-1)%len(sample)])
				if errors.Is(err, backends.ErrNotFound) { // removed since it was listed
					continue
				}
				if err != nil {
					failed.Store(&err)
					return nil
				}
				objects.Add(1)
				bytes.Add(n)
			}
			return nil
		})
	}
	_ = workers.Wait()
	seconds := time.Since(began).Seconds()
	if err := failed.Load(); err != nil {
		return rate{}, *err
	}
	if objects.Load() == 0 {
		return rate{}, errors.New("none was there any more")
	}
	return rate{float64(objects.Load()) / seconds, max(float64(bytes.Load()), 1) / seconds, objects.Load()}, nil
}

// transfer copies the beginning of an object to a canary.
func transfer(ctx context.Context, old backends.Reader, c *backends.Canary, o backends.ListedObject) (int64, error) {
	// What has begun ends: see try.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), profileTime)
	defer cancel()
	r := backends.GetRequest{Key: o.Key}
	if o.Size > sampleSize {
		r.Range = fmt.Sprintf("bytes=0-%d", sampleSize-1)
	}
	from, err := old.Get(ctx, r)
	if err != nil {
		return 0, err
	}
	defer from.Body.Close()
	return from.Length, c.PutCopy(ctx, from)
}
