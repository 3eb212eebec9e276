package main

import (
	"os"

	"github.com/spf13/cobra"

	"sluice/cmd/sluice/demo"
)

func demoCommand() *cobra.Command {
	var auto, keep bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Play a migration with two stores in this process and a Mastodon at work",
		Long: `Play a whole migration in half a minute: two stores in this process, a gateway between them,
and a Mastodon that goes on posting and deleting while its media moves, one store fails and
comes back. Nothing outside this process is touched.`,
		Example: `  sluice demo
  sluice demo --keep   # then try it with your own client`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			state, err := os.MkdirTemp("", "sluice-demo-")
			if err != nil {
				return err
			}
			defer os.RemoveAll(state)
			return demo.Run(cmd.Context(), demo.Options{Out: cmd.OutOrStdout(), Keep: keep && !auto, State: state})
		},
	}
	cmd.Flags().BoolVar(&auto, "auto", false, "end by itself; exit non-zero on a single wrong answer")
	cmd.Flags().BoolVar(&keep, "keep", false, "stay up at the end and print endpoint and keys")
	return cmd
}
