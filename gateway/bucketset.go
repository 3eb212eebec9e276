package gateway

import (
	"context"
	"hash/crc32"
	"maps"
	"slices"
	"sync"

	"golang.org/x/sync/singleflight"

	"sluice/gateway/migrate"
	"sluice/gateway/mirror"
	"sluice/gateway/s3api"
)

// maxOpen bounds the buckets of the wildcard that are open at once.
const maxOpen = 10_000

// bucketSet holds the buckets: those the configuration names, and those of the
// wildcard that were used since the start.
type bucketSet struct {
	// find opens a bucket and adds it. One that is not configured, or that the
	// primary does not hold, is backends.ErrNoBucket.
	find func(ctx context.Context, name string) (*openBucket, error)

	finding singleflight.Group
	lives   [64]sync.Mutex // by a bucket's name; see lifeOf
	mu      sync.Mutex
	open    map[string]*openBucket
	ctx     context.Context // of Run; nil before it
	running sync.WaitGroup
}

type openBucket struct {
	*mirror.Bucket
	operator *migrate.Operator  // nil for a bucket with one store
	stop     context.CancelFunc // nil before Run
}

// run does what a bucket does in the background.
func (o *openBucket) run(ctx context.Context) {
	var rooms sync.WaitGroup
	rooms.Go(func() { o.Bucket.Run(ctx) })
	if o.operator != nil {
		rooms.Go(func() { o.operator.Run(ctx) })
	}
	rooms.Wait()
}

// get answers a bucket. One that is not configured, or does not exist, is
// backends.ErrNoBucket.
func (s *bucketSet) get(ctx context.Context, name string) (*mirror.Bucket, error) {
	o, err := s.getOpen(ctx, name)
	if err != nil {
		return nil, err
	}
	return o.Bucket, nil
}

// known answers a bucket that is open already, or nil.
func (s *bucketSet) known(name string) *mirror.Bucket {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.open[name]; o != nil {
		return o.Bucket
	}
	return nil
}

func (s *bucketSet) getOpen(ctx context.Context, name string) (*openBucket, error) {
	s.mu.Lock()
	b := s.open[name]
	full := len(s.open) >= maxOpen
	s.mu.Unlock()
	switch {
	case b != nil:
		return b, nil
	case full:
		return nil, s3api.ErrorFor("SlowDown", "Too many buckets are in use.")
	}
	found, err, _ := s.finding.Do(name, func() (any, error) {
		// Others wait for the answer too: it does not end with this client.
		return s.find(context.WithoutCancel(ctx), name)
	})
	if err != nil {
		return nil, err
	}
	return found.(*openBucket), nil
}

// all answers the open buckets by name.
func (s *bucketSet) all() []*openBucket {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*openBucket, 0, len(s.open))
	for _, name := range slices.Sorted(maps.Keys(s.open)) {
		list = append(list, s.open[name])
	}
	return list
}

// lifeOf is the lock under which a bucket of the wildcard is opened, created or
// deleted.
func (s *bucketSet) lifeOf(name string) *sync.Mutex {
	return &s.lives[crc32.ChecksumIEEE([]byte(name))%uint32(len(s.lives))]
}

// add opens a bucket to clients.
func (s *bucketSet) add(o *openBucket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[o.Name] = o
	if s.ctx != nil {
		s.start(o)
	}
}

// start runs what a bucket does in the background. s.mu is held.
func (s *bucketSet) start(o *openBucket) {
	ctx, cancel := context.WithCancel(s.ctx)
	o.stop = cancel
	s.running.Go(func() { o.run(ctx) })
}

// forget closes a bucket of the wildcard: it is looked for anew when it is next
// named.
func (s *bucketSet) forget(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.open[name]; o != nil && o.stop != nil {
		o.stop()
	}
	delete(s.open, name)
}

// run runs the buckets until ctx is done.
func (s *bucketSet) run(ctx context.Context) {
	s.mu.Lock()
	s.ctx = ctx
	for _, o := range s.open {
		s.start(o)
	}
	s.mu.Unlock()
	<-ctx.Done()
	s.running.Wait()
}
