package journal

import (
	"context"
	"time"
)

// Outcome is what a mutation did to one store.
type Outcome uint8

const (
	// Unknown: it may have taken effect, or may still do so.
	Unknown Outcome = iota
	// Untouched: it provably had and will have no effect.
	Untouched
	// Applied: the store acknowledged it.
	Applied
	// NoStore: there is no such store to agree with (passthrough).
	NoStore
)

type state uint8

const (
	open state = iota
	pending
	kept // a tombstone: nothing of it is in flight, and nothing is to be repaired
	done
)

// Intent is one operation's record on one key. It is open from Begin to End.
type Intent struct {
	Record
	j      *Journal
	commit *Commit
	began  time.Time // by this process; of one found at the start, the start

	// Guarded by the key's shard lock.
	state      state
	incomplete bool      // it began on an incomplete primary
	durable    bool      // until then it touched nothing
	overlapped bool      // another mutation, copy or repair ran at the same time
	unknown    bool      // a request of it, or of a repair it overlapped, may still land
	since      time.Time // when the outcome became unknown
}

func (in *Intent) key() Key { return Key{in.Bucket, in.Record.Key} }

// Durable returns nil once the intent would survive a crash. Until then nothing
// that could take effect may reach a store, and a delete is no tombstone: a crash
// would take back what reads were told.
func (in *Intent) Durable(ctx context.Context) error {
	if err := in.commit.Wait(ctx); err != nil {
		return err
	}
	s := in.j.shard(in.key())
	s.mu.Lock()
	defer s.mu.Unlock()
	in.durable = true
	if in.tombstone() {
		in.j.moved(in.key())
	}
	return nil
}

// tombstone tells whether reads take the intent for a delete that is done (R8).
func (in *Intent) tombstone() bool { return in.durable && in.incomplete && in.Kind == Delete }

// Acknowledged is called when the client is answered while the secondary is
// still running: whatever was read until now may be the former state.
func (in *Intent) Acknowledged() { in.j.moved(in.key()) }

// End closes the operation with its outcome on the two stores. If both are known
// and agree, and nothing overlapped, the intent is settled (true); otherwise it
// is pending and the repairer takes over (false). One that never became durable is
// settled: it touched no store.
//
// A delete on an incomplete primary rolls forward whatever became of it: it was
// read as done from the moment it was durable (R8). It is settled only by a success on both
// stores; where old is read-only it stays as a tombstone (R12).
func (in *Intent) End(primary, secondary Outcome) bool {
	j, k := in.j, in.key()
	s := j.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	defer j.moved(k)
	ks := s.keys[k]

	if primary == Unknown || secondary == Unknown {
		in.unknown, in.since = true, time.Now()
	}
	if !in.durable {
		// Nothing was sent. Whatever overlapped it has nothing to fear from it,
		// and a record that may not be there must not be acted on.
		j.remove(s, k, in)
		j.schedule(k, ks)
		return true
	}
	agree := primary == secondary || secondary == NoStore
	if in.tombstone() {
		agree = primary == Applied && secondary == Applied
		if secondary == NoStore && !in.unknown {
			j.keep(s, k, in)
			return false
		}
	}
	if !in.unknown && agree && !in.overlapped {
		settled := []*Intent{in}
		if primary == Applied && in.Kind != Change {
			// Both stores now hold this operation's result, so older
			// operations of known outcome have nothing left to repair (R3).
			// A changed tag says nothing of the content before it.
			settled = append(settled, ks.known()...)
		}
		j.remove(s, k, settled...)
		j.schedule(k, ks)
		return true
	}
	in.state = pending
	j.pending.Add(1)
	j.merge(s, k, in)
	j.schedule(k, ks)
	return false
}

// keep makes an intent a tombstone. One of a key is enough.
func (j *Journal) keep(s *shard, k Key, in *Intent) {
	if in.state == pending {
		j.pending.Add(-1)
	}
	in.state = kept
	j.kept.Add(1)
	var older []*Intent
	for _, other := range s.keys[k].intents {
		if other != in && other.state == kept {
			older = append(older, other)
		}
	}
	j.remove(s, k, older...)
	j.schedule(k, s.keys[k])
	j.settledSome()
}

// known lists the pending intents whose operations have all ended.
func (ks *keyState) known() []*Intent {
	var list []*Intent
	for _, in := range ks.intents {
		if in.state == pending && !in.unknown {
			list = append(list, in)
		}
	}
	return list
}

// merge folds older pending intents of the same kind into in, which from now on
// demands what they demanded: a key that is written again and again while a
// store is down costs one record, not one for each write.
func (j *Journal) merge(s *shard, k Key, in *Intent) {
	var older []*Intent
	for _, other := range s.keys[k].intents {
		if other == in || other.state != pending || other.Kind != in.Kind || other.Epoch != in.Epoch {
			continue
		}
		if other.unknown {
			in.unknown = true
			if other.since.After(in.since) {
				in.since = other.since
			}
		}
		older = append(older, other)
	}
	j.remove(s, k, older...)
}

// schedule queues the key for repair if it needs one, unless an operation is still
// open on it: the last one to end queues it.
func (j *Journal) schedule(k Key, ks *keyState) {
	if ks.repair == nil { // else it reschedules when it ends
		j.scheduleAt(k, ks, time.Now())
	}
}

func (j *Journal) scheduleAt(k Key, ks *keyState, due time.Time) {
	needed, urgent := false, false
	for _, in := range ks.intents {
		switch in.state {
		case open:
			return
		case pending:
			needed, urgent = true, urgent || in.urgent()
		}
	}
	if needed {
		j.queue.push(k, due, urgent)
	}
}

// urgent tells whether somebody may still see what they must not: a deleted object,
// or one that was made private.
func (in *Intent) urgent() bool { return in.Kind == Delete || in.Kind == Change }
