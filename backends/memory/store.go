// Package memory is a store in this process: one bucket as S3 would have it, without a
// network, without pauses and with no chance in it. Simulations stand on it, because
// two runs of the same operations in the same order see the same answers, and fast
// tests do. Inside a testing/synctest bubble its times are the bubble's.
//
// The bucket keeps no versions, encrypts nothing and locks nothing; a request that
// relies on such a thing is refused, never half obeyed. Unlike S3 it takes parts of any
// size, so that an upload of many parts stays small.
package memory

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"sluice/backends"
)

// Store is a bucket in memory.
type Store struct {
	name string

	mu      sync.Mutex // held for the moment in which an operation takes effect
	objects map[string]*object
	uploads map[string]*upload // by id
	opened  int                // uploads so far: ids count, so that runs can be repeated
}

var _ backends.Store = (*Store)(nil)

// object is an object of the bucket. It is replaced and never changed, so that who
// found it may go on reading without the lock.
type object struct {
	attributes
	content  []byte
	etag     string
	modified time.Time
	sum      checksum
	parts    []*part // those it was uploaded in; nil for a PUT
}

// New makes an empty store.
func New(name string) *Store {
	return &Store{name: name, objects: make(map[string]*object), uploads: make(map[string]*upload)}
}

// Name is the store's name.
func (s *Store) Name() string { return s.name }

// call is one operation, as errors name it.
type call struct {
	store   *Store
	op, key string
}

func (s *Store) call(op, key string) call { return call{s, op, key} }

// enter begins the moment in which the operation takes effect: unless it fails the
// caller holds the lock.
func (c call) enter(ctx context.Context) error {
	c.store.mu.Lock()
	if err := c.ended(ctx); err != nil {
		c.store.mu.Unlock()
		return err
	}
	return nil
}

// current is the object as it is now.
func (c call) current(ctx context.Context, version string) (*object, error) {
	if err := c.enter(ctx); err != nil {
		return nil, err
	}
	defer c.store.mu.Unlock()
	if err := c.version(version); err != nil {
		return nil, err
	}
	if o := c.store.objects[c.key]; o != nil {
		return o, nil
	}
	return nil, c.refuse("NoSuchKey")
}

// version judges a version's id. The bucket gave none out; "null" is how S3 names the
// object that has none.
func (c call) version(id string) error {
	if id != "" && id != "null" {
		return c.refuse("InvalidArgument", backends.Detail{Name: "ArgumentName", Value: "versionId"})
	}
	return nil
}

// now is the time as S3 tells it.
func now() time.Time { return time.Now().UTC().Truncate(time.Second) }

// Keys lists the keys the store holds, in order.
func (s *Store) Keys() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.objects))
}
