// Package cache keeps whole small objects in memory, bounded by bytes.
//
// It is told, not asked, what is true: the caller removes a key when a mutation
// of it begins and ends, and a fill lands only if the caller's check, made under
// the same lock as the removal, says that nothing happened since the fill's read
// began. A former state can therefore never come back after a removal.
package cache

import (
	"hash/maphash"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"sluice/backends"
)

const shardCount = 8

// Entry is a cached object. Info and Body are shared by all readers: read-only.
type Entry struct {
	Info   backends.Info // without checksums
	Sums   http.Header   // the checksums of the whole body, for who asks for them
	Body   []byte
	Stored time.Time
}

// Key names a cached object.
type Key struct{ Bucket, Name string }

// Cache is an LRU cache of objects. A nil *Cache holds nothing.
type Cache struct {
	seed      maphash.Seed
	maxObject int64
	ttl       time.Duration
	shards    [shardCount]shard

	hits, misses, rejected, evicted atomic.Int64
}

type shard struct {
	mu       sync.Mutex
	lru      *simplelru.LRU[Key, *Entry]
	bytes    int64
	maxBytes int64
}

// Options bound a cache.
type Options struct {
	MaxBytes  int64         // of bodies and headers together
	MaxObject int64         // a larger body is not cached
	TTL       time.Duration // an older entry is not served
}

// New makes a cache, or nil if o leaves no room for one.
func New(o Options) *Cache {
	if o.MaxBytes <= 0 {
		return nil
	}
	c := &Cache{seed: maphash.MakeSeed(), ttl: o.TTL}
	perShard := o.MaxBytes / shardCount
	c.maxObject = min(o.MaxObject, perShard)
	for i := range c.shards {
		s := &c.shards[i]
		s.maxBytes = perShard
		// The count is no bound: an entry's own weight reaches maxBytes first.
		s.lru, _ = simplelru.NewLRU(int(perShard/minWeight)+1, func(k Key, e *Entry) {
			s.bytes -= weight(k, e)
		})
	}
	return c
}

// minWeight is what the smallest entry costs: the structs, the headers' map and
// the list's element.
const minWeight = 512

func weight(k Key, e *Entry) int64 {
	n := int64(minWeight + len(k.Bucket) + len(k.Name) + len(e.Body))
	for name, values := range e.Info.Header {
		n += int64(len(name) + 48)
		for _, v := range values {
			n += int64(len(v))
		}
	}
	return n
}

func (c *Cache) shard(k Key) *shard {
	return &c.shards[maphash.Comparable(c.seed, k)%shardCount]
}

// Fits tells whether an object of size bytes may be added.
func (c *Cache) Fits(size int64) bool { return c != nil && size <= c.maxObject }

// Get answers the object, if it is there and not older than the TTL.
func (c *Cache) Get(k Key) (*Entry, bool) {
	if c == nil {
		return nil, false
	}
	s := c.shard(k)
	s.mu.Lock()
	e, ok := s.lru.Get(k)
	if ok && c.ttl > 0 && time.Since(e.Stored) > c.ttl {
		s.lru.Remove(k)
		ok = false
	}
	s.mu.Unlock()
	if !ok {
		c.misses.Add(1)
		return nil, false
	}
	c.hits.Add(1)
	return e, true
}

// Add puts an object in if still, called under the lock that Remove takes,
// answers true.
func (c *Cache) Add(k Key, e *Entry, still func() bool) bool {
	w := weight(k, e)
	if !c.Fits(w) {
		return false
	}
	e.Stored = time.Now()
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !still() {
		c.rejected.Add(1)
		return false
	}
	s.lru.Remove(k)
	for s.bytes+w > s.maxBytes {
		s.lru.RemoveOldest()
		c.evicted.Add(1)
	}
	s.bytes += w
	s.lru.Add(k, e)
	return true
}

// Remove drops a key.
func (c *Cache) Remove(k Key) {
	if c == nil {
		return
	}
	s := c.shard(k)
	s.mu.Lock()
	s.lru.Remove(k)
	s.mu.Unlock()
}

// Stats are counts since the start, and what is held now.
type Stats struct {
	Hits, Misses, Rejected, Evicted int64
	Objects                         int
	Bytes                           int64
}

// Stats counts.
func (c *Cache) Stats() Stats {
	if c == nil {
		return Stats{}
	}
	st := Stats{
		Hits: c.hits.Load(), Misses: c.misses.Load(),
		Rejected: c.rejected.Load(), Evicted: c.evicted.Load(),
	}
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		st.Objects += s.lru.Len()
		st.Bytes += s.bytes
		s.mu.Unlock()
	}
	return st
}
