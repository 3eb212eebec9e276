package cache

import (
	"maps"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"sluice/backends"
)

// Entry is what is known of an object. It is shared by all readers: read-only.
type Entry struct {
	Info   backends.Info // without checksums
	Sums   http.Header   // the checksums of the whole body; nil: not known
	Absent bool          // there is no such object

	// Memo is what a reader made of the entry and wants to find again.
	Memo atomic.Pointer[Memo]

	id       uint64       // that its blocks on disk carry
	checked  atomic.Int64 // when it was last seen to be true, in nanoseconds
	doubtful atomic.Bool  // it was on disk when the machine went down: see disk
	asking   atomic.Bool  // a reader is asking a store whether it is still true
	blocks   atomic.Int64 // bytes of its blocks in memory
}

// Memo is an answer's head, and who made it.
type Memo struct {
	By   any
	Head []byte
}

// newEntry is an entry of what a store has just said; with whole it has told all checksums.
func newEntry(info backends.Info, whole bool) *Entry {
	e := &Entry{Info: info, id: rand.Uint64()}
	e.Info.Length, e.Info.ContentRange = info.Size, ""
	if e.Info.Header = WithoutChecksums(info.Header); whole {
		e.Sums = make(http.Header)
		for name, values := range info.Header {
			if isChecksum(name) {
				e.Sums[name] = values
			}
		}
	}
	e.checked.Store(time.Now().UnixNano())
	return e
}

func isChecksum(name string) bool { return strings.HasPrefix(name, "X-Amz-Checksum-") }

// WithoutChecksums drops what is true of the whole body alone, and told only to who asks.
func WithoutChecksums(h http.Header) http.Header {
	h = maps.Clone(h)
	maps.DeleteFunc(h, func(name string, _ []string) bool { return isChecksum(name) })
	return h
}

// Age is how long ago the entry was seen to be true.
func (e *Entry) Age() time.Duration {
	return time.Duration(time.Now().UnixNano() - e.checked.Load())
}

// Same tells whether two answers are about one state of an object's content.
func Same(a, b *backends.Info) bool {
	return a.ETag == b.ETag && a.Size == b.Size && a.LastModified.Equal(b.LastModified)
}

// Ask tells whether a reader may ask a store for the entry again: one does at a time, and
// says with Asked that it has its answer.
func (e *Entry) Ask() bool { return e.asking.CompareAndSwap(false, true) }

// Asked ends what Ask began.
func (e *Entry) Asked() { e.asking.Store(false) }

// State is what an entry is good for.
type State int

// The states.
const (
	Fresh    State = iota // it is served
	Stale                 // it is asked for again, and served where no store answers
	Doubtful              // it is asked for again, and not served before
)

// State tells what an entry is good for now.
func (c *Cache) State(e *Entry) State {
	ttl := c.o.Load().TTL
	switch {
	case e.doubtful.Load():
		return Doubtful
	case ttl > 0 && e.Age() > ttl:
		return Stale
	}
	return Fresh
}

// Aging tells whether a stale entry may be served while it is asked for again: for as long
// as it was fresh.
func (c *Cache) Aging(e *Entry) bool { return c.State(e) == Stale && e.Age() < 2*c.o.Load().TTL }
