package gateway

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"sluice/backends"
	"sluice/gateway/config"
	"sluice/gateway/mirror"
	"sluice/gateway/s3api"
	"sluice/gateway/sigv4"
)

// rights are what one client may do with one bucket.
type rights struct {
	none     bool     // nothing at all
	readOnly bool     // nothing that could change a store
	objects  bool     // GetObject and HeadObject alone
	prefixes []string // with which keys must begin; none: any key
}

// rightsOf answers what the configuration grants. A client without a signature
// may read objects where a bucket is open to everyone, and never list them.
func (g *gate) rightsOf(who *sigv4.Identity, bucket string) rights {
	if who.Anonymous {
		b, named := g.config.Buckets[bucket]
		if !named {
			b = g.config.Buckets[config.Wildcard]
		}
		return rights{none: b.Anonymous != config.AnonymousRead, readOnly: true, objects: true}
	}
	k := g.credentials[who.AccessKeyID]
	return rights{
		none:     bucket != "" && len(k.Buckets) > 0 && !slices.Contains(k.Buckets, bucket),
		readOnly: k.ReadOnly, prefixes: k.Prefixes,
	}
}

// mayUse tells whether the rights reach a key. Keys below the reserved prefix are
// Sluice's own and belong to nobody else.
func (r rights) mayUse(key string) bool {
	if r.none || mirror.IsReserved(key) {
		return false
	}
	return len(r.prefixes) == 0 ||
		slices.ContainsFunc(r.prefixes, func(p string) bool { return strings.HasPrefix(key, p) })
}

// readsObject tells whether the request reads an object as it is now. An older
// version is what somebody replaced or removed: S3 has a right of its own for it.
func (c *call) readsObject() bool {
	return (c.Op == s3api.GetObject || c.Op == s3api.HeadObject) && !c.Query.Has("versionId")
}

// checkOwner asks the primary whether a bucket belongs to the account that a client
// expects, if it says one.
func (c *call) checkOwner(b *mirror.Bucket, header string) error {
	owner := c.Header.Get(header)
	if owner == "" || b == nil {
		return nil
	}
	_, err := b.Subresource(c.r.Context(), backends.SubresourceRequest{
		Op: string(s3api.GetBucketLocation), Method: http.MethodGet, Query: url.Values{"location": {""}},
		Header: http.Header{"X-Amz-Expected-Bucket-Owner": {owner}},
	})
	return err
}

// ofWholeBucket are the operations on a bucket that a client whose keys must begin
// with a prefix may call. Of DeleteObjects and PostObject each key is looked at
// when it is known.
var ofWholeBucket = []s3api.Op{s3api.HeadBucket, s3api.GetBucketLocation, s3api.DeleteObjects, s3api.PostObject}

// allowed decides whether the client may do what it asks, as far as that can be
// told before the body is read.
func (c *call) allowed() error {
	r := c.rights
	may := !r.none && !(r.readOnly && c.Op.Mutation()) && !(r.objects && !c.readsObject())
	switch {
	case c.Bucket == "": // ListBuckets names what the client may use
	case c.Key != "":
		may = may && r.mayUse(c.Key)
	case len(r.prefixes) > 0 && !slices.Contains(ofWholeBucket, c.Op):
		may = may && strings.HasPrefix(string(c.Op), "List") && r.mayUse(c.Query.Get("prefix"))
	}
	if !may {
		return s3api.ErrorFor("AccessDenied", "")
	}
	return nil
}
