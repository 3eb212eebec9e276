package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"sluice/gateway"
	"sluice/gateway/admin"
	"sluice/gateway/config"
	"sluice/gateway/systemd"
)

func serveCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "serve -c FILE",
		Short: "Serve the buckets of a configuration",
		Long: `Serve the buckets of a configuration until a signal ends it; requests in flight are let end.
The log goes to stderr. In which phase each bucket is comes from the state directory, never
from the configuration: start, switch and the like change it.`,
		Example: `  sluice serve
  sluice serve -c sluice.yaml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := config.Load(file)
			if err != nil {
				return coded{exitConfigInvalid, err}
			}
			if os.Getenv("GOGC") == "" {
				// Most of the heap is the cache and the buffers of uploads, which
				// cost the collector little; by default it would let garbage take
				// as much memory again.
				debug.SetGCPercent(gcPercent)
				defer runtime.KeepAlive(make([]byte, heapFloor))
			}
			log := newLogger(c.Log)
			g, err := gateway.Open(cmd.Context(), c, log)
			if err != nil {
				return err
			}
			listeners, err := g.Listen(cmd.Context())
			if err != nil {
				return errors.Join(err, g.Close())
			}
			self := admin.NewClient(filepath.Join(c.StateDir, admin.SocketName))
			defer self.Close()
			// To list the buckets takes the locks that clients' requests need.
			ask := func(ctx context.Context) error { _, err := self.Buckets(ctx); return err }
			err = systemd.Supervise(cmd.Context(), log, ask, func(ctx context.Context) error { return g.Serve(ctx, listeners...) })
			if err != nil {
				return coded{exitError, err} // not the signal, whose work was done
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&file, "config", "c", "/etc/sluice/sluice.yaml", "configuration file")
	return cmd
}

// gcPercent is how much garbage may grow beside the live heap, in percent of it.
const gcPercent = 50

// heapFloor is counted to the live heap and takes no memory, since nothing is ever written
// there: a gateway that holds a few MiB would else be collected many times a second.
const heapFloor = 32 << 20

func newLogger(c config.Log) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.Level)) // checked with the configuration
	o := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, o))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, o))
}
