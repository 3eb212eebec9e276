package model

// Change is an operator's command, or the backfill's end.
type Change uint8

// The changes.
const (
	Start Change = iota
	Cancel
	Switch
	Rollback
	CompleteMigration
	// BackfillDone: the crawl has found nothing left that only old has. While new
	// is the primary this ends the regime of R8, and is a phase change like any
	// other; in mirroring it only allows the switch.
	BackfillDone
)

// to is the phase after the change.
func (c Change) to() Phase {
	return [...]Phase{Start: Mirroring, Cancel: Passthrough, Switch: Switched, Rollback: Mirroring, CompleteMigration: Completed}[c]
}

func (c Change) String() string {
	return [...]string{"start", "cancel", "switch", "rollback", "complete", "backfill done"}[c]
}

// phaseSteps are the next step on the configured path of changes (R9): hold new
// mutations, wait for those under way, require that nothing is pending, decide.
// It may be given up at any time before the decision.
func (m *Model) phaseSteps(s *State, out *Steps) {
	if int(s.PathDone) >= len(m.Path) {
		return
	}
	change := m.Path[s.PathDone]
	next := *s
	switch {
	case change == BackfillDone && !(s.Phase == Switched && m.on(BackfillDoneByR9)):
		if m.nothingOnlyOnOld(s) {
			next.PathDone++
			next.Incomplete = false
			out.add(next, "DONE AT ONCE: %v", change)
		}
	case !s.Hold:
		next.Hold = true
		out.add(next, "%v: new mutations are held", change)
	default:
		next.Hold = false
		next.PathDone = uint8(len(m.Path))
		out.add(next, "%v is given up", change)
		if m.drained(s) && m.nothingPending(s, change) {
			out.add(m.decide(*s, change), "DECIDED: %v", change)
		}
	}
}

// nothingOnlyOnOld is what a crawl proves. A key is not done because it is dirty:
// its operation may be refused, and settle without anybody having copied it.
func (m *Model) nothingOnlyOnOld(s *State) bool {
	if s.Phase == Mirroring {
		sourceDone := s.Source.Values[New] != Absent || s.Source.Values[Old] == Absent
		return sourceDone && (!s.onlyOnOld() || !s.clean() && !m.on(DirtyIsNotDone))
	}
	return (!s.onlyOnOld() || m.tombstone(s)) && !(m.HasSource && m.sourceOnlyOnOld(s))
}

// drained: nothing is under way. A copy made from a read counts once it has an
// intent; before that it will see that the epoch moved.
func (m *Model) drained(s *State) bool {
	if !m.on(Drain) {
		return true
	}
	copying := s.Copy.Step != CopyIdle && !s.Copy.unguarded()
	return !s.open() && !copying && s.Source.Writer != Running && !s.Source.Copying
}

func (m *Model) nothingPending(s *State, change Change) bool {
	if change == CompleteMigration || change == BackfillDone {
		return m.oldMayBeForgotten(s)
	}
	return s.pending() == 0 && !s.Source.Pending && s.Repair.Step == RepairIdle || !m.on(NoPendingAtChange)
}

// oldMayBeForgotten: from now on reads do not ask old, so nothing may be on old
// alone. A
// tombstone of a read-only old store does not stand in the way, unless its DELETE
// may still land on new: with the tombstone goes what makes others wait for it.
func (m *Model) oldMayBeForgotten(s *State) bool {
	if m.on(CompleteWhenBackfilled) && !m.nothingOnlyOnOld(s) {
		return false
	}
	tombstones := m.tombstones(s)
	if !m.keepsTombstones(s) {
		tombstones = 0
	}
	for i := range m.Ops {
		if tombstones>>i&1 == 1 && s.Intents[i].Unknown && m.on(CompleteWhenTombstonesKnown) {
			return false
		}
	}
	rest := s.pending()&^tombstones != 0 || s.Source.Pending && !m.keepsTombstones(s) || s.Repair.Step != RepairIdle
	return !rest || !m.on(NoPendingAtChange)
}

// decide makes the change: phase and epoch are written, everything else follows.
func (m *Model) decide(next State, change Change) State {
	if change == CompleteMigration && m.keepsTombstones(&next) {
		for i, set := 0, m.tombstones(&next); i < len(m.Ops); i++ {
			if set>>i&1 == 1 {
				m.settle(&next, i) // dropped: only old's content gave them a meaning
			}
		}
		next.Source.Pending = false
	}
	next.Hold = false
	next.PathDone++
	if change == Start && m.on(BaselineProven) {
		// R11: where new is not empty, the key is dirty until it is compared.
		if next.Stores[New] != Absent {
			next.Intents[baselineIntent] = Intent{State: Pending}
		}
		if next.Source.Values[New] != Absent {
			next.Source.Pending = true
		}
	}
	switch {
	case change == BackfillDone:
		next.Incomplete = false
	case change == Cancel && m.on(CancelVoidsBackfill):
		next.Incomplete = true // R11: new misses what is written from now on
		fallthrough
	default:
		next.Phase = change.to()
	}
	m.moveEpoch(&next)
	if m.on(DropCacheAtChange) {
		next.Cache = noEntry
	}
	for i := range next.Intents {
		if next.Intents[i].State != NoIntent {
			next.Intents[i].EarlierEpoch = true // R5
		}
	}
	return next
}

// moveEpoch makes doubtful what was learned in the former epoch (R6).
func (m *Model) moveEpoch(s *State) {
	if s.Reader.Step > ReadChecking {
		s.Reader.NewEpoch = true
	}
	if s.Copy.unguarded() {
		s.Copy.NewEra = true
	}
}
