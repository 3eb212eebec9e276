package chaos

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/anishathalye/porcupine"
)

// kind is what an operation does to one key, as a client sees it.
type kind string

const (
	read    kind = "read"
	readTag kind = "read tag"
	write   kind = "write"
	create  kind = "create" // If-None-Match: *
	remove  kind = "delete"
	setTag  kind = "tag"
	setACL  kind = "acl"
	readACL kind = "read acl"
)

func (k kind) reads() bool { return k == read || k == readTag || k == readACL }

const publicRead = "public-read"

func aclOf(public bool) string {
	if public {
		return publicRead
	}
	return "private"
}

// input is what was asked of one key.
type input struct {
	key   string
	kind  kind
	value string
	from  string // the source of a copy without an answer: what it copied is not known
	how   string // the operation, for people
}

// output is what the client was told.
type output struct {
	// unknown: no answer, or an error: what was asked may have happened, or may
	// happen later, or never.
	unknown bool
	maybe   bool   // a success that need not have had an effect
	value   string // of a read; "" is absent
	absent  bool   // a tagging's refusal
	exists  bool   // a conditional create's refusal
}

// state is one key as a single correct store has it.
type state struct {
	value, tag string
	public     bool
}

// next are the states that an answered operation can leave.
func next(s state, in input, out output) []state {
	after := s
	possible := true
	switch in.kind {
	case read:
		if out.unknown || out.value == s.value {
			return []state{s}
		}
		return nil
	case readTag, readACL:
		value := s.tag
		if in.kind == readACL {
			value = aclOf(s.public)
		}
		if out.unknown || out.absent == (s.value == "") && (out.absent || out.value == value) {
			return []state{s}
		}
		return nil
	case write:
		after = state{value: in.value}
	case create:
		if out.exists {
			if s.value == "" {
				return nil
			}
			return []state{s}
		}
		after, possible = state{value: in.value}, s.value == ""
	case remove:
		after = state{}
	case setTag, setACL:
		if out.absent {
			if s.value != "" {
				return nil
			}
			return []state{s}
		}
		if possible = s.value != ""; in.kind == setTag {
			after.tag = in.value
		} else {
			after.public = in.value == publicRead
		}
	}
	switch {
	case (out.unknown || out.maybe) && possible && after != s:
		return []state{s, after}
	case out.unknown || out.maybe:
		return []state{s}
	case possible:
		return []state{after}
	}
	return nil
}

// history is what the clients did and saw.
type history struct {
	mu    sync.Mutex
	clock int64
	ops   []porcupine.Operation
	names map[string]string // of a content's ETag
	past  []string
}

func newHistory() *history {
	return &history{names: make(map[string]string)}
}

// began is the time of a call.
func (h *history) began() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clock++
	return h.clock
}

// ended records an operation on one key.
func (h *history) ended(client int, began int64, in input, out output) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clock++
	o := porcupine.Operation{ClientId: client, Input: in, Call: began, Output: out, Return: h.clock}
	h.ops = append(h.ops, o)
}

// content gives a new content a name by its ETag.
func (h *history) content(etag, name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.names[etag] = name
	h.past = append(h.past, name)
}

func (h *history) nameOf(etag string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if name, ok := h.names[etag]; ok {
		return name
	}
	return "ETag " + etag
}

// check looks for an order of each key's operations that a single store could have
// run them in. It answers the operations of the first key that has none.
func (h *history) check() (key string, ops []porcupine.Operation) { return h.checkKeys(keys) }

func (h *history) checkKeys(keys []string) (key string, ops []porcupine.Operation) {
	byKey := make(map[string][]porcupine.Operation)
	for _, o := range h.ops {
		in, out := o.Input.(input), o.Output.(output)
		if out.unknown {
			if in.kind.reads() {
				continue
			}
			o.Return = h.clock + 1
		}
		byKey[in.key] = append(byKey[in.key], o)
	}
	for _, key := range keys {
		if !porcupine.CheckOperations(h.model(), byKey[key]) {
			return key, byKey[key]
		}
	}
	return "", nil
}

func (h *history) model() porcupine.Model {
	m := porcupine.NondeterministicModel{
		Init: func() []any { return []any{state{}} },
		Step: func(s, in, out any) (states []any) {
			i := in.(input)
			if i.from != "" { // a copy without an answer: of anything there ever was
				states = append(states, s)
				for _, v := range h.past {
					states = append(states, state{value: v})
				}
				return states
			}
			for _, n := range next(s.(state), i, out.(output)) {
				states = append(states, n)
			}
			return states
		},
		Equal: func(a, b any) bool { return a == b },
	}
	return m.ToModel()
}

// describe writes operations down in the order in which they were called.
func describe(ops []porcupine.Operation) string {
	slices.SortFunc(ops, func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
	var b strings.Builder
	for _, o := range ops {
		in, out := o.Input.(input), o.Output.(output)
		answer := "ok"
		switch {
		case out.unknown:
			answer = "?"
		case out.maybe:
			answer = "ok, perhaps without effect"
		case out.absent:
			answer = "absent"
		case out.exists:
			answer = "exists"
		case in.kind.reads():
			answer = fmt.Sprintf("%q", out.value)
		}
		fmt.Fprintf(&b, "  %4d–%-4d client %d  %-9s %-24s %s → %s\n", o.Call, o.Return, o.ClientId, in.kind, in.value+in.from, in.how, answer)
	}
	return b.String()
}
