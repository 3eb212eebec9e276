// Package trace tells operators of requests as they end, while somebody looks. Where nobody
// does a request costs one look at a flag.
package trace

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Record is a request that has ended. It is what the access log has, too.
type Record struct {
	Time      time.Time     `json:"time"` // it began
	Request   string        `json:"request,omitempty"`
	Client    string        `json:"client,omitempty"`
	Host      string        `json:"host"`
	Method    string        `json:"method"`
	Path      string        `json:"path"` // without its query, which may be a signature
	Operation string        `json:"operation"`
	Bucket    string        `json:"bucket"`
	Key       string        `json:"key"`
	Status    int           `json:"status"`
	Whole     bool          `json:"whole"` // the answer did not break off
	Bytes     int64         `json:"bytes"` // of the answer
	Took      time.Duration `json:"took_ns"`
	FirstByte time.Duration `json:"first_byte_ns"` // until the answer's headers went out
	Cache     string        `json:"cache,omitempty"`
	Agent     string        `json:"agent,omitempty"`
	Stores    []Call        `json:"stores"`
	More      int           `json:"more,omitempty"` // calls beyond those in Stores
	// Express: it was answered on the connection itself, from the cache, where neither
	// client nor times are looked at.
	Express bool `json:"express,omitempty"`
}

// Failed tells whether the client did not get what it asked for.
func (r *Record) Failed() bool { return r.Status >= 400 || !r.Whole }

// Call is a request to a store that was made for a client's.
type Call struct {
	Store     string        `json:"store"`
	Operation string        `json:"operation"`
	Outcome   string        `json:"outcome"` // as in the metrics; "under way" when the client was answered before
	Took      time.Duration `json:"took_ns"` // until its headers, or until the client was answered
}

func (c Call) String() string {
	return fmt.Sprintf("%s %s %v %s", c.Store, c.Operation, c.Took.Round(10*time.Microsecond), c.Outcome)
}

// UnderWay is the outcome of a call that had not ended when its client was answered.
const UnderWay = "under way"

// maxCalls bounds the calls that are noted of one request.
const maxCalls = 32

// Calls are those of a request that is on its way.
type Calls struct {
	mu    sync.Mutex
	list  []Call
	began []time.Time
	more  int
}

type place struct{}

// With makes the calls to stores that follow from ctx be noted.
func With(ctx context.Context) (context.Context, *Calls) {
	c := new(Calls)
	return context.WithValue(ctx, place{}, c), c
}

// From is where the calls of ctx's request are noted; nil: nowhere.
func From(ctx context.Context) *Calls {
	c, _ := ctx.Value(place{}).(*Calls)
	return c
}

// Begin notes a call, whose end is told by the function that it answers.
func (c *Calls) Begin(store, operation string) (end func(outcome string)) {
	if c == nil {
		return func(string) {}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	at := len(c.list)
	if at == maxCalls {
		c.more++
		return func(string) {}
	}
	c.list = append(c.list, Call{Store: store, Operation: operation, Outcome: UnderWay})
	c.began = append(c.began, time.Now())
	return func(outcome string) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.list[at].Outcome, c.list[at].Took = outcome, time.Since(c.began[at])
	}
}

// Seen are the calls as they are now, and how many more there were.
func (c *Calls) Seen() (list []Call, more int) {
	if c == nil {
		return nil, 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	list = append(list, c.list...)
	for i := range list {
		if list[i].Outcome == UnderWay {
			list[i].Took = time.Since(c.began[i])
		}
	}
	return list, c.more
}
