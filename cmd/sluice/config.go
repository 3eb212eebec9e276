package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"sluice/gateway/config"
)

func configCommand(p program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Check, show or reload a configuration, or tell what one may hold",
		Long: `Check, show or reload a configuration, or tell what one may hold. docs/config.md has every
setting.`,
		Example: `  sluice config validate -c sluice.yaml`,
	}
	with := func(use, short, long string, run func(cmd *cobra.Command, file string, c config.Config) error) {
		var file string
		sub := &cobra.Command{
			Use: use, Short: short, Long: long, Args: cobra.NoArgs,
			Example: "  sluice config " + use + " -c sluice.yaml",
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
	with("validate", "Tell everything that is wrong with a configuration", `Read a configuration with its environment and the files it names, as serve does, and tell
everything that is wrong with it, each with its place. The exit code is 7 then. No store is
asked: that is what doctor does.`, func(cmd *cobra.Command, file string, c config.Config) error {
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s is good: %s, %s, %s\n", file,
			count(int64(len(c.Buckets)), "bucket"), count(int64(len(c.Stores)), "store"), count(int64(len(c.Hosts)), "host"))
		return err
	})
	with("show", "Show a configuration with its defaults, and without its secrets", `Show a configuration as it is in force: with the default of everything that it leaves out,
and "(hidden)" for every secret.`, func(cmd *cobra.Command, _ string, c config.Config) error {
		raw, err := c.Show()
		if err == nil {
			_, err = cmd.OutOrStdout().Write(raw)
		}
		return err
	})
	cmd.AddCommand(schemaCommand())
	cmd.AddCommand(reloadCommand(p))
	return cmd
}

func schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of configurations",
		Long: `Print the JSON Schema (draft 2020-12) of configurations, by which editors complete and check
them: names, types, words, defaults and what they mean.`,
		Example: `  sluice config schema > sluice.schema.json
  # the first line of sluice.yaml, for editors with yaml-language-server:
  # yaml-language-server: $schema=sluice.schema.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(config.Schema)
			return err
		},
	}
}
