package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sluice/gateway/admin"
	"sluice/gateway/mirror"
)

func objectCommand(p program) *cobra.Command {
	var bucket string
	cmd := &cobra.Command{
		Use:   "object KEY",
		Short: "Tell where an object is, and what is to become of it",
		Long: `Tell what both stores and the cache hold of an object, which writes of it are not settled, from
where a client's read is answered now, and in a sentence how it stands with it.`,
		Example: `  sluice object media_attachments/files/000/001/original/a.png
  sluice object a.png --bucket mastodata -o json`,
		Args: cobra.ExactArgs(1),
	}
	cmd.Flags().StringVar(&bucket, "bucket", "", "the object's `BUCKET`, where there are several")
	output := outputFlag(cmd)
	return operator(cmd, func(ctx context.Context, gateway *admin.Client, args []string) error {
		var named []string
		if bucket != "" {
			named = []string{bucket}
		}
		bucket, err := theBucket(ctx, gateway, named)
		if err != nil {
			return err
		}
		l, err := gateway.Object(ctx, bucket, args[0])
		switch {
		case err != nil:
			return err
		case output.value == "json":
			return printJSON(p.stdout, l)
		}
		return printObject(p.stdout, l)
	})
}

func printObject(w io.Writer, l mirror.Located) error {
	rows := [][]string{
		{"object", fmt.Sprintf("%s %q", l.Bucket, l.Key)},
		{"phase", string(l.Phase)},
		{"verdict", l.Verdict},
		{"read from", l.ReadFrom},
		{"cached", cachedWords(l)},
	}
	for _, in := range l.Intents {
		rows = append(rows, []string{"intent", fmt.Sprintf("%s, %s for %v, outcome %s", in.Kind, in.State, in.Age.Round(time.Millisecond), in.Outcome)})
	}
	if err := printTable(w, rows); err != nil {
		return err
	}
	holdings := []mirror.Holding{l.Old}
	if l.New != nil {
		holdings = append(holdings, *l.New)
	}
	table := [][]string{{"", "STORE", "SIZE", "ETAG", "MODIFIED", "ACL"}}
	var headers []string
	for i, h := range holdings {
		side := []string{"old", "new"}[i]
		row := []string{side, h.Store, "absent"}
		if h.Present {
			row = []string{side, h.Store, size(h.Size), h.ETag, stamp(h.Modified), cmp.Or(h.ACL, "unknown")}
		} else if h.Error != "" {
			row[2] = "unknown"
		}
		if table = append(table, row); h.Error != "" {
			headers = append(headers, side+"  ! "+h.Error)
		}
		for _, name := range slices.Sorted(maps.Keys(h.Headers)) {
			headers = append(headers, fmt.Sprintf("%s  %s: %q", side, name, strings.Join(h.Headers[name], ", ")))
		}
	}
	fmt.Fprintln(w)
	if err := printTable(w, table); err != nil || len(headers) == 0 {
		return err
	}
	_, err := fmt.Fprintln(w, "\n"+strings.Join(headers, "\n"))
	return err
}

func cachedWords(l mirror.Located) string {
	c := l.Cached
	if !c.Held {
		return "no"
	}
	words := []string{"in " + c.Where}
	if c.Absent {
		words = append(words, "as absent")
	}
	if c.State != "" {
		words = append(words, c.State, fmt.Sprintf("seen %v ago", c.Age.Round(time.Second)), fmt.Sprintf("ttl %v", c.TTL))
	}
	return strings.Join(append(words, size(c.Bytes)), ", ")
}
