package notify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// box is a service that keeps what it is sent, or fails, or hangs.
type box struct {
	mu   sync.Mutex
	got  []string // "+15s problem"
	err  error
	hang bool
}

func (b *box) send(ctx context.Context, m Message) error {
	b.mu.Lock()
	b.got = append(b.got, fmt.Sprintf("%v %s", time.Since(midnight).Round(time.Second), m.Kind))
	err, hang := b.err, b.hang
	b.mu.Unlock()
	if hang {
		<-ctx.Done()
		return ctx.Err()
	}
	return err
}

func (b *box) expect(t *testing.T, want ...string) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if !reflect.DeepEqual(b.got, want) {
		t.Errorf("sent %q, not %q", b.got, want)
	}
	b.got = nil
}

// midnight is when every bubble begins.
var midnight = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// switchboard is a gateway's conditions, switched by the test.
type switchboard struct {
	mu   sync.Mutex
	list []Subject
}

func (s *switchboard) set(list ...Subject) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = list
}

func (s *switchboard) subjects() []Subject {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.list
}

func (s *switchboard) certificates(good bool) {
	s.set(Subject{"gateway", []Condition{{Type: "certificates", Status: good, Message: "why", Since: time.Now()}}})
}

// begin runs a notifier over the boxes inside of a bubble, until the test's end.
func begin(t *testing.T, log io.Writer, boxes ...*box) (*Notifier, *switchboard) {
	t.Helper()
	board := new(switchboard)
	board.certificates(true)
	logger := slog.New(slog.NewTextHandler(log, nil))
	n, err := New(Options{Repeat: time.Hour, Subjects: board.subjects, Log: logger})
	if err != nil {
		t.Fatal(err)
	}
	for i, b := range boxes {
		s := &service{label: fmt.Sprintf("box %d", i), hide: newHider("box://", nil), sender: b}
		n.couriers = append(n.couriers, newCourier(i, s, logger))
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); n.Run(ctx) }()
	t.Cleanup(func() { stop(); <-ended })
	return n, board
}

// TestToldOnceThenRepeatedThenResolved: not before the trouble has lasted, once, again
// after the repeat, and once when it is good for as long. Certificates take 2 minutes.
func TestToldOnceThenRepeatedThenResolved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b box
		_, board := begin(t, io.Discard, &b)
		board.certificates(false)
		time.Sleep(2 * time.Minute) // it was seen after 3 s
		b.expect(t)
		time.Sleep(10 * time.Second)
		b.expect(t, "2m3s problem")
		time.Sleep(2 * time.Hour)
		b.expect(t, "1h2m3s still", "2h2m3s still")
		board.certificates(true)
		time.Sleep(90 * time.Second)
		b.expect(t)
		time.Sleep(time.Minute)
		b.expect(t, "2h4m12s resolved")
		time.Sleep(12 * time.Hour)
		b.expect(t)
	})
}

// TestFlapsAreNotTold: neither bad moments, nor good ones in the middle of trouble.
func TestFlapsAreNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b box
		_, board := begin(t, io.Discard, &b)
		for range 10 {
			board.certificates(false)
			time.Sleep(time.Minute)
			board.certificates(true)
			time.Sleep(5 * time.Second)
		}
		time.Sleep(5 * time.Minute)
		b.expect(t)
		board.certificates(false)
		time.Sleep(3 * time.Minute)
		b.expect(t, "17m51s problem")
		for range 10 {
			board.certificates(true)
			time.Sleep(time.Minute)
			board.certificates(false)
			time.Sleep(time.Minute)
		}
		b.expect(t)
		board.certificates(true)
		time.Sleep(3 * time.Minute)
		b.expect(t, "40m51s resolved")
	})
}

// TestConditionThatIsGoneIsGood: a bucket whose migration ended has no conditions.
func TestConditionThatIsGoneIsGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b box
		_, board := begin(t, io.Discard, &b)
		board.set(Subject{"bucket a", []Condition{{Type: "caught-up", Message: "3 writes wait"}}},
			Subject{"bucket b", []Condition{{Type: "caught-up", Status: true}, {Type: "throttled", Status: true}, {Type: "backfilled"}}})
		time.Sleep(6*time.Minute + time.Second) // between two looks
		b.expect(t, "5m3s problem")
		board.set()
		time.Sleep(6 * time.Minute)
		b.expect(t, "11m3s resolved")
	})
}

// TestFailingServiceIsTriedAgain: with growing pauses, for an hour; it is logged once, and
// shows, until it works.
func TestFailingServiceIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		b, other := box{err: errors.New("no")}, box{}
		n, board := begin(t, &log, &b, &other)
		board.certificates(false)
		time.Sleep(2*time.Minute + 45*time.Second)
		b.expect(t, "2m3s problem", "2m8s problem", "2m18s problem", "2m38s problem")
		other.expect(t, "2m3s problem")
		time.Sleep(57 * time.Minute)
		if c := n.Condition(); c.Status || c.Message != "box 0, URL 1: no" || !c.Since.Equal(midnight.Add(59*time.Minute+45*time.Second)) {
			t.Errorf("%+v", c)
		}
		if f := n.Failures(); len(f) != 1 || !f[0].Since.Equal(midnight.Add(2*time.Minute+3*time.Second)) {
			t.Errorf("%+v", f)
		}
		b.mu.Lock()
		if len(b.got) < 10 || len(b.got) > 20 {
			t.Errorf("%d attempts", len(b.got))
		}
		b.err, b.got = nil, nil
		b.mu.Unlock()
		time.Sleep(10 * time.Minute)
		b.expect(t, "1h2m3s still")
		if c := n.Condition(); !c.Status || len(n.Failures()) > 0 {
			t.Errorf("%+v", c)
		}
		if text := log.String(); strings.Count(text, "WARN") != 1 || strings.Count(text, "INFO") != 1 {
			t.Errorf("logged:\n%s", text)
		}
	})
}

// TestQueueIsBounded: where a service is away for long the newest messages are kept.
func TestQueueIsBounded(t *testing.T) {
	c := newCourier(0, &service{}, slog.New(slog.DiscardHandler))
	for i := range 3 * queueLength {
		c.take(Message{Title: fmt.Sprint(i)})
	}
	if m := <-c.queue; m.Title != fmt.Sprint(2*queueLength) || len(c.queue) != queueLength-1 {
		t.Errorf("the oldest is %s, %d follow", m.Title, len(c.queue))
	}
}

// TestHangingServiceHoldsNobody: others get their messages, the test of all ends, and so
// does Run.
func TestHangingServiceHoldsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, other := box{hang: true}, box{}
		n, board := begin(t, io.Discard, &b, &other)
		board.certificates(false)
		time.Sleep(2*time.Minute + 5*time.Second)
		other.expect(t, "2m3s problem")
		began := time.Now()
		results := n.Test(t.Context())
		if results[0].Error != "there was no answer within 10s" || results[1].Error != "" || time.Since(began) > 20*time.Second {
			t.Errorf("%+v after %v", results, time.Since(began))
		}
	})
}

func TestText(t *testing.T) {
	m := Message{
		Kind: Problem, Subject: "bucket media", Title: "writes are not on both stores", Detail: "3 writes\nwait: see https://a.test/" + strings.Repeat("x", 600),
		Since: midnight, Todo: "Look.", Time: midnight.Add(90 * time.Second),
	}
	if got := m.Headline(); got != "Sluice: Problem: writes are not on both stores (bucket media)" {
		t.Error(got)
	}
	want := "3 writes wait: see a.test/" + strings.Repeat("x", maxLine-26) + "…\nSince 2000-01-01 00:00 UTC.\nWhat to do: Look."
	if got := m.Text(); got != want {
		t.Errorf("%s\nnot\n%s", got, want)
	}
	m = Message{Kind: Resolved, Detail: "none waits", Since: midnight, Time: midnight.Add(90 * time.Second)}
	if got := m.Text(); got != "none waits\nIt began at 2000-01-01 00:00 UTC, 1m30s ago." {
		t.Error(got)
	}
	for _, trouble := range troubles {
		if trouble.title == "" || !strings.HasSuffix(trouble.todo, ".") || trouble.after < settle {
			t.Errorf("%+v", trouble)
		}
	}
}
