package tls

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"

	"sluice/backends/socket"
)

// Listen opens the addresses, plain and with TLS; an empty one is not opened. The caller
// closes the listeners; on an error none is left open.
func Listen(ctx context.Context, http, https string, config *tls.Config) ([]net.Listener, error) {
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
		l = socket.Listener{Listener: l}
		if config != nil {
			l = tls.NewListener(l, config)
		}
		open = append(open, l)
		return nil
	}
	err := listen(http, nil)
	if err == nil && https != "" {
		if err = listen(https, config); config == nil {
			err = errors.Join(err, errors.New("https needs certificates: tls.mode is off"))
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
