// Package network puts real networks' faults between the gateway and its stores.
package network

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"sluice/backends"
	"sluice/backends/s3"
	"sluice/gateway/mirror"
	"sluice/test/process"
	"sluice/test/servers"
)

var (
	seed  = flag.Uint64("seed", 1, "of the faults and the traffic")
	storm = flag.Duration("storm", 2500*time.Millisecond, "how long a network is sick in each test")
)

// What the gateways under test are configured with. A request lives in a sick network
// for as long as its weather stays, which is shorter than the quarantine.
const (
	syncTimeout  = 300 * time.Millisecond
	storeTimeout = 2 * time.Second
	quarantine   = 2 * time.Second

	settings = `
migration: { mirror: { sync_timeout: 300ms, store_timeout: 2s, quarantine: 2s }, backfill: { workers: 2 } }
cache: { memory: 32MiB }`
)

// rig is a gateway whose stores are each behind a network.
type rig struct {
	t                  *testing.T
	gateway            *process.Gateway
	client             *s3.Store
	net                map[string]*proxy // "old" and "new"
	oldStore, newStore *s3.Store         // past the networks
}

func newRig(t *testing.T, resets bool) *rig {
	t.Helper()
	_, oldStore, oldUp := process.Embedded(t, "old")
	// New is a MinIO: an embedded store's objects keep the metadata of those that
	// they replace, and with it the ETag of a copy that a repair made.
	minio := servers.MinIO(t)
	r := &rig{t: t, net: make(map[string]*proxy), oldStore: oldStore, newStore: minio.Store(t, "new", "bucket")}
	r.net["old"] = newProxy(t, "old", oldUp.Endpoint, resets)
	r.net["new"] = newProxy(t, "new", minio.Endpoint, resets)
	newUp := process.Of(minio, "bucket")
	oldUp.Endpoint, newUp.Endpoint = r.net["old"].endpoint(), r.net["new"].endpoint()
	r.gateway = process.Start(t, oldUp, newUp, settings)
	r.client = r.gateway.Client(t)
	return r
}

// fault makes a network sick for one round.
type fault func(t *testing.T, p *proxy, random *rand.Rand)

// run puts traffic through a rig while one store's network is sick, and asks of it
// what must hold whatever a network does.
func run(t *testing.T, sick string, resets bool, f fault) {
	r := newRig(t, resets)
	c := newTraffic(r, sick)
	c.start()
	random := rand.New(rand.NewPCG(*seed, uint64(len(t.Name()))))
	p := r.net[sick]
	for end := time.Now().Add(*storm); time.Now().Before(end); {
		f(t, p, random)
		lasts(between(random, 100, 500))
		p.heal(t)
		lasts(between(random, 20, 150))
	}
	f(t, p, random) // what is under way at the end meets a fault, too
	lasts(200 * time.Millisecond)
	behind := r.differing()
	p.heal(t)
	c.stop()
	healed := time.Now()
	process.Eventually(t, time.Minute, r.equal)
	settled := time.Since(healed)
	c.readAll()
	c.judge()
	if err := r.equal(t.Context()); err != nil {
		t.Errorf("the stores were equal, and are not any more: %v", err)
	}
	const bound = 200 << 20
	peak := r.gateway.PeakMemory(t) // fails if it died
	if peak > bound {
		t.Errorf("the gateway used %d MiB, more than %d", peak>>20, bound>>20)
	}
	t.Logf("%d faults; %s; %d keys differed at the end of the faults, none %v later; %d MiB resident at most",
		p.faults.Load(), c.figures(), behind, settled.Round(time.Millisecond), peak>>20)
	if p.faults.Load() == 0 || c.requests.Load() == 0 {
		t.Error("nothing was tested")
	}
}

// lasts is how long a state of the network lasts.
func lasts(d time.Duration) { <-time.After(d) }

// between is a random time, in milliseconds.
func between(random *rand.Rand, from, to int) time.Duration {
	return time.Duration(from+random.IntN(to-from)) * time.Millisecond
}

// equal: both stores hold the same keys with the same content.
func (r *rig) equal(ctx context.Context) error {
	old, err := content(ctx, r.oldStore)
	if err != nil {
		return err
	}
	new, err := content(ctx, r.newStore)
	if err != nil {
		return err
	}
	if keys := differences(old, new); len(keys) > 0 {
		return fmt.Errorf("%d keys differ, among them %q", len(keys), keys[0])
	}
	return nil
}

// differing counts the keys on which the stores differ now.
func (r *rig) differing() int {
	old, err := content(r.t.Context(), r.oldStore)
	new, err2 := content(r.t.Context(), r.newStore)
	if err := errors.Join(err, err2); err != nil {
		r.t.Log("comparing the stores under traffic: ", err)
	}
	return len(differences(old, new))
}

func differences(old, new map[string]string) (keys []string) {
	for key, value := range old {
		if new[key] != value {
			keys = append(keys, key)
		}
	}
	for key := range new {
		if _, ok := old[key]; !ok {
			keys = append(keys, key)
		}
	}
	return keys
}

// content is what a store holds: each object's hash.
func content(ctx context.Context, s backends.Reader) (map[string]string, error) {
	all := make(map[string]string)
	for o, err := range backends.Walk(ctx, s, backends.ListRequest{}) {
		if err != nil {
			return nil, err
		}
		if mirror.IsReserved(o.Key) {
			continue
		}
		got, err := s.Get(ctx, backends.GetRequest{Key: o.Key})
		if errors.Is(err, backends.ErrNotFound) {
			continue // deleted meanwhile
		}
		if err != nil {
			return nil, err
		}
		sum, err := hashOf(got.Body)
		got.Body.Close()
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		all[o.Key] = sum
	}
	return all, nil
}
