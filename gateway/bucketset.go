package gateway

import (
	"context"
	"hash/crc32"
	"maps"
	"slices"
	"sync"

	"golang.org/x/sync/singleflight"

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
	find func(ctx context.Context, name string) (*mirror.Bucket, error)

	finding singleflight.Group
	lives   [64]sync.Mutex // by a bucket's name; see lifeOf
	mu      sync.Mutex
	open    map[string]*openBucket
	ctx     context.Context // of Run; nil before it
	running sync.WaitGroup
}

type openBucket struct {
	*mirror.Bucket
	stop context.CancelFunc // nil before Run
}

// get answers a bucket. One that is not configured, or does not exist, is
// backends.ErrNoBucket.
func (s *bucketSet) get(ctx context.Context, name string) (*mirror.Bucket, error) {
	s.mu.Lock()
	b := s.open[name]
	full := len(s.open) >= maxOpen
	s.mu.Unlock()
	switch {
	case b != nil:
		return b.Bucket, nil
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
	return found.(*mirror.Bucket), nil
}

// all answers the open buckets by name.
func (s *bucketSet) all() []*mirror.Bucket {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*mirror.Bucket, 0, len(s.open))
	for _, name := range slices.Sorted(maps.Keys(s.open)) {
		list = append(list, s.open[name].Bucket)
	}
	return list
}

// lifeOf is the lock under which a bucket of the wildcard is opened, created or
// deleted.
func (s *bucketSet) lifeOf(name string) *sync.Mutex {
	return &s.lives[crc32.ChecksumIEEE([]byte(name))%uint32(len(s.lives))]
}

// add opens a bucket to clients.
func (s *bucketSet) add(b *mirror.Bucket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := &openBucket{Bucket: b}
	s.open[b.Name] = o
	if s.ctx != nil {
		s.start(o)
	}
}

// start runs what a bucket does in the background. s.mu is held.
func (s *bucketSet) start(o *openBucket) {
	ctx, cancel := context.WithCancel(s.ctx)
	o.stop = cancel
	s.running.Go(func() { o.Run(ctx) })
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
