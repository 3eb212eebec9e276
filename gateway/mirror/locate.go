package mirror

import (
	"context"
	"net/http"
	"sync"
	"time"

	"sluice/backends"
	"sluice/gateway/cache"
	"sluice/gateway/journal"
)

// Located is where an object is, for operators.
type Located struct {
	Bucket   string    `json:"bucket"`
	Key      string    `json:"key"`
	Phase    PhaseName `json:"phase"`
	Verdict  string    `json:"verdict"`   // a sentence
	ReadFrom string    `json:"read_from"` // by a client's GET now: cache, old, new, or none
	// Dirty: a write of it is not settled, so that only the primary is believed.
	Dirty bool `json:"dirty"`
	// Tombstone: it is deleted, whatever the old store still holds.
	Tombstone bool           `json:"tombstone,omitempty"`
	Intents   []journal.Seen `json:"intents"` // that are not settled
	Old       Holding        `json:"old"`
	New       *Holding       `json:"new,omitempty"` // nil for a bucket with one store
	Cached    cache.Look     `json:"cached"`
}

// Holding is what a store says of an object.
type Holding struct {
	Store    string      `json:"store"`
	Present  bool        `json:"present"`
	Error    string      `json:"error,omitempty"` // it did not say
	ETag     string      `json:"etag,omitempty"`
	Size     int64       `json:"size"`
	Modified time.Time   `json:"modified,omitzero"`
	ACL      string      `json:"acl,omitempty"` // canned; "none" if it was given none
	Headers  http.Header `json:"headers"`

	info *backends.Info
}

// locateTimeout is how long a store may take to tell what it holds.
const locateTimeout = 10 * time.Second

// Locate tells where an object is. coming says, in the second half of a sentence, what will
// bring one that only old has to new.
func (b *Bucket) Locate(ctx context.Context, key, coming string) Located {
	ctx, cancel := context.WithTimeout(ctx, locateTimeout)
	defer cancel()
	v, st := b.view(), b.stamp(key)
	l := Located{
		Bucket: b.Name, Key: key, Phase: v.phase.Name, Dirty: !st.Clean, Intents: b.journal.Look(b.Name, key),
		Tombstone: v.incomplete() && st.Deleted(v.phase.Epoch), Cached: b.cache.Look(b.cacheKey(key)),
	}
	var asking sync.WaitGroup
	asking.Go(func() { l.Old = b.old.holding(ctx, key) })
	if b.new != nil {
		asking.Go(func() { h := b.new.holding(ctx, key); l.New = &h })
	}
	asking.Wait()
	l.ReadFrom = b.readsFrom(v, st, &l)
	l.Verdict = b.verdict(ctx, v, &l, coming)
	return l
}

// holding asks a store what it holds of a key.
func (s *Store) holding(ctx context.Context, key string) Holding {
	h := Holding{Store: s.Name(), Headers: http.Header{}}
	info, err := s.headOrAbsent(ctx, key)
	switch {
	case err != nil:
		h.Error = err.Error()
		return h
	case info == nil:
		return h
	}
	h.Present, h.ETag, h.Size, h.Modified, h.Headers, h.info = true, info.ETag, info.Size, info.LastModified, info.Header, info
	if h.ACL, err = s.acl(ctx, info); err != nil {
		h.ACL, h.Error = "", "its ACL is not known: "+err.Error()
	}
	return h
}

// asked tells whether the store said whether it holds the object.
func (h *Holding) asked() bool { return h.Error == "" || h.Present }

// readsFrom names where a client's read of the whole would be answered from now.
func (b *Bucket) readsFrom(v view, st journal.Stamp, l *Located) string {
	if IsReserved(l.Key) {
		return "none"
	}
	if st.Clean && l.Cached.State == "fresh" && !l.Cached.Absent {
		return "cache"
	}
	first, second := "old", "" // in the order in which they are asked
	mayAnswer := b.secondaryMayAnswer(v, st, backends.GetRequest{Key: l.Key})
	switch v.phase.Name {
	case Mirroring:
		if mayAnswer && !b.o.Settings().ReadPrimary {
			first, second = "new", "old"
		} else if mayAnswer && !l.Old.asked() {
			second = "new"
		}
	case Switched:
		first = "new"
		if v.incomplete() && !l.Tombstone && l.New.asked() || v.mirror() != nil && mayAnswer && !l.New.asked() {
			second = "old"
		}
	case Completed:
		first = "new"
	}
	for _, name := range []string{first, second} {
		if name == "old" && l.Old.Present || name == "new" && l.New.Present {
			return name
		}
	}
	return "none"
}
