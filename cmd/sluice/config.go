package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"sluice/gateway/config"
)

func configCommand(p program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Check, show or reload a configuration",
	}
	with := func(use, short string, run func(cmd *cobra.Command, file string, c config.Config) error) {
		var file string
		sub := &cobra.Command{
			Use: use, Short: short, Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				c, err := config.Load(file)
				if err != nil {
					return coded{exitConfigInvalid, err}
				}
				return run(cmd, file, c)
			},
		}
		sub.Flags().StringVarP(&file, "config", "c", "/etc/sluice/sluice.yaml", "configuration `FILE`")
		cmd.AddCommand(sub)
	}
	with("validate", "Tell everything that is wrong with a configuration", func(cmd *cobra.Command, file string, c config.Config) error {
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s is good: %s, %s, %s\n", file,
			count(int64(len(c.Buckets)), "bucket"), count(int64(len(c.Stores)), "store"), count(int64(len(c.Hosts)), "host"))
		return err
	})
	with("show", "Show a configuration with its defaults, and without its secrets", func(cmd *cobra.Command, _ string, c config.Config) error {
		raw, err := c.Show()
		if err == nil {
			_, err = cmd.OutOrStdout().Write(raw)
		}
		return err
	})
	cmd.AddCommand(reloadCommand(p))
	return cmd
}
