package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"sluice/gateway/admin"
	"sluice/gateway/events"
)

func eventsCommand(p program) *cobra.Command {
	var bucket string
	var follow bool
	cmd := &cobra.Command{
		Use:   "events",
		Short: "Tell what happened: commands, phases, outages, throttling, certificates",
		Long: `Tell what happened that matters, the last thousand events: commands and who gave them, phases,
conditions that changed, stores that went away or came back, what held background work back,
verifications, backfills, certificates. Commands are known from before the gateway's start, too.
With -o json each line is an event.`,
		Example: `  sluice events
  sluice events --follow --bucket mastodata`,
		Args: cobra.NoArgs,
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on telling until interrupted")
	cmd.Flags().StringVar(&bucket, "bucket", "", "leave out what is of other buckets than `B`")
	output := outputFlag(cmd)
	return operator(cmd, func(ctx context.Context, gateway *admin.Client, _ []string) error {
		return gateway.Events(ctx, bucket, follow, func(e events.Event) error {
			if output.value == "json" {
				return json.NewEncoder(p.stdout).Encode(e)
			}
			_, err := fmt.Fprintln(p.stdout, eventLine(e))
			return err
		})
	})
}

// eventLine tells an event in a line. What comes one by one can not be measured for columns.
func eventLine(e events.Event) string {
	line := fmt.Sprintf("%s  %-5s  %-11s  %-12s  %s", e.Time.UTC().Format(time.DateTime), e.Level, e.Kind, cmp.Or(e.Bucket, "-"), e.Message)
	if e.By != "" {
		line += " (by " + e.By + ")"
	}
	return line
}
