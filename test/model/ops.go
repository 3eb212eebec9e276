package model

// clientSteps are what the clients' mutations may do next.
func (m *Model) clientSteps(s *State, out *Steps) {
	for i := range m.Ops {
		switch s.Ops[i].Stage {
		case Waiting, Streaming, Stamped:
			m.streamSteps(s, i, out)
			m.beginSteps(s, i, out)
		case Running:
			if m.mustWait(s.Intents[i]) {
				m.giveUpStep(s, i, out)
				continue
			}
			m.requestSteps(s, i, primary, out)
			m.requestSteps(s, i, secondary, out)
			m.ackStep(s, i, out)
			m.endStep(s, i, out)
		}
	}
}

// beginSteps open operation i's intent, and with it the requests.
func (m *Model) beginSteps(s *State, i int, out *Steps) {
	if !m.mayBegin(s, i) {
		return
	}
	kind := m.Ops[i].Kind
	next := *s
	if kind == CopySelf && !m.on(StampUnderIntent) && s.Ops[i].Stage == Waiting {
		next.Ops[i] = Operation{Stage: Stamped, Alone: !s.clean()}
		out.add(next, "%v %d looks at its source, clean: %v", kind, i, s.clean())
		return
	}
	op, ok := m.enters(s, i)
	if !ok {
		m.phaseChanged(next, i, out)
		return
	}
	next.Ops[i] = op
	m.openIntent(&next, i)
	if kind == CopyOp {
		next.Source.Moved = false // its stamp
	}
	if m.on(BeginMoves) {
		next.moveCounter()
	}
	if kind != CompleteAgain && s.Ops[i].Stage != Streaming {
		m.saw(&next, opInvoked, uint8(i))
	}
	out.add(next, "%v %d begins", kind, i)
}

// requests are operation i's, as the phase is now.
func (m *Model) requests(s *State, i int) Operation {
	op := Operation{Stage: Running, Primary: s.primary(), Alone: m.alone(s, i)}
	op.Results[primary] = InFlight
	switch {
	case s.single() || m.ReadOnlyOld && s.Phase == Switched:
		op.Results[secondary] = NoStore
	case op.Alone:
		op.Results[secondary] = NotTried
	case m.Ops[i].Kind.ordered() || s.incompletePrimary() && m.on(OrderedWhileIncomplete): // R7
		op.Results[secondary] = NotSent
	default:
		op.Results[secondary] = InFlight
	}
	return op
}

// mayBegin tells whether operation i may begin. What must wait here is held, or
// answered 503 and sent again by its client.
func (m *Model) mayBegin(s *State, i int) bool {
	op := m.Ops[i]
	if s.Stopped || !m.itsTurn(s, i) || s.Hold && m.on(HoldNew) { // R9
		return false
	}
	if !s.incompletePrimary() {
		return true
	}
	if op.Kind.needsPromotion() && m.on(PromoteFirst) && s.onlyOnOld() && !m.tombstone(s) {
		return false
	}
	if op.Kind == CopyOp && m.on(SourcePromoted) && m.sourceOnlyOnOld(s) {
		return false
	}
	return !m.excluded(s, i)
}

// itsTurn: the client's operation before has been answered.
func (m *Model) itsTurn(s *State, i int) bool {
	op := m.Ops[i]
	if op.After == none {
		return true
	}
	before := s.Ops[op.After]
	return before.Stage == Ended || before.Acked && op.Kind != CompleteAgain
}

// excluded: R8's exclusions between operations on one key.
func (m *Model) excluded(s *State, i int) bool {
	kind := m.Ops[i].Kind
	backfill := s.Intents[copyIntent]
	if m.on(WaitForCopy) && (backfill.State == Open || backfill.unknown()) && !(m.Conditional && kind.passesCopies()) {
		return true
	}
	if !m.on(DeleteExcludes) {
		return false
	}
	for j := range m.Ops {
		other := s.Intents[j]
		isOpen := other.State == Open
		switch {
		case m.Ops[j].Kind == Delete && (isOpen || other.unknown()):
			return true
		case kind == Delete && (isOpen || other.unknown() && m.on(DeleteWaitsForUnknown)):
			return true
		}
	}
	return false
}

// alone: what the secondary would make of the operation is not surely what the
// primary makes of it.
func (m *Model) alone(s *State, i int) bool {
	switch {
	case s.Ops[i].Stage == Stamped:
		return s.Ops[i].Alone
	case m.Ops[i].Kind.ofStore() && s.incompletePrimary() && m.on(AloneWhileIncomplete):
		return true // a read of new's absence would go on to old and see it there (R8)
	case m.Ops[i].Kind == CopyOp:
		return !m.sourceClean(s) && m.on(SourceClean)
	case m.Ops[i].Kind == CopySelf:
		return !s.clean() && m.on(SourceClean)
	}
	return false
}

// openIntent opens intent i and marks what it overlaps with (R3): open intents,
// pending ones whose requests may still land, a running repair.
func (m *Model) openIntent(s *State, i int) {
	overlaps := false
	for j := range s.Intents {
		switch other := &s.Intents[j]; {
		case other.State == Open:
			other.Overlapped, overlaps = true, true
		case other.unknown():
			overlaps = true
		}
	}
	if s.Repair.Step != RepairIdle {
		s.Repair.Overlapped, overlaps = true, true
	}
	m.record(s, i, overlaps)
	if s.Phase == Passthrough && !m.on(PassthroughHasIntents) {
		s.Intents[i] = Intent{} // R1 asks for one here, too
	}
}

// requestSteps are what may happen to operation i's request to one of its stores.
func (m *Model) requestSteps(s *State, i, side int, out *Steps) {
	op := &s.Ops[i]
	store := op.Primary
	if side == secondary {
		store = store.other()
	}
	kind, effect := m.Ops[i].Kind, m.effect(i, side)
	switch op.Results[side] {
	case InFlight:
		next := *s
		result := m.apply(&next, store, effect)
		if result == Refused && side == secondary {
			result = Failed
		}
		m.resolve(&next, i, side, result)
		out.add(next, "%v %d %v on %v", kind, i, resultText(result), store)
		if kind.completes() && side == secondary && m.LosesUpload && s.Uploads[store] == UploadOpen {
			next = *s
			next.Uploads[store] = NoUpload // lost, or of other parts: it is aborted
			m.resolve(&next, i, side, Failed)
			out.add(next, "%v %d finds no such parts on %v", kind, i, store)
		}
		m.requestFaults(s, i, side, store, out)
	case Took:
		next := *s
		m.resolve(&next, i, side, Succeeded)
		out.add(next, "%v %d succeeds on %v", kind, i, store)
		if s.Faults < m.Faults {
			next = *s
			next.Faults++
			m.resolve(&next, i, side, Unknown)
			out.add(next, "%v %d took effect on %v, the answer is lost", kind, i, store)
		}
	case Unknown:
		if side == primary && !m.on(NoRetryOnPrimary) && (kind == Put || kind == Delete) && op.Results[secondary] != NotTried { // R2
			next := *s
			next.Ops[i].Results[primary] = InFlight
			out.add(next, "%v %d is sent to %v again", kind, i, store)
		}
	}
}

// requestFaults: a request in flight fails, or nobody learns what becomes of it (R2).
func (m *Model) requestFaults(s *State, i, side int, store Store, out *Steps) {
	if s.Faults >= m.Faults {
		return
	}
	next := *s
	next.Faults++
	m.resolve(&next, i, side, Failed)
	out.add(next, "%v %d fails on %v without effect", m.Ops[i].Kind, i, store)
	next = *s
	next.Faults++
	m.resolve(&next, i, side, Unknown)
	if next.addLate(store, m.effect(i, side)) {
		out.add(next, "%v %d times out on %v, may land later", m.Ops[i].Kind, i, store)
	}
}

func resultText(o Outcome) string {
	switch o {
	case Took:
		return "takes effect"
	case Refused:
		return "is refused"
	}
	return "fails"
}

// resolve records a result, and after the primary's decides on a secondary that
// waits for it (R7).
func (m *Model) resolve(s *State, i, side int, result Outcome) {
	op := &s.Ops[i]
	op.Results[side] = result
	if result == Unknown {
		s.Intents[i].Unknown = true
	}
	if side == primary && result.over() && op.Results[secondary] == NotSent {
		op.Results[secondary] = NotTried
		if result == Succeeded {
			op.Results[secondary] = InFlight
		}
	}
}

// ackStep answers the client when the primary has answered and the secondary is
// still running.
func (m *Model) ackStep(s *State, i int, out *Steps) {
	op := s.Ops[i]
	if op.Acked || op.Results[primary] != Succeeded || op.Results[secondary].over() {
		return
	}
	next := *s
	next.Ops[i].Acked = true
	if m.on(AckMoves) { // R3
		next.moveCounter()
	}
	m.sawSuccess(&next, i)
	out.add(next, "%v %d is acknowledged early", m.Ops[i].Kind, i)
}

func (m *Model) sawSuccess(s *State, i int) {
	if m.Ops[i].Kind == CompleteAgain {
		m.saw(s, uploadWasOK, uint8(m.Ops[i].After))
		return
	}
	m.saw(s, opAcked, uint8(i))
}

// endStep ends an operation: its client is answered, its intent settled or left
// to the repairer.
func (m *Model) endStep(s *State, i int, out *Steps) {
	op := s.Ops[i]
	if op.Results[primary].over() && op.Results[secondary].over() {
		m.ends(*s, i, "", out)
	}
}

// ends ends operation i with the results it has; when is for the trace.
func (m *Model) ends(next State, i int, when string, out *Steps) {
	op, kind := next.Ops[i], m.Ops[i].Kind
	answer := "an error"
	switch op.Results[primary] {
	case Succeeded:
		answer = "success"
		if !op.Acked {
			m.sawSuccess(&next, i)
		}
	case Refused:
		answer = "a refusal"
		m.saw(&next, opRefused, uint8(i))
	case Failed:
		// A definite error means "without effect, ever", where the configuration
		// asks for that. Not of a DELETE of an incomplete primary: it rolls
		// forward (R8). Not of an upload: it can be completed again.
		if m.Strict && !kind.completes() && !(kind == Delete && next.incompletePrimary()) {
			m.saw(&next, opFailed, uint8(i))
		}
	}
	next.Ops[i] = Operation{Stage: Ended}
	settled := m.endIntent(&next, i, op)
	if kind == CopyOp {
		next.Source.Moved = false // nobody compares it any more
	}
	if m.on(EndMoves) {
		next.moveCounter()
	}
	out.add(next, "%v %d ends %swith %v, %v", kind, i, when, answer, settledText(settled))
}

func settledText(settled bool) string {
	if settled {
		return "settled"
	}
	return "pending"
}
