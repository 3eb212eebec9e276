// Package journal keeps the intents: the durable promise that no mutation can
// take effect on a store before it is on record that its key may differ between
// the stores, and the knowledge, derived from it, of which keys are dirty.
//
// What survives a crash is the Log: one record per intent that is not settled.
// Everything else lives here in memory: which intents are open, which overlapped,
// which outcomes are unknown, and a counter per key that moves whenever an answer
// about the key may have become wrong. After a restart every record is a pending
// intent of unknown outcome.
//
//	Begin ──► open ──End: both stores agree, nothing overlapped──► settled
//	            │                                                     ▲
//	            └──End: anything else──► pending ──Repair.Settle──────┘
//	                                        └─────Repair.Keep──► kept (a tombstone)
package journal

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// ErrFull is Begin's refusal when as many intents are unsettled as the journal
// may hold. The client is asked to slow down; the repairer makes room.
var ErrFull = errors.New("journal is full: too many unsettled intents")

// ErrBusy is Begin's refusal on an incomplete primary while nobody knows what
// became of an operation that the new one must not overlap (R8). It ends with the
// quarantine.
var ErrBusy = errors.New("what became of another operation on the key is not known yet")

// Key names one object of one bucket.
type Key struct{ Bucket, Name string }

const (
	shardCount   = 64
	counterCount = 1 << 16 // keys share counters; a false "moved" only costs a repeated read
)

// Journal holds the intents of a gateway's buckets. All methods may be called
// concurrently.
type Journal struct {
	log        Log
	limit      int64
	quarantine time.Duration
	changed    func(Key)

	seed     maphash.Seed
	shards   [shardCount]shard
	counters [counterCount]atomic.Uint64
	lastID   atomic.Uint64
	live     atomic.Int64 // intents that are not settled
	pending  atomic.Int64
	kept     atomic.Int64
	queue    repairQueue
}

type shard struct {
	mu   sync.Mutex
	keys map[Key]*keyState // only keys with an intent or a repair
}

// keyState is what is going on with one key; guarded by its shard's lock.
type keyState struct {
	intents  []*Intent // unsettled, oldest first
	repair   *Repair   // the repair that is running
	failures int       // of repairs, since the last settlement or mutation
}

// Options are a Journal's bounds and its tie to the cache.
type Options struct {
	// Limit bounds the unsettled intents, and with them memory and disk.
	Limit int
	// Quarantine is how long after an unknown outcome a late request may still
	// land on a store (R4). It must exceed the longest time a store, or
	// anything in front of it, keeps a dead connection's request.
	Quarantine time.Duration
	// Changed is called whenever an answer about the key may have become
	// wrong, after the key's counter moved. The cache drops the key here.
	Changed func(Key)
}

// New puts a Journal in front of log. Every record the log holds becomes a
// pending intent of unknown outcome, its quarantine counted from now (R5).
func New(log Log, o Options) *Journal {
	j := &Journal{
		log: log, limit: int64(o.Limit), quarantine: o.Quarantine, changed: o.Changed,
		seed: maphash.MakeSeed(),
	}
	if j.changed == nil {
		j.changed = func(Key) {}
	}
	j.queue.wake = make(chan struct{}, 1)
	for i := range j.shards {
		j.shards[i].keys = make(map[Key]*keyState)
	}
	j.lastID.Store(log.LastID())
	now := time.Now()
	for _, r := range log.Records() {
		in := &Intent{Record: r, j: j, began: now, state: pending, unknown: true, since: now}
		s := j.shard(in.key())
		ks := s.state(in.key())
		ks.intents = append(ks.intents, in)
		j.live.Add(1)
		j.pending.Add(1)
		j.queue.push(in.key(), now, in.urgent())
	}
	return j
}

// Close makes the log durable and closes it. Intents still open or pending come
// back as pending ones.
func (j *Journal) Close() error { return j.log.Close() }

func (j *Journal) hash(k Key) uint64 { return maphash.Comparable(j.seed, k) }

func (j *Journal) shard(k Key) *shard { return &j.shards[j.hash(k)%shardCount] }

func (j *Journal) counter(k Key) *atomic.Uint64 {
	return &j.counters[j.hash(k)/shardCount%counterCount]
}

// moved tells readers and the cache that answers about k may be wrong now.
func (j *Journal) moved(k Key) {
	j.counter(k).Add(1)
	j.changed(k)
}

func (s *shard) state(k Key) *keyState {
	ks := s.keys[k]
	if ks == nil {
		ks = &keyState{}
		s.keys[k] = ks
	}
	return ks
}

// Opening says what begins.
type Opening struct {
	Kind  Kind
	Epoch uint64 // of the phase it begins in
	// Incomplete: the primary does not hold every object yet (R8). The caller
	// sees to it that no delete is open on a key together with anything else.
	Incomplete bool
	// Fenced: no late background copy can replace what the operation writes.
	Fenced bool
}

// Begin opens an intent for each name in the bucket, in one batch, before any
// of them can take effect on a store. It returns at once; Intent.Durable says
// when the first store may be touched. The error is ErrFull or ErrBusy.
func (j *Journal) Begin(o Opening, bucket string, names ...string) ([]*Intent, error) {
	if o.Incomplete {
		for _, name := range names {
			if j.busy(o, Key{bucket, name}) {
				return nil, fmt.Errorf("%q: %w", name, ErrBusy)
			}
		}
	}
	if !j.reserve(len(names)) {
		return nil, fmt.Errorf("%w (limit %d)", ErrFull, j.limit)
	}
	intents := make([]*Intent, len(names))
	records := make([]Record, len(names))
	now := time.Now()
	for i, name := range names {
		in := &Intent{j: j, began: now, incomplete: o.Incomplete, Record: Record{
			ID: j.lastID.Add(1), Epoch: o.Epoch, Kind: o.Kind, Bucket: bucket, Key: name,
		}}
		intents[i], records[i] = in, in.Record
		s := j.shard(in.key())
		s.mu.Lock()
		s.state(in.key()).open(in)
		j.moved(in.key())
		s.mu.Unlock()
	}
	commit := j.log.Append(records)
	for _, in := range intents {
		in.commit = commit
	}
	return intents, nil
}

// busy tells whether an unknown outcome on the key forbids the operation. A delete
// is read as done before it is; so it must not meet a write that may still land,
// nor may a write meet a delete that may.
func (j *Journal) busy(o Opening, k Key) bool {
	s := j.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	ks := s.keys[k]
	if ks == nil {
		return false
	}
	for _, in := range ks.intents {
		switch {
		case !in.unknown:
		case in.Kind == Copy:
			if !o.Fenced {
				return true
			}
		case in.Kind == Delete != (o.Kind == Delete):
			return true
		}
	}
	return false
}

// Full tells whether Begin would be refused for want of room: what is large need
// not be taken in first.
func (j *Journal) Full() bool { return j.live.Load() >= j.limit }

// open adds a mutation's intent and marks what it overlaps with: itself and
// every open intent, every pending one whose outcome is unknown, and a running
// repair. A pending intent of known outcome is no overlap: nothing of it is in
// flight any more.
func (ks *keyState) open(in *Intent) {
	for _, other := range ks.intents {
		if other.state == open || other.unknown {
			other.overlapped, in.overlapped = true, true
		}
	}
	if ks.repair != nil {
		ks.repair.overlapped, in.overlapped = true, true
	}
	ks.intents = append(ks.intents, in)
	ks.failures = 0 // what failed is no longer what has to be repaired
}

// BeginCopy opens the intent of a background copy, if the key is clean, nothing
// runs on it, and no mutation began since the stamp was taken (R10). Otherwise
// it answers nil: somebody else takes care of the key.
func (j *Journal) BeginCopy(st Stamp, epoch uint64) *Intent {
	if !j.reserve(1) {
		return nil
	}
	in := &Intent{j: j, began: time.Now(), Record: Record{Epoch: epoch, Kind: Copy, Bucket: st.key.Bucket, Key: st.key.Name}}
	s := j.shard(st.key)
	s.mu.Lock()
	if s.keys[st.key] != nil || !st.Still() {
		s.mu.Unlock()
		j.release(1)
		return nil
	}
	in.ID = j.lastID.Add(1)
	s.state(st.key).intents = []*Intent{in}
	s.mu.Unlock()
	in.commit = j.log.Append([]Record{in.Record})
	return in
}

// Open and Pending count the unsettled intents.
func (j *Journal) Open() int { return int(j.live.Load() - j.pending.Load() - j.kept.Load()) }

// Pending counts the intents that wait for the repairer.
func (j *Journal) Pending() int { return int(j.pending.Load()) }

// PendingIn counts a bucket's intents that are open or wait for the repairer.
func (j *Journal) PendingIn(bucket string) int {
	return j.countIn(bucket, func(in *Intent) bool { return in.state != kept })
}

// UnsettledIn counts a bucket's intents that wait for the repairer.
func (j *Journal) UnsettledIn(bucket string) int {
	return j.countIn(bucket, func(in *Intent) bool { return in.state == pending })
}

func (j *Journal) countIn(bucket string, which func(*Intent) bool) (n int) {
	for i := range j.shards {
		s := &j.shards[i]
		s.mu.Lock()
		for k, ks := range s.keys {
			if k.Bucket != bucket {
				continue
			}
			for _, in := range ks.intents {
				if which(in) {
					n++
				}
			}
		}
		s.mu.Unlock()
	}
	return n
}

// Quiet returns when no intent is open or pending, or with ctx's error. Tombstones
// do not count.
func (j *Journal) Quiet(ctx context.Context) error {
	for j.Open()+j.Pending() != 0 {
		changed := j.queue.watch()
		if j.Open()+j.Pending() == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%d open and %d pending intents left: %w", j.Open(), j.Pending(), ctx.Err())
		}
	}
	return nil
}

// Release gives up the tombstones of a bucket whose old store is no longer read.
func (j *Journal) Release(bucket string) {
	for i := range j.shards {
		s := &j.shards[i]
		s.mu.Lock()
		for k, ks := range s.keys {
			if k.Bucket != bucket {
				continue
			}
			var stones []*Intent
			for _, in := range ks.intents {
				if in.state == kept {
					stones = append(stones, in)
				}
			}
			j.remove(s, k, stones...)
		}
		s.mu.Unlock()
	}
}

// remove takes settled intents out of the key's state, and the key out of the
// shard when nothing is left. The shard's lock is held.
func (j *Journal) remove(s *shard, k Key, settled ...*Intent) {
	if len(settled) == 0 {
		return
	}
	ks := s.keys[k]
	ids := make([]uint64, 0, len(settled))
	for _, in := range settled {
		switch in.state {
		case pending:
			j.pending.Add(-1)
		case kept:
			j.kept.Add(-1)
		}
		in.state = done
		ids = append(ids, in.ID)
	}
	ks.intents = slices.DeleteFunc(ks.intents, func(in *Intent) bool { return in.state == done })
	if len(ks.intents) == 0 {
		ks.failures = 0
		if ks.repair == nil {
			delete(s.keys, k)
		}
	}
	j.log.Forget(ids)
	j.release(len(ids))
}

// reserve makes room for n more unsettled intents, release gives it back.
func (j *Journal) reserve(n int) bool {
	if j.live.Add(int64(n)) <= j.limit {
		return true
	}
	j.release(n)
	return false
}

func (j *Journal) release(n int) {
	j.live.Add(int64(-n))
	j.settledSome()
}

// settledSome wakes those who wait for Quiet, if it is.
func (j *Journal) settledSome() {
	if j.Open()+j.Pending() == 0 {
		j.queue.notify()
	}
}
