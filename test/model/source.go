package model

// Source is the key that CopyOp copies from. It has one writer, and the protocol
// around it is the same as the key's; here it is only as detailed as the copier
// can tell: where it is clean, when its counter moves, what each store holds. Its
// requests never land late: until its intent settles it is dirty, and a dirty
// source is not trusted whatever may land.
type Source struct {
	Values  [2]Value // by store
	Writer  Stage
	Results [2]Outcome // of the writer
	Pending bool       // the writer left the stores different
	Copying bool       // it is brought from old to new
	Moved   bool       // its counter moved since the copier's stamp
}

// dirty: an intent of the source is unsettled.
func (src *Source) dirty() bool { return src.Writer == Running || src.Pending || src.Copying }

func (m *Model) sourceClean(s *State) bool { return !s.Source.dirty() }

// sourceMoves moves the source's counter, for a copier that watches it.
func (m *Model) sourceMoves(s *State) {
	for i := range m.Ops {
		if m.Ops[i].Kind == CopyOp && s.Ops[i].Stage == Running {
			s.Source.Moved = true
		}
	}
}

// sourceValue is what the writer makes of the source.
func (m *Model) sourceValue() Value {
	if m.SourceOp == Delete {
		return Absent
	}
	return SourceSecond
}

func (m *Model) sourceTombstone(s *State) bool {
	return m.SourceOp == Delete && (s.Source.Writer == Running || s.Source.Pending)
}

// sourceOnlyOnOld: a server-side copy on new would not find what reads find (R8).
func (m *Model) sourceOnlyOnOld(s *State) bool {
	src := &s.Source
	return src.Values[New] == Absent && src.Values[Old] != Absent && !m.sourceTombstone(s)
}

// sourceSteps are what happens to the source key.
func (m *Model) sourceSteps(s *State, out *Steps) {
	if !m.HasSource {
		return
	}
	m.promoteSource(s, out)
	switch src := &s.Source; src.Writer {
	case Waiting:
		if m.SourceWrites && !(s.Hold && m.on(HoldNew)) && !src.Copying {
			m.sourceBegins(s, out)
		}
	case Running:
		m.sourceWrites(s, out)
	case Ended:
		if src.Pending && !(m.keepsTombstones(s) && m.SourceOp == Delete) {
			next := *s
			next.Source.Pending = false
			if !s.single() && !m.keepsTombstones(s) && !(s.incompletePrimary() && m.sourceOnlyOnOld(s)) {
				next.Source.Values[s.primary().other()] = src.Values[s.primary()]
			}
			out.add(next, "the source is repaired")
		}
	}
}

// promoteSource brings a source that is only on old to new, for a copier that
// waits. The writer waits meanwhile (R8); the source's intent is open, so that
// nobody takes it for clean.
func (m *Model) promoteSource(s *State, out *Steps) {
	next := *s
	if s.Source.Copying {
		next.Source.Copying = false
		next.Source.Values[New] = s.Source.Values[Old]
		out.add(next, "the source is copied to new")
		return
	}
	if !s.incompletePrimary() || s.Hold && m.on(HoldNew) || s.Source.dirty() || !m.sourceOnlyOnOld(s) {
		return
	}
	for i := range m.Ops {
		if m.Ops[i].Kind == CopyOp && s.Ops[i].Stage == Waiting {
			next.Source.Copying = true
			out.add(next, "the source is being brought to new")
			return
		}
	}
}

func (m *Model) sourceBegins(s *State, out *Steps) {
	next := *s
	src := &next.Source
	src.Writer = Running
	m.sourceMoves(&next)
	src.Results = [2]Outcome{InFlight, InFlight}
	switch {
	case s.single() || m.ReadOnlyOld && s.Phase == Switched:
		src.Results[secondary] = NoStore
	case s.incompletePrimary():
		src.Results[secondary] = NotSent
	}
	m.saw(&next, writerInvoked, 0)
	out.add(next, "the source's %v begins", m.SourceOp)
}

// sourceWrites applies the writer on the stores and ends it.
func (m *Model) sourceWrites(s *State, out *Steps) {
	for side, result := range s.Source.Results {
		if result != InFlight {
			continue
		}
		store := s.primary()
		if side == secondary {
			store = store.other()
		}
		next := *s
		next.Source.Values[store] = m.sourceValue()
		next.Source.Results[side] = Succeeded
		if side == primary && s.Source.Results[secondary] == NotSent {
			next.Source.Results[secondary] = InFlight
		}
		out.add(next, "the source's %v takes effect on %v", m.SourceOp, store)
		if side == secondary && s.Faults < m.Faults {
			next = *s
			next.Faults++
			next.Source.Results[side] = Failed
			out.add(next, "the source's %v fails on %v", m.SourceOp, store)
		}
	}
	p, q := s.Source.Results[primary], s.Source.Results[secondary]
	if !p.over() || !q.over() {
		return
	}
	next := *s
	src := &next.Source
	src.Writer, src.Results = Ended, [2]Outcome{}
	m.sourceMoves(&next)
	src.Pending = q == Failed || q == NoStore && m.SourceOp == Delete && s.Phase == Switched
	m.saw(&next, writerAcked, 0)
	out.add(next, "the source's %v is acknowledged", m.SourceOp)
}
