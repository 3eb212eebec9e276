package demo

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"path"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/backends"
	"sluice/gateway/migrate"
	"sluice/gateway/migrate/throttle"
)

const (
	playTime = 3 * time.Second
	outage   = 2500 * time.Millisecond
)

// play runs the plot. The verdict is what was wrong; err is why the plot could not go
// on.
func (s *stage) play(ctx context.Context) (verdict, err error) {
	s.players.start(ctx, playerN)
	err = s.acts(ctx)
	s.players.end()
	if err == nil {
		err = s.curtainCall(ctx)
	}
	switch {
	case ctx.Err() != nil: // the user ended it: what failed then was no fault
		return nil, err
	case err == nil:
		s.report()
	}
	return s.verdict(), err
}

func (s *stage) acts(ctx context.Context) error {
	s.say("%d players upload, replace, read, list and delete, and check every answer.", playerN)
	for _, act := range []func(context.Context) error{
		pause(playTime), s.start, s.outage, s.backfill, s.damage, s.switchAndBack, s.complete, pause(playTime),
	} {
		if err := act(ctx); err != nil {
			return err
		}
	}
	return nil
}

// start begins the migration, with the backfill held back at first.
func (s *stage) start(ctx context.Context) error {
	if err := s.order(ctx, migrate.Start, "writes go to both stores from now on, and the backfill copies what only old has."); err != nil {
		return err
	}
	var why string
	_, err := s.until(ctx, "the backfill to be throttled", func(now migrate.Status) bool {
		c := condition(now, "throttled")
		why = c.Message
		return c.Status
	})
	if err != nil {
		return err
	}
	s.say("The backfill is held back by its %s; players never are.", why)
	if err := pause(playTime)(ctx); err != nil {
		return err
	}
	s.say("The backfill has done %s. The throttle is lifted.", s.backfilled())
	return s.gateway.Throttle().Set(throttle.Limits{})
}

// outage takes the new store away in the middle of the backfill.
func (s *stage) outage(ctx context.Context) error {
	if err := pause(playTime / 10)(ctx); err != nil {
		return err
	}
	s.say("%s. The backfill has done %s when the new store goes down.", s.soFar(), s.backfilled())
	if err := s.oldNew[1].Stop(); err != nil {
		return err
	}
	if err := pause(outage)(ctx); err != nil {
		return err
	}
	s.say("%s. The journal remembers %d writes that new has missed. New comes back.", s.soFar(), s.gateway.Journal().Pending())
	return s.oldNew[1].Restart(ctx)
}

// backfill waits until new has everything: what it missed, and what it never had.
func (s *stage) backfill(ctx context.Context) error {
	_, err := s.until(ctx, "the repairer", func(now migrate.Status) bool { return condition(now, "caught-up").Status })
	if err != nil {
		return err
	}
	repaired, _ := s.gateway.Repairer().Repaired()
	s.say("Repaired: %d keys; nobody asked for it.", repaired)
	now, err := s.until(ctx, "the backfill", func(now migrate.Status) bool {
		return condition(now, "backfilled").Status && now.Backfill.State == migrate.Finished
	})
	if err != nil {
		return err
	}
	s.say("The backfill is finished: new holds every object. It copied %d; the others came by writes and reads.", now.Backfill.Copied.Objects)
	return nil
}

// damage changes a byte on new that Sluice knows nothing of, has it found, and mended.
func (s *stage) damage(ctx context.Context) error {
	if err := s.flipByte(ctx, unread); err != nil {
		return fmt.Errorf("damaging an object: %w", err)
	}
	s.say("Behind Sluice's back a byte of one object on new is changed.")
	line := fmt.Sprintf("* %q", unread)
	if err := s.verify(ctx, migrate.VerifyOrder{Level: migrate.Content}, line); err != nil {
		return err
	}
	if err := s.refused(ctx, migrate.Switch, "verified"); err != nil {
		return err
	}
	fix := migrate.VerifyOrder{Level: migrate.Content, Prefix: path.Dir(unread), Fix: true}
	if err := s.verify(ctx, fix, line+": fixed"); err != nil {
		return err
	}
	return s.verify(ctx, migrate.VerifyOrder{Level: migrate.Content})
}

func (s *stage) flipByte(ctx context.Context, key string) error {
	got, err := s.newRaw.Get(ctx, backends.GetRequest{Key: key})
	if err != nil {
		return err
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	if err != nil {
		return err
	}
	body[len(body)/2] ^= 1
	_, err = s.newRaw.Put(ctx, backends.PutRequest{Key: key, Body: bytes.NewReader(body), Size: got.Size, Header: got.Header})
	return err
}

// switchAndBack makes new the primary, goes back, and forth again.
func (s *stage) switchAndBack(ctx context.Context) error {
	for _, step := range []struct {
		command migrate.Command
		means   string
	}{
		{migrate.Switch, "new is right from now on; writes still go to both."},
		{migrate.Rollback, "old is right again, and has everything that was written since."},
		{migrate.Switch, "and forth again."},
	} {
		if err := s.order(ctx, step.command, step.means); err != nil {
			return err
		}
		if err := pause(playTime)(ctx); err != nil {
			return err
		}
	}
	return nil
}

// complete compares the stores while nobody writes, and leaves old alone.
func (s *stage) complete(ctx context.Context) error {
	err := s.players.rest(func() (err error) {
		s.say("%s. The players rest while both stores are read from behind, byte by byte.", s.soFar())
		settled, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		if err := s.gateway.Journal().Quiet(settled); err != nil {
			return fmt.Errorf("the repairs did not end: %w", err)
		}
		s.atComplete, err = s.compare(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("comparing the stores: %w", err)
	}
	s.say("The same on both: %d objects. The players play on.", s.atComplete.same)
	if err := s.order(ctx, migrate.Complete, "old is left alone from now on."); err != nil {
		return err
	}
	s.leftOnOld, err = listing(ctx, s.oldRaw)
	return err
}

// curtainCall reads everything once more, now that new is alone, and looks whether old
// was left in peace.
func (s *stage) curtainCall(ctx context.Context) error {
	visitors, reading := errgroup.WithContext(ctx)
	visitors.SetLimit(playerN)
	everything := s.everything()
	for _, o := range everything {
		visitors.Go(func() error {
			s.players.get(reading, o)
			return reading.Err()
		})
	}
	if err := visitors.Wait(); err != nil {
		return err
	}
	s.say("The players are gone. Visitors have looked at all %d objects once more.", len(everything))
	return s.checkOld(ctx)
}

func (s *stage) soFar() string {
	return fmt.Sprintf("%d requests so far, %d failed or wrong", s.players.requests.Load(), s.players.failed.Load())
}

// backfilled tells how far the backfill is.
func (s *stage) backfilled() string {
	p := s.operator.Status().Backfill
	if p == nil {
		return "no object"
	}
	return fmt.Sprintf("%d of %d objects", p.Done.Objects, p.Total.Objects)
}

// wrong notes what no player could meet.
func (s *stage) wrong(format string, args ...any) {
	if len(s.problems) < maxErrors {
		s.problems = append(s.problems, fmt.Errorf(format, args...))
	}
}

// pause lets the players play.
func pause(d time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
