package gateway

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"sluice/backends"
	"sluice/backends/s3"
	"sluice/gateway/cache"
	"sluice/gateway/config"
	"sluice/gateway/journal"
	"sluice/gateway/migrate"
	"sluice/gateway/mirror"
	"sluice/gateway/sigv4"
)

// Open puts a gateway together from its configuration: the stores, the journal,
// the cache and a mirror.Bucket for each bucket. It works once Run runs.
func Open(ctx context.Context, c config.Config, log *slog.Logger) (*Gateway, error) {
	if err := os.MkdirAll(c.StateDir, 0o700); err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	state, err := migrate.OpenState(c.StateDir)
	if err != nil {
		return nil, err
	}
	records, err := journal.OpenLog(c.StateDir)
	if err != nil {
		return nil, err
	}
	memory := cache.New(cache.Options{
		MaxBytes: int64(c.Cache.Memory), MaxObject: int64(c.Cache.MaxObjectSize), TTL: time.Duration(c.Cache.TTL),
	})
	m := c.Migration.Mirror
	g := &Gateway{
		log: log, cache: memory, requests: make(chan struct{}, c.Limits.Requests),
		buckets: make(map[string]*mirror.Bucket),
		journal: journal.New(records, journal.Options{
			Limit: m.MaxPending, Quarantine: time.Duration(m.Quarantine),
			Changed: func(k journal.Key) { memory.Remove(cache.Key(k)) },
		}),
	}
	g.identify(c)
	if err := g.openBuckets(ctx, c, state); err != nil {
		return nil, errors.Join(err, g.journal.Close())
	}
	g.repairer = &migrate.Repairer{
		Journal: g.journal, Buckets: g.buckets, Log: log,
		Workers: c.Migration.Backfill.Workers, Timeout: time.Hour,
	}
	return g, nil
}

// identify sets up who may sign requests and what for.
func (g *Gateway) identify(c config.Config) {
	g.credentials = make(map[string]config.Credential, len(c.Credentials))
	for _, k := range c.Credentials {
		g.credentials[k.AccessKeyID] = k
		// Upload ids are authenticated with the clients' secrets: those are the
		// same on every gateway and survive the loss of the state directory.
		key := sha256.Sum256([]byte("sluice upload ids\x00" + k.SecretAccessKey))
		g.uploadKeys = append(g.uploadKeys, key[:])
	}
	g.verifier = &sigv4.Verifier{Secret: func(id string) (string, bool) {
		k, ok := g.credentials[id]
		return k.SecretAccessKey, ok
	}}
	for name := range c.Hosts {
		g.hosts = append(g.hosts, name)
	}
}

func (g *Gateway) openBuckets(ctx context.Context, c config.Config, state *migrate.State) error {
	stores := make(map[string]backends.Store, len(c.Stores))
	for name, s := range c.Stores {
		store, err := openStore(ctx, name, s)
		if err != nil {
			return err
		}
		stores[name] = store
	}
	for name, b := range c.Buckets {
		bucket, err := g.openBucket(ctx, name, stores[b.Old], stores[b.New], c, state)
		if err != nil {
			return fmt.Errorf("bucket %s: %w", name, err)
		}
		g.buckets[name] = bucket
	}
	return nil
}

func openStore(ctx context.Context, name string, s config.Store) (*s3.Store, error) {
	return s3.New(ctx, s3.Config{
		Name: name, Endpoint: s.Endpoint, Region: s.Region, Bucket: s.Bucket,
		AccessKeyID: s.AccessKeyID, SecretAccessKey: s.SecretAccessKey, SessionToken: s.SessionToken,
		SharedCredentialsFile: s.CredentialsFile, Profile: s.Profile,
		VirtualHost: s.Addressing == "virtual", CAFile: s.CAFile, MaxConns: s.MaxConnections,
	})
}

// openBucket finds out where a bucket is in its migration. A bucket seen for the
// first time with two stores starts mirroring: new must be proven empty, or every
// key counts as dirty and is read from old alone (R11).
func (g *Gateway) openBucket(ctx context.Context, name string, old, new backends.Store, c config.Config, state *migrate.State) (*mirror.Bucket, error) {
	m := c.Migration.Mirror
	o := mirror.Options{
		SyncTimeout: time.Duration(m.SyncTimeout), StoreTimeout: time.Duration(m.StoreTimeout),
		FailOnSecondary: m.OnSecondaryError == "fail", ReadPrimary: m.Reads == "primary",
		CopyWorkers: c.Migration.Backfill.Workers, UploadKeys: g.uploadKeys,
	}
	phase, known := state.Phase(name)
	if new == nil {
		if known && phase.Name != mirror.Passthrough {
			return nil, fmt.Errorf("it is %s by the state directory, but the configuration gives it no new store: "+
				"put the store back", phase.Name)
		}
		return mirror.New(name, old, nil, mirror.Phase{Name: mirror.Passthrough}, g.journal, g.cache, g.log, o), nil
	}
	if !known {
		// Nothing was acknowledged on a bucket without a record, so an empty
		// new store proves that whatever it holds later came through here.
		empty, err := migrate.Empty(ctx, new)
		if err != nil {
			return nil, err
		}
		phase = mirror.Phase{Name: mirror.Mirroring, Epoch: 1, Baseline: empty}
		if err := state.SetPhase(name, phase); err != nil {
			return nil, err
		}
	}
	if !phase.Baseline {
		g.log.Warn("the new store was not empty when mirroring started: reads ask the old store alone",
			"bucket", name, "store", new.Name())
	}
	conditional, err := backends.ProbeConditionalCreate(ctx, new)
	if err != nil {
		g.log.Warn("the new store could not be probed for conditional writes; copies go without them",
			"bucket", name, "store", new.Name(), "error", err)
	}
	o.ConditionalCreate = conditional && err == nil
	return mirror.New(name, old, new, phase, g.journal, g.cache, g.log, o), nil
}
