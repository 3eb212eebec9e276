package journal

import "time"

var kindNames = map[Kind]string{Write: "write", Delete: "delete", Copy: "copy", Change: "change"}

// Seen is an unsettled intent as an operator is shown it.
type Seen struct {
	ID    uint64 `json:"id"`
	Kind  string `json:"kind"`  // write, delete, copy, change
	State string `json:"state"` // open, pending, tombstone
	// Began is when it did; of one that an earlier process left, when this one started.
	Began time.Time     `json:"began"`
	Age   time.Duration `json:"age_ns"`
	// Outcome: running; unknown, while a request of it may still land; differs, when the
	// stores did not both take it; overlapped, when something else ran on the key; deleted.
	Outcome string `json:"outcome"`
}

// Look tells of a key's unsettled intents, oldest first.
func (j *Journal) Look(bucket, name string) []Seen {
	k := Key{bucket, name}
	s := j.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []Seen{}
	if ks := s.keys[k]; ks != nil {
		for _, in := range ks.intents {
			list = append(list, in.seen())
		}
	}
	return list
}

// seen is the intent now. The key's lock is held.
func (in *Intent) seen() Seen {
	v := Seen{ID: in.ID, Kind: kindNames[in.Kind], Began: in.began.UTC(), Age: time.Since(in.began)}
	switch {
	case in.state == open:
		v.State, v.Outcome = "open", "running"
	case in.state == kept:
		v.State, v.Outcome = "tombstone", "deleted"
	case in.unknown:
		v.State, v.Outcome = "pending", "unknown"
	case in.overlapped:
		v.State, v.Outcome = "pending", "overlapped"
	default:
		v.State, v.Outcome = "pending", "differs"
	}
	return v
}
