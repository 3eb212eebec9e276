package model

// CopyStep is where the backfill copy is.
type CopyStep uint8

// The steps of a copy from old to new.
const (
	CopyIdle    CopyStep = iota
	CopyReading          // reads old
	CopyHolding          // made from a client's read: holds the content, has no intent yet
	CopyLooking          // looks whether new has the key (stores without conditional create)
	CopySending
	CopyTook // took effect on new, the answer is on its way
	CopyEnding
)

// Copy is the backfill copy of the key.
type Copy struct {
	Step    CopyStep
	Tee     bool // made from a client's read
	Moved   bool // the key's counter moved since it began
	NewEra  bool // the phase changed since it began
	Started uint8
	Value   Value
	Result  Outcome
}

// unguarded: it is made from a read and has no intent yet.
func (c Copy) unguarded() bool { return c.Tee && c.Step != CopyIdle }

// idle keeps what outlives a copy.
func (c Copy) idle() Copy { return Copy{Started: c.Started} }

// copySteps are what the backfill may do next (R10).
func (m *Model) copySteps(s *State, out *Steps) {
	next := *s
	if s.Copy.Step != CopyEnding && m.mustWait(s.Intents[copyIntent]) {
		next.Copy.Step, next.Copy.Result, next.Copy.Value = CopyEnding, NotTried, Absent
		out.add(next, "copy gives up before its intent is durable")
		return
	}
	switch s.Copy.Step {
	case CopyIdle:
		m.copyBegins(s, out)
	case CopyReading:
		next.Copy.Value = s.Stores[Old]
		switch {
		case s.Stores[Old] == Absent && s.Copy.Tee:
			next.Copy = s.Copy.idle()
		case s.Stores[Old] == Absent:
			next.Copy.Step, next.Copy.Result = CopyEnding, NotTried
		case s.Copy.Tee:
			next.Copy.Step = CopyHolding
		default:
			next.Copy.Step = m.afterIntentAndRead()
		}
		out.add(next, "copy reads old: %v", s.Stores[Old])
	case CopyHolding:
		m.teeOpens(s, out)
	case CopyLooking:
		next.Copy.Step = CopySending
		if s.Stores[New] != Absent {
			next.Copy.Step, next.Copy.Result = CopyEnding, NotTried
		}
		out.add(next, "copy looks at new: %v", s.Stores[New])
	case CopySending, CopyTook:
		m.copyWrites(s, out)
	case CopyEnding:
		m.copyEnds(s, out)
	}
}

// mayCopy: only in the phases that copy, for a clean key with nothing under way.
func (m *Model) mayCopy(s *State) bool {
	return !s.Stopped && (s.Phase == Mirroring || s.incompletePrimary()) && !(s.Hold && m.on(HoldNew)) &&
		s.Repair.Step == RepairIdle && (s.clean() || !m.on(CopyOnlyClean))
}

func (m *Model) copyBegins(s *State, out *Steps) {
	if s.Copy.Started >= m.Copies && !m.promotionWanted(s) || !m.mayCopy(s) ||
		s.Stores[New] != Absent && !m.StaleListing {
		return
	}
	next := *s
	next.Copy = Copy{Step: CopyReading, Started: min(s.Copy.Started+1, m.Copies)}
	if m.Tee {
		tee := next
		tee.Copy.Tee = true
		out.add(tee, "a client's read begins that will be copied")
	}
	if m.on(CopyHasIntent) { // R1
		m.record(&next, copyIntent, !s.clean())
	}
	out.add(next, "copy begins")
}

// promotionWanted: an operation waits for its key to be brought to new (R8).
func (m *Model) promotionWanted(s *State) bool {
	if !s.incompletePrimary() {
		return false
	}
	for i := range m.Ops {
		if s.Ops[i].Stage < Running && m.Ops[i].Kind.needsPromotion() {
			return true
		}
	}
	return false
}

// afterIntentAndRead is the step once the copy has its intent and the content.
func (m *Model) afterIntentAndRead() CopyStep {
	if !m.Conditional && m.on(UnconditionalCopyLooks) { // R12
		return CopyLooking
	}
	return CopySending
}

// teeOpens opens the intent of a copy made from a client's read, just before its
// last bytes, if nothing happened to the key since that read began (R10).
func (m *Model) teeOpens(s *State, out *Steps) {
	next := *s
	if !m.mayCopy(s) || s.Copy.Moved && m.on(TeeValidates) || s.Copy.NewEra && m.on(TeeSameEpoch) {
		next.Copy = s.Copy.idle()
		out.add(next, "copy is given up")
		return
	}
	m.record(&next, copyIntent, false)
	next.Copy = Copy{Step: m.afterIntentAndRead(), Started: s.Copy.Started, Value: s.Copy.Value}
	out.add(next, "copy opens its intent")
}

func (m *Model) copyWrites(s *State, out *Steps) {
	next := *s
	if s.Copy.Step == CopyTook {
		next.Copy.Step, next.Copy.Result = CopyEnding, Succeeded
		out.add(next, "copy succeeds")
		return
	}
	effect := m.copyEffect(s)
	if m.apply(&next, New, effect) == Refused {
		next.Copy.Step, next.Copy.Result, next.Copy.Value = CopyEnding, NotTried, Absent
		out.add(next, "copy is refused by new")
	} else {
		next.Copy.Step, next.Copy.Value = CopyTook, Absent
		out.add(next, "copy writes %v on new", effect.Value)
	}
	if s.Faults < m.Faults {
		next = *s
		next.Faults++
		next.Copy.Step, next.Copy.Result, next.Copy.Value = CopyEnding, Unknown, Absent
		if next.addLate(New, effect) {
			out.add(next, "copy times out on new, may land later")
		}
	}
}

// copyEffect is the copy's request: a conditional create where new honours it (I7).
func (m *Model) copyEffect(s *State) Effect {
	if m.Conditional {
		return Effect{Create, s.Copy.Value}
	}
	return Effect{Write, s.Copy.Value}
}

// copyEnds settles the copy's intent, or leaves it to the repairer: a copy is a
// mutation like any other.
func (m *Model) copyEnds(s *State, out *Steps) {
	next := *s
	next.Copy = s.Copy.idle()
	in := &next.Intents[copyIntent]
	if in.State != Open { // CopyHasIntent is off
		out.add(next, "copy ends, without an intent")
		return
	}
	in.Unknown = s.Copy.Result == Unknown
	settled := m.touchedNothing(*in) || !in.Unknown && !(in.Overlapped && m.on(OverlapIsPending))
	if settled {
		m.settle(&next, copyIntent)
		if s.Copy.Result == Succeeded {
			m.supersede(&next, copyIntent)
		}
	} else {
		in.State, in.Overlapped = Pending, false
	}
	if m.on(EndMoves) {
		next.moveCounter()
	}
	out.add(next, "copy ends, %v", settledText(settled))
}
