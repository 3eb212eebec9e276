package journal

import (
	"strings"
	"sync/atomic"
)

// Stamp is the state of a key at one moment, for checking later that an answer
// fetched since is still true (R6).
type Stamp struct {
	// Clean: no intent of the key is unsettled; the secondary may answer.
	Clean bool

	deleted uint64 // the newest epoch of a delete that is not settled, 0: none
	key     Key
	counter *atomic.Uint64
	value   uint64
}

// Stamp takes the state of a key.
func (j *Journal) Stamp(bucket, name string) Stamp {
	k := Key{bucket, name}
	h := j.hash(k)
	c := &j.counters[h/shardCount%counterCount]
	// The counter first: a mutation that begins in between then shows as a
	// dirty key or as a moved counter, never as neither.
	st := Stamp{key: k, counter: c, value: c.Load()}
	s := &j.shards[h%shardCount]
	s.mu.Lock()
	ks := s.keys[k]
	st.Clean = ks == nil || len(ks.intents) == 0
	st.deleted = ks.deleted()
	s.mu.Unlock()
	return st
}

// deleted is the newest epoch of the key's unsettled deletes, or 0.
func (ks *keyState) deleted() (epoch uint64) {
	if ks != nil {
		for _, in := range ks.intents {
			if in.Kind == Delete && (in.tombstone() || in.state != open) {
				epoch = max(epoch, in.Epoch)
			}
		}
	}
	return epoch
}

// Deleted tells whether a delete of this epoch is not settled: on an incomplete
// primary the key is then absent, unless the primary holds it (R8). A delete of an
// earlier epoch says nothing (R5).
func (s Stamp) Deleted(epoch uint64) bool { return s.deleted != 0 && s.deleted == epoch }

// Still tells whether nothing has happened to the key since the stamp was taken.
func (s Stamp) Still() bool { return s.counter.Load() == s.value }

// Snapshot is the state of a bucket's keys at one moment, for a listing (R13).
type Snapshot struct {
	j        *Journal
	bucket   string
	deleted  map[string]bool
	counters []uint64
}

// Snapshot takes the deletes of an epoch that are not settled, and every key's
// counter.
func (j *Journal) Snapshot(bucket string, epoch uint64) *Snapshot {
	n := &Snapshot{j: j, bucket: bucket, deleted: make(map[string]bool), counters: make([]uint64, counterCount)}
	for i := range j.counters { // first, for the reason that Stamp gives
		n.counters[i] = j.counters[i].Load()
	}
	for i := range j.shards {
		s := &j.shards[i]
		s.mu.Lock()
		for k, ks := range s.keys {
			if k.Bucket == bucket && ks.deleted() == epoch {
				n.deleted[k.Name] = true
			}
		}
		s.mu.Unlock()
	}
	return n
}

// Deleted tells whether a delete of the key was not settled.
func (n *Snapshot) Deleted(key string) bool { return n.deleted[key] }

// DeletedBelow tells whether a delete of any key with the prefix was not settled.
func (n *Snapshot) DeletedBelow(prefix string) bool {
	for key := range n.deleted {
		if strings.HasPrefix(key, prefix) {
			return true
		}
	}
	return false
}

// Moved tells whether something happened to the key since.
func (n *Snapshot) Moved(key string) bool {
	i := n.j.hash(Key{n.bucket, key}) / shardCount % counterCount
	return n.j.counters[i].Load() != n.counters[i]
}
