package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"sluice/gateway/migrate"
	"sluice/gateway/mirror"
)

const (
	// patience is how long the demo waits for anything that has to come.
	patience = time.Minute
	// lookAgain is the time between two looks.
	lookAgain = 20 * time.Millisecond
)

// until waits for something to be seen in the bucket's status.
func (s *stage) until(ctx context.Context, what string, seen func(migrate.Status) bool) (migrate.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		now := s.operator.Status()
		if seen(now) {
			return now, nil
		}
		if err := pause(lookAgain)(ctx); err != nil {
			return now, fmt.Errorf("waiting for %s: %w", what, err)
		}
	}
}

func condition(now migrate.Status, kind string) migrate.Condition {
	for _, c := range now.Conditions {
		if c.Type == kind {
			return c
		}
	}
	return migrate.Condition{}
}

// order gives a command and says what it means. What is refused because writes are not
// settled yet is ordered again, as an operator would.
func (s *stage) order(ctx context.Context, c migrate.Command, means string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		report, err := s.operator.Command(ctx, c, migrate.Order{By: "the demo"})
		s.longestHold = max(s.longestHold, report.Held)
		switch {
		case err == nil:
			s.say("%s: %s Writes were held for %v.", c, means, report.Held.Round(time.Millisecond/10))
			return nil
		case !unsettled(err):
			return err
		}
		s.say("%v; ordered again in a moment.", err)
		if err := pause(time.Second)(ctx); err != nil {
			return err
		}
	}
}

// unsettled tells whether a command failed for no other reason than writes that had not
// come to their end.
func unsettled(err error) bool {
	var pending *mirror.PendingError
	var refusal *migrate.RefusedError
	if errors.As(err, &refusal) {
		return slices.Equal(refusing(refusal), []string{"caught-up"})
	}
	return errors.As(err, &pending) || errors.Is(err, context.DeadlineExceeded)
}

func refusing(r *migrate.RefusedError) (names []string) {
	for _, g := range r.Report.Guards {
		if !g.OK && !g.Overridden {
			names = append(names, g.Name)
		}
	}
	return names
}

// refused gives a command that one guard is to refuse.
func (s *stage) refused(ctx context.Context, c migrate.Command, guard string) error {
	_, err := s.operator.Command(ctx, c, migrate.Order{By: "the demo"})
	var refusal *migrate.RefusedError
	switch {
	case err != nil && !errors.As(err, &refusal):
		return err
	case err == nil || !slices.Contains(refusing(refusal), guard):
		return fmt.Errorf("%w: %s was not refused by the guard %s: %v", ErrWrong, c, guard, err)
	}
	s.say("%v.", err)
	return nil
}

// verify compares the stores while the players play, and notes it when that does not
// find exactly what it is to find.
func (s *stage) verify(ctx context.Context, order migrate.VerifyOrder, want ...string) error {
	if err := s.operator.Verify.Begin(order); err != nil {
		return err
	}
	now, err := s.until(ctx, "the verification", func(now migrate.Status) bool {
		return now.Verify.State == migrate.Finished || now.Verify.State == migrate.Stopped
	})
	if err != nil {
		return err
	}
	var found bytes.Buffer
	if err := s.operator.Verify.Findings(&found); err != nil {
		return err
	}
	lines := slices.Collect(strings.Lines(found.String()))
	command, p := commandLine(order), now.Verify
	s.say("%s: objects compared: %d, read on each store: %s, findings: %d",
		command, p.Done.Objects, humanize.IBytes(uint64(p.Read.Bytes)), len(lines))
	for i, line := range lines {
		lines[i] = strings.TrimSuffix(line, "\n")
		fmt.Fprintf(s.o.Out, "            %s\n", lines[i])
	}
	if p.State != migrate.Finished || !slices.Equal(lines, want) {
		s.wrong("%s is %s and found %q instead of %q", command, p.State, lines, want)
	}
	return nil
}

// commandLine is how an operator would have given the order.
func commandLine(o migrate.VerifyOrder) string {
	line := "verify --level " + string(o.Level)
	if o.Prefix != "" {
		line += " --prefix " + o.Prefix
	}
	if o.Fix {
		line += " --fix"
	}
	return line
}
