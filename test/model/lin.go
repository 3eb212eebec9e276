package model

import (
	"encoding/binary"
	"slices"
)

// Linearizability: every answer a client got must be true at some moment between
// its question and the answer, in one order of all operations.
//
// A history is the set of all worlds the answers so far allow. A world says what
// the key and its source hold, which of the operations under way have taken
// effect, and what the reader, if one is under way, has seen. An answer that
// contradicts a world removes it; a history without worlds is a violation. An
// operation whose outcome the client never learned stays under way for ever.

// world is one world in 23 bits.
type world uint32

const (
	keyShift    = 0  // 4 bits, a Value
	sourceShift = 4  // 3 bits, a Value
	readShift   = 7  // 5 bits: noRead, asked, or saw + the Value
	writerShift = 12 // 2 bits: the source's writer
	opShift     = 14 // 2 bits for each operation
	copiedShift = 20 // 3 bits, a Value: what the copier has read of the source

	noRead, asked, saw = 0, 1, 2
)

// What became of an operation in a world.
const (
	notUnderWay = iota
	invoked     // it has not taken effect
	effective
	refused // it met a state of the key that it can not work on
)

func (w world) get(shift, width int) uint32 { return uint32(w) >> shift & (1<<width - 1) }

func (w world) set(shift, width int, v uint32) world {
	mask := world(1<<width-1) << shift
	return w&^mask | world(v)<<shift
}

func (w world) key() Value               { return Value(w.get(keyShift, 4)) }
func (w world) source() Value            { return Value(w.get(sourceShift, 3)) }
func (w world) withKey(v Value) world    { return w.set(keyShift, 4, uint32(v)) }
func (w world) op(i int) uint32          { return w.get(opShift+2*i, 2) }
func (w world) withOp(i, to int) world   { return w.set(opShift+2*i, 2, uint32(to)) }
func (w world) copied() Value            { return Value(w.get(copiedShift, 3)) }
func (w world) withCopied(v Value) world { return w.set(copiedShift, 3, uint32(v)) }
func (w world) read() uint32             { return w.get(readShift, 5) }
func (w world) withRead(r uint32) world  { return w.set(readShift, 5, r) }

// event is something a client saw.
type event uint8

const (
	opInvoked event = iota
	opAcked
	opRefused
	opFailed     // definitely without effect
	uploadWasOK  // a repeated Complete: the first one has taken effect
	readInvoked  // arg unused, as below
	readAnswered // arg is the Value
	readGone
	writerInvoked
	writerAcked
)

// histories holds each history once, by its id.
type histories struct {
	m     *Model
	ids   map[string]uint32
	sets  [][]world
	steps map[historyStep]uint32
}

type historyStep struct {
	from uint32
	what event
	arg  uint8
}

func newHistories(m *Model) *histories {
	return &histories{m: m, ids: make(map[string]uint32), steps: make(map[historyStep]uint32)}
}

// first is the history before anything happened.
func (h *histories) first(key, source Value) uint32 {
	return h.intern(map[world]bool{world(0).withKey(key).set(sourceShift, 3, uint32(source)): true})
}

func (h *histories) possible(id uint32) bool { return len(h.sets[id]) > 0 }

func (h *histories) intern(set map[world]bool) uint32 {
	worlds := make([]world, 0, len(set))
	for w := range set {
		worlds = append(worlds, w)
	}
	slices.Sort(worlds)
	name := make([]byte, 0, 4*len(worlds))
	for _, w := range worlds {
		name = binary.LittleEndian.AppendUint32(name, uint32(w))
	}
	if id, known := h.ids[string(name)]; known {
		return id
	}
	id := uint32(len(h.sets))
	h.ids[string(name)] = id
	h.sets = append(h.sets, worlds)
	return id
}

// after is the history from, after an event.
func (h *histories) after(from uint32, what event, arg uint8) uint32 {
	step := historyStep{from, what, arg}
	if id, known := h.steps[step]; known {
		return id
	}
	set := make(map[world]bool)
	for _, w := range h.sets[from] {
		if next, ok := w.after(what, arg); ok {
			set[next] = true
		}
	}
	h.close(set)
	id := h.intern(set)
	h.steps[step] = id
	return id
}

// after is the world after the event, if it allows it.
func (w world) after(what event, arg uint8) (world, bool) {
	i := int(arg)
	switch what {
	case opInvoked:
		return w.withOp(i, invoked), true
	case opAcked:
		return w.withOp(i, notUnderWay), w.op(i) == effective
	case opRefused:
		return w.withOp(i, notUnderWay), w.op(i) == refused
	case opFailed:
		return w.withOp(i, notUnderWay).withCopied(Absent), w.op(i) == invoked
	case uploadWasOK:
		return w.withOp(i, notUnderWay), w.op(i) == effective || w.op(i) == notUnderWay
	case readInvoked:
		return w.withRead(asked), true
	case readAnswered:
		return w.withRead(noRead), w.read() == saw+uint32(arg)
	case readGone:
		return w.withRead(noRead), true
	case writerInvoked:
		return w.set(writerShift, 2, invoked), true
	default: // writerAcked
		return w.set(writerShift, 2, notUnderWay), w.get(writerShift, 2) == effective
	}
}

// close adds the worlds that come of a world when operations under way take effect.
func (h *histories) close(set map[world]bool) {
	var todo []world
	add := func(w world) {
		if !set[w] {
			set[w] = true
			todo = append(todo, w)
		}
	}
	for w := range set {
		todo = append(todo, w)
	}
	for len(todo) > 0 {
		w := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for i := range h.m.Ops {
			if w.op(i) != invoked {
				continue
			}
			if copies := h.m.Ops[i].Kind == CopyOp; copies && w.copied() == Absent && w.source() != Absent {
				// It reads the source at one moment and writes the key at another:
				// S3 orders what happens to one key, not to two.
				add(w.withCopied(w.source()))
				continue
			}
			if v, ok := h.m.result(i, w.key(), w.copied()); ok {
				add(w.withKey(v).withOp(i, effective).withCopied(Absent))
			} else {
				add(w.withOp(i, refused))
			}
		}
		if w.get(writerShift, 2) == invoked {
			add(w.set(sourceShift, 3, uint32(h.m.sourceValue())).set(writerShift, 2, effective))
		}
		if w.read() == asked {
			add(w.withRead(saw + uint32(w.key())))
		}
	}
}

// saw appends an event to what the clients saw.
func (m *Model) saw(s *State, what event, arg uint8) {
	s.History = m.history.after(s.History, what, arg)
}
