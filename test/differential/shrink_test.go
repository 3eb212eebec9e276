package differential

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// shrinkTime bounds the search for a short reproduction of one difference.
const shrinkTime = 15 * time.Second

// shrink finds few steps after which the last one differs in the same way, each
// attempt on fresh buckets.
func (s *stage) shrink(t *testing.T, history []*step, name string) string {
	t.Helper()
	deadline := time.Now().Add(shrinkTime)
	last := history[len(history)-1]
	differs := func(prefix []*step) bool {
		return time.Now().Before(deadline) && s.reproduces(t, append(prefix[:len(prefix):len(prefix)], last), name)
	}
	var prefix []*step
	switch related := related(history, last); {
	case differs(nil):
	case differs(related):
		prefix = reduce(related, differs)
	default:
		prefix = reduce(mutations(history[:len(history)-1]), differs)
	}
	var b strings.Builder
	for i, st := range append(prefix, last) {
		fmt.Fprintf(&b, "%3d. %s\n", i+1, st)
	}
	return b.String()
}

func mutations(steps []*step) []*step {
	var kept []*step
	for _, st := range steps {
		if st.mutates() {
			kept = append(kept, st)
		}
	}
	return kept
}

// related are the steps before the last that have to do with its keys and its
// upload.
func related(history []*step, last *step) []*step {
	var kept []*step
	for _, st := range history[:len(history)-1] {
		sameUpload := st.uploadID != 0 && st.uploadID == last.uploadID
		if sameUpload || last.key != "" && st.mutates() && st.mentions(last.key) || st.key != "" && st.mutates() && last.mentions(st.key) {
			kept = append(kept, st)
		}
	}
	return kept
}

// reduce leaves out ever smaller pieces as long as the difference stays.
func reduce(steps []*step, differs func([]*step) bool) []*step {
	for size := max(1, len(steps)/2); size >= 1; size /= 2 {
		for from := 0; from < len(steps); {
			without := append(steps[:from:from], steps[min(from+size, len(steps)):]...)
			if differs(without) {
				steps = without
			} else {
				from += size
			}
		}
	}
	return steps
}

// reproduces tells whether the last of the steps differs by that name. It is a
// test of its own, so that what it starts ends with it.
func (s *stage) reproduces(t *testing.T, steps []*step, name string) (same bool) {
	t.Helper()
	t.Run("attempt", func(t *testing.T) {
		scene := s.scene(t)
		for _, st := range steps[:len(steps)-1] {
			scene.ask(t, st)
		}
		last := steps[len(steps)-1]
		_, _, all := scene.ask(t, last)
		same = slices.ContainsFunc(all, func(one difference) bool { return kind(last, one) == name })
	})
	return same
}
