package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sluice/gateway/admin"
	"sluice/gateway/migrate"
	"sluice/gateway/mirror"
)

func phaseCommands(p program) []*cobra.Command {
	return []*cobra.Command{
		phaseCommand(p, migrate.Start, "Begin: write to both stores, and copy old to new",
			"The old store stays right; what only it has is copied in the background. It is taken back by\ncancel."),
		phaseCommand(p, migrate.Pause, "Let the crawl rest; writes still go to both stores",
			"What reads miss is still copied. It outlasts a restart, until resume."),
		phaseCommand(p, migrate.Resume, "Let the crawl go on", "It goes on where it was."),
		phaseCommand(p, migrate.Cancel, "Go back to the old store alone",
			"What was copied stays on the new store, and is compared before a later start counts on it."),
		phaseCommand(p, migrate.Switch, "Make the new store the primary; writes still go to both",
			"New writes are held for a moment meanwhile, and nothing is lost. It is taken back by rollback.\nWith --override backfilled the rest is copied, and found on the old store, afterwards."),
		phaseCommand(p, migrate.Rollback, "Make the old store the primary again",
			"The old store has everything that was written since the switch."),
		phaseCommand(p, migrate.Complete, "End: leave the old store alone from now on",
			"There is no way back. Nothing is removed from the old store."),
	}
}

func phaseCommand(p program, command migrate.Command, short, long string) *cobra.Command {
	var order migrate.Order
	var wait bool
	cmd := &cobra.Command{
		Use:   string(command) + " [BUCKET]",
		Short: short,
		Long: short + ".\n" + long + `

Everything that the command depends on is looked at first. If a guard refuses, nothing is
changed, the exit code is 3, and what is to be done is said.`,
		Example: fmt.Sprintf("  sluice %s --dry-run\n  sluice %[1]s media", command),
		Args:    cobra.MaximumNArgs(1),
	}
	cmd.Flags().BoolVar(&order.DryRun, "dry-run", false, "print guards and steps, and do nothing")
	cmd.Flags().StringArrayVar(&order.Override, "override", nil, "pass over the guard `NAME` (repeatable); the audit log records it")
	if command == migrate.Start {
		cmd.Flags().BoolVar(&wait, "wait", false, "follow the backfill to its end")
	}
	complete(cmd, "override", migrate.Overridable(command)...)
	output := outputFlag(cmd)
	return operator(cmd, func(ctx context.Context, gateway *admin.Client, args []string) error {
		bucket, err := theBucket(ctx, gateway, args)
		if err != nil {
			return err
		}
		report, err := gateway.Command(ctx, bucket, command, order)
		if ctx.Err() != nil && !order.DryRun {
			fmt.Fprintf(p.stderr, "whether it was done is not known: sluice status %s\n", bucket)
		}
		var refusal *admin.Error
		switch {
		case errors.As(err, &refusal) && output.value == "json":
			return errors.Join(printJSON(p.stdout, refusal), err)
		case errors.As(err, &refusal) && refusal.Report != nil:
			return errors.Join(p.printPlan(*refusal.Report), err)
		case err != nil:
			return err
		case output.value == "json":
			err = printJSON(p.stdout, report)
		case order.DryRun:
			err = p.printPlan(report)
		default:
			err = p.printDone(ctx, gateway, report)
		}
		if err != nil {
			return err
		}
		if order.DryRun {
			if slices.ContainsFunc(report.Guards, refuses) {
				return coded{exitRefused, fmt.Errorf("%s %s would be refused", command, bucket)}
			}
			return nil
		}
		if wait {
			return p.followBackfill(ctx, gateway, bucket)
		}
		return nil
	})
}

// printPlan prints what a command asks for and would do, and what is to be done about
// guards that refuse.
func (p program) printPlan(r migrate.Report) error {
	if err := printGuards(p.stdout, r.Guards); err != nil {
		return err
	}
	for i, step := range r.Steps {
		fmt.Fprintf(p.stdout, "%d. %s\n", i+1, step)
	}
	p.printNotes(r)
	again := fmt.Sprintf("sluice %s %s", r.Command, r.Bucket)
	var never []string
	refused := false
	for _, g := range r.Guards {
		switch {
		case refuses(g) && !g.Overridable:
			never = append(never, g.Name)
		case !g.OK:
			again += " --override " + g.Name
		}
		refused = refused || refuses(g)
	}
	if len(never) > 0 {
		fmt.Fprintf(p.stderr, "what can not be overridden must be put right first: %s\n", strings.Join(never, ", "))
	} else if refused {
		fmt.Fprintf(p.stderr, "put right what refused, or pass over it: %s\n", again)
	}
	return nil
}

func (p program) printNotes(r migrate.Report) {
	for _, note := range r.Notes {
		fmt.Fprintln(p.stderr, "note:", note)
	}
}

// printDone says in a line what is now and how to go back.
func (p program) printDone(ctx context.Context, gateway *admin.Client, r migrate.Report) error {
	what := fmt.Sprintf("%s is %s now; writes were held for %v", r.Bucket, r.To, r.Held.Round(time.Millisecond))
	back := migrate.Command("")
	switch r.Command {
	case migrate.Pause:
		what, back = fmt.Sprintf("%s is %s, and its crawl rests", r.Bucket, r.To), migrate.Resume
	case migrate.Resume:
		what, back = fmt.Sprintf("%s is %s, and its crawl goes on", r.Bucket, r.To), migrate.Pause
	case migrate.Start:
		back = migrate.Cancel
	case migrate.Cancel:
		back = migrate.Start
	case migrate.Rollback:
		back = migrate.Switch
	case migrate.Switch:
		// From an old store that is read-only there was no way back to it. If the
		// gateway can not be asked, it would say so at the rollback.
		if s, err := statusOf(ctx, gateway, r.Bucket); err != nil || condition(s, "reversible").Status {
			back = migrate.Rollback
		}
	}
	way := "there is no way back"
	if back != "" {
		way = fmt.Sprintf("to go back: sluice %s %s", back, r.Bucket)
	}
	_, err := fmt.Fprintf(p.stdout, "%s; %s\n", what, way)
	p.printNotes(r)
	return err
}

// followBackfill shows the backfill until everything is copied, or the bucket leaves
// the migration.
func (p program) followBackfill(ctx context.Context, gateway *admin.Client, bucket string) error {
	return p.follow(ctx, p.stderr, looker(gateway, bucket), func(list []migrate.Status) (bool, error) {
		s := list[0]
		b := s.Backfill
		// A crawl of before this phase tells nothing of this one.
		crawled := b != nil && b.State == migrate.Finished && !b.Started.Before(s.Since)
		if s.Name == mirror.Passthrough {
			return false, fmt.Errorf("the backfill of %s was cancelled", bucket)
		}
		return s.Backfilled || crawled, nil
	})
}
