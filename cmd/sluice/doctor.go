package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"sluice/gateway/admin"
)

func doctorCommand(p program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look at what can be wrong around the gateway, and say what to do about it",
		Long: `Look, from where the gateway runs, at what can be wrong around it: for each name that should
have a certificate, whether the DNS leads here, ports 80 and 443 reach this gateway, a CA's
challenge is neither redirected nor answered by something else, and how it is with the
certificate. The exit code is 1 if something is wrong.`,
		Example: `  sluice doctor
  sluice doctor -c sluice.yaml -o json`,
		Args: cobra.NoArgs,
	}
	output := outputFlag(cmd)
	return operator(cmd, func(ctx context.Context, gateway *admin.Client, _ []string) error {
		checks, err := gateway.Doctor(ctx)
		if err != nil {
			return err
		}
		if output.value == "json" {
			err = printJSON(p.stdout, checks)
		} else {
			err = printChecks(p.stdout, checks)
		}
		wrong := 0
		for _, c := range checks {
			if !c.OK {
				wrong++
			}
		}
		if err != nil || wrong == 0 {
			return err
		}
		return fmt.Errorf("%d of %s failed", wrong, count(int64(len(checks)), "check"))
	})
}

func printChecks(w io.Writer, checks []admin.Check) error {
	if len(checks) == 0 {
		_, err := fmt.Fprintln(w, "there is nothing to look at")
		return err
	}
	rows := [][]string{{"OF", "CHECK", "RESULT", "SEEN"}}
	for _, c := range checks {
		result := "ok"
		if !c.OK {
			result = "WRONG"
		}
		rows = append(rows, []string{c.Subject, c.Check, result, c.Message})
	}
	return printTable(w, rows)
}
