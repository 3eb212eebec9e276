package model

// ReadStep is where the reader is.
type ReadStep uint8

// The steps of a read, and of a listing.
const (
	ReadIdle          ReadStep = iota
	ReadChecking               // it has begun; next it takes the key's state and chooses a store
	ReadAskingNew              // new first
	ReadNewAnswered            // the answer's headers are here, not yet validated
	ReadAskingPrimary          // old, which is the primary
	ReadPrimaryAnswered
	ReadAskingOld // after new's explicit absence
	ReadOldAnswered
	ReadAskingOldAlone // new is down
	ReadOldAloneAnswered
	ListAskingNew
	ListNewAnswered
	ListOldAnswered
)

// Reader is the one read under way. Reads follow one another; a read that joins
// the fetch of a former one continues where that was.
type Reader struct {
	Step       ReadStep
	Done       uint8 // reads that are over
	Phase      Phase // at the check
	Incomplete bool  // the primary was incomplete then: absence on new is not the answer
	NewEpoch   bool  // the phase changed since the check, or the backfill was done
	Moved      bool  // the key's counter moved since
	Dirty      bool  // the key was dirty at the check
	Snapshot   bool  // a listing's: the key had a tombstone when the listing began
	Value      Value // the answer that waits to be validated
}

// readSteps are what the reader may do next (R6).
func (m *Model) readSteps(s *State, out *Steps) {
	r := s.Reader
	if r.Step == ReadIdle && r.Done >= m.Reads {
		return
	}
	m.joinStep(s, out)
	switch r.Step {
	case ReadIdle:
		next := *s
		next.Reader.Step = ReadChecking
		m.saw(&next, readInvoked, 0)
		out.add(next, "read begins")
	case ReadChecking:
		if m.List {
			m.listBegins(s, out)
		} else {
			m.readChecks(s, out)
		}
	case ReadAskingNew:
		m.readMoves(s, ReadNewAnswered, s.Stores[New], "new answers", out)
	case ReadNewAnswered:
		if r.Phase == Mirroring {
			m.secondaryAnswered(s, out)
		} else {
			m.newPrimaryAnswered(s, out)
		}
	case ReadAskingPrimary:
		m.readMoves(s, ReadPrimaryAnswered, s.Stores[Old], "old answers", out)
	case ReadPrimaryAnswered:
		if r.NewEpoch && m.on(ValidateEpoch) {
			m.readRepeats(s, out)
		} else {
			m.readEnds(s, r.Value, "old's answer", out)
		}
	case ReadAskingOld:
		m.readMoves(s, ReadOldAnswered, s.Stores[Old], "old answers", out)
	case ReadAskingOldAlone:
		m.readMoves(s, ReadOldAloneAnswered, s.Stores[Old], "old answers", out)
	case ReadOldAnswered, ReadOldAloneAnswered:
		// The secondary's absence proves nothing while new is down (I6).
		if !m.valid(s) || r.Step == ReadOldAloneAnswered && r.Value == Absent {
			m.readRepeats(s, out)
		} else {
			m.readEnds(s, r.Value, "old's answer", out)
		}
	default:
		m.listSteps(s, out)
	}
}

// readChecks takes the key's state and chooses where to read.
func (m *Model) readChecks(s *State, out *Steps) {
	next := *s
	clean := s.clean() || !m.on(DirtyReadsPrimary)
	next.Reader = Reader{Done: s.Reader.Done, Phase: s.Phase, Incomplete: m.asksBoth(s), Dirty: !clean}
	if clean && s.Cache != noEntry {
		m.readEndsFrom(next, s.Cache, false, "the cache", out)
		return
	}
	if s.Phase == Passthrough || s.Phase == Mirroring && !clean {
		next.Reader.Step = ReadAskingPrimary
		out.add(next, "read asks the primary alone")
		return
	}
	next.Reader.Step = ReadAskingNew
	out.add(next, "read asks new")
	if m.PrimaryDown && s.Phase == Switched && clean && !(m.ReadOnlyOld && m.on(ReadOnlyNeverWhenNewIsDown)) {
		next.Reader.Step = ReadAskingOldAlone
		out.add(next, "read finds new down and asks old")
	}
}

// asksBoth: what new, the primary, does not have may be on old (R8).
func (m *Model) asksBoth(s *State) bool {
	return s.incompletePrimary() || s.Phase == Completed && !m.on(CompletedNeverAsksOld)
}

// secondaryAnswered: new answered in mirroring. It may, if nothing moved; what it
// lacks is asked of the primary.
func (m *Model) secondaryAnswered(s *State, out *Steps) {
	switch {
	case !m.valid(s):
		m.readRepeats(s, out)
	case s.Reader.Value == Absent:
		m.readMoves(s, ReadAskingPrimary, Absent, "read falls back to old, new has", out)
	default:
		m.readEnds(s, s.Reader.Value, "new's answer", out)
	}
}

// newPrimaryAnswered: new answered as the primary. An incomplete one may lack
// what old has (R8).
func (m *Model) newPrimaryAnswered(s *State, out *Steps) {
	switch {
	case s.Reader.NewEpoch && m.on(ValidateEpoch):
		m.readRepeats(s, out)
	case s.Reader.Value != Absent || !s.Reader.Incomplete:
		m.readEnds(s, s.Reader.Value, "new's answer", out)
	case !m.valid(s):
		m.readRepeats(s, out)
	case m.tombstone(s) && m.on(TombstoneIsTruth):
		m.readEnds(s, Absent, "the tombstone", out)
	default:
		m.readMoves(s, ReadAskingOld, Absent, "read falls back to old, new has", out)
	}
}

// valid: neither the counter nor the epoch moved since the check.
func (m *Model) valid(s *State) bool {
	return !(s.Reader.Moved && m.on(ValidateRead)) && !(s.Reader.NewEpoch && m.on(ValidateEpoch))
}

func (m *Model) readMoves(s *State, to ReadStep, v Value, text string, out *Steps) {
	next := *s
	next.Reader.Step, next.Reader.Value = to, v
	out.add(next, "%s: %v", text, v)
}

func (m *Model) readRepeats(s *State, out *Steps) {
	next := *s
	next.Reader = Reader{Step: ReadChecking, Done: s.Reader.Done}
	out.add(next, "read is repeated")
}

func (m *Model) readEnds(s *State, v Value, from string, out *Steps) {
	m.readEndsFrom(*s, v, !m.List, from, out)
}

// readEndsFrom answers the client. What was read of a clean key fills the cache,
// unless something moved since the check (I8).
func (m *Model) readEndsFrom(next State, v Value, fills bool, from string, out *Steps) {
	r := next.Reader
	moved := (r.Moved || r.NewEpoch && m.on(ValidateEpoch)) && m.on(ValidateFill)
	if fills && v != Absent && !r.Dirty && !moved {
		next.Cache = v
	}
	next.Reader = Reader{Done: r.Done + 1}
	m.saw(&next, readAnswered, uint8(v))
	out.add(next, "READ %v, %s", v, from)
}

// joinStep: the client goes away, and the next read joins the fetch it left.
func (m *Model) joinStep(s *State, out *Steps) {
	r := s.Reader
	if m.List || r.Step <= ReadChecking || r.Done+1 >= m.Reads || r.Moved && m.on(ValidateJoin) {
		return
	}
	next := *s
	next.Reader.Done++
	m.saw(&next, readGone, 0)
	m.saw(&next, readInvoked, 0)
	out.add(next, "the reader goes away, the next read joins its fetch")
}

// listBegins: the listing of an incomplete primary takes the tombstones before
// it asks any store (R13). The model has one key, so a page is one answer.
func (m *Model) listBegins(s *State, out *Steps) {
	next := *s
	next.Reader = Reader{
		Step: ListAskingNew, Done: s.Reader.Done, Phase: s.Phase,
		Incomplete: m.asksBoth(s), Snapshot: m.tombstone(s) && m.on(ListSnapshot),
	}
	if s.primary() == Old {
		next.Reader.Step = ReadAskingPrimary
		out.add(next, "listing asks the primary alone")
		return
	}
	out.add(next, "listing takes the tombstones: %v", next.Reader.Snapshot)
}

func (m *Model) listSteps(s *State, out *Steps) {
	r := s.Reader
	switch r.Step {
	case ListAskingNew:
		m.readMoves(s, ListNewAnswered, s.Stores[New], "new's page", out)
	case ListNewAnswered:
		switch {
		case r.NewEpoch && m.on(ValidateEpoch):
			m.readRepeats(s, out)
		case r.Value != Absent || !r.Incomplete:
			m.readEnds(s, r.Value, "listed by new", out)
		default:
			m.readMoves(s, ListOldAnswered, s.Stores[Old], "old's page", out)
		}
	case ListOldAnswered:
		switch {
		case r.NewEpoch && m.on(ValidateEpoch):
			m.readRepeats(s, out)
		case r.Snapshot, !m.on(ListNotAtEnd) && m.tombstone(s):
			m.readEnds(s, Absent, "dropped from the listing", out)
		case r.Moved && m.on(ListPointRead):
			m.readRepeats(s, out) // stands for the point read
		default:
			m.readEnds(s, r.Value, "listed by old", out)
		}
	}
}
