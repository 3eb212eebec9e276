package events

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func messages(list []Event) (words []string) {
	for _, e := range list {
		words = append(words, e.Message)
	}
	return words
}

// TestRing: the last thousand are kept, in order, each with an id of its own.
func TestRing(t *testing.T) {
	var l Log
	at := time.Now()
	for i := range kept + 10 {
		l.Add(Event{Time: at, Message: fmt.Sprint(i)})
	}
	f, err := l.Follow(0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if len(f.Past) != kept || f.Past[0].Message != "10" || f.Past[kept-1].Message != fmt.Sprint(kept+9) {
		t.Errorf("%d from %+v to %+v", len(f.Past), f.Past[0], f.Past[len(f.Past)-1])
	}
	if !slices.IsSortedFunc(f.Past, func(a, b Event) int { return int(a.ID - b.ID) }) || f.Past[0].ID == f.Past[1].ID {
		t.Error("the ids do not grow")
	}
}

// TestFollowAfter: who was there goes on where it was, also after a restart of the gateway,
// and hears everything if its place is not known.
func TestFollowAfter(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	seen := at.Add(2 * time.Second).UnixMilli() // the last one's id
	before := []Event{{Time: at, Message: "a"}, {Time: at.Add(time.Second), Message: "b"}, {Time: at.Add(2 * time.Second), Message: "c"}}
	restarted := []Event{{Time: at, Message: "a"}, {Time: at.Add(time.Minute), Message: "started"}}
	for _, c := range []struct {
		events []Event
		after  int64
		want   string
	}{
		{before, 0, "[a b c]"},
		{before, seen - 1000, "[c]"},
		{before, seen, "[]"},
		{before, seen + 1, "[a b c]"},
		{restarted, seen, "[started]"},
	} {
		var l Log
		for _, e := range c.events {
			l.Add(e)
		}
		f, err := l.Follow(c.after)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(messages(f.Past)); got != c.want {
			t.Errorf("after %d: %s, want %s", c.after, got, c.want)
		}
		l.Add(Event{Message: "next"})
		if e := <-f.Next(); e.Message != "next" {
			t.Errorf("then %+v", e)
		}
		f.Close()
		f.Close()
	}
}

// TestSlowFollower: who does not take events is let go, and nobody waits for it.
func TestSlowFollower(t *testing.T) {
	var l Log
	slow, err := l.Follow(0)
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	quick, err := l.Follow(0)
	if err != nil {
		t.Fatal(err)
	}
	var got int
	var taking sync.WaitGroup
	taking.Go(func() {
		for range quick.Next() {
			if got++; got == 4*ahead {
				return
			}
		}
	})
	for i := range 4 * ahead {
		for len(quick.next) == ahead { // it is let to keep up
			time.Sleep(time.Millisecond)
		}
		l.Add(Event{Message: fmt.Sprint(i)})
	}
	taking.Wait()
	quick.Close()
	if got != 4*ahead {
		t.Errorf("the quick one got %d", got)
	}
	n := 0
	for range slow.Next() {
		n++
	}
	if n != ahead {
		t.Errorf("the slow one got %d before it was let go", n)
	}
}

// TestTooManyFollowers: the followers are bounded, and one that ends makes room.
func TestTooManyFollowers(t *testing.T) {
	var l Log
	for range maxFollowers - 1 {
		if _, err := l.Follow(0); err != nil {
			t.Fatal(err)
		}
	}
	last, err := l.Follow(0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Follow(0); err == nil {
		t.Error("there is no bound")
	}
	last.Close()
	if _, err := l.Follow(0); err != nil {
		t.Error(err)
	}
}

// TestMessage: an event is one line of a bounded length.
func TestMessage(t *testing.T) {
	var l Log
	l.Add(Event{Message: "a\nb \x1b " + strings.Repeat("ü", maxMessage)})
	if m := l.ring[0].Message; !strings.HasPrefix(m, "a b ü") || len(m) > maxMessage+len("…") || l.ring[0].Level != Info {
		t.Errorf("%q", m)
	}
}
