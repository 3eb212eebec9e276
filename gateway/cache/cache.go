// Package cache keeps objects in memory and, if it is given a directory, on disk, each
// bounded by bytes: small ones whole, of large ones the blocks that were asked for.
//
// It is told, not asked, what is true: the caller removes a key when a mutation of it
// begins and ends, and a fill lands only if the caller's check, made under the same lock
// as the removal, says that nothing happened since the fill's read began. A former state
// can therefore never come back after a removal.
package cache

import (
	"context"
	"hash/maphash"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/sync/semaphore"

	"sluice/backends"
)

const shardCount = 8

// BlockSize is the piece in which a large object is kept.
const BlockSize = 1 << 20

// Key names a cached object.
type Key struct{ Bucket, Name string }

// Cache is an LRU cache of objects. A nil *Cache holds nothing.
type Cache struct {
	o      atomic.Pointer[Options]
	seed   maphash.Seed
	shards [shardCount]shard
	disk   *disk // nil: memory alone
	epoch  atomic.Uint64

	fetches fetches
	counts
}

// item is what a shard holds: an entry, with its body where that is small, or a block.
type item struct {
	Key
	block int64 // or entire
}

const entire = -1

// held is an item's content. A block is only good with the very entry it was read for.
type held struct {
	entry  *Entry
	data   []byte // nil of an entry without a body
	weight int64
}

type shard struct {
	mu       sync.Mutex
	lru      *simplelru.LRU[item, held]
	bytes    int64
	maxBytes int64
}

// Options bound a cache.
type Options struct {
	MaxBytes  int64         // in memory, of bodies and headers together
	MaxObject int64         // a larger body is kept by the blocks that ranges ask for
	TTL       time.Duration // an older entry is asked for again; 0: never
	Stale     time.Duration // after that it is served only where no store answers
	Absent    time.Duration // how long it is remembered that an object is not there

	Dir     string // of the tier on disk; "": none
	MaxDisk int64  // bytes of its files

	SpoolDir string // where long answers are held that several read
	MaxSpool int64  // bytes of them
}

// New makes a cache, or nil if o leaves no room for one.
func New(o Options) *Cache {
	if o.MaxBytes <= 0 {
		return nil
	}
	c := &Cache{seed: maphash.MakeSeed()}
	c.o.Store(&o)
	c.fetches.under, c.fetches.spoolDir = make(map[Ask]*fetch), o.SpoolDir
	c.fetches.memory, c.fetches.spool = semaphore.NewWeighted(o.MaxBytes/4), semaphore.NewWeighted(o.MaxSpool)
	perShard := o.MaxBytes / shardCount
	for i := range c.shards {
		s := &c.shards[i]
		s.maxBytes = perShard
		// The count is no bound: an item's own weight reaches maxBytes first.
		s.lru, _ = simplelru.NewLRU(int(perShard/minWeight)+1, func(i item, h held) {
			if s.bytes -= h.weight; i.block != entire {
				h.entry.blocks.Add(-h.weight)
			}
		})
	}
	if o.Dir != "" && o.MaxDisk > 0 {
		c.disk = newDisk(o.Dir, o.MaxDisk)
	}
	return c
}

// Change takes from o for how long what is held is believed, and what of an object is kept
// in one piece. Other bounds stay: they are those of memory and files in use.
func (c *Cache) Change(o Options) {
	if c == nil {
		return
	}
	next := *c.o.Load()
	next.TTL, next.Stale, next.Absent, next.MaxObject = o.TTL, o.Stale, o.Absent, o.MaxObject
	c.o.Store(&next)
}

// Run looks after the tier on disk until ctx is done, and waits for the stores to answer
// what nobody waits for any more.
func (c *Cache) Run(ctx context.Context) {
	if c == nil {
		return
	}
	if c.disk != nil {
		c.disk.run(ctx)
	}
	<-ctx.Done()
	c.fetches.wg.Wait()
}

// minWeight is what the smallest item costs: the structs, the headers' map and the list's
// element.
const minWeight = 512

func weight(k Key, e *Entry, data []byte) int64 {
	n := int64(minWeight + len(k.Bucket) + len(k.Name) + len(data))
	for _, h := range []http.Header{e.Info.Header, e.Sums} {
		for name, values := range h {
			n += int64(len(name) + 48)
			for _, v := range values {
				n += int64(len(v))
			}
		}
	}
	return n
}

func (c *Cache) shard(i item) *shard {
	return &c.shards[maphash.Comparable(c.seed, i)%shardCount]
}

// Epoch moves with every Purge. A fill that began in another must not land.
func (c *Cache) Epoch() uint64 {
	if c == nil {
		return 0
	}
	return c.epoch.Load()
}

// Whole tells whether an object of size bytes is kept by a read of the whole.
func (c *Cache) Whole(size int64) bool { return c != nil && size <= c.o.Load().MaxObject }

// Get answers an object's entry, and its body if that is kept in one piece. What is on disk
// comes back to memory if still answers true, as in Add.
func (c *Cache) Get(k Key, still func() bool) (e *Entry, body []byte) {
	if c == nil {
		return nil, nil
	}
	h, ok := c.get(item{k, entire})
	if !ok && c.disk != nil {
		if h, ok = c.disk.get(item{k, entire}); ok {
			c.put(item{k, entire}, h, still)
		}
	}
	if o := c.o.Load(); ok && o.TTL > 0 && h.entry.Age() > o.TTL+o.Stale || ok && h.entry.Absent && h.entry.Age() > o.Absent {
		ok = false // it goes as the least recently used
	}
	if !ok {
		return nil, nil
	}
	return h.entry, h.data
}

// Held is Get of what is in memory, fresh, and whole.
func (c *Cache) Held(k Key) (e *Entry, body []byte) {
	if c == nil {
		return nil, nil
	}
	h, ok := c.get(item{k, entire})
	if !ok || h.entry.Absent || c.State(h.entry) != Fresh {
		return nil, nil
	}
	return h.entry, h.data
}

// Missing answers from which offset on, between from and to, blocks are missing; to if none
// is.
func (c *Cache) Missing(k Key, e *Entry, from, to int64) int64 {
	for at := from; at < to; at = (at/BlockSize + 1) * BlockSize {
		i := item{k, at / BlockSize}
		s := c.shard(i)
		s.mu.Lock()
		h, ok := s.lru.Peek(i)
		s.mu.Unlock()
		if !(ok && h.entry == e) && !(c.disk != nil && c.disk.has(i, e.id)) {
			return at
		}
	}
	return to
}

// Block answers a block of an entry's object, if it is kept.
func (c *Cache) Block(k Key, e *Entry, block int64, still func() bool) ([]byte, bool) {
	i := item{k, block}
	if h, ok := c.get(i); ok && h.entry == e {
		return h.data, true
	}
	if c.disk == nil {
		return nil, false
	}
	h, ok := c.disk.get(i)
	if !ok || h.entry.id != e.id {
		return nil, false
	}
	h.entry = e
	c.put(i, h, still)
	return h.data, true
}

func (c *Cache) get(i item) (held, bool) {
	s := c.shard(i)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lru.Get(i)
}

// Add puts an entry in, with the whole body of a small object or without one, if still,
// called under the lock that Remove takes, answers true.
func (c *Cache) Add(k Key, e *Entry, body []byte, still func() bool) bool {
	h := held{e, body, weight(k, e, body)}
	if !c.put(item{k, entire}, h, still) {
		return false
	}
	if c.disk != nil && body != nil {
		c.disk.add(item{k, entire}, h, still)
	}
	return true
}

// AddBlock puts in a block of an entry's object, as Add does. One object gets a quarter of
// the memory at most.
func (c *Cache) AddBlock(k Key, e *Entry, block int64, data []byte, still func() bool) {
	h := held{e, data, weight(k, e, data)}
	if e.blocks.Load()+h.weight <= c.o.Load().MaxBytes/4 {
		c.put(item{k, block}, h, still)
	}
	if c.disk != nil {
		c.disk.addEntry(k, e, still)
		c.disk.add(item{k, block}, h, still)
	}
}

func (c *Cache) put(i item, h held, still func() bool) bool {
	s := c.shard(i)
	if h.weight > s.maxBytes {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !still() {
		c.rejected.Add(1)
		return false
	}
	s.lru.Remove(i)
	for s.bytes+h.weight > s.maxBytes {
		s.lru.RemoveOldest()
		c.evicted.Add(1)
	}
	if s.bytes += h.weight; i.block != entire {
		h.entry.blocks.Add(h.weight)
	}
	s.lru.Add(i, h)
	return true
}

// AddAbsent remembers for a while that there is no such object, as Add does.
func (c *Cache) AddAbsent(k Key, still func() bool) {
	if c != nil && c.o.Load().Absent > 0 {
		e := newEntry(backends.Info{Key: k.Name}, false)
		e.Absent = true
		c.put(item{k, entire}, held{e, nil, weight(k, e, nil)}, still)
	}
}

// Confirm says that a store has just answered for what an entry says.
func (c *Cache) Confirm(k Key, e *Entry, body []byte, still func() bool) {
	if !still() {
		return
	}
	e.checked.Store(time.Now().UnixNano())
	if e.doubtful.Swap(false); c.disk != nil {
		c.disk.add(item{k, entire}, held{entry: e, data: body}, still)
	}
}

// Remove drops a key, and tells whether it was there. Its blocks are not found without their
// entry, and go as the least recently used.
func (c *Cache) Remove(k Key) (was bool) {
	if c == nil {
		return false
	}
	i := item{k, entire}
	s := c.shard(i)
	s.mu.Lock()
	was = s.lru.Remove(i)
	s.mu.Unlock()
	if c.disk != nil {
		was = c.disk.remove(i) || was
	}
	return was
}

// Purge drops a key, and tells whether it was there; reads under way do not put it in again.
func (c *Cache) Purge(k Key) (was bool) {
	if c == nil {
		return false
	}
	c.epoch.Add(1)
	return c.Remove(k)
}

// PurgePrefix drops the keys of a bucket that begin with prefix, and answers how many there
// were; reads under way do not put them in again.
func (c *Cache) PurgePrefix(bucket, prefix string) (purged int) {
	if c == nil {
		return 0
	}
	c.epoch.Add(1)
	match := func(i item) bool { return i.Bucket == bucket && strings.HasPrefix(i.Name, prefix) }
	gone := make(map[Key]bool)
	for n := range c.shards {
		s := &c.shards[n]
		s.mu.Lock()
		for _, i := range s.lru.Keys() {
			if match(i) {
				s.lru.Remove(i)
				gone[i.Key] = true
			}
		}
		s.mu.Unlock()
	}
	if c.disk != nil {
		c.disk.purge(match, gone)
	}
	return len(gone)
}
