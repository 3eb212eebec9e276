package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"sluice/gateway/admin"
)

// patience is how long a shell may be kept waiting for words.
const patience = 2 * time.Second

// completeBucket completes a first argument by the buckets that the running gateway has:
// what comes of it asks the gateway anyway.
func completeBucket(with func(func(*admin.Client) error) error) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) (names []cobra.Completion, _ cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		err := with(func(gateway *admin.Client) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), patience)
			defer cancel()
			list, err := gateway.Buckets(ctx)
			for _, s := range list {
				names = append(names, cobra.CompletionWithDesc(s.Bucket, string(s.Name)))
			}
			return err
		})
		if err != nil {
			cobra.CompDebugln(err.Error(), false)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// complete completes a flag by words.
func complete(cmd *cobra.Command, flag string, words ...string) {
	// It fails for a flag that is not there alone, and that is in no shell's way.
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}
