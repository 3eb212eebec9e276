package migrate

import (
	"context"
	"strings"
	"sync"
	"unicode/utf8"

	"sluice/backends"
)

// spans are a sweep's pieces of the key space. Each is listed by one goroutine; one
// that has nothing to do takes over half of what another still has before it.
type spans struct {
	sweep   *sweep
	mu      *sync.Mutex // the sweep's
	changed *sync.Cond
	free    []*window
	listed  []*window // being listed, or listed with keys still worked on
}

// window is a span that is being worked on: the keys that were listed and are not done.
// Its record moves on in the keys' order, whatever order they are done in.
type window struct {
	*spanRecord
	slots chan struct{} // one for each item
	items []*item       // in the order of keys
	pos   string        // the last key listed
	since int           // keys listed since it was last cut
	ended bool          // everything was listed
	cut   bool          // it can not be cut, or is being cut
}

type item struct {
	key    string
	done   bool
	passed bool    // the record has moved over it
	result *result // nil: it is counted when it is tried again
}

// windowSize bounds the keys of one span in work.
const windowSize = 4096

// cutAfter is how many keys a span must have listed to be cut: shorter ones are done
// sooner than cut.
const cutAfter = 2000

func newWindow(s *spanRecord) *window {
	return &window{spanRecord: s, slots: make(chan struct{}, windowSize), pos: s.After}
}

// wake lets those look again who wait for a span to list.
func (s *spans) wake() {
	s.mu.Lock() // else who has looked and does not wait yet would miss it
	defer s.mu.Unlock()
	s.changed.Broadcast()
}

// to is a span's end now.
func (s *spans) to(w *window) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return w.To
}

// claim waits for a span to list. It is nil when there will be none.
func (s *spans) claim(ctx context.Context) *window {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ctx.Err() == nil {
		if len(s.free) > 0 {
			w := s.free[0]
			s.free = s.free[1:]
			s.listed = append(s.listed, w)
			return w
		}
		open := false
		var longest *window
		for _, w := range s.listed {
			open = open || !w.ended
			if !w.ended && !w.cut && w.since >= cutAfter && (longest == nil || w.since > longest.since) {
				longest = w
			}
		}
		switch {
		case !open:
			return nil
		case longest != nil:
			s.divide(ctx, longest)
		default:
			s.changed.Wait()
		}
	}
	return nil
}

// probes bounds the requests for cutting a span once.
const probes = 32

// divide cuts a span at a key about half way between where its listing is and its end,
// and frees the second half. s.mu is held, but not during the requests.
func (s *spans) divide(ctx context.Context, w *window) {
	w.cut = true // by nobody else meanwhile
	left := probes
	// first is the first key behind another that old has in the span; "" if none.
	first := func(after string) (key string, ok bool) {
		if left--; left < 0 {
			return "", false
		}
		s.mu.Unlock()
		page, err := s.sweep.old.List(ctx, backends.ListRequest{Prefix: w.Prefix, After: after, MaxKeys: 1})
		s.mu.Lock()
		switch {
		case err != nil || w.ended:
			return "", false
		case len(page.Objects) == 0 || w.To != "" && page.Objects[0].Key >= w.To:
			return "", true
		}
		return page.Objects[0].Key, true
	}
	low := w.pos
	high, ok := ceiling(low, w, first)
	for ok {
		middle := between(low, high)
		if middle <= low || middle >= high {
			return
		}
		var key string
		switch key, ok = first(middle); {
		case !ok:
			return
		case key == "":
			high = middle
		case key <= w.pos:
			low = w.pos // the listing has passed it meanwhile
		default:
			second := &spanRecord{span{Prefix: w.Prefix, After: key, To: w.To}, w.Rule}
			w.To, w.cut, w.since = key, false, 0
			s.sweep.rec.Spans = append(s.sweep.rec.Spans, second)
			s.free = append(s.free, newWindow(second))
			s.changed.Broadcast()
			return
		}
	}
}

// ceiling is a text behind all keys that a span has behind low, with as much in front
// that they have in common with low as there is: in buckets whose keys all begin alike
// halving from there is halving what matters.
func ceiling(low string, w *window, first func(after string) (string, bool)) (string, bool) {
	same, differ := len(w.Prefix), len(low)+1
	for differ-same > 1 {
		n := (same + differ) / 2
		for n > same && n < len(low) && !utf8.RuneStart(low[n]) {
			n--
		}
		if n == same {
			break
		}
		switch key, ok := first(low[:n] + lastOfAll); {
		case !ok:
			return "", false
		case key == "":
			same = n
		default:
			differ = n
		}
	}
	high := low[:same] + lastOfAll
	if w.To != "" && w.To < high {
		high = w.To
	}
	return high, true
}

// between is a text about half way between two others, of characters that keys are
// commonly made of.
func between(low, high string) string {
	n := 0
	for n < len(low) && n < len(high) && low[n] == high[n] {
		n++
	}
	const first, digits = ' ', 95 // the printable ASCII characters
	digit := func(s string, i int) int {
		if i >= len(s) {
			return 0
		}
		return min(max(int(s[i])-first, 0), digits)
	}
	const width = 4
	sum := 0
	for i := range width {
		sum = sum*digits + digit(low, n+i) + digit(high, n+i)
	}
	sum /= 2
	var tail [width]byte
	for i := width - 1; i >= 0; i-- {
		tail[i] = byte(first + sum%digits)
		sum /= digits
	}
	common := low[:n]
	return common + strings.TrimRight(string(tail[:]), " ")
}

// ahead tells whether a key will be listed. s.mu is held, or nothing runs yet.
func (s *spans) ahead(key string) bool {
	for _, r := range s.sweep.rec.Spans {
		if strings.HasPrefix(key, r.Prefix) && key > r.After && (r.To == "" || key <= r.To) {
			if _, ok := s.sweep.elsewhere(r.Rule, key); !ok {
				return true
			}
		}
	}
	return false
}

// add makes room for a key in its window, waiting for others to be done. It is nil for
// a key behind the span's end, which may have come nearer.
func (s *spans) add(ctx context.Context, w *window, key string) (*item, error) {
	select {
	case w.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.To != "" && key > w.To {
		<-w.slots
		return nil, nil
	}
	it := &item{key: key}
	w.items = append(w.items, it)
	w.pos = key
	if w.since++; w.since == cutAfter {
		s.changed.Broadcast()
	}
	return it, nil
}

// done counts a key, and moves the record to the last key before which nothing is left.
func (s *spans) done(w *window, it *item, r *result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	it.done = true
	if r != nil {
		it.result = r
	}
	n := 0
	for n < len(w.items) && w.items[n].done {
		if r := w.items[n].result; r != nil {
			s.sweep.rec.Counts.add(*r)
		}
		w.After, w.items[n].passed = w.items[n].key, true
		n++
		<-w.slots
	}
	if n == 0 {
		return
	}
	w.items = w.items[n:]
	s.sweep.dirty = true
	s.finish(w)
}

// end says that all of a span was listed.
func (s *spans) end(w *window) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.ended = true
	s.finish(w)
	s.changed.Broadcast()
}

// finish takes out a span of which nothing is left. s.mu is held.
func (s *spans) finish(w *window) {
	if !w.ended || len(w.items) > 0 {
		return
	}
	remove(&s.listed, w)
	remove(&s.sweep.rec.Spans, w.spanRecord)
	s.sweep.dirty = true
}

func remove[T comparable](list *[]T, x T) {
	for i, y := range *list {
		if y == x {
			*list = append((*list)[:i:i], (*list)[i+1:]...)
			return
		}
	}
}
