package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"

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
			// Also while the gateway starts or ends this must not end the program.
			hangups := make(chan os.Signal, 1)
			signal.Notify(hangups, syscall.SIGHUP)
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
			log := newLogSwitch(c.Log)
			logger := slog.New(log)
			g, err := gateway.Open(cmd.Context(), c, logger)
			if err != nil {
				return err
			}
			g.ReloadFrom(
				func() (config.Config, error) {
					systemd.Reloading(logger)
					return config.Load(file)
				},
				func(inForce config.Config) {
					log.set(inForce.Log)
					systemd.Reloaded(logger)
				},
			)
			ctx, stop := context.WithCancel(cmd.Context())
			var reloading sync.WaitGroup
			reloading.Go(func() { reloadOn(ctx, hangups, g) })
			defer reloading.Wait()
			defer stop()
			listeners, err := g.Listen(cmd.Context())
			if err != nil {
				return errors.Join(err, g.Close())
			}
			self := admin.NewClient(filepath.Join(c.StateDir, admin.SocketName))
			defer self.Close()
			// To list the buckets takes the locks that clients' requests need.
			ask := func(ctx context.Context) error { _, err := self.Buckets(ctx); return err }
			err = systemd.Supervise(cmd.Context(), logger, ask, func(ctx context.Context) error { return g.Serve(ctx, listeners...) })
			if err != nil {
				return coded{exitError, err} // not the signal, whose work was done
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&file, "config", "c", "/etc/sluice/sluice.yaml", "configuration file")
	return cmd
}

// reloadOn reloads the configuration at each signal until ctx is done. What comes of it is in
// the log.
func reloadOn(ctx context.Context, signals <-chan os.Signal, g *gateway.Gateway) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-signals:
			_, _ = g.Reload(ctx, false)
		}
	}
}

// gcPercent is how much garbage may grow beside the live heap, in percent of it.
const gcPercent = 50

// heapFloor is counted to the live heap and takes no memory, since nothing is ever written
// there: a gateway that holds a few MiB would else be collected many times a second.
const heapFloor = 32 << 20
