// Package tls opens the gateway's listeners and keeps their certificates.
package tls

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
)

// Options say where to listen, and with which certificate.
type Options struct {
	HTTP, HTTPS       string // addresses; an empty one is not opened
	CertFile, KeyFile string // PEM; for HTTPS
}

// Listen opens the addresses. The caller closes the listeners; on an error none
// is left open.
func Listen(ctx context.Context, o Options) ([]net.Listener, error) {
	var open []net.Listener
	listen := func(address string, config *tls.Config) error {
		if address == "" {
			return nil
		}
		var lc net.ListenConfig
		l, err := lc.Listen(ctx, "tcp", address)
		if err != nil {
			return fmt.Errorf("listening on %s: %w", address, err)
		}
		if config != nil {
			l = tls.NewListener(l, config)
		}
		open = append(open, l)
		return nil
	}
	err := listen(o.HTTP, nil)
	if err == nil && o.HTTPS != "" {
		var cert tls.Certificate
		if cert, err = tls.LoadX509KeyPair(o.CertFile, o.KeyFile); err == nil {
			err = listen(o.HTTPS, &tls.Config{
				MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert},
				NextProtos: []string{"h2", "http/1.1"},
			})
		} else {
			err = fmt.Errorf("certificate for https: %w", err)
		}
	}
	if err != nil {
		for _, l := range open {
			err = errors.Join(err, l.Close())
		}
		return nil, err
	}
	return open, nil
}
