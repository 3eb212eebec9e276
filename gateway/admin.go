package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"sluice/backends"
	"sluice/gateway/admin"
	"sluice/gateway/config"
	"sluice/gateway/migrate"
	"sluice/gateway/mirror"
	"sluice/gateway/notify"
)

// listenAdmin opens the operators' socket, and their address if there is one. What a dead
// gateway left of the socket is in the way; a living one would hold the directory's lock.
func (g *Gateway) listenAdmin(ctx context.Context) (list []net.Listener, err error) {
	c := g.now.Load().config
	path := filepath.Join(c.StateDir, admin.SocketName)
	_ = os.Remove(path)
	var lc net.ListenConfig
	socket, err := lc.Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("admin socket: %w", err)
	}
	list = []net.Listener{socket}
	if err := os.Chmod(path, 0o600); err != nil || c.Listen.Admin == "" {
		return list, err
	}
	l, err := lc.Listen(ctx, "tcp", c.Listen.Admin)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen.admin: %w", err), socket.Close())
	}
	g.log.Info("operators are served", "address", l.Addr().String())
	return append(list, l), nil
}

func (g *Gateway) control() admin.Control {
	return admin.Control{
		Buckets: g.status, Command: g.command, Throttle: g.throttle, Cache: g.cache, Ready: g.ready,
		Metrics:      promhttp.HandlerFor(g.metrics.registry, promhttp.HandlerOpts{}),
		Certificates: g.listCertificates, Doctor: g.doctor, Reload: g.Reload,
		Conditions: func() []migrate.Condition { return g.now.Load().conditions() },
		TestNotify: func(ctx context.Context) []notify.Result { return g.now.Load().notifier.Test(ctx) },
		Events:     &g.events, Traces: &g.traces, Locate: g.locate,
		Traffic: (&traffic{metrics: g.metrics}).until,
		Verify: func(ctx context.Context, bucket string) (*migrate.Verification, error) {
			o, err := g.Operator(ctx, bucket)
			if err != nil {
				return nil, err
			}
			return o.Verify, nil
		},
	}
}

// locate tells where an object is.
func (g *Gateway) locate(ctx context.Context, bucket, key string) (mirror.Located, error) {
	b, err := g.buckets.getOpen(ctx, bucket)
	switch {
	case err != nil:
		return mirror.Located{}, err
	case b.operator != nil:
		return b.operator.Locate(ctx, key), nil
	}
	return b.Locate(ctx, key, ""), nil
}

// ready tells why clients should go elsewhere for a while. A store that is down is no
// reason: reads are answered by the other, and nobody else could do better.
func (g *Gateway) ready() error {
	switch {
	case g.draining.Load():
		return errors.New("the gateway is ending")
	case g.journal.Full():
		return errors.New("the journal holds as many pending writes as max_pending allows: writes are slowed down")
	}
	return nil
}

func (g *Gateway) status() []migrate.Status {
	list := []migrate.Status{}
	for _, b := range g.buckets.all() {
		if b.operator != nil {
			list = append(list, b.operator.Status())
		} else {
			list = append(list, migrate.Status{Bucket: b.Name, Old: b.Old().Name(), Phase: b.Phase(), Pending: b.Pending()})
		}
	}
	return list
}

// command runs an operator's command on a bucket; on the wildcard it does on all of its
// buckets.
func (g *Gateway) command(ctx context.Context, name string, c migrate.Command, order migrate.Order) (migrate.Report, error) {
	if name == config.Wildcard {
		return g.commandAll(ctx, c, order)
	}
	o, err := g.Operator(ctx, name)
	if err != nil {
		return migrate.Report{}, err
	}
	life := g.buckets.lifeOf(name)
	life.Lock()
	defer life.Unlock()
	return o.Command(ctx, c, order)
}

// commandAll runs a command on every bucket of the wildcard that it leads out of its
// phase: on none if a guard refuses for one of them. From then on a bucket that comes into
// being begins where the others are.
func (g *Gateway) commandAll(ctx context.Context, c migrate.Command, order migrate.Order) (migrate.Report, error) {
	all := migrate.Report{Bucket: config.Wildcard, Command: c, DryRun: order.DryRun}
	names, err := g.now.Load().wildcardBuckets(ctx)
	if err != nil {
		return all, err
	}
	looking := order
	looking.DryRun = true
	var affected []string
	refused := false
	for _, name := range names {
		r, err := g.command(ctx, name, c, looking)
		var refusal *migrate.RefusedError
		switch {
		case errors.Is(err, migrate.ErrWrongPhase):
			continue
		case errors.As(err, &refusal):
			r, refused = refusal.Report, true
		case err != nil:
			return all, fmt.Errorf("bucket %s: %w", name, err)
		}
		for _, guard := range r.Guards {
			guard.Message = name + ": " + guard.Message
			all.Guards = append(all.Guards, guard)
		}
		affected = append(affected, name)
		all.From, all.To, all.Steps, all.Notes = r.From, r.To, r.Steps, r.Notes
	}
	switch {
	case refused:
		return all, &migrate.RefusedError{Report: all}
	case len(affected) == 0 && len(names) > 0:
		return all, fmt.Errorf("%s: %w: none of the %d buckets is", c, migrate.ErrWrongPhase, len(names))
	case order.DryRun:
		return all, nil
	}
	for _, name := range affected {
		r, err := g.command(ctx, name, c, order)
		if err != nil {
			return all, fmt.Errorf("bucket %s: %w; run the command again for the rest", name, err)
		}
		all.Held = max(all.Held, r.Held)
	}
	if to, known := c.Leads(); known {
		if err := g.state.SetPhase(config.Wildcard, mirror.Phase{Name: to}); err != nil {
			return all, err
		}
	}
	all.Done = true
	return all, nil
}

// wildcardBuckets names the buckets that the old store holds and that have no mapping of
// their own.
func (g *gate) wildcardBuckets(ctx context.Context) ([]string, error) {
	any, ok := g.config.Buckets[config.Wildcard]
	if !ok {
		return nil, fmt.Errorf("there is no wildcard in the configuration: %w", backends.ErrNoBucket)
	}
	found, err := g.stores[any.Old].ListBuckets(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, b := range found {
		if _, named := g.config.Buckets[b.Name]; !named {
			names = append(names, b.Name)
		}
	}
	return names, nil
}

// Operator is who runs a bucket's migration.
func (g *Gateway) Operator(ctx context.Context, name string) (*migrate.Operator, error) {
	b, err := g.buckets.getOpen(ctx, name)
	if err != nil {
		return nil, err
	}
	if b.operator == nil {
		return nil, fmt.Errorf("%w: bucket %s has no new store", migrate.ErrWrongPhase, name)
	}
	return b.operator, nil
}
