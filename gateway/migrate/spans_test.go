package migrate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/gateway/config"
)

// TestSpansAreCut: a bucket whose keys tell where half is, is listed by all listers.
// Seen to fail with cutAfter out of reach.
func TestSpansAreCut(t *testing.T) {
	for _, name := range []string{"numbers", "hashes"} {
		synctest.Test(t, func(t *testing.T) {
			keys := make([]string, 40_000)
			for i := range keys {
				keys[i] = shapes[name](i)
			}
			slices.Sort(keys)
			slow := func(int) error { time.Sleep(time.Second); return nil }
			old, new := shelved("old", 1000, keys...), shelved("new", 1000)
			old.fails = slow
			s := &sweep{
				old: old, new: new, visitor: alikes{}, throttle: unlimited(t), path: t.TempDir() + "/record",
				log: slog.New(slog.DiscardHandler), rec: newRecord("", nil, false),
			}
			s.rec.Counted = true
			start := time.Now()
			if err := s.run(t.Context()); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(start); took > 30*time.Second || s.rec.Counts.Done.Objects != 40_000 {
				t.Errorf("%s: 40 pages of a second each took %v; %d keys", name, took, s.rec.Counts.Done.Objects)
			}
		})
	}
}

// alikes finds nothing.
type alikes struct{}

func (alikes) look(pair) (result, bool)                    { return result{size: 1}, false }
func (alikes) visit(context.Context, pair) (result, error) { return result{}, nil }
func (alikes) found(string, result)                        {}

// TestBetween: whatever the keys there is an answer, and what is commonly made of
// printable characters is cut near its middle.
func TestBetween(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	for range 20_000 {
		low, high := oddKey(r), oddKey(r)
		if low > high {
			low, high = high, low
		}
		_ = between(low, high) // must not panic; divide checks what it answers
	}
	for _, c := range []struct{ low, high, from, to string }{
		{"", "\x7f", "L", "R"},
		{"a", "c", "a~", "b~"},
		{"media/", "media/" + lastOfAll, "media/L", "media/R"},
		{"media/000", "media/999", "media/3", "media/6"},
	} {
		if got := between(c.low, c.high); got < c.from || got > c.to {
			t.Errorf("between %q and %q is %q", c.low, c.high, got)
		}
	}
}

// TestSweepEndsWhileListersWait: a listing that fails ends the sweep although others wait
// for something to list.
func TestSweepEndsWhileListersWait(t *testing.T) {
	for range 50 {
		s := &sweep{
			old: &shelf{name: "old", fails: onCall(1, errors.New("broken"))}, new: shelved("new", 10), visitor: alikes{}, throttle: unlimited(t),
			path: t.TempDir() + "/record", log: slog.New(slog.DiscardHandler), rec: newRecord("", nil, false),
		}
		s.rec.Counted = true
		if err := s.run(t.Context()); err == nil || !strings.Contains(err.Error(), "broken") {
			t.Fatal(err)
		}
	}
}

// TestRulesOrder: a sweep takes the rules in their order and every key by the first that
// fits it, also where prefixes nest, and asks for no page full of keys that are left to
// reads. Seen to fail with all rules in elsewhere, with none, without the jump, and
// with a jump that does not pass the key.
func TestRulesOrder(t *testing.T) { synctest.Test(t, rulesOrder) }

func rulesOrder(t *testing.T) {
	var keys []string
	add := func(n int, format string) {
		for i := range n {
			keys = append(keys, fmt.Sprintf(format, i))
		}
	}
	add(3, "accounts/%d")
	add(20_000, "cache/%05d")
	add(5, "cache/keep/%d")
	add(3, "media/%d")
	add(3, "media/new/%d")
	add(3, "zoo/%d")
	keys = append(keys, "cache/"+lastOfAll+"beyond", "cache/\xff")
	slices.Sort(keys)
	rules := []config.Rule{
		{Prefix: "media/new/", Mode: config.Copy},
		{Prefix: "cache/keep/", Mode: config.Copy},
		{Prefix: "cache/", Mode: config.Skip},
		{Prefix: "media/", Mode: config.Copy},
		{Prefix: "zoo/1", Mode: config.Lazy},
	}
	old, new := shelved("old", 1000, keys...), shelved("new", 1000)
	rec := newRecord("", rules, false)
	var spans []string
	for _, s := range rec.Spans {
		spans = append(spans, s.Prefix)
	}
	if want := []string{"media/new/", "cache/keep/", "media/", ""}; !slices.Equal(spans, want) {
		t.Errorf("the spans are %q, want %q", spans, want)
	}
	v := &tally{looked: map[string]int{}, visits: map[string]int{}}
	s := &sweep{old: old, new: new, visitor: v, throttle: unlimited(t), path: t.TempDir() + "/record", log: slog.New(slog.DiscardHandler), rec: rec}
	s.rec.Counted = true
	if err := s.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := slices.DeleteFunc(slices.Clone(keys), func(k string) bool {
		return strings.HasPrefix(k, "cache/") && !strings.HasPrefix(k, "cache/keep/") || k == "zoo/1"
	})
	if got := slices.Sorted(maps.Keys(v.looked)); !slices.Equal(got, want) {
		t.Errorf("looked at %q, want %q", got, want)
	}
	for k, n := range v.looked {
		if n != 1 {
			t.Errorf("%q was looked at %d times", k, n)
		}
	}
	if n := old.calls.Load(); n > 12 {
		t.Errorf("%d pages were listed for %d keys", n, len(want))
	}
}
