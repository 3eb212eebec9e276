package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"sluice/gateway/admin"
	"sluice/gateway/config"
)

func reloadCommand(p program) *cobra.Command {
	var order admin.ReloadOrder
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Have the running gateway read its configuration again",
		Long: `Have the running gateway read its configuration again, from the file that it was started with,
as SIGHUP does: the whole of it takes effect, or nothing. Where settings changed that need a
restart, or the file is wrong, or a store that is new does not answer, the configuration
before stays in force, and the exit code is 7. ${NAME} stands for what the gateway's
environment had at its start; files with secrets are read again.`,
		Example: `  sluice config reload --dry-run
  sluice config reload`,
		Args: cobra.NoArgs,
	}
	cmd.Flags().BoolVar(&order.DryRun, "dry-run", false, "tell what would change, and what needs a restart")
	output := outputFlag(cmd)
	return operator(cmd, func(ctx context.Context, gateway *admin.Client, _ []string) error {
		changes, err := gateway.Reload(ctx, order)
		if err != nil {
			return err
		}
		if output.value == "json" {
			err = printJSON(p.stdout, changes)
		} else {
			err = printChanges(p.stdout, changes)
		}
		if err == nil && changes.Err() != nil {
			err = coded{exitConfigInvalid, changes.Err()}
		}
		return err
	})
}

func printChanges(w io.Writer, c config.Changes) error {
	if len(c.Settings) == 0 {
		_, err := fmt.Fprintln(w, "nothing differs from the configuration in force")
		return err
	}
	rows := [][]string{{"SETTING", "TAKES EFFECT"}}
	for _, setting := range c.Settings {
		when := "at once"
		if slices.Contains(c.Restart, setting) {
			when = "with a restart"
		}
		rows = append(rows, []string{setting, when})
	}
	return printTable(w, rows)
}
