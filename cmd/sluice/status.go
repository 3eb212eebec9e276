package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"sluice/gateway/admin"
	"sluice/gateway/migrate"
)

func statusCommand(p program) *cobra.Command {
	var watch bool
	cmd := &cobra.Command{
		Use:   "status [BUCKET]",
		Short: "Tell where the buckets are in their migration, and what runs",
		Long: `Tell of every bucket, or of one at length: its phase, its stores, how many writes wait for
repair, how far backfill and verification are, what holds them back, and what is in the way
of the switch. What is wrong with the gateway itself comes below.`,
		Example: `  sluice status
  sluice status media --watch
  sluice status -o json`,
		Args: cobra.MaximumNArgs(1),
	}
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "go on telling until interrupted")
	output := outputFlag(cmd)
	return operator(cmd, func(ctx context.Context, gateway *admin.Client, args []string) error {
		look := gateway.Buckets
		if len(args) > 0 {
			look = looker(gateway, args[0])
		}
		if watch && output.value == "table" {
			return p.follow(ctx, p.stdout, look, func([]migrate.Status) (bool, error) { return false, nil })
		}
		for {
			list, err := look(ctx)
			if err != nil {
				return err
			}
			if output.value == "json" {
				err = printJSON(p.stdout, list)
			} else {
				err = printStatus(p.stdout, list)
				if err == nil {
					err = p.gatewayConditions(ctx, gateway)
				}
			}
			if err != nil || !watch {
				return err
			}
			if err := p.pause(ctx, lineEvery); err != nil {
				return err
			}
		}
	})
}

// gatewayConditions prints those of the gateway's own conditions that do not hold as they
// should.
func (p program) gatewayConditions(ctx context.Context, gateway *admin.Client) error {
	conditions, err := gateway.Conditions(ctx)
	if err != nil {
		return err
	}
	conditions = slices.DeleteFunc(conditions, func(c migrate.Condition) bool { return c.Status })
	if len(conditions) == 0 {
		return nil
	}
	fmt.Fprintln(p.stdout)
	return printConditions(p.stdout, "GATEWAY", conditions)
}
