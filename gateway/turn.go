package gateway

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"sluice/backends"
	"sluice/backends/s3"
	"sluice/gateway/config"
)

// openStores opens the stores that are new, and, for those that are talked to in another
// way, clients to take over. What a file of its own holds may be another by now.
func (t *turn) openStores(ctx context.Context) error {
	g := t.next
	g.stores = make(map[string]*store, len(g.config.Stores))
	for _, name := range slices.Sorted(maps.Keys(g.config.Stores)) {
		kept, c := t.former.stores[name], g.storeConfig(name)
		if g.stores[name] = kept; kept != nil && c.CAFile == "" && c.AccessKeyID != "" && reflect.DeepEqual(c, t.former.storeConfig(name)) {
			continue
		}
		as, err := g.openStore(ctx, name)
		if err != nil {
			return err
		}
		t.undo = append(t.undo, as.Close)
		if err := g.try(ctx, name, as.Store, kept); err != nil {
			return fmt.Errorf("stores.%s: %w", name, err)
		}
		if kept == nil {
			g.stores[name] = as
		} else {
			t.clients[kept] = as
		}
	}
	return nil
}

// try lists a bucket of a store. Settings that replace others need only be as good as those:
// a store that is down can not tell.
func (g *gate) try(ctx context.Context, name string, as *s3.Store, before *store) error {
	bucket := g.config.Stores[name].Bucket
	if bucket == "" {
		for _, client := range slices.Sorted(maps.Keys(g.config.Buckets)) {
			if b := g.config.Buckets[client]; client != config.Wildcard && (b.Old == name || b.New == name) {
				bucket = client
				break
			}
		}
	}
	ask := func(s *s3.Store) error {
		if bucket == "" {
			_, err := s.ListBuckets(ctx)
			return err
		}
		_, err := s.WithBucket(bucket).List(ctx, backends.ListRequest{MaxKeys: 1})
		return err
	}
	err := ask(as)
	if err == nil || before == nil {
		return err
	}
	var now, then *backends.Error
	if errors.As(err, &now) && errors.As(ask(before.Store), &then) && now.Kind == then.Kind && ctx.Err() == nil {
		return nil
	}
	return err
}

// openBuckets opens the buckets that have got a name.
func (t *turn) openBuckets(ctx context.Context) error {
	_, served := t.former.config.Buckets[config.Wildcard]
	for _, name := range slices.Sorted(maps.Keys(t.next.config.Buckets)) {
		if _, was := t.former.config.Buckets[name]; was || name == config.Wildcard {
			continue
		}
		if served { // by the wildcard, on the same stores
			if _, err := t.former.buckets.get(ctx, name); err != nil {
				return fmt.Errorf("buckets.%s: %w", name, err)
			}
			continue
		}
		_, known := t.next.state.Phase(name)
		if !known {
			t.undo = append(t.undo, func() {
				if err := t.next.state.Drop(name); err != nil {
					t.next.log.Warn("the state keeps a bucket of a configuration that was not taken", "bucket", name, "error", err)
				}
			})
		}
		b, err := t.next.openBucket(ctx, name, t.next.config.Buckets[name])
		if err != nil {
			return fmt.Errorf("buckets.%s: %w", name, err)
		}
		t.added = append(t.added, b)
	}
	return nil
}
