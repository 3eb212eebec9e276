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
		Args:  cobra.NoArgs,
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
