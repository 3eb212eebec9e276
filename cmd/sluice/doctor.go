package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/spf13/cobra"

	"sluice/gateway/admin"
	"sluice/gateway/config"
	"sluice/gateway/doctor"
)

func doctorCommand(p program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look at what can be wrong around the gateway, and say what to do about it",
		Long: `Look at everything that a gateway stands on, and say what to do about what is wrong: the
state directory and its disk; for each store its address, certificate and clock; for each
bucket there every right that Sluice needs, tried on an object of its own below .sluice/, with
the policy that grants what is missing; lifecycle rules, versioning, whether strangers can
list; for each host the DNS, ports 80 and 443, the certificate.

The running gateway looks, if there is one; else this command does, with the configuration,
for which it needs the same environment. So it can be asked before the first start.

The exit code is 5 if a store can not be reached, 6 if one refuses what is needed, 1 if
something else failed. Warnings fail nothing.`,
		Example: `  sluice doctor
  sluice doctor --estimate 30s -c sluice.yaml -o json`,
		Args: cobra.NoArgs,
	}
	output := outputFlag(cmd)
	var o doctor.Order
	cmd.Flags().DurationVar(&o.Estimate, "estimate", 0,
		"count the old store's objects for so long, copy a sample, and tell what the migration takes (`30s`)")
	return operator(cmd, func(ctx context.Context, gateway *admin.Client, _ []string) error {
		if o.Estimate < 0 {
			return usage("--estimate is how long to count: 30s")
		}
		checks, err := p.examine(ctx, gateway, cmd, o)
		if err != nil {
			return err
		}
		doctor.Sort(checks)
		if output.value == "json" {
			err = printJSON(p.stdout, checks)
		} else {
			err = printChecks(p.stdout, checks)
		}
		if err != nil {
			return err
		}
		return worst(checks)
	})
}

// examine has the running gateway look around, or does so itself.
func (p program) examine(ctx context.Context, gateway *admin.Client, cmd *cobra.Command, o doctor.Order) (checks []doctor.Check, err error) {
	width, _ := terminalSize(p.stderr)
	seen := func(c doctor.Check) {
		checks = append(checks, c)
		if width > 0 {
			fmt.Fprintf(p.stderr, "\r%s\x1b[K", cut(fmt.Sprintf("%s: %s, %s", count(int64(len(checks)), "check"), c.Subject, c.Name), width-1))
		}
	}
	err = gateway.Doctor(ctx, o, seen)
	if errors.Is(err, admin.ErrUnreachable) && !errors.Is(err, fs.ErrPermission) && !cmd.Flags().Changed("socket") {
		var c config.Config
		if c, err = config.Load(cmd.Flag("config").Value.String()); err != nil {
			return nil, coded{exitConfigInvalid, err}
		}
		fmt.Fprintln(p.stderr, "no gateway runs with this configuration: looking from here")
		err = doctor.Run(ctx, doctor.Options{Order: o, Config: c}, seen)
	}
	if width > 0 {
		fmt.Fprint(p.stderr, "\r\x1b[K")
	}
	return checks, err
}

// worst is the error that the worst of the failures makes.
func worst(checks []doctor.Check) error {
	failed, code := 0, exitError
	for _, c := range checks {
		if c.Result != doctor.Failed {
			continue
		}
		failed++
		switch {
		case c.Cause == doctor.Unreachable:
			code = exitStoreUnreachable
		case c.Cause == doctor.Denied && code != exitStoreUnreachable:
			code = exitNotPermitted
		}
	}
	if failed == 0 {
		return nil
	}
	return coded{code, fmt.Errorf("%d of %s failed", failed, count(int64(len(checks)), "check"))}
}

// printChecks prints a table for each subject, and at the end the policies that are wanted.
func printChecks(w io.Writer, checks []doctor.Check) error {
	for first := 0; first < len(checks); {
		of, end := checks[first], first
		var rows [][]string
		for ; end < len(checks) && checks[end].Kind == of.Kind && checks[end].Subject == of.Subject; end++ {
			c := checks[end]
			rows = append(rows, []string{"  " + c.Name, string(c.Result), c.Seen})
			if c.Todo != "" {
				rows = append(rows, []string{"", "", "-> " + c.Todo})
			}
		}
		title := of.Subject
		if of.Kind != doctor.Machine {
			title = string(of.Kind) + " " + title
		}
		if first > 0 {
			title = "\n" + title
		}
		if _, err := fmt.Fprintln(w, title); err != nil {
			return err
		}
		if err := printTable(w, rows); err != nil {
			return err
		}
		first = end
	}
	for _, c := range checks {
		if c.Policy == nil {
			continue
		}
		policy, err := json.MarshalIndent(c.Policy, "", "  ")
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "\nthe policy for %s:\n%s\n", c.Subject, policy); err != nil {
			return err
		}
	}
	return nil
}
