package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"sluice/gateway/config/setup"
)

func initCommand(p program) *cobra.Command {
	var a setup.Answers
	var file, mastodon string
	var force bool
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Write a first configuration",
		Long: `Ask what a first configuration needs, and write it. With --mastodon most of it is read from
the settings that a Mastodon has. What flags answer is not asked; without a terminal the
answers are read from stdin, a line each, and an empty line takes what is suggested.

Secrets go to files beside the configuration, readable by their owner alone; with "-o -" the
configuration is printed and refers to environment variables for them. No secret is ever
printed. Nothing else is changed: what to do next is said at the end.`,
		Example: `  sluice init
  sluice init --mastodon /home/mastodon/live/.env.production
  sluice init --mastodon .env.production --new-endpoint https://fsn1.your-objectstorage.com \
    --new-bucket media --new-access-key-id KEY --new-secret-file /run/secrets/new -o -`,
		Args: cobra.NoArgs,
	}
	f := cmd.Flags()
	f.StringVarP(&file, "output", "o", "/etc/sluice/sluice.yaml", "write the configuration to `FILE`; - prints it")
	f.StringVar(&mastodon, "mastodon", "", "take what a Mastodon's `.env.production` says")
	f.BoolVar(&force, "force", false, "write over files that are there")
	f.StringVar(&a.StateDir, "state-dir", "/var/lib/sluice", "the `DIRECTORY` for journal and state")
	for _, q := range setup.Questions(&a) {
		text := q.Text
		if q.Secret {
			text = "the `FILE` with " + text
		}
		f.StringVar(q.Answer, q.Flag, "", text)
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if file != "-" {
			var err error
			if file, err = filepath.Abs(file); err != nil {
				return err
			}
			if !force {
				if err := setup.Vacant(file); err != nil {
					return err
				}
			}
		}
		if mastodon != "" {
			raw, err := os.ReadFile(mastodon)
			if err != nil {
				return err
			}
			notes, err := a.Mastodon(raw)
			if err != nil {
				return coded{exitConfigInvalid, fmt.Errorf("%s: %w", mastodon, err)}
			}
			for _, note := range notes {
				fmt.Fprintln(p.stderr, "note:", note)
			}
		}
		if err := a.Ask(cmd.Context(), terminal(cmd.InOrStdin(), p.stderr), f.Changed); err != nil {
			if errors.Is(err, context.Canceled) {
				return err
			}
			return coded{exitUsage, err}
		}
		if err := a.Check(); err != nil {
			return coded{exitConfigInvalid, err}
		}
		return p.writeConfiguration(&a, file)
	}
	return cmd
}

// writeConfiguration writes or prints it, and says what comes next.
func (p program) writeConfiguration(a *setup.Answers, file string) error {
	if file == "-" {
		if _, err := io.WriteString(p.stdout, a.Render("")); err != nil {
			return err
		}
		for _, s := range a.Secrets() {
			fmt.Fprintf(p.stderr, "set %s to the %s secret\n", s.Variable, s.Name)
		}
		file = "sluice.yaml"
	} else {
		files, err := a.Put(file)
		for _, f := range files {
			fmt.Fprintln(p.stderr, "wrote", f)
		}
		if err != nil {
			return err
		}
		fmt.Fprintln(p.stderr, "the secrets are for their owner alone: sluice runs as that user, or systemd passes them on (deploy/systemd)")
	}
	fmt.Fprintln(p.stderr, "\nwhat comes next:")
	for i, step := range a.Next(file) {
		fmt.Fprintf(p.stderr, "%d. %s\n", i+1, step)
	}
	return nil
}

// terminal asks on in, which may be a pipe.
func terminal(in io.Reader, out io.Writer) setup.Terminal {
	t := setup.Terminal{Out: out}
	lines := bufio.NewReader(in)
	t.Line = func(ctx context.Context) (string, error) {
		return interruptible(ctx, func() (string, error) { return lines.ReadString('\n') })
	}
	if f, ok := in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		t.Hidden = func(ctx context.Context) (string, error) {
			shown, err := term.GetState(int(f.Fd()))
			if err != nil {
				return "", err
			}
			answer, err := interruptible(ctx, func() (string, error) {
				raw, err := term.ReadPassword(int(f.Fd()))
				return string(raw), err
			})
			if ctx.Err() != nil {
				err = errors.Join(err, term.Restore(int(f.Fd()), shown))
			}
			return answer, err
		}
	}
	return t
}

// interruptible ends with ctx, although reading from a terminal can not be broken off:
// the program ends then, and the goroutine with it.
func interruptible(ctx context.Context, read func() (string, error)) (string, error) {
	type result struct {
		line string
		err  error
	}
	done := make(chan result, 1)
	go func() {
		line, err := read()
		done <- result{line, err}
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case r := <-done:
		return r.line, r.err
	}
}
