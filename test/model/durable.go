package model

// An intent begins in memory: it marks what it overlaps with and moves the key's
// counter. Some time later its record is durable. In between its mutation waits
// (I1), and a crash forgets both.

// record opens intent i. Its record follows the settlements so far in the log.
func (m *Model) record(s *State, i int, overlapped bool) {
	m.forgotten(s, i) // the former copy's
	s.Intents[i] = Intent{State: Open, Overlapped: overlapped, Volatile: m.SlowDisk}
	for j := range s.Intents {
		if m.SlowDisk && s.Intents[j].State == Settled {
			s.Intents[i].Settlements |= 1 << j
		}
	}
}

// forgotten: the settlement of intent i is durable.
func (m *Model) forgotten(s *State, i int) {
	s.Intents[i] = Intent{}
	for j := range s.Intents {
		s.Intents[j].Settlements &^= 1 << i
	}
}

// durableSteps bring records to the disk. The disk may fail: the journal takes
// nothing more, and of the records on their way nobody knows whether they are
// durable.
func (m *Model) durableSteps(s *State, out *Steps) {
	if m.SlowDisk && !s.Stopped && s.Faults < m.Faults {
		next := *s
		next.Faults++
		next.Stopped = true
		out.add(next, "THE JOURNAL STOPS")
	}
	for i, in := range s.Intents {
		if !in.Volatile {
			continue
		}
		next := *s
		next.Intents[i].Volatile, next.Intents[i].Settlements = false, 0
		for j := range s.Intents {
			if in.Settlements>>j&1 == 1 && m.on(LogInOrder) {
				m.forgotten(&next, j)
			}
		}
		if in.State == Open && m.deletes(i) && s.incompletePrimary() && m.on(DurableMoves) {
			next.moveCounter() // it is a tombstone from now on (R8)
		}
		out.add(next, "intent %d is durable", i)
	}
}

// deletes tells whether intent i is a client's delete.
func (m *Model) deletes(i int) bool { return i < len(m.Ops) && m.Ops[i].Kind == Delete }

// mustWait: what runs under the intent may not reach a store yet (I1).
func (m *Model) mustWait(in Intent) bool { return in.Volatile && m.on(DurableFirst) }

// touchedNothing: its mutation gave up before it could reach a store. Whatever
// overlapped it, there is nothing to repair; and a DELETE that is left pending
// would count as a tombstone, which a crash could take back.
func (m *Model) touchedNothing(in Intent) bool {
	return m.mustWait(in) && m.on(GivenUpSettles)
}

// giveUpStep: the client goes away, or the journal stops, before the intent is
// durable. The record may reach the disk all the same, and come back after a crash
// though the intent was settled. A DELETE's is a tombstone then; so it must not come
// back together with the record of a copy that began on the clean key in between:
// the log keeps the order.
func (m *Model) giveUpStep(s *State, i int, out *Steps) {
	next := *s
	results := &next.Ops[i].Results
	results[primary] = Failed
	if results[secondary] != NoStore {
		results[secondary] = NotTried
	}
	m.ends(next, i, "before its intent is durable, ", out)
}
