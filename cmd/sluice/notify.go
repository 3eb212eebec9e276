package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"sluice/gateway/admin"
	"sluice/gateway/notify"
)

func notifyCommand(p program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "notify",
		Short: "Try whether the gateway reaches those who are to be told of trouble",
		Long: `Try whether the gateway reaches those who are to be told of trouble: the services under notify
in its configuration.`,
		Example: `  sluice notify test`,
		Args:    cobra.NoArgs,
	}
	cmd.AddCommand(notifyTestCommand(p))
	return cmd
}

func notifyTestCommand(p program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "test",
		Short: "Send a test message to every service of notify.urls, and tell which took it",
		Long: `Have the running gateway send a test message to every service of notify.urls, and tell which
took it. The exit code is 1 if one did not.`,
		Example: `  sluice notify test
  sluice notify test -o json`,
		Args: cobra.NoArgs,
	}
	output := outputFlag(cmd)
	return operator(cmd, func(ctx context.Context, gateway *admin.Client, _ []string) error {
		results, err := gateway.TestNotify(ctx)
		if err != nil {
			return err
		}
		if output.value == "json" {
			err = printJSON(p.stdout, results)
		} else if len(results) > 0 {
			err = printResults(p.stdout, results)
		}
		failed := 0
		for _, r := range results {
			if r.Error != "" {
				failed++
			}
		}
		switch {
		case err != nil:
			return err
		case len(results) == 0:
			return errors.New("nobody is told of trouble: name services in notify.urls, and run `sluice config reload`")
		case failed > 0:
			return fmt.Errorf("%d of %s failed", failed, count(int64(len(results)), "service"))
		}
		return nil
	})
}

func printResults(w io.Writer, results []notify.Result) error {
	rows := [][]string{{"SERVICE", "RESULT"}}
	for _, r := range results {
		result := "ok"
		if r.Error != "" {
			result = r.Error
		}
		rows = append(rows, []string{r.Service, result})
	}
	return printTable(w, rows)
}
