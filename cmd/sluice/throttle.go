package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sluice/gateway/admin"
	"sluice/gateway/config"
	"sluice/gateway/migrate/throttle"
)

func throttleCommand(p program) *cobra.Command {
	var want throttle.Limits
	var none bool
	cmd := &cobra.Command{
		Use:   "throttle",
		Short: "Show or change what crawl and verification are allowed",
		Long: `Show what crawl and verification are allowed, and what holds them back now; or change
the limits that are named. A limit of 0, or "", is none. Changes last until the gateway is
started again, or reloads a configuration with other limits. Clients are never throttled.`,
		Example: `  sluice throttle
  sluice throttle --bandwidth 20MiB --old-latency 500ms
  sluice throttle --none --window 22:00-06:00`,
		Args: cobra.NoArgs,
	}
	f := cmd.Flags()
	f.Func("bandwidth", "`SIZE` a second that is copied, such as 10MiB", func(word string) error {
		var s config.Size
		err := s.UnmarshalText([]byte(word))
		want.Bandwidth = int64(s)
		return err
	})
	f.Float64Var(&want.Requests, "requests", 0, "requests to the stores, `N` a second")
	f.IntVar(&want.Workers, "workers", 0, "`N` copies at once; 0 is the default number")
	f.DurationVar(&want.OldLatency, "old-latency", 0, "the old store's 95th percentile above which copies slow down, such as 500ms")
	f.DurationVar(&want.NewLatency, "new-latency", 0, "the same of the new store")
	f.Float64Var(&want.ErrorRate, "error-rate", 0, "`PERCENT` of the stores' answers that may be errors")
	f.Float64Var(&want.LoadAverage, "load-average", 0, "this machine's load over one minute, at most `N`")
	f.StringArrayVar(&want.Windows, "window", nil, "work in this time only, such as 22:00-06:00 (repeatable)")
	f.StringVar(&want.PauseFile, "pause-file", "", "rest while the file `PATH` exists")
	f.BoolVar(&none, "none", false, "take every limit away, but for those that are named")
	output := outputFlag(cmd)
	return operator(cmd, func(ctx context.Context, gateway *admin.Client, _ []string) error {
		status, err := gateway.Throttle(ctx)
		if err != nil {
			return err
		}
		limits, changed := status.Limits, none
		if none {
			limits = throttle.Limits{}
		}
		f.Visit(func(flag *pflag.Flag) {
			changed = change(&limits, want, flag.Name) || changed
		})
		if changed {
			if status, err = gateway.SetThrottle(ctx, limits); err != nil {
				return err
			}
		}
		if output.value == "json" {
			return printJSON(p.stdout, status)
		}
		return printThrottle(p.stdout, status)
	})
}

// change takes from want the limit that a flag sets; it answers false for a flag that
// sets none.
func change(l *throttle.Limits, want throttle.Limits, flag string) bool {
	switch flag {
	case "bandwidth":
		l.Bandwidth = want.Bandwidth
	case "requests":
		l.Requests = want.Requests
	case "workers":
		l.Workers = want.Workers
	case "old-latency":
		l.OldLatency = want.OldLatency
	case "new-latency":
		l.NewLatency = want.NewLatency
	case "error-rate":
		l.ErrorRate = want.ErrorRate
	case "load-average":
		l.LoadAverage = want.LoadAverage
	case "window":
		l.Windows = slices.DeleteFunc(want.Windows, func(w string) bool { return w == "" })
	case "pause-file":
		l.PauseFile = want.PauseFile
	default:
		return false
	}
	return true
}

func printThrottle(w io.Writer, s admin.ThrottleStatus) error {
	l := s.Limits
	or := func(set bool, limit any, unit, none string) string {
		if !set {
			return none
		}
		return fmt.Sprint(limit) + unit
	}
	const no = "no limit"
	return printTable(w, [][]string{
		{"bandwidth", or(l.Bandwidth > 0, size(l.Bandwidth), "/s", no)},
		{"requests", or(l.Requests > 0, l.Requests, "/s", no)},
		{"workers", or(l.Workers > 0, l.Workers, "", "the default number")},
		{"old-latency", or(l.OldLatency > 0, l.OldLatency, "", no)},
		{"new-latency", or(l.NewLatency > 0, l.NewLatency, "", no)},
		{"error-rate", or(l.ErrorRate > 0, l.ErrorRate, " %", no)},
		{"load-average", or(l.LoadAverage > 0, l.LoadAverage, "", no)},
		{"window", or(len(l.Windows) > 0, strings.Join(l.Windows, ", "), "", "always")},
		{"pause-file", or(l.PauseFile != "", l.PauseFile, "", "none")},
		{"now", count(int64(s.Workers), "worker") + ", held back by " + or(s.Reason != "", s.Reason, "", "nothing")},
	})
}
