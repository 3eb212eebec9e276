package trace

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Filter says which requests are looked at; what is left out does not matter.
type Filter struct {
	Bucket    string
	Operation string // S3's name of it, or the method on a public host
	Prefix    string // of the key
	Status    string // "404", or a class: "5xx"
	Slower    time.Duration
	Errors    bool
}

// Check tells what is wrong with a filter.
func (f Filter) Check() error {
	digits, class := strings.CutSuffix(f.Status, "xx")
	n, err := strconv.Atoi(digits)
	if f.Status != "" && (err != nil || n < 1 || class && n > 5 || !class && (n < 100 || n > 599)) {
		return fmt.Errorf("status %q is neither a number like 404 nor a class like 5xx", f.Status)
	}
	if f.Slower < 0 {
		return errors.New("slower is a time like 500ms")
	}
	return nil
}

func (f Filter) takes(r *Record) bool {
	status := strconv.Itoa(r.Status)
	if class, ok := strings.CutSuffix(f.Status, "xx"); ok {
		status, f.Status = status[:1], class
	}
	return (f.Bucket == "" || f.Bucket == r.Bucket) &&
		(f.Operation == "" || strings.EqualFold(f.Operation, r.Operation)) &&
		strings.HasPrefix(r.Key, f.Prefix) &&
		(f.Status == "" || f.Status == status) &&
		r.Took >= f.Slower &&
		(!f.Errors || r.Failed())
}

const (
	maxTracers = 16
	ahead      = 256 // records that a tracer may be behind
)

// Hub passes records to who looks. The zero value is one at which nobody does.
type Hub struct {
	active  atomic.Bool
	mu      sync.Mutex
	tracers map[*Tracer]struct{}
}

// Active tells whether anybody looks.
func (h *Hub) Active() bool { return h.active.Load() }

// Send passes a record on. Nobody waits: who is behind misses it, and is told how many.
func (h *Hub) Send(r *Record) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for t := range h.tracers {
		if !t.filter.takes(r) {
			continue
		}
		select {
		case t.next <- r:
		default:
			t.missed.Add(1)
		}
	}
}

// ErrTooMany refuses a tracer.
var ErrTooMany = errors.New("too many look at requests already")

// Look begins to look at requests.
func (h *Hub) Look(f Filter) (*Tracer, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.tracers) >= maxTracers {
		return nil, ErrTooMany
	}
	if h.tracers == nil {
		h.tracers = make(map[*Tracer]struct{})
	}
	t := &Tracer{hub: h, filter: f, next: make(chan *Record, ahead)}
	h.tracers[t] = struct{}{}
	h.active.Store(true)
	return t, nil
}

// Tracer is somebody who looks.
type Tracer struct {
	hub    *Hub
	filter Filter
	next   chan *Record
	missed atomic.Int64
}

// Next are the requests that end.
func (t *Tracer) Next() <-chan *Record { return t.next }

// Missed answers how many requests were left out since it was last asked.
func (t *Tracer) Missed() int64 { return t.missed.Swap(0) }

// Close ends it.
func (t *Tracer) Close() {
	t.hub.mu.Lock()
	defer t.hub.mu.Unlock()
	delete(t.hub.tracers, t)
	t.hub.active.Store(len(t.hub.tracers) > 0)
}
