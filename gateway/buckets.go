package gateway

import (
	"maps"
	"slices"
	"time"

	"sluice/backends"
	"sluice/gateway/config"
	"sluice/gateway/s3api"
)

// region is what clients are told; a signature for any region is taken.
const region = "us-east-1"

func (c *call) list() error {
	r, err := c.List()
	if err != nil {
		return err
	}
	page, err := c.bucket.List(c.r.Context(), r.ListRequest)
	if err != nil {
		return err
	}
	s3api.WriteList(c.w, c.Request, r, page)
	return nil
}

func (c *call) headBucket() error {
	s3api.WriteHeadBucket(c.w, region)
	return nil
}

func (c *call) location() error {
	s3api.WriteLocation(c.w, region)
	return nil
}

func (c *call) listVersions() error {
	r, err := c.ListVersions()
	if err != nil {
		return err
	}
	page, err := c.bucket.ListVersions(c.r.Context(), r.ListVersionsRequest)
	if err != nil {
		return err
	}
	s3api.WriteVersions(c.w, c.Request, r, page)
	return nil
}

// subresource passes a document on: reads from the primary, changes to both stores.
func (c *call) subresource() error {
	r, err := c.Subresource(c.r.Method, c.body)
	if err != nil {
		return err
	}
	run := c.bucket.Subresource
	if c.Op.Mutation() {
		run = c.bucket.ChangeSubresource
	}
	result, err := run(c.r.Context(), r)
	if err != nil {
		return err
	}
	if c.Op == s3api.PutBucketCors || c.Op == s3api.DeleteBucketCors {
		c.g.cors.Purge()
	}
	s3api.WriteSubresource(c.w, result)
	return nil
}

// listBuckets names the buckets the client may use: those of the configuration,
// and, under the wildcard, those of the old store.
func (g *gate) listBuckets(c *call) error {
	page, err := c.ListBuckets()
	if err != nil {
		return err
	}
	created := make(map[string]time.Time)
	if any, ok := g.config.Buckets[config.Wildcard]; ok {
		found, err := g.stores[any.Old].ListBuckets(c.r.Context())
		if err != nil {
			return err
		}
		for _, b := range found {
			created[b.Name] = b.Created
		}
	}
	for name := range g.config.Buckets {
		if name != config.Wildcard {
			created[name] = time.Unix(0, 0).UTC()
		}
	}
	var buckets []s3api.Bucket
	for _, name := range slices.Sorted(maps.Keys(created)) {
		if !g.rightsOf(c.who, name).none {
			buckets = append(buckets, s3api.Bucket{Name: name, Created: created[name]})
		}
	}
	s3api.WriteListBuckets(c.w, page, backends.Owner{ID: c.who.AccessKeyID, DisplayName: c.who.AccessKeyID}, region, buckets)
	return nil
}
