package model

// lateSteps let late requests take effect, or die.
func (m *Model) lateSteps(s *State, out *Steps) {
	for i, l := range s.Late {
		if !l.Alive || i > 0 && s.Late[i-1] == l {
			continue
		}
		next := *s
		next.dropLate(i)
		out.add(next, "a late request dies: %v on %v", l.Effect, l.Store)
		if m.apply(&next, l.Store, l.Effect) == Took && next.Stores != s.Stores {
			out.add(next, "A LATE REQUEST LANDS: %v on %v", l.Effect, l.Store)
		}
	}
}

// crashSteps kill the gateway and start it again (I11). What was in flight may
// land later; of the memory nothing is left but what the journal's records say:
// every one is a pending intent of unknown outcome (R5).
func (m *Model) crashSteps(s *State, out *Steps) {
	if s.Crashes >= m.Crashes || m.nothingToLose(s) {
		return
	}
	next := *s
	next.Crashes++
	fits := m.abandonRequests(s, &next)
	for i := range next.Intents {
		m.restartIntent(&next.Intents[i])
	}
	next.Copy = s.Copy.idle()
	next.Repair = Repair{}
	next.Cache = noEntry
	next.Hold, next.Stopped = false, false
	if s.Reader.Step != ReadIdle {
		m.saw(&next, readGone, 0)
		next.Reader = Reader{Done: s.Reader.Done + 1}
	}
	if !m.on(BackfillDoneIsDurable) {
		next.Incomplete = m.Incomplete
	}
	if fits {
		out.add(next, "CRASH and restart")
	}
}

func (m *Model) nothingToLose(s *State) bool {
	return s.Intents == [intentCount]Intent{} && s.Copy.Step == CopyIdle &&
		s.Repair.Step == RepairIdle && s.Source.Writer != Running
}

// abandonRequests makes late requests of those in flight; false if there is no
// room for them.
func (m *Model) abandonRequests(s, next *State) bool {
	fits := true
	for i := range m.Ops {
		op := s.Ops[i]
		if op.Stage == Waiting || op.Stage == Ended {
			continue
		}
		next.Ops[i] = Operation{Stage: Ended}
		if op.Stage < Running || m.mustWait(s.Intents[i]) {
			continue // no store has all of it
		}
		if op.Results[primary] == InFlight {
			fits = fits && next.addLate(op.Primary, m.effect(i, primary))
		}
		if op.Results[secondary] == InFlight {
			fits = fits && next.addLate(op.Primary.other(), m.effect(i, secondary))
		}
	}
	if s.Copy.Step == CopySending && !m.mustWait(s.Intents[copyIntent]) {
		fits = fits && next.addLate(New, m.copyEffect(s))
	}
	if s.Repair.Step == RepairSending {
		fits = fits && next.addLate(s.primary().other(), Effect{Write, s.Repair.Value})
	}
	if s.Source.Writer == Running {
		next.Source.Writer, next.Source.Results, next.Source.Pending = Ended, [2]Outcome{}, true
	}
	next.Source.Copying, next.Source.Moved = false, false
	return fits
}

// restartIntent is an intent as the restarted gateway finds it.
func (m *Model) restartIntent(in *Intent) {
	switch {
	case in.State == NoIntent, in.Lost, in.Volatile, in.State == Pending && !m.on(PendingIsDurable):
		*in = Intent{}
	default:
		*in = Intent{State: Pending, Unknown: m.on(CrashIsUnknown), EarlierEpoch: in.EarlierEpoch}
	}
}
