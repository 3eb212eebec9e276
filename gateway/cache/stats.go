package cache

import "sync/atomic"

// counts are since the start.
type counts struct {
	hits, misses, collapsed, saved atomic.Int64
	rejected, evicted              atomic.Int64
}

// Hit counts a read that was answered with n bytes from here.
func (c *Cache) Hit(n int64) {
	if c != nil {
		c.hits.Add(1)
		c.saved.Add(n)
	}
}

// Miss counts a read that asked the stores; collapsed, that it shared another's answer.
func (c *Cache) Miss(collapsed bool) {
	if c == nil {
		return
	}
	if c.misses.Add(1); collapsed {
		c.collapsed.Add(1)
	}
}

// Stats are counts since the start, and what is held now.
type Stats struct {
	Hits      int64     `json:"hits"` // answers from here
	Misses    int64     `json:"misses"`
	Collapsed int64     `json:"collapsed"`   // of the misses, those that shared another's read
	Saved     int64     `json:"saved_bytes"` // that the stores did not have to send
	Rejected  int64     `json:"rejected"`    // fills that something overtook
	Fetches   int64     `json:"fetches"`     // reads of the stores under way
	Evicted   int64     `json:"evicted"`     // from memory, to make room
	Items     int64     `json:"items"`       // in memory: objects and blocks
	Bytes     int64     `json:"bytes"`
	Disk      DiskStats `json:"disk"`
}

// DiskStats are those of the tier on disk.
type DiskStats struct {
	Hits    int64 `json:"hits"`    // items that came back from it
	Dropped int64 `json:"dropped"` // items that were not written: it was too busy, or full
	Broken  int64 `json:"broken"`  // files that were not as they were written
	Evicted int64 `json:"evicted"`
	Items   int64 `json:"items"`
	Bytes   int64 `json:"bytes"`
}

// Stats counts.
func (c *Cache) Stats() Stats {
	if c == nil {
		return Stats{}
	}
	st := Stats{
		Hits: c.hits.Load(), Misses: c.misses.Load(), Collapsed: c.collapsed.Load(), Saved: c.saved.Load(),
		Rejected: c.rejected.Load(), Evicted: c.evicted.Load(), Fetches: c.fetches.running.Load(),
	}
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		st.Items += int64(s.lru.Len())
		st.Bytes += s.bytes
		s.mu.Unlock()
	}
	if c.disk != nil {
		st.Disk = c.disk.stats()
	}
	return st
}
