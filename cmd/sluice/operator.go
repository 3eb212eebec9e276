package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sluice/gateway/admin"
	"sluice/gateway/config"
	"sluice/gateway/migrate"
)

// operator makes cmd talk to the running gateway.
func operator(cmd *cobra.Command, run func(ctx context.Context, gateway *admin.Client, args []string) error) *cobra.Command {
	var file, socket string
	cmd.Flags().StringVarP(&file, "config", "c", "/etc/sluice/sluice.yaml", "the gateway's configuration `FILE`")
	cmd.Flags().StringVar(&socket, "socket", "", "the gateway's admin socket, instead of the one in the configured state_dir (`PATH`)")
	with := func(run func(gateway *admin.Client) error) error {
		if socket == "" {
			dir, err := config.StateDir(file)
			if err != nil {
				return coded{exitConfigInvalid, err}
			}
			socket = filepath.Join(dir, admin.SocketName)
		}
		gateway := admin.NewClient(socket)
		defer gateway.Close()
		return run(gateway)
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return with(func(gateway *admin.Client) error { return run(cmd.Context(), gateway, args) })
	}
	if strings.Contains(cmd.Use, "BUCKET") {
		cmd.ValidArgsFunction = completeBucket(with)
	}
	return cmd
}

// theBucket is the one that was named, or the only one that there is.
func theBucket(ctx context.Context, gateway *admin.Client, args []string) (string, error) {
	if len(args) > 0 {
		return args[0], nil
	}
	list, err := gateway.Buckets(ctx)
	if err != nil {
		return "", err
	}
	if len(list) == 1 {
		return list[0].Bucket, nil
	}
	names := make([]string, len(list))
	for i, s := range list {
		names[i] = s.Bucket
	}
	return "", usage("name a bucket; %d are open: %s", len(names), strings.Join(names, ", "))
}

// statusOf tells of one bucket.
func statusOf(ctx context.Context, gateway *admin.Client, bucket string) (migrate.Status, error) {
	list, err := gateway.Buckets(ctx)
	if err != nil {
		return migrate.Status{}, err
	}
	i := slices.IndexFunc(list, func(s migrate.Status) bool { return s.Bucket == bucket })
	if i < 0 {
		return migrate.Status{}, &admin.Error{Kind: admin.NoBucket, Message: fmt.Sprintf("there is no bucket %q", bucket)}
	}
	return list[i], nil
}

// looker looks at one bucket.
func looker(gateway *admin.Client, bucket string) func(context.Context) ([]migrate.Status, error) {
	return func(ctx context.Context) ([]migrate.Status, error) {
		s, err := statusOf(ctx, gateway, bucket)
		return []migrate.Status{s}, err
	}
}

// condition is one of a bucket's conditions; the zero Condition if it has none of that
// type.
func condition(s migrate.Status, name string) migrate.Condition {
	for _, c := range s.Conditions {
		if c.Type == name {
			return c
		}
	}
	return migrate.Condition{}
}

// choice is a flag that takes one of a few words.
type choice struct {
	value   string
	allowed []string
}

func (c *choice) String() string { return c.value }
func (c *choice) Type() string   { return strings.Join(c.allowed, "|") }

func (c *choice) Set(word string) error {
	if !slices.Contains(c.allowed, word) {
		return fmt.Errorf("it is one of %s", strings.Join(c.allowed, ", "))
	}
	c.value = word
	return nil
}

// outputFlag is the choice between words for people and the API's own document.
func outputFlag(cmd *cobra.Command) *choice {
	c := &choice{"table", []string{"table", "json"}}
	cmd.Flags().VarP(c, "output", "o", "how to print the answer")
	complete(cmd, "output", c.allowed...)
	return c
}
