package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"sluice/backends"
	"sluice/backends/s3"
	"sluice/gateway/config"
	"sluice/gateway/migrate"
	"sluice/gateway/mirror"
	"sluice/gateway/s3api"
)

// A bucket under the configuration's "*" comes and goes as clients create and
// delete it. Opening, creating and deleting one exclude each other (lifeOf): what a
// deletion empties on the new store must not be a new bucket's.

// createBucket makes a bucket of the wildcard on both stores. A client that makes
// sure of a configured bucket may go on: that one is the operator's to make.
func (g *gate) createBucket(c *call) error {
	r, err := c.Subresource(c.r.Method, c.body)
	if err != nil {
		return err
	}
	any, ok := g.config.Buckets[config.Wildcard]
	_, named := g.config.Buckets[c.Bucket]
	switch {
	case named:
		s3api.WriteSubresource(c.w, &backends.SubresourceResult{
			Status: http.StatusOK, Header: http.Header{"Location": {"/" + c.Bucket}},
		})
		return nil
	case !ok:
		return s3api.ErrorFor("AccessDenied", "Buckets are part of the gateway's configuration.")
	}
	result, err := g.createOnStores(c.r.Context(), any, c.Bucket, r)
	if err != nil {
		return err
	}
	if _, err := g.buckets.get(c.r.Context(), c.Bucket); err != nil {
		return err
	}
	s3api.WriteSubresource(c.w, result)
	return nil
}

// createOnStores: the old store's answer is the client's. The new one is not told
// the region, which is its own; what it makes nothing of is made when the bucket is
// opened.
func (g *gate) createOnStores(
	ctx context.Context, any config.Bucket, name string, r backends.SubresourceRequest,
) (*backends.SubresourceResult, error) {
	life := g.buckets.lifeOf(name)
	life.Lock()
	defer life.Unlock()
	old := g.bucket(any.Old, name)
	before := exists(ctx, old)
	result, err := old.ChangeSubresource(ctx, r)
	if err != nil {
		return nil, err
	}
	if errors.Is(before, backends.ErrNoBucket) {
		// What is known of a bucket of this name is of one that was removed
		// behind our back.
		g.buckets.forget(name)
		if err := g.drop(name); err != nil {
			return nil, err
		}
	}
	if any.New == "" {
		return result, nil
	}
	r.Body = nil
	if _, err := g.bucket(any.New, name).ChangeSubresource(ctx, r); err != nil {
		g.log.Info("the new store did not create a bucket as asked", "bucket", name, "error", err)
	}
	return result, nil
}

// findBucket opens a bucket that is not open: one of the wildcard that was not used
// yet, or one with a name whose stores were not there.
func (g *gate) findBucket(ctx context.Context, name string) (*openBucket, error) {
	mapping, named := g.config.Buckets[name]
	if any, ok := g.config.Buckets[config.Wildcard]; !named && ok {
		mapping = any
	} else if !named {
		return nil, fmt.Errorf("bucket %s is not configured: %w", name, backends.ErrNoBucket)
	}
	life := g.buckets.lifeOf(name)
	life.Lock()
	defer life.Unlock()
	if !named {
		if err := g.makeMirror(ctx, mapping, name); err != nil {
			return nil, err
		}
	}
	b, err := g.openBucket(ctx, name, mapping)
	if err != nil {
		return nil, err
	}
	g.buckets.add(b) // before another may delete it
	return b, nil
}

// makeMirror makes sure that the old store holds a bucket of the wildcard, and makes
// the new store's if it is missing.
func (g *gate) makeMirror(ctx context.Context, any config.Bucket, name string) error {
	phase, known := g.state.Phase(name)
	holder := any.Old
	if phase.Name == mirror.Switched || phase.Name == mirror.Completed {
		holder = any.New
	}
	if err := exists(ctx, g.bucket(holder, name)); err != nil || known || any.New == "" {
		return err
	}
	new := g.bucket(any.New, name)
	err := exists(ctx, new)
	if errors.Is(err, backends.ErrNoBucket) {
		err = new.CreateBucket(ctx)
	}
	if err != nil {
		return fmt.Errorf("bucket %s on the new store: %w", name, hideBucket(err))
	}
	return nil
}

// hideBucket keeps the new store's missing bucket from looking like the bucket's
// own absence.
func hideBucket(err error) error {
	var e *backends.Error
	if errors.As(err, &e) && errors.Is(err, backends.ErrNoBucket) {
		other := *e
		other.Kind = backends.ErrUnavailable
		return &other
	}
	return err
}

// exists asks a store for its bucket; backends.ErrNoBucket if it has none.
func exists(ctx context.Context, s *s3.Store) error {
	_, err := s.Subresource(ctx, backends.SubresourceRequest{
		Op: "GetBucketLocation", Method: http.MethodGet, Query: url.Values{"location": {""}},
	})
	return err
}

// bucketToRepair finds the bucket of a pending intent (migrate.Repairer.Bucket).
func (g *Gateway) bucketToRepair(ctx context.Context, name string) (*mirror.Bucket, error) {
	b, err := g.buckets.get(ctx, name)
	configured := g.now.Load().config.Buckets
	_, named := configured[name]
	_, any := configured[config.Wildcard]
	if !named && !any {
		return nil, nil
	}
	return b, err
}

// deleteBucket removes a bucket of the wildcard from both stores.
func (g *gate) deleteBucket(c *call) error {
	if _, named := g.config.Buckets[c.Bucket]; named {
		return s3api.ErrorFor("AccessDenied", "The bucket is part of the gateway's configuration.")
	}
	ctx, name := context.WithoutCancel(c.r.Context()), c.Bucket // begun, it is done
	life := g.buckets.lifeOf(name)
	life.Lock()
	defer life.Unlock()

	// The record goes first: should a crash leave the new store's bucket behind,
	// it must not pass for the mirror of a later bucket of this name.
	phase := c.bucket.Phase()
	if err := g.state.Drop(name); err != nil {
		return err
	}
	if err := g.removePrimary(ctx, c.bucket); err != nil {
		return errors.Join(err, g.state.SetPhase(name, phase))
	}
	if err := g.acls.Drop(name); err != nil {
		g.log.Warn("ACLs of a bucket that was removed are left in acl.db", "bucket", name, "error", err)
	}
	g.buckets.forget(name)
	if other := c.bucket.Secondary(); other != nil {
		if err := removeMirror(ctx, other, phase.Baseline); err != nil {
			g.log.Warn("the mirror of the bucket could not be removed", "bucket", name, "store", other.Name(), "error", err)
		}
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

// removePrimary removes the bucket that decides. Its marker would be in the way; if
// the bucket is not empty otherwise it is put back.
func (g *Gateway) removePrimary(ctx context.Context, b *mirror.Bucket) error {
	err := removeBucket(ctx, b.Primary())
	if !errors.Is(err, backends.ErrConflict) {
		return err
	}
	unmark, again := migrate.Unmark(ctx, b.Primary()), removeBucket(ctx, b.Primary())
	if again == nil {
		return nil
	}
	return errors.Join(err, unmark, migrate.CheckMarkers(ctx, b, g.state.ID(), true))
}

// removeMirror removes the new store's bucket. The old one was empty, or its store
// would not have removed it; so what is left here are copies of what is gone, and
// versions, which are never removed one by one. That holds on a proven baseline
// only: otherwise what a bucket holds may be nobody's copy, and stays.
func removeMirror(ctx context.Context, new backends.Store, baseline bool) error {
	err := removeBucket(ctx, new)
	if !errors.Is(err, backends.ErrConflict) || !baseline {
		return err
	}
	for {
		left, err := leftIn(ctx, new)
		if err != nil {
			return err
		}
		if len(left) == 0 {
			return removeBucket(ctx, new)
		}
		results, err := new.DeleteMany(ctx, backends.DeleteManyRequest{Objects: left})
		if err != nil {
			return err
		}
		for _, result := range results {
			if result.Err != nil {
				return result.Err
			}
		}
	}
}

// leftIn lists a page of what a store's bucket holds: versions, or objects where
// the store knows no versions.
func leftIn(ctx context.Context, s backends.Store) (left []backends.ObjectVersion, err error) {
	versions, err := s.ListVersions(ctx, backends.ListVersionsRequest{MaxKeys: 1000})
	if err == nil {
		for _, v := range versions.Versions {
			left = append(left, backends.ObjectVersion{Key: v.Key, VersionID: v.VersionID})
		}
		return left, nil
	}
	if !errors.Is(err, backends.ErrNotSupported) {
		return nil, err
	}
	objects, err := s.List(ctx, backends.ListRequest{MaxKeys: 1000})
	if err != nil {
		return nil, err
	}
	for _, o := range objects.Objects {
		left = append(left, backends.ObjectVersion{Key: o.Key})
	}
	return left, nil
}

// removeBucket removes a store's bucket, if it is empty.
func removeBucket(ctx context.Context, s backends.Store) error {
	_, err := s.ChangeSubresource(ctx, backends.SubresourceRequest{Op: string(s3api.DeleteBucket), Method: http.MethodDelete})
	return err
}
