package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"sluice/gateway/admin"
	"sluice/gateway/express"
)

// drainTimeout is how long uploads in flight may go on after the end was asked
// for.
const drainTimeout = 2 * time.Minute

// Serve answers requests on the listeners until ctx is done, lets those in flight
// finish, and closes the gateway: the listeners first, the journal last.
func (g *Gateway) Serve(ctx context.Context, listeners ...net.Listener) error {
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- g.Run(background) }()

	server := &http.Server{
		Handler: g.certificates.Handler(g, refusePlain),
		// A client that does not get its headers across, or keeps a connection
		// for nothing, is let go. For bodies there is patience: they may be large.
		ReadHeaderTimeout: min(30*time.Second, time.Duration(g.config.Limits.ClientTimeout)),
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(g.log.Handler(), slog.LevelDebug),
	}
	operators := &http.Server{
		Handler: g.control().Handler(), ConnContext: admin.WithPeer,
		ReadHeaderTimeout: 30 * time.Second, ErrorLog: server.ErrorLog,
	}
	var serving sync.WaitGroup
	failed := make(chan error, len(listeners)+2)
	desks, err := g.listenAdmin(ctx)
	if err == nil && len(desks) > 1 {
		err = g.guard(operators)
	}
	if err != nil {
		listeners = append(listeners, desks...)
		for _, l := range listeners {
			err = errors.Join(err, l.Close())
		}
		stop()
		return errors.Join(err, <-ended)
	}
	for _, l := range desks {
		serving.Go(func() { failed <- operators.Serve(l) })
	}
	var fronts []*express.Listener
	for _, l := range listeners {
		g.log.Info("serving", "address", l.Addr().String())
		if len(g.public) > 0 && !g.config.Log.Access { // which has a line for every request
			front := g.express(l, server)
			fronts = append(fronts, front)
			l = front
		}
		serving.Go(func() { failed <- server.Serve(l) })
	}
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	g.draining.Store(true)
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if shutdown := server.Shutdown(drain); shutdown != nil {
		err = errors.Join(err, shutdown, server.Close())
	}
	for _, front := range fronts {
		err = errors.Join(err, front.Drain(drain))
	}
	err = errors.Join(err, operators.Close())
	serving.Wait()
	stop()
	return errors.Join(err, <-ended)
}

// express answers what it can of a listener's requests before the server.
func (g *Gateway) express(l net.Listener, server *http.Server) *express.Listener {
	return express.NewListener(l, express.Options{
		Find: g.find, Others: g.others(), Handler: server.Handler, ErrorLog: server.ErrorLog,
		Header: server.ReadHeaderTimeout, Idle: server.IdleTimeout, Client: time.Duration(g.config.Limits.ClientTimeout),
	})
}

// guard asks for the token of who does not come by the socket.
func (g *Gateway) guard(operators *http.Server) error {
	token, err := admin.Token(g.config.StateDir)
	operators.Handler = admin.Guard(operators.Handler, token)
	return err
}
