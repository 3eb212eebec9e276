package notify

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	sendTimeout = 10 * time.Second
	queueLength = 64 // messages that wait for one service
	firstPause  = 5 * time.Second
	maxPause    = 5 * time.Minute
	// giveUpAfter is how long a message is tried. What lasts is told of again.
	giveUpAfter = time.Hour
)

// courier brings messages to one service, in turn, so that none waits for another's.
type courier struct {
	service *service
	queue   chan Message
	streak  streak
}

func newCourier(i int, s *service, log *slog.Logger) *courier {
	return &courier{
		service: s, queue: make(chan Message, queueLength),
		streak: streak{what: "notifications", service: fmt.Sprintf("%s, URL %d", s.label, i+1), log: log},
	}
}

// take queues a message; where there is no room the oldest one goes. Only the watch calls it.
func (c *courier) take(m Message) {
	for {
		select {
		case c.queue <- m:
			return
		default:
		}
		select {
		case <-c.queue:
		default:
		}
	}
}

// run delivers until ctx is done.
func (c *courier) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-c.queue:
			c.deliver(ctx, m)
		}
	}
}

// deliver sends a message, again and again with growing pauses if it must.
func (c *courier) deliver(ctx context.Context, m Message) {
	began := time.Now()
	for wait := firstPause; c.send(ctx, m) != nil; wait = min(2*wait, maxPause) {
		if time.Since(began)+wait > giveUpAfter || pause(ctx, wait) != nil {
			return
		}
	}
}

// send tries once.
func (c *courier) send(ctx context.Context, m Message) error {
	bounded, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	err := c.service.send(bounded, m)
	if ctx.Err() == nil { // else it tells nothing of the service
		c.streak.note(err)
	}
	return err
}

// streak is a run of failures: its beginning and its end are logged.
type streak struct {
	what    string // fails
	service string
	log     *slog.Logger

	mu    sync.Mutex
	err   error // the last; nil outside of a streak
	since time.Time
}

// note counts an attempt.
func (s *streak) note(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil && s.err == nil:
		s.since = time.Now()
		s.log.Warn(s.what+" fail; this is logged once until they arrive again", "service", s.service, "error", err)
	case err == nil && s.err != nil:
		s.log.Info(s.what+" arrive again", "service", s.service, "failed_for", time.Since(s.since).Round(time.Second))
	}
	s.err = err
}

// appendTo adds the streak to the failures, if it is one.
func (s *streak) appendTo(list []Failure) []Failure {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		return list
	}
	return append(list, Failure{Service: s.service, Error: s.err.Error(), Since: s.since})
}
