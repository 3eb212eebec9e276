package model

import (
	"hash/maphash"
	"slices"
)

// Result is what a search found.
type Result struct {
	States  int
	Bounded bool // there are more states
	// Violation is what is wrong, and Trace the shortest way to it.
	Violation string
	Trace     []string
}

// Limits bound a search.
type Limits struct {
	States int  // 0: none
	Live   bool // also check that every state can come to rest
}

// search is a breadth-first search. Of the states passed only a 64-bit hash is
// kept: with n states the chance that two share one, and the second is taken for
// seen, is below n²/2⁶⁵, one in three hundred thousand for ten million states.
// The seed differs from run to run.
type search struct {
	m     *Model
	seed  maphash.Seed
	seen  map[uint64]uint32 // hash → the state's number
	came  []origin          // by number
	quiet []bool            // by number, for the check of liveness
	edges []edge
	steps Steps
}

// origin is how a state was first reached.
type origin struct {
	parent uint32
	choice uint32 // which of the parent's steps
}

type edge struct{ from, to uint32 }

// Search looks at every state in reach, nearest first, until one is wrong.
func (m *Model) Search(limits Limits) Result {
	q := &search{m: m, seed: maphash.MakeSeed(), seen: make(map[uint64]uint32)}
	level := []State{m.initial()}
	q.number(&level[0], origin{})
	for first := uint32(0); len(level) > 0; {
		var next []State
		for i := range level {
			id := first + uint32(i)
			if bad := m.violation(&level[i]); bad != "" {
				return Result{States: len(q.came), Violation: bad, Trace: q.trace(id)}
			}
			next = q.expand(&level[i], id, next, limits.Live)
			if limits.States > 0 && len(q.came) > limits.States {
				return Result{States: len(q.came), Bounded: true}
			}
		}
		first += uint32(len(level))
		level = next
	}
	if limits.Live {
		if id, stuck := q.stuck(); stuck {
			return Result{States: len(q.came), Violation: "never comes to rest", Trace: q.trace(id)}
		}
	}
	return Result{States: len(q.came)}
}

// expand numbers the states that follow one and appends the unseen to next.
func (q *search) expand(s *State, id uint32, next []State, live bool) []State {
	q.m.steps(s, &q.steps)
	for choice := range q.steps.list {
		to, fresh := q.number(&q.steps.list[choice], origin{id, uint32(choice)})
		if fresh {
			next = append(next, q.steps.list[choice])
		}
		if live {
			q.edges = append(q.edges, edge{id, to})
		}
	}
	if live {
		q.quiet = append(q.quiet, q.m.quiet(s))
	}
	return next
}

// number gives a state its number; fresh if it had none.
func (q *search) number(s *State, from origin) (id uint32, fresh bool) {
	hash := maphash.Comparable(q.seed, *s)
	if id, ok := q.seen[hash]; ok {
		return id, false
	}
	id = uint32(len(q.came))
	q.seen[hash] = id
	q.came = append(q.came, from)
	return id, true
}

// trace tells the steps to a state by taking them again from the start.
func (q *search) trace(id uint32) []string {
	var choices []uint32
	for ; id != 0; id = q.came[id].parent {
		choices = append(choices, q.came[id].choice)
	}
	slices.Reverse(choices)
	s := q.m.initial()
	out := Steps{describe: true}
	var labels []string
	for _, choice := range choices {
		q.m.steps(&s, &out)
		labels = append(labels, out.labels[choice])
		s = out.list[choice]
	}
	return labels
}

// stuck finds a state from which no quiet one is in reach.
func (q *search) stuck() (uint32, bool) {
	// The edges, backwards: those into state i are at start[i] up to start[i+1].
	start := make([]uint32, len(q.came)+1)
	for _, e := range q.edges {
		start[e.to+1]++
	}
	for i := range q.came {
		start[i+1] += start[i]
	}
	into, at := make([]uint32, len(q.edges)), slices.Clone(start)
	for _, e := range q.edges {
		into[at[e.to]] = e.from
		at[e.to]++
	}
	settles := slices.Clone(q.quiet)
	var todo []uint32
	for id, quiet := range q.quiet {
		if quiet {
			todo = append(todo, uint32(id))
		}
	}
	for len(todo) > 0 {
		id := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, from := range into[start[id]:start[id+1]] {
			if !settles[from] {
				settles[from] = true
				todo = append(todo, from)
			}
		}
	}
	for id, ok := range settles {
		if !ok {
			return uint32(id), true
		}
	}
	return 0, false
}
