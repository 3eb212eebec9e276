package journal

import (
	"container/heap"
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// Repair is one attempt to make the stores equal on a key with pending intents.
// While it runs, every mutation that begins on the key marks it, and itself, as
// overlapped, so that neither settles on what the other changed.
type Repair struct {
	Bucket, Key string

	j          *Journal
	deleted    uint64    // as in Stamp
	intents    []*Intent // pending when the repair began; only these it may settle
	overlapped bool      // guarded by the key's shard lock
}

// NextRepair waits for a key that has pending intents, no open ones, and whose
// time has come, and begins a repair of it. The caller ends it with Settle or
// Retry.
func (j *Journal) NextRepair(ctx context.Context) (*Repair, error) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		k, wait, ok := j.queue.pop()
		if ok {
			if r := j.beginRepair(k); r != nil {
				return r, nil
			}
			continue
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-j.queue.wake:
		case <-timer.C:
		}
	}
}

func (j *Journal) beginRepair(k Key) *Repair {
	s := j.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	ks := s.keys[k]
	if ks == nil || ks.repair != nil || len(ks.intents) == 0 {
		return nil
	}
	for _, in := range ks.intents {
		if in.state == open {
			return nil // its End queues the key again
		}
	}
	r := &Repair{Bucket: k.Bucket, Key: k.Name, j: j}
	for _, in := range ks.intents {
		if in.state == pending {
			r.intents = append(r.intents, in)
		}
	}
	if len(r.intents) == 0 {
		return nil
	}
	r.deleted = ks.deleted()
	ks.repair = r
	return r
}

// Deleted tells whether a delete of this epoch was not settled when the repair
// began; see Stamp.Deleted.
func (r *Repair) Deleted(epoch uint64) bool { return r.deleted != 0 && r.deleted == epoch }

// Quarantine is how long the comparison that settles must still wait, because a
// request of unknown outcome may land until then. It is 0 when none can.
func (r *Repair) Quarantine() time.Duration {
	s := r.j.shard(r.key())
	s.mu.Lock()
	defer s.mu.Unlock()
	return r.j.quarantined(r.intents)
}

// quarantined is how long requests of the intents may still land. The key's lock is held.
func (j *Journal) quarantined(intents []*Intent) (wait time.Duration) {
	for _, in := range intents {
		if in.unknown {
			wait = max(wait, j.quarantine-time.Since(in.since))
		}
	}
	return wait
}

// Unknown records that the repair's own write may still land: the quarantine
// starts again, also for intents that began meanwhile.
func (r *Repair) Unknown() {
	s := r.j.shard(r.key())
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, in := range s.keys[r.key()].intents {
		in.unknown, in.since = true, time.Now()
	}
}

// Settle ends the repair after a comparison, begun after the quarantine, found
// the stores equal. It settles the intents the repair began with, unless a
// mutation began since: then it answers false and the key is repaired again.
func (r *Repair) Settle() bool {
	s := r.j.shard(r.key())
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.overlapped {
		r.end(s, 0)
		return false
	}
	s.keys[r.key()].repair = nil
	r.j.remove(s, r.key(), r.intents...)
	return true
}

// Keep ends a repair that found nothing to do because old is read-only (R12). The
// quarantine is over, so the outcomes count as known: deletes of the epoch stay as
// tombstones, the rest is settled. It answers as Settle does.
func (r *Repair) Keep(epoch uint64) bool {
	s := r.j.shard(r.key())
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.overlapped {
		r.end(s, 0)
		return false
	}
	s.keys[r.key()].repair = nil
	var rest []*Intent
	for _, in := range r.intents {
		if in.Kind == Delete && in.Epoch == epoch {
			in.unknown = false
			r.j.keep(s, r.key(), in)
		} else {
			rest = append(rest, in)
		}
	}
	r.j.remove(s, r.key(), rest...)
	return true
}

// Retry ends the repair without settling; the key comes back after the delay.
func (r *Repair) Retry(after time.Duration) {
	s := r.j.shard(r.key())
	s.mu.Lock()
	defer s.mu.Unlock()
	r.end(s, after)
}

// Backoff counts a failure and answers the delay for Retry: doubling from 100 ms to
// 30 s while the key is neither settled nor written to, with jitter so that keys that
// failed together do not return together. The jitter is by the intent and not by
// chance, so that a simulation can be repeated.
func (r *Repair) Backoff() time.Duration {
	s := r.j.shard(r.key())
	s.mu.Lock()
	defer s.mu.Unlock()
	ks := s.keys[r.key()] // there while a repair is running
	d := min(100*time.Millisecond<<min(ks.failures, 9), 30*time.Second)
	jitter := rand.New(rand.NewPCG(r.intents[0].ID, uint64(ks.failures)))
	ks.failures++
	return d/2 + time.Duration(jitter.Int64N(int64(d/2)))
}

// Rest is the delay for Retry of a repair that was not even tried, since a store is known
// to be down: the key has not failed, and need not wait for longer each time.
func (r *Repair) Rest() time.Duration {
	jitter := rand.New(rand.NewPCG(r.intents[0].ID, 0))
	return rest/2 + time.Duration(jitter.Int64N(int64(rest/2)))
}

const rest = 8 * time.Second

// Hasten makes repairs due that wait because earlier attempts failed: a store is back.
// Those that wait for a quarantine go on waiting.
func (j *Journal) Hasten() {
	for i := range j.shards {
		s := &j.shards[i]
		s.mu.Lock()
		for k, ks := range s.keys {
			if ks.repair == nil && j.quarantined(ks.intents) <= 0 {
				j.schedule(k, ks)
			}
		}
		s.mu.Unlock()
	}
}

func (r *Repair) end(s *shard, after time.Duration) {
	k := r.key()
	ks := s.keys[k]
	ks.repair = nil
	if len(ks.intents) == 0 {
		delete(s.keys, k)
		return
	}
	r.j.scheduleAt(k, ks, time.Now().Add(after))
}

func (r *Repair) key() Key { return Key{r.Bucket, r.Key} }

// repairQueue orders the keys that wait for a repair by when they are due; among
// those that are due now the urgent ones go first.
type repairQueue struct {
	mu      sync.Mutex
	items   [2]dueHeap // urgent, and not
	at      map[Key]*dueKey
	waiters chan struct{} // closed when the journal falls quiet
	wake    chan struct{} // one waiting repairer may look again
}

type dueKey struct {
	key   Key
	due   time.Time
	class int // of repairQueue.items
	index int
}

// push queues a key; one that is queued already keeps the earlier time.
func (q *repairQueue) push(k Key, due time.Time, urgent bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.at == nil {
		q.at = make(map[Key]*dueKey)
	}
	d := &dueKey{key: k, due: due, class: 1}
	if urgent {
		d.class = 0
	}
	if was := q.at[k]; was != nil {
		heap.Remove(&q.items[was.class], was.index)
		if was.due.Before(due) {
			d.due = was.due
		}
	}
	q.at[k] = d
	heap.Push(&q.items[d.class], d)
	q.nudge()
}

// pop takes the first key that is due, or answers how long to wait for it.
func (q *repairQueue) pop() (k Key, wait time.Duration, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	wait = time.Hour
	for class := range q.items {
		items := &q.items[class]
		if len(*items) == 0 {
			continue
		}
		if until := time.Until((*items)[0].due); until > 0 {
			wait = min(wait, until)
			continue
		}
		d := heap.Pop(items).(*dueKey)
		delete(q.at, d.key)
		if len(q.at) > 0 {
			q.nudge() // another repairer may find work too
		}
		return d.key, 0, true
	}
	return k, wait, false
}

func (q *repairQueue) nudge() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// watch answers a channel that is closed when the journal next falls quiet.
func (q *repairQueue) watch() <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.waiters == nil {
		q.waiters = make(chan struct{})
	}
	return q.waiters
}

func (q *repairQueue) notify() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.waiters != nil {
		close(q.waiters)
		q.waiters = nil
	}
}

type dueHeap []*dueKey

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(a, b int) bool { return h[a].due.Before(h[b].due) }
func (h dueHeap) Swap(a, b int) {
	h[a], h[b] = h[b], h[a]
	h[a].index, h[b].index = a, b
}

func (h *dueHeap) Push(x any) {
	d := x.(*dueKey)
	d.index = len(*h)
	*h = append(*h, d)
}

func (h *dueHeap) Pop() any {
	old := *h
	d := old[len(old)-1]
	*h = old[:len(old)-1]
	return d
}
