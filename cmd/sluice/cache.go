package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"sluice/gateway/admin"
	"sluice/gateway/cache"
)

func cacheCommand(p program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cache",
		Short: "Tell what the cache holds and does",
		Long: `Tell what the cache holds, in memory and on disk, how many reads it answered, and what that
saved the stores.`,
		Example: `  sluice cache
  sluice cache purge media --prefix accounts/`,
		Args: cobra.NoArgs,
	}
	cmd.AddCommand(purgeCommand(p))
	output := outputFlag(cmd)
	return operator(cmd, func(ctx context.Context, gateway *admin.Client, _ []string) error {
		s, err := gateway.Cache(ctx)
		switch {
		case err != nil:
			return err
		case output.value == "json":
			return printJSON(p.stdout, s)
		}
		return printCache(p.stdout, s)
	})
}

func printCache(w io.Writer, s cache.Stats) error {
	share := "none yet"
	if all := s.Hits + s.Misses; all > 0 {
		share = fmt.Sprintf("%d of %d reads (%.1f %%)", s.Hits, all, 100*float64(s.Hits)/float64(all))
	}
	return printTable(w, [][]string{
		{"answered", share},
		{"saved", size(s.Saved)},
		{"collapsed", count(s.Collapsed, "read")},
		{"memory", fmt.Sprintf("%s in %s, %d evicted", size(s.Bytes), count(s.Items, "item"), s.Evicted)},
		{"disk", fmt.Sprintf("%s in %s, %d evicted", size(s.Disk.Bytes), count(s.Disk.Items, "item"), s.Disk.Evicted)},
		{"", fmt.Sprintf("%d came back, %d not written, %d broken", s.Disk.Hits, s.Disk.Dropped, s.Disk.Broken)},
	})
}

func purgeCommand(p program) *cobra.Command {
	var prefix string
	var all bool
	cmd := &cobra.Command{
		Use:   "purge BUCKET [KEY...]",
		Short: "Drop what is cached of a bucket",
		Long: `Drop what is cached of a bucket: keys, all that begin with --prefix, or --all. It is
needed only after somebody wrote to a store directly: what is written, deleted or hidden
through the gateway leaves the cache at once.`,
		Example: `  sluice cache purge media accounts/avatars/1/original/cat.png
  sluice cache purge media --all`,
		Args: cobra.MinimumNArgs(1),
	}
	cmd.Flags().StringVar(&prefix, "prefix", "", "every key that begins with `PREFIX`")
	cmd.Flags().BoolVar(&all, "all", false, "every key of the bucket")
	output := outputFlag(cmd)
	return operator(cmd, func(ctx context.Context, gateway *admin.Client, args []string) error {
		o := admin.PurgeOrder{Keys: args[1:]}
		switch {
		case all && prefix != "", all && len(o.Keys) > 0, !all && prefix == "" && len(o.Keys) == 0:
			return usage("name keys, a --prefix, or --all")
		case all || prefix != "":
			o.Prefix = &prefix
		}
		r, err := gateway.Purge(ctx, args[0], o)
		switch {
		case err != nil:
			return err
		case output.value == "json":
			return printJSON(p.stdout, r)
		}
		_, err = fmt.Fprintf(p.stdout, "purged %s\n", count(int64(r.Purged), "key"))
		return err
	})
}
