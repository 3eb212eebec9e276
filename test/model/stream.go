package model

// A large body goes on to the stores as it comes in, all but its last bytes, before
// its mutation enters: a phase change need not wait for a client that is slow. What
// counts is the phase at the entry (R9).

// streams tells whether the mutation has a body that may be large.
func (k Kind) streams() bool { return k == Put || k == PutIfAbsent }

// streamSteps are what operation i may do before it enters.
func (m *Model) streamSteps(s *State, i int, out *Steps) {
	kind := m.Ops[i].Kind
	if !m.Streams || !kind.streams() {
		return
	}
	switch op := s.Ops[i]; op.Stage {
	case Waiting:
		if !m.itsTurn(s, i) {
			return
		}
		next := *s
		next.Ops[i] = m.requests(s, i)
		next.Ops[i].Stage = Streaming
		m.saw(&next, opInvoked, uint8(i))
		out.add(next, "%v %d streams, %v is the primary", kind, i, s.primary())
	case Streaming:
		if s.Faults < m.Faults && op.onSecondary() {
			next := *s
			next.Faults++
			next.Ops[i].Results[secondary] = NotTried
			out.add(next, "%v %d is cut off from %v", kind, i, op.Primary.other())
		}
	}
}

// onSecondary: the body goes, or went, to the secondary too.
func (o Operation) onSecondary() bool {
	return o.Results[secondary] == NotSent || o.Results[secondary] == InFlight
}

// enters is operation i as it begins: its requests are those of the phase it finds
// then (R9), as far as the stores have the body. False if the primary does not.
func (m *Model) enters(s *State, i int) (Operation, bool) {
	started, op := s.Ops[i], m.requests(s, i)
	if started.Stage != Streaming {
		return op, true
	}
	if !m.on(ViewAtEntry) {
		started.Stage = Running
		return started, true
	}
	if op.Primary != started.Primary {
		// The roles are swapped. A condition was to be judged by the former primary.
		return op, started.onSecondary() && !m.Ops[i].Kind.ordered()
	}
	if op.onSecondary() && !started.onSecondary() {
		op.Results[secondary], op.Alone = NotTried, true // the repairer brings it there
	}
	return op, true
}

// phaseChanged ends an operation that can not enter: it had no effect.
func (m *Model) phaseChanged(next State, i int, out *Steps) {
	next.Ops[i] = Operation{Stage: Ended}
	if m.Strict {
		m.saw(&next, opFailed, uint8(i))
	}
	out.add(next, "%v %d ends with an error: the phase changed", m.Ops[i].Kind, i)
}
