package network

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"
)

// absent is the value of a key without an object.
const absent = "absent"

// never is later than everything.
const never = time.Duration(math.MaxInt64)

// write is a PUT or a DELETE of one key.
type write struct {
	value      string // the object's ETag, or absent
	begin, end time.Duration
	acked      bool
}

// read is a GET, a HEAD, or a key's part in a LIST, that answered.
type read struct {
	value      string
	begin, end time.Duration
	how        string
}

// history is everything that happened to one key, as its clients saw it. Each PUT has
// an ETag of its own.
type history struct {
	mu     sync.Mutex
	writes []write
	reads  []read
}

func (h *history) wrote(w write) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.writes = append(h.writes, w)
}

func (h *history) saw(r read) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reads = append(h.reads, r)
}

// violations are the reads that no order of the key's writes explains: each write
// takes effect once, between its begin and its end. One whose client does not know
// the outcome may take effect until late after it gave up, or never.
//
// A read shows too much only if it answers a value that was replaced before the read
// began, or one that was not written yet. A value was replaced when another write
// began after it must have taken effect, and had itself taken effect: because it was
// acknowledged, or because somebody had read it.
func (h *history) violations(late time.Duration) []error {
	h.mu.Lock()
	defer h.mu.Unlock()
	effects := h.effects(late)
	byValue := make(map[string]effect, len(effects))
	var anyValue, values, deletes []effect
	for _, e := range effects {
		if e.value == absent {
			deletes = append(deletes, e)
		} else {
			byValue[e.value] = e
			values = append(values, e)
		}
		anyValue = append(anyValue, e)
	}
	replacedBy, filledBy := lastBegin(anyValue), lastBegin(values)
	var wrong []error
	for _, r := range h.reads {
		if r.value == absent {
			// The latest delete that may be what was seen; -1 is the beginning.
			last := time.Duration(-1)
			for _, d := range deletes {
				if d.begin < r.end {
					last = max(last, d.until)
				}
			}
			if filled := filledBy(r.begin); filled > last {
				wrong = append(wrong, fmt.Errorf("%s at %v says absent, but a PUT begun at %v was there, and no DELETE after it", r.how, r.begin, filled))
			}
			continue
		}
		e, known := byValue[r.value]
		switch {
		case !known:
			wrong = append(wrong, fmt.Errorf("%s at %v answers %s, which nobody wrote", r.how, r.begin, r.value))
		case e.begin > r.end:
			wrong = append(wrong, fmt.Errorf("%s at %v answers %s, which was written later, at %v", r.how, r.begin, r.value, e.begin))
		case replacedBy(r.begin) > e.until:
			wrong = append(wrong, fmt.Errorf("%s at %v answers %s, in effect by %v, replaced by a write begun at %v",
				r.how, r.begin, r.value, e.until, replacedBy(r.begin)))
		}
	}
	return wrong
}

// effect is when a write took effect: after begin, before until if it did at all, and
// certainly before sure.
type effect struct {
	value              string
	begin, until, sure time.Duration
}

func (h *history) effects(late time.Duration) []effect {
	seen := make(map[string]time.Duration)
	for _, r := range h.reads {
		if first, ok := seen[r.value]; !ok || r.end < first {
			seen[r.value] = r.end
		}
	}
	var effects []effect
	for _, w := range h.writes {
		e := effect{value: w.value, begin: w.begin, until: w.end, sure: w.end}
		if !w.acked {
			e.until, e.sure = w.end+late, never
		}
		if first, ok := seen[w.value]; ok && w.value != absent {
			e.until, e.sure = min(e.until, first), min(e.sure, first)
		}
		effects = append(effects, e)
	}
	return effects
}

// lastBegin answers, for a moment, when the latest write began that had surely taken
// effect before it; -1 if there is none.
func lastBegin(effects []effect) func(time.Duration) time.Duration {
	effects = slices.Clone(effects)
	slices.SortFunc(effects, func(a, b effect) int { return cmp.Compare(a.sure, b.sure) })
	latest := make([]time.Duration, len(effects)) // of effects[:i+1]
	last := time.Duration(-1)
	for i, e := range effects {
		last = max(last, e.begin)
		latest[i] = last
	}
	return func(at time.Duration) time.Duration {
		i, _ := slices.BinarySearchFunc(effects, at, func(e effect, at time.Duration) int { return cmp.Compare(e.sure, at) })
		if i == 0 {
			return -1
		}
		return latest[i-1]
	}
}
