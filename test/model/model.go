package model

import "fmt"

// none: an operation comes after no other.
const none = -1

// Op is a client's mutation of a configuration.
type Op struct {
	Kind  Kind
	After int // the same client's former operation, or none
}

// Config is a small world to search: where it starts, and what may happen in it.
type Config struct {
	Name string

	// Where it starts.
	Phase       Phase
	New, Old    Value
	Incomplete  bool
	ReadOnlyOld bool

	// What clients do.
	Ops   []Op
	Reads uint8
	List  bool // the reads are listings

	// The key that CopyOp copies from, and its writer.
	HasSource            bool
	SourceNew, SourceOld Value
	SourceWrites         bool
	SourceOp             Kind

	// What runs behind the clients' backs.
	Copies       uint8 // backfill copies, beside those that an operation waits for
	Tee          bool  // copies may be made from a client's read
	StaleListing bool  // the crawl's listing may be out of date
	Path         []Change

	// What goes wrong, and what the stores can do.
	Faults      uint8 // failed requests, lost answers, timeouts
	Crashes     uint8
	PrimaryDown bool // reads may find new down while it is the primary
	Conditional bool // new honours a conditional create
	Idempotent  bool // stores answer success to a repeated Complete
	LosesUpload bool // the secondary may lose an upload, or parts of it

	// SlowDisk: an intent is durable some time after it began, not at once.
	SlowDisk bool
	// Streams: bodies go to the stores before their mutation enters (R9).
	Streams bool
	// Strict: a definite error means without effect, ever.
	Strict bool
	// Eager: settlements are durable at once. It makes the search smaller where
	// records that come back are not what a configuration is about.
	Eager bool
}

// Model is a configuration and the rules that are off.
type Model struct {
	Config
	Off RuleSet

	history *histories
}

// NewModel is a model of a configuration with some rules off.
func NewModel(c Config, off RuleSet) *Model {
	m := &Model{Config: c, Off: off}
	m.history = newHistories(m)
	return m
}

func (m *Model) on(r Rule) bool { return !m.Off[r] }

// initial is the state the search begins with.
func (m *Model) initial() State {
	s := State{
		Stores: [2]Value{New: m.New, Old: m.Old},
		Phase:  m.Phase, Incomplete: m.Incomplete, Cache: noEntry,
		Source: Source{Values: [2]Value{New: m.SourceNew, Old: m.SourceOld}},
	}
	for _, op := range m.Ops {
		if op.Kind.completes() {
			s.Uploads = [2]Upload{UploadOpen, UploadOpen}
		}
	}
	truth := func(onNew, onOld Value) Value {
		if m.Phase == Completed || m.Phase == Switched && (onNew != Absent || !m.Incomplete) {
			return onNew
		}
		return onOld
	}
	s.History = m.history.first(truth(m.New, m.Old), truth(m.SourceNew, m.SourceOld))
	return s
}

// Steps collects the states that may follow one.
type Steps struct {
	list     []State
	labels   []string
	describe bool // labels are wanted
}

func (o *Steps) reset() { o.list, o.labels = o.list[:0], o.labels[:0] }

func (o *Steps) add(next State, format string, args ...any) {
	o.list = append(o.list, next)
	if o.describe {
		o.labels = append(o.labels, fmt.Sprintf(format, args...))
	}
}

// steps collects what may happen next, always in the same order.
func (m *Model) steps(s *State, out *Steps) {
	out.reset()
	m.clientSteps(s, out)
	m.sourceSteps(s, out)
	m.lateSteps(s, out)
	m.copySteps(s, out)
	m.repairSteps(s, out)
	m.readSteps(s, out)
	m.phaseSteps(s, out)
	m.durableSteps(s, out)
	m.diskSteps(s, out)
	m.crashSteps(s, out)
}
