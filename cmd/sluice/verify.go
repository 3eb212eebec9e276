package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"sluice/gateway/admin"
	"sluice/gateway/migrate"
)

func verifyCommand(p program) *cobra.Command {
	var order migrate.VerifyOrder
	var background bool
	level := &choice{string(migrate.List), []string{string(migrate.List), string(migrate.Meta), string(migrate.Content)}}
	cmd := &cobra.Command{
		Use:   "verify [BUCKET]",
		Short: "Compare the stores, and print what differs",
		Long: `Compare the stores, and print a line for every key that is not the same on both:
+ missing on new, - extra on new, * different, ! could not be compared.

Keys that are being written are looked at again. The exit code is 4 if the stores differ.`,
		Example: `  sluice verify
  sluice verify media --level content --sample 5
  sluice verify media --fix --delete-extra --max-delete 100`,
		Args: cobra.MaximumNArgs(1),
	}
	cmd.Flags().Var(level, "level", "list compares keys, sizes and ETags; meta headers, tags and ACLs too; content the bytes too")
	complete(cmd, "level", level.allowed...)
	cmd.Flags().Float64Var(&order.Sample, "sample", 0, "with --level content: read only `PERCENT` of the objects")
	cmd.Flags().StringVar(&order.Prefix, "prefix", "", "look at keys that begin with `P` alone")
	cmd.Flags().BoolVar(&order.Fix, "fix", false, "make the secondary store hold what the primary holds")
	cmd.Flags().BoolVar(&order.DeleteExtra, "delete-extra", false, "with --fix: delete from the secondary what the primary lacks")
	cmd.Flags().Int64Var(&order.MaxDelete, "max-delete", 0, "with --delete-extra: delete at most `N` objects")
	cmd.Flags().BoolVar(&order.Restart, "restart", false, "begin anew, and not where an interrupted verification ended")
	cmd.Flags().BoolVar(&background, "background", false, "start it and return at once")
	cmd.AddCommand(findingsCommand(p))
	return operator(cmd, func(ctx context.Context, gateway *admin.Client, args []string) error {
		order.Level = migrate.Level(level.value)
		switch {
		case order.Sample < 0 || order.Sample > 100:
			return usage("--sample is a percentage")
		case order.Sample > 0 && order.Level != migrate.Content:
			return usage("--sample needs --level content")
		case order.DeleteExtra && (!order.Fix || order.MaxDelete <= 0):
			return usage("--delete-extra needs --fix and --max-delete")
		case order.MaxDelete != 0 && !order.DeleteExtra:
			return usage("--max-delete needs --delete-extra")
		}
		bucket, err := theBucket(ctx, gateway, args)
		if err != nil {
			return err
		}
		if background {
			if err := gateway.Verify(ctx, bucket, order); err != nil {
				return err
			}
			fmt.Fprintf(p.stderr, "it runs: sluice status --watch %s; what it finds: sluice verify findings %s\n", bucket, bucket)
			return nil
		}
		progress, err := p.verify(ctx, gateway, bucket, order)
		if err != nil {
			return err
		}
		if err := p.printFindings(ctx, gateway, bucket); err != nil {
			return err
		}
		fmt.Fprintf(p.stderr, "%s: %s\n", bucket, summary(progress))
		return verdict(bucket, progress)
	})
}

func findingsCommand(p program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "findings [BUCKET]",
		Short: "Print what the last verification found",
		Long: `Print what the last verification found, in the lines of verify; also while one runs in the
background.`,
		Example: `  sluice verify findings media | grep '^!'`,
		Args:    cobra.MaximumNArgs(1),
	}
	return operator(cmd, func(ctx context.Context, gateway *admin.Client, args []string) error {
		bucket, err := theBucket(ctx, gateway, args)
		if err != nil {
			return err
		}
		return p.printFindings(ctx, gateway, bucket)
	})
}

// verify starts a verification and follows it to its end. An interrupted one is
// stopped.
func (p program) verify(ctx context.Context, gateway *admin.Client, bucket string, order migrate.VerifyOrder) (progress migrate.Progress, err error) {
	defer func() {
		if ctx.Err() == nil {
			return
		}
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		if err := gateway.StopVerify(stop, bucket); err != nil {
			fmt.Fprintf(p.stderr, "the verification may still run: %v\n", err)
			return
		}
		fmt.Fprintln(p.stderr, "the verification was stopped; the next one goes on with it")
	}()
	if err := gateway.Verify(ctx, bucket, order); err != nil {
		return progress, err
	}
	err = p.follow(ctx, p.stderr, looker(gateway, bucket), func(list []migrate.Status) (bool, error) {
		v := list[0].Verify
		if v == nil || !ended(v) {
			return false, nil
		}
		progress = *v
		return true, nil
	})
	return progress, err
}

func (p program) printFindings(ctx context.Context, gateway *admin.Client, bucket string) error {
	findings, err := gateway.Findings(ctx, bucket)
	if err != nil {
		return err
	}
	defer findings.Close()
	_, err = io.Copy(p.stdout, findings)
	return err
}

// summary says what was found, and how much of the content was really read.
func summary(v migrate.Progress) string {
	words := []string{
		humanize.Comma(v.Same) + " same", humanize.Comma(v.Missing) + " missing", humanize.Comma(v.Extra) + " extra",
		humanize.Comma(v.Different) + " different", humanize.Comma(v.Failed) + " failed",
	}
	if v.Fixed > 0 {
		words = append(words, humanize.Comma(v.Fixed)+" fixed")
	}
	if v.Left > 0 {
		words = append(words, humanize.Comma(v.Left)+" left to reads by rules")
	}
	read := "no content was read"
	if v.Read.Objects > 0 {
		read = fmt.Sprintf("the content of %s (%s) was read", count(v.Read.Objects, "object"), size(v.Read.Bytes))
	}
	return strings.Join(words, ", ") + "; " + read
}

// verdict is nil if the stores hold the same, as far as was asked.
func verdict(bucket string, v migrate.Progress) error {
	differ := v.Missing + v.Extra + v.Different - v.Fixed
	switch {
	case v.State == migrate.Stopped:
		return fmt.Errorf("the verification of %s was stopped before its end", bucket)
	case differ > 0:
		return coded{exitDifferences, fmt.Errorf("%s: the stores differ in %s", bucket, count(differ, "object"))}
	case v.Failed > 0:
		return fmt.Errorf("%s: %s could not be compared", bucket, count(v.Failed, "object"))
	}
	return nil
}
