package mirror

import (
	"context"
	"fmt"

	"sluice/backends"
	"sluice/gateway/cache"
	"sluice/gateway/journal"
)

// Public is a bucket as strangers may read it: an object that is not open to everyone is
// backends.ErrDenied.
type Public struct{ *Bucket }

// Get is Bucket.Get for strangers.
func (p Public) Get(ctx context.Context, r backends.GetRequest) (*backends.Object, Served, error) {
	return p.show(ctx, r, want{acl: true})
}

// Head is Bucket.Head for strangers.
func (p Public) Head(ctx context.Context, r backends.GetRequest) (*backends.Info, Served, error) {
	o, served, err := p.show(ctx, r, want{head: true, acl: true})
	if err != nil {
		return nil, served, err
	}
	return &o.Info, served, nil
}

// Held is an object of the cache that may be served as it is, whole: fresh, clean, and open
// to everyone.
func (p Public) Held(key string) (e *cache.Entry, body []byte, ok bool) {
	if IsReserved(key) {
		return nil, nil, false
	}
	v, st := p.view(), p.stamp(key)
	e, body = p.cache.Held(p.cacheKey(key))
	if e == nil || body == nil || e.Info.ACL == "" || !isPublic(e.Info.ACL) || !st.Clean || !st.Still() || !p.current(v) {
		return nil, nil, false
	}
	p.cache.Hit(e.Info.Size)
	return e, body, true
}

// showTries is how often a read looks again when its key is in use.
const showTries = 5

// show reads an object if it is public. A store answers object and ACL one after the other:
// where the key moved meanwhile, they may be of different writes.
func (p Public) show(ctx context.Context, r backends.GetRequest, w want) (*backends.Object, Served, error) {
	for range showTries {
		v, st := p.view(), p.stamp(r.Key)
		o, served, err := p.read(ctx, r, w)
		if err != nil {
			return nil, served, err
		}
		if st.Still() && p.current(v) {
			if isPublic(o.ACL) {
				return o, served, nil
			}
			o.Body.Close()
			return nil, served, &backends.Error{
				Store: "sluice", Op: "GetObject", Key: r.Key, Kind: backends.ErrDenied, Status: 403, Code: "AccessDenied",
			}
		}
		o.Body.Close()
	}
	return nil, Served{}, fmt.Errorf("%q is written to all the time: %w", r.Key, journal.ErrBusy)
}
