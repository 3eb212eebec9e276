package gateway

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"sluice/gateway/admin"
	"sluice/gateway/migrate"
)

// listenAdmin opens the socket. What a dead gateway left there is in the way; a living
// one would hold the directory's lock.
func (g *Gateway) listenAdmin(ctx context.Context) (net.Listener, error) {
	path := filepath.Join(g.config.StateDir, admin.SocketName)
	_ = os.Remove(path)
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("admin socket: %w", err)
	}
	return l, os.Chmod(path, 0o600)
}

func (g *Gateway) control() admin.Control {
	return admin.Control{
		Buckets: g.status, Command: g.command, Throttle: g.throttle,
		Verify: func(ctx context.Context, bucket string) (*migrate.Verification, error) {
			o, err := g.Operator(ctx, bucket)
			if err != nil {
				return nil, err
			}
			return o.Verify, nil
		},
	}
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

// command runs an operator's command on a bucket.
func (g *Gateway) command(ctx context.Context, name string, c migrate.Command, order migrate.Order) (migrate.Report, error) {
	o, err := g.Operator(ctx, name)
	if err != nil {
		return migrate.Report{}, err
	}
	life := g.buckets.lifeOf(name)
	life.Lock()
	defer life.Unlock()
	return o.Command(ctx, c, order)
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
