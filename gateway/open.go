package gateway

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"sluice/backends"
	"sluice/backends/acl"
	"sluice/backends/s3"
	"sluice/gateway/cache"
	"sluice/gateway/config"
	"sluice/gateway/journal"
	"sluice/gateway/migrate"
	"sluice/gateway/migrate/throttle"
	"sluice/gateway/mirror"
	"sluice/gateway/spans"
	"sluice/tls"
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
	acls, err := acl.OpenRecords(c.StateDir)
	if err != nil {
		return nil, errors.Join(err, records.Close())
	}
	objects := cache.New(cacheOptions(c))
	slow, err := throttle.New(c.Migration.Backfill.Limits())
	if err != nil {
		return nil, errors.Join(err, records.Close(), acls.Close())
	}
	m := c.Migration.Mirror
	g := &Gateway{
		log: log, metrics: newMetrics(), throttle: slow, cache: objects, state: state, acls: acls,
		forms: make(chan struct{}, formSlots), cors: newCORSAnswers(),
		examination: make(chan struct{}, 1), buckets: bucketSet{open: make(map[string]*openBucket)},
		journal: journal.New(records, journal.Options{
			Limit: m.MaxPending, Quarantine: time.Duration(m.Quarantine),
			Changed: func(k journal.Key) { objects.Remove(cache.Key(k)) },
		}),
	}
	g.reloads.init()
	g.metrics.registry.MustRegister(cacheMetrics{objects}, stateMetrics{g})
	n, err := newGate(g, c, nil)
	if err != nil {
		return nil, errors.Join(err, g.Close())
	}
	g.now.Store(n)
	g.remember(c.StateDir)
	if g.spans, err = spans.Open(ctx, os.Getenv, log); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	if g.certificates, err = tls.Open(n.certificateOptions()); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	if err := n.openBuckets(ctx); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	g.repairer = &migrate.Repairer{
		Journal: g.journal, Bucket: g.bucketToRepair, Log: log,
		Workers: repairWorkers, Timeout: time.Hour, Span: g.spans.Background,
	}
	return g, nil
}

func cacheOptions(c config.Config) cache.Options {
	return cache.Options{
		MaxBytes: int64(c.Cache.Memory), MaxObject: int64(c.Cache.MaxObjectSize),
		TTL: time.Duration(c.Cache.TTL), Stale: time.Duration(c.Cache.Stale), Absent: time.Duration(c.Cache.NegativeTTL),
		Dir: cmp.Or(c.Cache.Directory, filepath.Join(c.StateDir, "cache")), MaxDisk: int64(c.Cache.Disk),
		SpoolDir: c.StateDir, MaxSpool: int64(c.Cache.Spool),
	}
}

const (
	repairWorkers = 8 // repairs under way at once
	lazyWorkers   = 8 // copies under way at once that a bucket's reads asked for
)

// openBuckets opens the stores, what they were seen to do, and the buckets that
// have a name.
func (g *gate) openBuckets(ctx context.Context) error {
	g.stores = make(map[string]*store, len(g.config.Stores))
	for name := range g.config.Stores {
		var err error
		if g.stores[name], err = g.openStore(ctx, name); err != nil {
			return err
		}
	}
	g.buckets.find = func(ctx context.Context, name string) (*openBucket, error) { return g.now.Load().findBucket(ctx, name) }
	for name, b := range g.config.Buckets {
		if name == config.Wildcard {
			continue
		}
		bucket, err := g.openBucket(ctx, name, b)
		switch {
		case errors.Is(err, backends.ErrUnavailable):
			// The other buckets need not wait for its stores. It is opened
			// when a client asks for it and they are there.
			g.log.Warn("a bucket can not be served yet", "bucket", name, "error", err)
		case err != nil:
			return fmt.Errorf("bucket %s: %w", name, err)
		default:
			g.buckets.add(bucket)
		}
	}
	return nil
}

func (g *gate) openStore(ctx context.Context, name string) (kept *store, err error) {
	kept = new(store)
	c := g.storeConfig(name)
	c.Observe, c.Trace = g.observer(name, &kept.reach), g.call(name)
	kept.Store, err = s3.New(ctx, c)
	return kept, err
}

func (g *gate) storeConfig(name string) s3.Config {
	c := g.config.Stores[name].S3(name)
	c.Stall = time.Duration(g.config.Migration.Mirror.StoreTimeout)
	return c
}

// observer tells of a store's answers: metrics, who knows whether it answers, and the
// throttle, as of old store or new, or as of both.
func (g *Gateway) observer(name string, r *reach) func(took time.Duration, err error) {
	return func(took time.Duration, err error) {
		g.metrics.asked(name, took, err)
		r.observe(err)
		side := g.now.Load().sides[name]
		if side.old {
			g.throttle.Observe(throttle.OldStore, took, err)
		}
		if side.new {
			g.throttle.Observe(throttle.NewStore, took, err)
		}
	}
}

// store is a configured store. Without a bucket of its own it holds any, under the
// names that clients use.
type store struct {
	*s3.Store
	circuit mirror.Circuit
	reach   reach

	mu     sync.Mutex
	probed bool
}

// bucket is the store's bucket for one that clients know by name.
func (g *gate) bucket(storeName, name string) *s3.Store {
	if g.config.Stores[storeName].Bucket != "" {
		return g.stores[storeName].Store
	}
	return g.stores[storeName].WithBucket(name)
}

// profile is what a store was seen to do: tried once after each start, on the first
// bucket of it that is opened, and remembered for the starts at which it is down.
func (g *gate) profile(ctx context.Context, name string, bucket *s3.Store) backends.Profile {
	s := g.stores[name]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.probed {
		return g.state.Profile(name)
	}
	p, err := backends.Probe(ctx, bucket)
	if err == nil {
		err = g.state.SetProfile(name, p)
		s.probed = true
	}
	if err != nil {
		g.log.Warn("it could not be tried what the store supports; what was seen earlier counts", "store", name, "error", err)
		return g.state.Profile(name)
	}
	g.log.Info("store tried", "store", name, "conditional_create", p.ConditionalCreate, "checksums", p.Checksums,
		"trailers", p.Trailers, "acls", p.ACLs, "tags", p.Tags, "md5_etags", p.MD5ETags)
	return p
}

// openBucket finds out where a bucket is in its migration. One that is seen for the first
// time has not begun with it.
func (g *gate) openBucket(ctx context.Context, name string, b config.Bucket) (*openBucket, error) {
	old := g.bucket(b.Old, name)
	o := mirror.Options{
		Settings:    func() *mirror.Settings { return &g.now.Load().mirror },
		CopyWorkers: lazyWorkers, Span: g.spans.Background, Versioned: versioned(ctx, old),
		OneServer: b.New != "" && g.config.Stores[b.Old].Endpoint == g.config.Stores[b.New].Endpoint,
	}
	phase, known := g.state.Phase(name)
	if b.New == "" {
		if known && phase.Name != mirror.Passthrough {
			return nil, fmt.Errorf("it is %s by the state directory, but the configuration gives it no new store: "+
				"put the store back", phase.Name)
		}
		only := mirror.New(name, g.mirrored(ctx, name, b.Old, old), nil, mirror.Phase{Name: mirror.Passthrough}, g.journal, g.cache, g.log, o)
		return &openBucket{Bucket: only}, nil
	}
	new := g.bucket(b.New, name)
	if !known {
		var err error
		if phase, err = g.firstPhase(ctx, name, old, new); err != nil {
			return nil, err
		}
	}
	bucket := mirror.New(name, g.mirrored(ctx, name, b.Old, old), g.mirrored(ctx, name, b.New, new), phase, g.journal, g.cache, g.log, o)
	if err := migrate.CheckMarkers(ctx, bucket, g.state.ID(), known); err != nil {
		return nil, err
	}
	if !known {
		if err := errors.Join(migrate.ForgetRecords(g.config.StateDir, name), g.state.SetPhase(name, phase)); err != nil {
			return nil, err
		}
	}
	operator, err := migrate.NewOperator(
		&migrate.Migration{
			Bucket: bucket, State: g.state, Log: g.log, Life: g.buckets.lifeOf(name),
			Hold: func() time.Duration { return time.Duration(g.now.Load().config.Migration.Hold) },
		},
		g.throttle, func() []config.Rule { return g.now.Load().config.Migration.Backfill.Order }, g.config.StateDir,
	)
	if err != nil {
		return nil, err
	}
	operator.Audit.Told = g.audited
	return &openBucket{Bucket: bucket, operator: operator}, nil
}

// firstPhase is where a bucket begins that there is no record of: before its migration;
// or, under a wildcard, where the others are.
func (g *gate) firstPhase(ctx context.Context, name string, old, new *s3.Store) (mirror.Phase, error) {
	phase := mirror.Phase{Name: mirror.Passthrough, Epoch: 1}
	_, named := g.config.Buckets[name]
	any, begun := g.state.Phase(config.Wildcard)
	if named || !begun || any.Name == mirror.Passthrough {
		return phase, nil
	}
	// Nothing was acknowledged on a bucket without a record, so an empty new store
	// proves that whatever it holds later came through here.
	newEmpty, err := migrate.Empty(ctx, new)
	if err != nil {
		return phase, err
	}
	if any.Name == mirror.Mirroring {
		phase.Name, phase.Baseline = mirror.Mirroring, newEmpty
		return phase, nil
	}
	oldEmpty, err := migrate.Empty(ctx, old)
	if newEmpty && oldEmpty { // it has just been created; its second epoch gives it a marker
		phase = mirror.Phase{Name: any.Name, Epoch: 2, Baseline: true, Backfilled: true}
	}
	return phase, err
}

// mirrored is a configured store's bucket as a mirror takes it: with ACLs in any case.
func (g *gate) mirrored(ctx context.Context, clients, name string, bucket *s3.Store) *mirror.Store {
	c := g.config.Stores[name]
	s := &mirror.Store{Store: bucket, Profile: g.profile(ctx, name, bucket), Circuit: &g.stores[name].circuit, ReadOnly: c.ReadOnly}
	if !s.Profile.ACLs || c.ACLs == config.ACLsKept {
		s.Store = acl.Keep(bucket, g.acls, clients)
	}
	return s
}

// versioned tells whether a store's bucket keeps versions, or once did. A store
// that does not say is found out by its answers.
func versioned(ctx context.Context, s *s3.Store) bool {
	answer, err := s.Subresource(ctx, backends.SubresourceRequest{
		Op: "GetBucketVersioning", Method: http.MethodGet, Query: url.Values{"versioning": {""}},
	})
	return err == nil && bytes.Contains(answer.Body, []byte("<Status>"))
}
