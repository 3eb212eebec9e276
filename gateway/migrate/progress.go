package migrate

import (
	"maps"
	"slices"
	"time"
)

// progress is what operators are shown.
func (s *sweep) progress() Progress {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.rec.Counts
	p := Progress{
		State: s.rec.State, Started: s.rec.Started, Finished: s.rec.Finished, Total: s.rec.Total, Counted: s.rec.Counted,
		Done: c.Done, Copied: c.Copied, Read: c.Read,
		Same: c.Found[equal], Missing: c.Found[missing], Extra: c.Found[extra], Different: c.Found[different], Failed: c.Found[failed], Left: c.Found[left],
		Level: s.rec.Order.Level, Sample: s.rec.Order.Sample, Prefix: s.rec.Order.Prefix,
	}
	if s.rec.Order.Fix {
		p.Fixed = c.Copied.Objects
	}
	if p.State == Running {
		p.Rate = s.meter.rate()
	}
	if left := p.Total.Bytes - p.Done.Bytes; p.Counted && left > 0 && p.Rate.Bytes > 0 {
		p.Remaining = time.Duration(float64(left) / p.Rate.Bytes * float64(time.Second))
	}
	for _, key := range slices.Sorted(maps.Keys(s.rec.Later)) {
		l := s.rec.Later[key]
		if l.Busy {
			continue
		}
		if p.Failed++; len(p.Failures) < maxFailures {
			p.Failures = append(p.Failures, Failure{Key: key, Error: l.Error, Attempts: l.Attempts})
		}
	}
	return p
}

// maxFailures bounds the failures that are shown.
const maxFailures = 100

// meter measures the speed of the last seconds.
type meter struct {
	at   []time.Time
	done []Amount
}

const metered = 10

func (m *meter) note(now time.Time, done Amount) {
	m.at, m.done = append(m.at, now), append(m.done, done)
	if len(m.at) > metered {
		m.at, m.done = m.at[1:], m.done[1:]
	}
}

func (m *meter) rate() Rate {
	if len(m.at) < 2 {
		return Rate{}
	}
	last := len(m.at) - 1
	took := m.at[last].Sub(m.at[0]).Seconds()
	if took <= 0 {
		return Rate{}
	}
	return Rate{
		Objects: float64(m.done[last].Objects-m.done[0].Objects) / took,
		Bytes:   float64(m.done[last].Bytes-m.done[0].Bytes) / took,
	}
}
