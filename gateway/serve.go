package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"sluice/gateway/admin"
	"sluice/gateway/events"
	"sluice/gateway/express"
)

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
		ReadHeaderTimeout: g.now.Load().headerTimeout(),
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(g.log.Handler(), slog.LevelDebug),
	}
	attended, leave := context.WithCancel(background)
	defer leave()
	operators := &http.Server{
		Handler: g.control().Handler(), ConnContext: admin.WithPeer, BaseContext: func(net.Listener) context.Context { return attended },
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
		front := g.express(l)
		fronts = append(fronts, front)
		serving.Go(func() { failed <- server.Serve(front) })
	}
	g.happened(events.Info, "the gateway has started")
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	g.happened(events.Info, "the gateway is ending")
	err = errors.Join(err, g.drain(ctx, server, fronts, func(ctx context.Context) error {
		leave()
		return dismiss(ctx, operators)
	}))
	serving.Wait()
	stop()
	return errors.Join(err, <-ended)
}

// drain takes no further requests, lets those in flight finish, and breaks off what does
// not in time. Operators are served until then, and then left.
func (g *Gateway) drain(ctx context.Context, server *http.Server, fronts []*express.Listener, leave func(context.Context) error) error {
	g.draining.Store(true)
	g.reloads.end()
	limit := time.Duration(g.now.Load().config.Limits.Drain)
	g.log.Info("ending: requests in flight may finish; a second signal breaks them off", "requests", g.requests.taken.Load(), "within", limit)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	err := server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, server.Close())
	}
	for _, front := range fronts {
		err = errors.Join(err, front.Drain(ctx))
	}
	err = errors.Join(err, leave(ctx))
	select {
	case g.examination <- struct{}{}: // the one under way has removed its canaries, and no other begins
	case <-ctx.Done():
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("requests that did not end within limits.drain, %v, were broken off", limit)
	}
	return err
}

const idleTimeout = 2 * time.Minute

// headerTimeout is what a client has for its headers. net/http keeps to that of the start.
func (g *gate) headerTimeout() time.Duration {
	return min(30*time.Second, time.Duration(g.config.Limits.ClientTimeout))
}

// dismiss tells operators who follow something that it ends. Somebody who takes nothing is
// not waited for.
func dismiss(ctx context.Context, operators *http.Server) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if operators.Shutdown(ctx) != nil {
		return operators.Close()
	}
	return nil
}

// express answers what it can of a listener's requests before the server, by the gate in
// force.
func (g *Gateway) express(l net.Listener) *express.Listener {
	g.reloads.seen.Lock()
	defer g.reloads.seen.Unlock()
	front := express.NewListener(l, g.now.Load().expressOptions())
	g.reloads.fronts = append(g.reloads.fronts, front)
	return front
}

func (g *gate) expressOptions() express.Options {
	o := express.Options{Header: g.headerTimeout(), Idle: idleTimeout, Client: time.Duration(g.config.Limits.ClientTimeout)}
	if len(g.public) > 0 && !g.config.Log.Access && g.spans == nil { // which tell of every request
		o.Find, o.Others = g.find, g.others()
		o.Handler, o.ErrorLog = g.certificates.Handler(g.Gateway, refusePlain), slog.NewLogLogger(g.log.Handler(), slog.LevelDebug)
	}
	return o
}

// guard asks for the token of who does not come by the socket.
func (g *Gateway) guard(operators *http.Server) error {
	token, err := admin.Token(g.now.Load().config.StateDir)
	operators.Handler = admin.Guard(operators.Handler, token)
	return err
}
