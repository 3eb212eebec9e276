package migrate

import (
	"context"
	"errors"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/gateway/journal"
	"sluice/gateway/mirror"
)

// putOff remembers a key to be tried again, and lets the sweep go on without it.
func (s *sweep) putOff(ctx context.Context, j job, why error) error {
	busy := errors.Is(why, journal.ErrBusy) || errors.Is(why, mirror.ErrStopped)
	for {
		s.mu.Lock()
		l, known := s.rec.Later[j.key]
		if s.giveUp > 0 && l.Attempts+1 >= s.giveUp {
			s.mu.Unlock()
			s.finish(j, &result{found: failed, size: l.Size, why: why})
			return nil
		}
		if known || len(s.rec.Later) < maxLater {
			l.Error, l.Busy = why.Error(), busy
			if j.old != nil {
				l.Size = j.old.Size
			}
			l.Attempts++
			if j.item != nil {
				l.item = j.item
			}
			l.due = time.Now().Add(min(time.Second<<min(l.Attempts-1, 9), time.Minute))
			s.rec.Later[j.key] = l
			s.dirty = true
			s.mu.Unlock()
			break
		}
		s.mu.Unlock()
		if err := pause(ctx, time.Second); err != nil {
			return err
		}
	}
	if !busy {
		s.log.Warn("a key could not be worked on; it is tried again", "key", j.key, "error", why)
	}
	if j.w != nil {
		s.spans.done(j.w, j.item, nil)
	}
	return nil
}

// again tries what was put off until nothing is left of it, and nothing can come.
func (s *sweep) again(hard, soft context.Context, listed <-chan struct{}) error {
	for {
		over := false
		select {
		case <-listed:
			over = true
		default:
		}
		due, left := s.due(over)
		if over && left == 0 {
			return nil
		}
		tries, trying := errgroup.WithContext(soft)
		tries.SetLimit(8)
		for _, key := range due {
			tries.Go(func() error {
				r, err := s.visit(hard, trying, pair{key: key})
				switch {
				case err == nil:
					s.finish(job{pair: pair{key: key}}, &r)
					return nil
				case trying.Err() != nil, errors.Is(err, errLeft):
					return err
				}
				return s.putOff(trying, job{pair: pair{key: key}}, err)
			})
		}
		if err := tries.Wait(); err != nil {
			return err
		}
		if err := pause(soft, 200*time.Millisecond); err != nil {
			return err
		}
	}
}

// due are the keys whose time has come again; all says that no more are listed.
func (s *sweep) due(all bool) (keys []string, left int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for key, l := range s.rec.Later {
		if !l.due.After(now) && (all || !l.ahead) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys, len(s.rec.Later)
}

// lookAhead marks what was put off in an earlier run and will be listed in this one.
func (s *sweep) lookAhead() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, l := range s.rec.Later {
		l.item, l.ahead = nil, s.spans.ahead(key)
		s.rec.Later[key] = l
	}
}

// adopt gives a key that was put off in an earlier run its place.
func (s *sweep) adopt(it *item) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, ok := s.rec.Later[it.key]
	if !ok || !l.ahead {
		return false
	}
	l.item, l.ahead = it, false
	s.rec.Later[it.key] = l
	return true
}
