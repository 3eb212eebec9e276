package model

// RepairStep is where the repairer is with the key.
type RepairStep uint8

// The steps of a repair.
const (
	RepairIdle       RepairStep = iota
	RepairReading               // reads the primary
	RepairSending               // writes the secondary
	RepairTook                  // the write took effect, the answer is on its way
	RepairComparing             // reads the primary to compare
	RepairComparing2            // reads the secondary
	RepairNoOther               // there is no other store to make equal
)

// Repair is one attempt to make the stores equal on the key.
type Repair struct {
	Step       RepairStep
	Overlapped bool  // a mutation began since
	Intents    uint8 // the set that was pending when it began: only these it may settle
	Value      Value // what it writes
	Primary    Value // what it compares with
}

// repairSteps are what the repairer may do next (R4).
func (m *Model) repairSteps(s *State, out *Steps) {
	next := *s
	switch s.Repair.Step {
	case RepairIdle:
		m.repairBegins(s, out)
	case RepairReading:
		m.repairReads(s, out)
	case RepairSending:
		m.repairWrites(s, out)
	case RepairTook:
		next.Repair.Step, next.Repair.Value = RepairComparing, Absent
		out.add(next, "repair succeeds")
	case RepairComparing:
		if m.quarantineOver(s) || !m.on(CompareAfterQuarantine) {
			next.Repair.Step, next.Repair.Value = RepairComparing2, Absent
			next.Repair.Primary = s.Stores[s.primary()]
			out.add(next, "repair compares, primary: %v", next.Repair.Primary)
		}
	case RepairComparing2:
		m.repairCompares(s, out)
	case RepairNoOther:
		if m.quarantineOver(s) {
			m.repairEnds(s, !s.Repair.Overlapped, out)
		}
	}
}

// quarantineOver: no request of unknown outcome lands any more. Time is modelled
// by what it is there for: the late requests have landed, or died.
func (m *Model) quarantineOver(s *State) bool {
	if !s.anyLate() || !m.on(Quarantine) {
		return true
	}
	for i := range s.Intents {
		if s.Repair.Intents>>i&1 == 1 && s.Intents[i].Unknown {
			return false
		}
	}
	return true
}

// keepsTombstones: old is read-only, and its delete intents stay until complete (R12).
func (m *Model) keepsTombstones(s *State) bool { return m.ReadOnlyOld && s.Phase == Switched }

func (m *Model) repairBegins(s *State, out *Steps) {
	todo := s.pending()
	if m.keepsTombstones(s) && m.on(TombstoneStays) {
		todo &^= m.tombstones(s)
		m.tombstoneKnown(s, out)
	}
	if todo == 0 || s.open() && m.on(RepairWhenIdle) {
		return
	}
	next := *s
	next.Repair = Repair{Step: RepairReading, Intents: todo, Overlapped: s.open()}
	if s.single() || m.keepsTombstones(s) {
		next.Repair.Step = RepairNoOther
	}
	out.add(next, "repair begins")
}

// tombstoneKnown: after the quarantine a tombstone's outcome counts as known, or
// it would exclude other mutations for ever (R12).
func (m *Model) tombstoneKnown(s *State, out *Steps) {
	if s.anyLate() || !m.on(TombstoneBecomesKnown) {
		return
	}
	next := *s
	for i, set := 0, m.tombstones(s); i < len(m.Ops); i++ {
		if set>>i&1 == 1 {
			next.Intents[i].Unknown = false
		}
	}
	if next != *s {
		out.add(next, "the quarantine is over, the tombstone's outcome is known")
	}
}

// repairReads follows the truth: the primary, but old for a key that an
// incomplete primary does not have (R8).
func (m *Model) repairReads(s *State, out *Steps) {
	next := *s
	truth := s.Stores[s.primary()]
	if m.oldStands(s, s.Stores[New]) {
		next.Repair.Step = RepairComparing
		out.add(next, "repair: old stands")
		return
	}
	next.Repair.Step, next.Repair.Value = RepairSending, truth
	out.add(next, "repair reads %v: %v", s.primary(), truth)
}

// oldStands: an incomplete primary has nothing of the key, and it was not deleted.
func (m *Model) oldStands(s *State, onNew Value) bool {
	return s.incompletePrimary() && onNew == Absent && !m.tombstone(s)
}

func (m *Model) repairWrites(s *State, out *Steps) {
	to := s.primary().other()
	effect := Effect{Write, s.Repair.Value}
	next := *s
	next.Stores[to] = effect.Value
	next.Repair.Step = RepairTook
	out.add(next, "repair writes %v on %v", effect.Value, to)
	if s.Faults >= m.Faults {
		return
	}
	next = *s
	next.Faults++
	next.Repair.Step, next.Repair.Value = RepairComparing, Absent
	if m.on(RepairMayBeUnknown) { // the quarantine begins again
		for i := range next.Intents {
			if next.Intents[i].State == Open || next.Intents[i].State == Pending {
				next.Intents[i].Unknown = true
			}
		}
	}
	if next.addLate(to, effect) {
		out.add(next, "repair times out on %v, may land later", to)
	}
	next = *s
	next.Faults++
	next.Repair = Repair{}
	out.add(next, "repair fails on %v without effect", to)
}

// repairCompares looks at the secondary. Equal stores settle the intents the
// repair began with, unless a mutation began since.
func (m *Model) repairCompares(s *State, out *Steps) {
	other := s.Stores[s.primary().other()]
	equal := s.Repair.Primary == other || m.oldStands(s, s.Repair.Primary)
	if equal && !m.on(CompareAfterQuarantine) && !m.quarantineOver(s) {
		return // the variant compares early and settles late
	}
	m.repairEnds(s, equal && !(s.Repair.Overlapped && m.on(OverlapIsPending)), out)
}

func (m *Model) repairEnds(s *State, settles bool, out *Steps) {
	next := *s
	next.Repair = Repair{}
	if !settles {
		out.add(next, "repair has to begin again")
		return
	}
	for i := range next.Intents {
		if s.Repair.Intents>>i&1 == 1 && next.Intents[i].State == Pending {
			m.settle(&next, i)
		}
	}
	out.add(next, "repair settles")
}
