// Package events keeps the last of what happened that an operator should be able to look
// back at, and tells whoever follows what happens next. Nobody waits for a follower.
package events

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
)

// Event is something that happened.
type Event struct {
	// ID grows from event to event, over restarts too: it is the event's time in
	// milliseconds, or the next number that is free.
	ID      int64     `json:"id"`
	Time    time.Time `json:"time"`
	Kind    Kind      `json:"kind"`
	Bucket  string    `json:"bucket"` // "": it is of no bucket alone
	Level   Level     `json:"level"`
	Message string    `json:"message"`
	By      string    `json:"by"` // the operator whose doing it is; "": nobody's
}

// Kind says what an event is about.
type Kind string

// The kinds.
const (
	Phase       Kind = "phase"       // a bucket entered another
	Command     Kind = "command"     // an operator's, done or refused
	Condition   Kind = "condition"   // one that holds now, or no more
	Store       Kind = "store"       // it answers, or not
	Throttle    Kind = "throttle"    // what holds background work back
	Verify      Kind = "verify"      // begun, ended
	Backfill    Kind = "backfill"    // begun, ended
	Certificate Kind = "certificate" // had, failed
	Gateway     Kind = "gateway"     // started, ending, configured anew
)

// Level says how bad it is.
type Level string

// The levels.
const (
	Info  Level = "info"
	Warn  Level = "warn"
	Error Level = "error"
)

const (
	kept         = 1000 // events
	maxFollowers = 64
	ahead        = 64 // events that a follower may be behind
	maxMessage   = 500
)

// Log keeps the events. The zero value is an empty one.
type Log struct {
	mu        sync.Mutex
	ring      []Event // oldest first
	last      int64
	followers map[*Follower]struct{}
}

// Add adds an event, with its id, and its time if it has none.
func (l *Log) Add(e Event) {
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	e.Time = e.Time.UTC()
	e.Level = cmp.Or(e.Level, Info)
	e.Message = strings.Join(strings.FieldsFunc(e.Message, func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r) // what a store says may come to a terminal
	}), " ")
	if len(e.Message) > maxMessage {
		e.Message = strings.ToValidUTF8(e.Message[:maxMessage], "") + "…"
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	e.ID = max(e.Time.UnixMilli(), l.last+1)
	l.last = e.ID
	if len(l.ring) == kept {
		l.ring = slices.Delete(l.ring, 0, 1)
	}
	l.ring = append(l.ring, e)
	for f := range l.followers {
		select {
		case f.next <- e:
		default: // it is too slow
			l.drop(f)
		}
	}
}

// ErrTooMany refuses a follower.
var ErrTooMany = errors.New("too many follow the events already")

// Follow answers the events after the one with this id, and what follows them. An id that
// none has yet is from before the clock was set back: then all are answered.
func (l *Log) Follow(after int64) (*Follower, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.followers) >= maxFollowers {
		return nil, ErrTooMany
	}
	if after > l.last {
		after = 0
	}
	from, _ := slices.BinarySearchFunc(l.ring, after+1, func(e Event, id int64) int { return cmp.Compare(e.ID, id) })
	f := &Follower{Past: slices.Clone(l.ring[from:]), log: l, next: make(chan Event, ahead)}
	if l.followers == nil {
		l.followers = make(map[*Follower]struct{})
	}
	l.followers[f] = struct{}{}
	return f, nil
}

// drop ends a follower. l.mu is held.
func (l *Log) drop(f *Follower) {
	if _, follows := l.followers[f]; follows {
		delete(l.followers, f)
		close(f.next)
	}
}

// Follower is told of events.
type Follower struct {
	Past []Event // what happened before
	log  *Log
	next chan Event
}

// Next is what happens from then on. It is closed when the follower is too slow; it may
// follow again, after the last event it saw.
func (f *Follower) Next() <-chan Event { return f.next }

// Close ends it.
func (f *Follower) Close() {
	f.log.mu.Lock()
	defer f.log.mu.Unlock()
	f.log.drop(f)
}
