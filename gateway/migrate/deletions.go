package migrate

// reserve counts a deletion, durably, if there were fewer than most: what a crash lets
// be forgotten would be allowed once more.
func (s *sweep) reserve(most int64) (bool, error) {
	s.mu.Lock()
	if s.rec.Deleted >= most {
		s.mu.Unlock()
		return false, nil
	}
	s.rec.Deleted++
	s.dirty = true
	s.mu.Unlock()
	return true, s.save()
}

// giveBack says that what was reserved was certainly not deleted.
func (s *sweep) giveBack() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rec.Deleted--
	s.dirty = true
}
