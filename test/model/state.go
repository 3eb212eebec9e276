package model

import "fmt"

// Store is one of the two stores.
type Store uint8

// The stores.
const (
	New Store = iota
	Old
)

func (s Store) other() Store { return 1 - s }

func (s Store) String() string { return [...]string{"new", "old"}[s] }

// Phase is the bucket's phase.
type Phase uint8

// The phases.
const (
	Passthrough Phase = iota
	Mirroring
	Switched
	Completed
)

func (p Phase) String() string {
	return [...]string{"passthrough", "mirroring", "switched", "completed"}[p]
}

// Value is what a store holds under a key: one of few contents, with or without
// the mark that Tag leaves on it.
type Value uint8

// The contents. Operation i writes Written+i.
const (
	Absent  Value = iota
	First         // what the key holds at the start
	Written       // up to Written+maxOps-1
)

// More contents, and what is no content.
const (
	SourceFirst  Value = Written + maxOps + iota // the source key's, at the start
	SourceSecond                                 // what the source's writer writes
	Foreign                                      // what new holds though nobody put it there through the gateway
	noEntry      Value = 16                      // the cache holds nothing
	tagged       Value = 8                       // a bit: content as Tag or CopySelf leave it
)

func (v Value) String() string {
	switch {
	case v == noEntry:
		return "no entry"
	case v == Absent:
		return "absent"
	case v&tagged != 0:
		return (v &^ tagged).String() + "+tag"
	}
	return fmt.Sprint("v", uint8(v))
}

// IntentState is where an intent is in its life.
type IntentState uint8

// The states of an intent.
const (
	NoIntent IntentState = iota
	Open
	Pending
	Settled // the settlement has not reached the disk: a crash brings the intent back
)

// Intent is a journal record and what the memory knows of it.
type Intent struct {
	State        IntentState
	Overlapped   bool
	Unknown      bool  // a request of it may still land
	EarlierEpoch bool  // begun before the last phase change: no tombstone (R5)
	Lost         bool  // its record was taken from the disk by another's settlement
	Volatile     bool  // its record is not durable yet: a crash forgets it
	Settlements  uint8 // of Volatile: the intents whose settlements precede it in the log
}

// unknown tells whether a request of an ended operation may still land.
func (in Intent) unknown() bool { return in.State == Pending && in.Unknown }

// The intents of the key. The first belong to the operations of the same index.
const (
	maxOps         = 3
	copyIntent     = maxOps // of the backfill copy
	baselineIntent = maxOps + 1
	intentCount    = maxOps + 2
)

// Outcome is what became of an operation's request to one store.
type Outcome uint8

// The outcomes. From Succeeded on the request is over.
const (
	NotSent  Outcome = iota // an ordered operation's secondary, while the primary is asked
	InFlight                // the store has not decided
	Took                    // it took effect, the answer is on its way
	Succeeded
	Refused // by the key's state: precondition failed, nothing to copy or to tag
	Failed  // definitely without effect
	Unknown
	NotTried
	NoStore
)

func (o Outcome) over() bool { return o >= Succeeded }

// Stage is where an operation is.
type Stage uint8

// The stages.
const (
	Waiting   Stage = iota
	Streaming       // its body comes in and goes on to the stores, all but the last bytes
	Stamped         // it looked at its source, but its intent is not open (StampUnderIntent off)
	Running
	Ended
)

// Operation is a client's mutation on its way.
type Operation struct {
	Stage   Stage
	Primary Store // the primary when it began
	Results [2]Outcome
	Acked   bool // the client was answered before the secondary
	Alone   bool // the secondary is left to the repairer
}

// The sides of an operation, the indexes of Results.
const (
	primary = iota
	secondary
)

// Upload is the state of the multipart upload on a store.
type Upload uint8

// The states of an upload.
const (
	NoUpload Upload = iota // never opened, lost, or aborted
	UploadOpen
	UploadCompleted
)

// Late is a request whose sender has given up waiting: it may still take effect
// at any time, or never.
type Late struct {
	Alive  bool
	Store  Store
	Effect Effect
}

const maxLate = 4

// State is everything the gateway and the stores know, and what clients have seen.
type State struct {
	History uint32 // what clients may have seen: an id in Model.history

	Stores     [2]Value
	Phase      Phase
	Incomplete bool  // backfill is incomplete
	Hold       bool  // a phase change holds new mutations
	PathDone   uint8 // phase changes done
	Intents    [intentCount]Intent
	Ops        [maxOps]Operation
	Late       [maxLate]Late // the living first, sorted
	Copy       Copy
	Repair     Repair
	Reader     Reader
	Cache      Value
	Source     Source
	Uploads    [2]Upload // by store
	Stopped    bool      // the journal takes no more records until the restart
	Faults     uint8     // used so far
	Crashes    uint8
}

// primary is the store that is right by definition.
func (s *State) primary() Store {
	if s.Phase == Switched || s.Phase == Completed {
		return New
	}
	return Old
}

// single: the phase has no secondary.
func (s *State) single() bool { return s.Phase == Passthrough || s.Phase == Completed }

// incompletePrimary is the regime of R8.
func (s *State) incompletePrimary() bool { return s.Phase == Switched && s.Incomplete }

// onlyOnOld: the key's object is on old alone, as far as the stores tell.
func (s *State) onlyOnOld() bool { return s.Stores[New] == Absent && s.Stores[Old] != Absent }

// open tells whether any operation or copy is open on the key.
func (s *State) open() bool {
	for i := range s.Intents {
		if s.Intents[i].State == Open {
			return true
		}
	}
	return false
}

// pending is the set of pending intents, a bit each.
func (s *State) pending() (set uint8) {
	for i := range s.Intents {
		if s.Intents[i].State == Pending {
			set |= 1 << i
		}
	}
	return set
}

// clean: no intent of the key is unsettled.
func (s *State) clean() bool { return !s.open() && s.pending() == 0 }

// moveCounter makes every answer under way doubtful and drops the cache (R3, R6).
func (s *State) moveCounter() {
	if s.Reader.Step > ReadChecking {
		s.Reader.Moved = true
	}
	if s.Copy.unguarded() {
		s.Copy.Moved = true
	}
	s.Cache = noEntry
}

// addLate makes a request of unknown outcome a late one; false if the model has
// no room for another.
func (s *State) addLate(store Store, e Effect) bool {
	if s.Late[maxLate-1].Alive {
		return false
	}
	at := 0
	l := Late{true, store, e}
	for s.Late[at].Alive && s.Late[at].rank() >= l.rank() {
		at++
	}
	copy(s.Late[at+1:], s.Late[at:])
	s.Late[at] = l
	return true
}

func (s *State) dropLate(i int) {
	copy(s.Late[i:], s.Late[i+1:])
	s.Late[maxLate-1] = Late{}
}

// rank orders late requests, so that sets of them have one form.
func (l Late) rank() int {
	return int(l.Store)<<16 | int(l.Effect.Kind)<<8 | int(l.Effect.Value)
}

func (s *State) anyLate() bool { return s.Late[0].Alive }
