package chaos

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/backends"
	"sluice/backends/s3"
	"sluice/gateway/migrate"
	"sluice/gateway/mirror"
	"sluice/test/process"
	"sluice/test/servers"
)

var kills = flag.Int("kills", 3, "how often to kill the gateway in the histories over real stores")

// TestKills plays histories through the gateway's program over two real stores whose
// connections fail, while phases change forward and back, and kills it again and
// again. Each cycle has keys of its own, so that every key has a short history.
func TestKills(t *testing.T) {
	oldServer, newServer := servers.MinIO(t), servers.Versity(t)
	oldStore, newStore := oldServer.Store(t, "old", process.Bucket), newServer.Store(t, "new", process.Bucket)
	old, new := startProxy(t, oldServer.Endpoint, *seed), startProxy(t, newServer.Endpoint, *seed+1)
	oldUp, newUp := process.Of(oldServer, process.Bucket), process.Of(newServer, process.Bucket)
	oldUp.Endpoint, newUp.Endpoint = old.http.URL, new.http.URL
	g := process.Start(t, oldUp, newUp, "migration: { hold: 500ms, mirror: { sync_timeout: 500ms, store_timeout: 2s, quarantine: 1s } }")
	r := &kitchen{t: t, g: g, client: g.Client(t), old: old, new: new, history: newHistory(), random: rand.New(rand.NewPCG(*seed, 3))}
	for cycle := range *kills {
		r.cycle(cycle)
	}
	r.settle(oldStore, newStore)
	t.Logf("%d kills, %d operations, %d faults, phase changes %v", *kills, r.operations.Load(), old.injected.Load()+new.injected.Load(), r.changes)
	for _, key := range r.keys {
		if wrong, ops := r.history.checkKeys([]string{key}); wrong != "" {
			t.Errorf("seed %d: %s was never so\n%s", *seed, wrong, describe(ops))
		}
	}
}

// kitchen is the gateway's process with everything around it.
type kitchen struct {
	t          *testing.T
	g          *process.Gateway
	client     *s3.Store
	old, new   *proxy
	history    *history
	random     *rand.Rand
	keys       []string // of all cycles
	operations atomic.Int64
	changes    map[migrate.Command]int
}

// cycle plays clients on new keys until the gateway is killed, and starts it again.
func (k *kitchen) cycle(n int) {
	var keys []string
	for i := range 3 {
		keys = append(keys, fmt.Sprintf("cycle%04d/%d", n, i))
	}
	k.keys = append(k.keys, keys...)
	percent := []int64{0, 5, 20}[k.random.IntN(3)]
	k.old.faults.Store(percent)
	k.new.faults.Store(percent)
	// In an outage hardly an operation has a known outcome, and the checker must
	// consider every one of them: there are fewer.
	outage, turns := n%5 == 4, int64(12)
	if outage {
		turns = 4
	}
	ctx, cancel := context.WithCancel(k.t.Context())
	var clients sync.WaitGroup
	var done atomic.Int64
	for id := range 4 {
		random := rand.New(rand.NewPCG(*seed+uint64(n), uint64(id)))
		clients.Go(func() {
			var serial atomic.Int64
			for ctx.Err() == nil && serial.Add(1) <= turns {
				c := &call{
					service: k.client, history: k.history, client: n*10 + id, serial: &serial, keys: keys,
					note: func(string, ...any) {}, broken: func() bool { return false }, began: k.history.began(),
				}
				c.run(ctx, op{Name: draw(random, false), Key: random.IntN(3), From: random.IntN(3)})
				done.Add(1)
				k.operations.Add(1)
			}
		})
	}
	if n%3 == 0 { // a phase changes only when nothing is pending, which a kill leaves
		process.Eventually(k.t, time.Minute, k.quiet)
		changed := make(chan struct{})
		clients.Go(func() { defer close(changed); k.change() })
		if k.random.IntN(3) > 0 { // else the kill may come in the middle of it
			<-changed
		}
	}
	if outage {
		[]*proxy{k.old, k.new}[k.random.IntN(2)].faults.Store(100)
	}
	want := 2 + int64(k.random.IntN(int(turns))) // fewer than they do in all
	process.Eventually(k.t, time.Minute, func(context.Context) error {
		if done.Load() < want {
			return errors.New("the clients are not that far yet")
		}
		return nil
	})
	k.g.Kill(k.t)
	cancel()
	clients.Wait()
	k.old.faults.Store(0)
	k.new.faults.Store(0)
	k.g.Restart(k.t)
}

// change makes the phase go one step, forward or back, if it can now.
func (k *kitchen) change() {
	status, err := k.g.Operator(k.t).Buckets(k.t.Context())
	if err != nil || len(status) == 0 {
		k.t.Logf("no phase change: %v, %d buckets", err, len(status))
		return
	}
	command := migrate.Switch
	if status[0].Phase.Name == mirror.Switched {
		command = migrate.Rollback
	}
	order := migrate.Order{Override: []string{"backfilled", "verified"}}
	if command == migrate.Rollback {
		order.Override = nil
	}
	if _, err := k.g.Operator(k.t).Command(k.t.Context(), "media", command, order); err != nil {
		k.t.Logf("%v", err) // writes were under way, or left pending
		return
	}
	if k.changes == nil {
		k.changes = make(map[migrate.Command]int)
	}
	k.changes[command]++
}

// settle waits until nothing is pending, has every key read, which copies what new
// lacks, and compares the stores.
func (k *kitchen) settle(old, new *s3.Store) {
	process.Eventually(k.t, time.Minute, k.quiet)
	process.Eventually(k.t, time.Minute, func(ctx context.Context) error {
		for _, key := range k.keys {
			if err := k.finalRead(ctx, key); err != nil {
				return err
			}
		}
		return errors.Join(k.quiet(ctx), k.equal(ctx, old, new))
	})
	var serial atomic.Int64
	for _, key := range k.keys {
		c := &call{
			service: k.client, history: k.history, client: -1, serial: &serial, keys: []string{key},
			note: func(string, ...any) {}, broken: func() bool { return false }, began: k.history.began(),
		}
		c.run(k.t.Context(), op{Name: "get"})
		c.began = k.history.began()
		c.run(k.t.Context(), op{Name: "read tag"})
	}
}

// quiet: nothing is open or pending.
func (k *kitchen) quiet(ctx context.Context) error {
	status, err := k.g.Operator(k.t).Buckets(ctx)
	switch {
	case err != nil:
		return err
	case len(status) == 0:
		return k.finalRead(ctx, k.keys[0]) // which opens the bucket
	case status[0].Pending > 0:
		return fmt.Errorf("%d writes are pending", status[0].Pending)
	}
	return nil
}

func (k *kitchen) finalRead(ctx context.Context, key string) error {
	o, err := k.client.Get(ctx, backends.GetRequest{Key: key})
	if errors.Is(err, backends.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	defer o.Body.Close()
	_, err = io.Copy(io.Discard, o.Body)
	return err
}

// equal compares the stores' objects: contents, headers and tags.
func (k *kitchen) equal(ctx context.Context, old, new *s3.Store) error {
	for _, key := range k.keys {
		o, err := k.describe(ctx, old, key)
		if err != nil {
			return err
		}
		n, err := k.describe(ctx, new, key)
		if err != nil {
			return err
		}
		if o != n {
			return fmt.Errorf("%s: old holds %q, new %q", key, o, n)
		}
	}
	return nil
}

func (k *kitchen) describe(ctx context.Context, s *s3.Store, key string) (string, error) {
	o, err := s.Get(ctx, backends.GetRequest{Key: key})
	if errors.Is(err, backends.ErrNotFound) {
		return "nothing", nil
	}
	if err != nil {
		return "", err
	}
	defer o.Body.Close()
	content, err := io.ReadAll(o.Body)
	if err != nil {
		return "", err
	}
	tags, err := backends.Tags(ctx, s, key)
	return strings.Join([]string{hash(content), o.Header.Get("Content-Type"), tags.Encode()}, " "), err
}
