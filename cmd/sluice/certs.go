package main

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"sluice/gateway/admin"
)

func certsCommand(p program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "certs",
		Short: "Show the certificates: for which names, by whom, for how long, and what went wrong",
		Long: `Show the certificates of the gateway: for which names, by whom, how many days they have left,
why one could not be had, and when that is tried again.`,
		Example: `  sluice certs
  sluice certs -o json`,
		Args: cobra.NoArgs,
	}
	output := outputFlag(cmd)
	return operator(cmd, func(ctx context.Context, gateway *admin.Client, _ []string) error {
		list, err := gateway.Certificates(ctx)
		if err != nil {
			return err
		}
		if output.value == "json" {
			return printJSON(p.stdout, list)
		}
		return printCertificates(p.stdout, list)
	})
}

func printCertificates(w io.Writer, all admin.Certificates) error {
	if all.Mode == "off" {
		_, err := fmt.Fprintln(w, "tls.mode is off: there are no certificates")
		return err
	}
	rows := [][]string{{"NAME", "ISSUER", "DAYS LEFT", "UNTIL", "LAST ERROR"}}
	for _, c := range all.List {
		row := []string{c.Name, "none yet", "-", stamp(c.NotAfter), c.Error}
		if !c.NotAfter.IsZero() {
			row[1], row[2] = c.Issuer, strconv.Itoa(c.DaysLeft)
		}
		if c.Error != "" && !c.Next.IsZero() {
			row[4] += "; next attempt " + stamp(c.Next)
		}
		rows = append(rows, row)
	}
	if err := printTable(w, rows); err != nil || all.CA == "" {
		return err
	}
	_, err := fmt.Fprintln(w, "\nthe local CA's certificate, for clients to trust:", all.CA)
	return err
}
