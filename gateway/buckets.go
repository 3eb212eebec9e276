package gateway

import (
	"maps"
	"net/http"
	"slices"
	"time"

	"sluice/backends"
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

// listBuckets names the buckets the client may use.
func (g *Gateway) listBuckets(c *call) error {
	names := g.credentials[c.who.AccessKeyID].Buckets
	if len(names) == 0 {
		names = slices.Collect(maps.Keys(g.buckets))
	}
	buckets := make([]s3api.Bucket, 0, len(names))
	for _, name := range slices.Sorted(slices.Values(names)) {
		buckets = append(buckets, s3api.Bucket{Name: name, Created: time.Unix(0, 0).UTC()})
	}
	s3api.WriteListBuckets(c.w, backends.Owner{ID: "sluice", DisplayName: "sluice"}, buckets)
	return nil
}

// createBucket lets a client that makes sure of its bucket go on; the buckets
// themselves are the configuration's.
func (g *Gateway) createBucket(c *call) error {
	if g.buckets[c.Bucket] == nil {
		return s3api.ErrorFor("AccessDenied", "Buckets are part of the gateway's configuration.")
	}
	if err := c.drain(); err != nil {
		return err
	}
	c.w.Header().Set("Location", "/"+c.Bucket)
	c.w.WriteHeader(http.StatusOK)
	return nil
}
