package main

import (
	"fmt"
	"net"
	"time"

	"github.com/spf13/cobra"

	"sluice/gateway/config"
)

func healthcheckCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "healthcheck -c FILE",
		Short: "Tell whether the gateway on this machine accepts connections (for containers)",
		Long: `Tell by the exit code whether the gateway on this machine accepts connections at the address of
its configuration: 0 if it does, 8 if not. It is the HEALTHCHECK of containers; a load
balancer asks /readyz at listen.admin.`,
		Example: `  sluice healthcheck -c /etc/sluice/sluice.yaml`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := config.Load(file)
			if err != nil {
				return coded{exitConfigInvalid, err}
			}
			address := c.Listen.HTTP
			if address == "" {
				address = c.Listen.HTTPS
			}
			d := net.Dialer{Timeout: 5 * time.Second}
			conn, err := d.DialContext(cmd.Context(), "tcp", address)
			if err != nil {
				return coded{exitUnreachable, fmt.Errorf("the gateway does not answer: %w", err)}
			}
			return conn.Close()
		},
	}
	cmd.Flags().StringVarP(&file, "config", "c", "/etc/sluice/sluice.yaml", "configuration file")
	return cmd
}
