package cache

import "time"

// Look is what an operator is shown of a key.
type Look struct {
	Held   bool          `json:"held"`
	State  string        `json:"state,omitempty"`  // fresh, stale, doubtful, expired
	Absent bool          `json:"absent,omitempty"` // what is held is that there is no such object
	Where  string        `json:"where,omitempty"`  // memory or disk
	Age    time.Duration `json:"age_ns,omitempty"` // since a store last answered for it
	TTL    time.Duration `json:"ttl_ns,omitempty"` // after which a store is asked again; 0: never
	Bytes  int64         `json:"bytes,omitempty"`  // that are held of it in memory, headers included; on disk, its file's
}

// stateNames are the states in words.
var stateNames = map[State]string{Fresh: "fresh", Stale: "stale", Doubtful: "doubtful"}

// Look tells what is held of a key. It counts as no use of it.
func (c *Cache) Look(k Key) Look {
	if c == nil {
		return Look{}
	}
	i := item{k, entire}
	s := c.shard(i)
	s.mu.Lock()
	h, ok := s.lru.Peek(i)
	s.mu.Unlock()
	if !ok {
		return c.disk.look(i)
	}
	o := c.o.Load()
	l := Look{
		Held: true, State: stateNames[c.State(h.entry)], Absent: h.entry.Absent, Where: "memory",
		Age: h.entry.Age(), TTL: o.TTL, Bytes: h.weight + h.entry.blocks.Load(),
	}
	if l.Absent {
		l.TTL = o.Absent
	}
	if o.TTL > 0 && l.Age > o.TTL+o.Stale || l.Absent && l.Age > o.Absent {
		l.State = "expired"
	}
	return l
}

// look tells what is on disk of an item. Its age is in the file, which is not read for it.
func (d *disk) look(i item) Look {
	if d == nil {
		return Look{}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	k, ok := d.lru.Peek(i)
	if !ok {
		return Look{}
	}
	return Look{Held: true, Where: "disk", Bytes: k.size}
}
