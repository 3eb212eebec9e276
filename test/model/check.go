package model

// violation names what is wrong with a state; "" if nothing is.
func (m *Model) violation(s *State) string {
	switch {
	case !m.history.possible(s.History):
		return "not linearizable"
	case !s.clean():
		return ""
	case m.dangerousLate(s):
		return "clean with a late request"
	case m.unequal(s):
		return "clean but unequal"
	}
	return ""
}

// dangerousLate: a request may land on a store that counts, though the key is
// clean. With one store in use the other does not count.
func (m *Model) dangerousLate(s *State) bool {
	for _, l := range s.Late {
		if l.Alive && (!s.single() || l.Store == s.primary()) {
			return true
		}
	}
	return false
}

// unequal: I3, "clean means equal". New may lack what old has while the backfill
// is incomplete; of a read-only old store the rule does not speak (R12).
func (m *Model) unequal(s *State) bool {
	if s.single() || s.Phase == Switched && m.ReadOnlyOld || s.Stores[New] == s.Stores[Old] {
		return false
	}
	return s.Stores[New] != Absent || !s.Incomplete
}

// quiet: nothing is left to do. From every state a quiet one must be in reach.
func (m *Model) quiet(s *State) bool {
	if s.Stopped {
		return true // until somebody mends the disk
	}
	pending := s.pending()
	if m.keepsTombstones(s) {
		pending &^= m.tombstones(s)
	}
	for i := range m.Ops {
		if s.Ops[i].Stage != Ended {
			return false
		}
	}
	return pending == 0 && !s.open() && s.Repair.Step == RepairIdle && s.Copy.Step == CopyIdle &&
		!s.anyLate() && !s.Hold && s.Source.Writer != Running && !s.Source.Copying
}
