package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sluice/gateway/admin"
	"sluice/gateway/trace"
)

func traceCommand(p program) *cobra.Command {
	var f trace.Filter
	cmd := &cobra.Command{
		Use:   "trace",
		Short: "Show requests as they end, with the stores that were asked for each",
		Long: `Show requests as they end, with the stores that were asked for each, until interrupted. Every
filter must let a request through. What comes faster than it can be shown is left out, and
counted. An answer from the cache on a public host that never came past the cache is shown
without client and times: nobody takes them there.`,
		Example: `  sluice trace --errors
  sluice trace --op PutObject --slower 500ms`,
		Args: cobra.NoArgs,
	}
	cmd.Flags().StringVar(&f.Bucket, "bucket", "", "requests to bucket `B` alone")
	cmd.Flags().StringVar(&f.Operation, "op", "", "this operation alone: `GetObject`, …; on a public host the method")
	cmd.Flags().StringVar(&f.Prefix, "prefix", "", "keys that begin with `P` alone")
	cmd.Flags().StringVar(&f.Status, "status", "", "answers with this status alone: `404`, or 5xx")
	cmd.Flags().DurationVar(&f.Slower, "slower", 0, "answers that took this long at least")
	cmd.Flags().BoolVar(&f.Errors, "errors", false, "answers with a status of 400 and above, or broken off")
	output := outputFlag(cmd)
	return operator(cmd, func(ctx context.Context, gateway *admin.Client, _ []string) error {
		if err := f.Check(); err != nil {
			return usage("%v", err)
		}
		return gateway.Trace(ctx, f, func(r trace.Record) error {
			if output.value == "json" {
				return json.NewEncoder(p.stdout).Encode(r)
			}
			_, err := fmt.Fprintln(p.stdout, traceLine(r))
			return err
		}, func(missed int64) error {
			_, err := fmt.Fprintf(p.stderr, "%s left out: they come faster than they are taken\n", count(missed, "request"))
			return err
		})
	})
}

// traceLine tells a request in a line.
func traceLine(r trace.Record) string {
	status := fmt.Sprint(r.Status)
	if !r.Whole {
		status += " broken off"
	}
	line := fmt.Sprintf("%s  %-9s  %s  %-16s  %s %s", r.Time.UTC().Format("15:04:05.000"), took(r.Took), status, r.Operation, r.Host, (&url.URL{Path: r.Path}).EscapedPath())
	words := []string{size(r.Bytes)}
	if r.FirstByte > 0 {
		words = append(words, "first byte "+took(r.FirstByte))
	}
	if r.Cache != "" {
		words = append(words, r.Cache)
	}
	for _, c := range r.Stores {
		words = append(words, c.String())
	}
	if r.More > 0 {
		words = append(words, count(int64(r.More), "more call"))
	}
	if r.Express {
		words = append(words, "on the connection")
	}
	return line + "  [" + strings.Join(words, "; ") + "]  " + cmp.Or(strings.TrimSpace(r.Client+" "+r.Request), "-")
}

// took is a time as exact as is of use.
func took(d time.Duration) string {
	if d == 0 {
		return "-"
	}
	return d.Round(max(d/1000, 10*time.Microsecond)).String()
}
