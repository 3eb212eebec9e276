package model

// endIntent ends operation i's intent with the operation's results: it is settled
// if both stores agree and nothing overlapped it, else pending (R3).
func (m *Model) endIntent(s *State, i int, op Operation) (settled bool) {
	in := &s.Intents[i]
	if in.State == NoIntent {
		return true // PassthroughHasIntents is off
	}
	if m.touchedNothing(*in) {
		m.settle(s, i)
		return true
	}
	if in.Overlapped && m.on(OverlapIsPending) || in.Unknown || !m.agree(s, i, op) {
		in.State, in.Overlapped = Pending, false
		m.merge(s, i)
		return false
	}
	m.settle(s, i)
	if op.Results[primary] == Succeeded {
		m.supersede(s, i)
	}
	return true
}

// agree tells whether the stores hold the same after an operation whose outcomes
// are known.
func (m *Model) agree(s *State, i int, op Operation) bool {
	kind, p, q := m.Ops[i].Kind, op.Results[primary], op.Results[secondary]
	applied := p == Succeeded
	switch {
	case s.Intents[i].Volatile && m.on(DurableFirst):
		return true
	case kind == Delete && !applied && s.incompletePrimary() && m.on(DeleteRollsForward):
		return false // a read may have seen it: the repairer carries it out (R8)
	case kind == Delete && q == NoStore && s.Phase == Switched && m.on(TombstoneStays):
		return false // the tombstone of a read-only old store (I5, R12)
	case q == NoStore:
		return true
	case !applied || q != Succeeded:
		return applied == (q == Succeeded)
	case kind == CopyOp && s.Source.Moved && m.on(SourceWatched):
		return false // doubt: the stores may have copied different contents
	case kind.completes() && m.on(CompleteCompares):
		// A store may answer success to a Complete that was carried out long
		// ago. Both stores are looked at, under the intent.
		return s.Stores[New] == s.Stores[Old]
	}
	return true
}

// supersede settles what older operations left behind, since both stores now hold
// the result of one that overlapped nothing (R3). A change in place says nothing
// of the content before it, and a Complete's success does not say that it took
// effect now: neither settles more than itself.
func (m *Model) supersede(s *State, i int) {
	if i < len(m.Ops) {
		kind := m.Ops[i].Kind
		if kind.change() && m.on(SupersedeNotByChange) || kind.completes() && m.on(CompleteNeverSupersedes) {
			return
		}
	}
	for j := range s.Intents {
		if s.Intents[j].State == Pending && !(s.Intents[j].Unknown && m.on(SupersedeKnownOnly)) {
			m.settle(s, j)
		}
	}
}

// merge folds older pending intents of the same kind into pending intent i: a key
// that is written again and again while a store is down costs one record.
func (m *Model) merge(s *State, i int) {
	for j := range m.Ops {
		other := s.Intents[j]
		if j == i || other.State != Pending || other.EarlierEpoch || m.journalKind(j) != m.journalKind(i) {
			continue
		}
		if m.on(MergeKeepsUnknown) {
			s.Intents[i].Unknown = s.Intents[i].Unknown || other.Unknown
		}
		m.settle(s, j)
	}
}

// follows: intent i was merged into one whose record precedes its settlement in the
// log, and is not durable yet.
func (m *Model) follows(s *State, i int) bool {
	for j := range m.Ops {
		in := s.Intents[j]
		if i < len(m.Ops) && in.State == Pending && in.Volatile && m.journalKind(j) == m.journalKind(i) {
			return true
		}
	}
	return false
}

// journalKind is the kind in operation i's record.
func (m *Model) journalKind(i int) Kind {
	switch kind := m.Ops[i].Kind; {
	case kind == Delete, kind.change():
		return kind
	}
	return Put
}

// settle takes an intent out of the memory. Its record leaves the disk later.
func (m *Model) settle(s *State, i int) {
	in := s.Intents[i]
	in.State, in.Overlapped, in.Unknown, in.Lost = Settled, false, false, false
	s.Intents[i] = in
	if m.Eager {
		s.Intents[i] = Intent{}
	}
}

// tombstone: a delete intent of this epoch is unsettled, from the moment it is
// durable (R8): what reads were told before, a crash would take back. Where new has
// nothing, the key is absent, whatever old holds.
func (m *Model) tombstone(s *State) bool {
	for i := range m.Ops {
		in := s.Intents[i]
		if m.Ops[i].Kind == Delete && (in.State == Open || in.State == Pending) &&
			!(in.EarlierEpoch && m.on(EarlierEpochIsNoTombstone)) &&
			!(in.Volatile && in.State == Open && m.on(TombstoneWhenDurable)) {
			return true
		}
	}
	return false
}

// tombstones is the set of the pending delete intents.
func (m *Model) tombstones(s *State) (set uint8) {
	for i := range m.Ops {
		if m.Ops[i].Kind == Delete && s.Intents[i].State == Pending {
			set |= 1 << i
		}
	}
	return set
}

// diskSteps bring the settlements to the disk.
func (m *Model) diskSteps(s *State, out *Steps) {
	for i := range s.Intents {
		if s.Intents[i].State != Settled || s.Stopped || m.follows(s, i) {
			continue
		}
		next := *s
		m.forgotten(&next, i)
		if !m.on(ForgetByID) { // R1: a record of a settlement names the intent, not the key
			for j := range next.Intents {
				if in := &next.Intents[j]; in.State == Open || in.State == Pending {
					in.Lost = true
				}
			}
		}
		out.add(next, "the settlement of intent %d reaches the disk", i)
	}
}
