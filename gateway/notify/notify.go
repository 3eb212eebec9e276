// Package notify tells operators when a condition turns bad, while it stays so, and when it
// is good again: by messages through the services they name, and by a heartbeat that stops
// with the gateway. Nothing here ever makes the gateway wait.
package notify

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Options say whom to tell, and of what.
type Options struct {
	URLs      []string // of the services, as Check takes them
	Secret    string   // that signs what goes to signed+https URLs
	Heartbeat string   // the URL to GET; "": none
	Every     time.Duration
	Repeat    time.Duration // how often to tell again of what lasts
	// Subjects answers all conditions as they are now. It is asked every few seconds.
	Subjects func() []Subject
	Log      *slog.Logger
}

// Subject is something that has conditions: a bucket, or the gateway.
type Subject struct {
	Name       string // "bucket media", "gateway"
	Conditions []Condition
}

// Condition is something that holds of a subject or not.
type Condition struct {
	Type    string
	Status  bool
	Message string
	Since   time.Time // when the status became what it is
}

// Notifier tells.
type Notifier struct {
	options  Options
	couriers []*courier
	pulse    *pulse // nil without a heartbeat

	mu      sync.Mutex
	healthy bool
	since   time.Time // when healthy was first seen as it is
}

// New is a notifier, which works once Run runs. It connects to nothing.
func New(o Options) (*Notifier, error) {
	now := time.Now()
	n := &Notifier{options: o, healthy: true, since: now}
	for i, url := range o.URLs {
		s, err := openService(url, o.Secret)
		if err != nil {
			return nil, err
		}
		n.couriers = append(n.couriers, newCourier(i, s, o.Log))
	}
	if o.Heartbeat != "" {
		n.pulse = newPulse(o.Heartbeat, o.Every, o.Log)
	}
	return n, nil
}

// lookEvery is how soon a change of a condition is seen.
const lookEvery = 3 * time.Second

// Run looks and tells until ctx is done. A send under way is then left alone.
func (n *Notifier) Run(ctx context.Context) {
	var rooms sync.WaitGroup
	defer rooms.Wait()
	if n.pulse != nil {
		rooms.Go(func() { n.pulse.run(ctx) })
	}
	for _, c := range n.couriers {
		rooms.Go(func() { c.run(ctx) })
	}
	w := newWatch(n.options.Repeat)
	for pause(ctx, lookEvery) == nil {
		for _, m := range w.look(time.Now(), n.options.Subjects()) {
			for _, c := range n.couriers {
				c.take(m)
			}
		}
	}
}

// Result is what became of a test message to one service.
type Result struct {
	Service string `json:"service"` // and where it is; never more of its URL
	Error   string `json:"error,omitempty"`
}

// Test sends a message to every service at once, and answers in the order of the URLs.
func (n *Notifier) Test(ctx context.Context) []Result {
	m := Message{Kind: Test, Subject: "gateway", Title: "this is a test", Detail: "notifications arrive here", Time: time.Now()}
	results := make([]Result, len(n.couriers))
	var sends sync.WaitGroup
	for i, c := range n.couriers {
		sends.Go(func() {
			results[i].Service = c.service.label
			if err := c.send(ctx, m); err != nil {
				results[i].Error = err.Error()
			}
		})
	}
	sends.Wait()
	return results
}

// Failure is a service, or the heartbeat, that can not be reached.
type Failure struct {
	Service string
	Error   string
	Since   time.Time
}

// Failures are those whose last attempt failed.
func (n *Notifier) Failures() []Failure {
	var list []Failure
	for _, c := range n.couriers {
		list = c.streak.appendTo(list)
	}
	if n.pulse != nil {
		list = n.pulse.streak.appendTo(list)
	}
	return list
}

// Condition is the gateway's condition "notifications".
func (n *Notifier) Condition() Condition {
	failures := n.Failures()
	c := Condition{Type: "notifications", Status: len(failures) == 0, Message: "every service took what was sent last"}
	if !c.Status {
		c.Message = failures[0].Service + ": " + failures[0].Error
		if more := len(failures) - 1; more > 0 {
			c.Message += "; and " + count(more, "more service")
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if c.Status != n.healthy {
		n.healthy, n.since = c.Status, time.Now()
	}
	c.Since = n.since
	return c
}

// pause waits, or ends early with the context's error.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
