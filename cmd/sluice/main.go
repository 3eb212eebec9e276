// Command sluice is an S3-compatible gateway that moves an application from one
// object store to another with no downtime.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"sluice/gateway/admin"
)

// Exit codes, beside 0 for success.
const (
	exitError            = 1
	exitUsage            = 2
	exitRefused          = 3 // by a guard
	exitDifferences      = 4
	exitStoreUnreachable = 5
	exitNotPermitted     = 6
	exitConfigInvalid    = 7
	exitUnreachable      = 8 // the gateway
	exitWrongPhase       = 9
	exitInterrupted      = 130
)

// coded is an error that knows its exit code.
type coded struct {
	code int
	err  error
}

func (c coded) Error() string { return c.err.Error() }
func (c coded) Unwrap() error { return c.err }

func usage(format string, args ...any) error {
	return coded{exitUsage, fmt.Errorf(format, args...)}
}

// program is what the commands have of the world; tests bring their own.
type program struct {
	stdout io.Writer // data
	stderr io.Writer // talk
	// pause waits, or ends early with the context's error.
	pause func(context.Context, time.Duration) error
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	p := program{os.Stdout, os.Stderr, func(ctx context.Context, d time.Duration) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(d):
			return nil
		}
	}}
	os.Exit(p.run(ctx, os.Args[1:]))
}

// commands are all that the program can do.
func (p program) commands() *cobra.Command {
	root := &cobra.Command{
		Use:   "sluice",
		Short: "Move an application from one object store to another with no downtime",
		Long: `Move an application from one object store to another with no downtime.

Data goes to stdout, talk to stderr. Exit codes: 0 ok, 1 error, 2 usage, 3 a guard
refused, 4 differences found, 5 a store is unreachable, 6 not permitted, 7 configuration
invalid, 8 the gateway is unreachable, 9 not in this phase, 130 interrupted.`,
		Example: `  sluice demo      # see a whole migration
  sluice init      # write a configuration
  sluice serve     # be the application's endpoint
  sluice start     # begin to move, and then: status, verify, switch, complete`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(serveCommand(), demoCommand(), healthcheckCommand(), versionCommand(), configCommand(p), initCommand(p), manCommand())
	root.AddCommand(statusCommand(p), verifyCommand(p), throttleCommand(p), cacheCommand(p), certsCommand(p), doctorCommand(p), notifyCommand(p))
	root.AddCommand(eventsCommand(p), traceCommand(p), objectCommand(p))
	root.AddCommand(phaseCommands(p)...)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	return root
}

func (p program) run(ctx context.Context, args []string) int {
	understood := false
	root := p.commands()
	root.PersistentPreRun = func(*cobra.Command, []string) { understood = true }
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil && !understood {
		err = coded{exitUsage, err} // cobra does not tell its own errors from the commands'
	}
	switch {
	case err == nil:
	case interrupted(ctx, err):
		fmt.Fprintln(p.stderr, "sluice: interrupted")
	default:
		fmt.Fprintln(p.stderr, "sluice:", err)
	}
	return exitCode(ctx, err)
}

// interrupted tells whether the signal, and nothing else, is what went wrong.
func interrupted(ctx context.Context, err error) bool {
	return ctx.Err() != nil && errors.Is(err, context.Canceled)
}

// exitCode is the one place that knows which failure has which code.
func exitCode(ctx context.Context, err error) int {
	var c coded
	var a *admin.Error
	switch {
	case err == nil:
		return 0
	case interrupted(ctx, err):
		return exitInterrupted
	case errors.Is(err, fs.ErrPermission):
		return exitNotPermitted
	case errors.As(err, &c):
		return c.code
	case errors.Is(err, admin.ErrUnreachable):
		return exitUnreachable
	case errors.As(err, &a):
		switch a.Kind {
		case admin.Refused:
			return exitRefused
		case admin.WrongPhase:
			return exitWrongPhase
		case admin.BadConfig:
			return exitConfigInvalid
		case admin.Invalid:
			return exitUsage
		case admin.Unavailable:
			return exitStoreUnreachable
		}
	case ctx.Err() != nil:
		return exitInterrupted
	}
	return exitError
}
