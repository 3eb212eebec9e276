package gateway

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

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
	return admin.Control{Status: g.status, Command: g.changePhase}
}

func (g *Gateway) status() []admin.Bucket {
	list := []admin.Bucket{}
	for _, b := range g.buckets.all() {
		list = append(list, admin.Bucket{Name: b.Name, Phase: b.Phase(), Pending: b.Pending()})
	}
	return list
}

// changePhase runs an operator's command on a bucket.
func (g *Gateway) changePhase(ctx context.Context, name string, c migrate.Command) error {
	b, err := g.buckets.get(ctx, name)
	if err != nil {
		return err
	}
	if b.New() == nil {
		return fmt.Errorf("%s: %w: bucket %s has no new store", c, migrate.ErrWrongPhase, name)
	}
	life := g.buckets.lifeOf(name)
	life.Lock()
	defer life.Unlock()
	m := &migrate.Migration{Bucket: b, State: g.state, Log: g.log, Hold: time.Duration(g.config.Migration.Hold)}
	return m.Do(ctx, c)
}
