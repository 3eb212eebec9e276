package mirror

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"

	"sluice/backends"
)

// route is the way of a copy.
type route struct{ from, to *Store }

// copyObject copies an object, as info describes the original now: its body, the
// headers that describe it, its tags, ACL and storage class, and its part layout, so
// that the ETag survives. With create it never replaces an object, where the target
// honours that.
//
// backends.Unknown tells of an error whether the target may have been changed.
func copyObject(ctx context.Context, r route, info *backends.Info, create bool) error {
	h, err := attributes(ctx, r, info)
	if err != nil {
		return notApplied(err)
	}
	if class := info.Header.Get(storageClass); class != "" && class != "STANDARD" {
		h.Set(storageClass, class)
	}
	sum := r.sumOf(info)
	err = copyWith(ctx, r, info, h, sum, create)
	var e *backends.Error
	if errors.As(err, &e) && e.Code == "InvalidStorageClass" && h.Get(storageClass) != "" {
		h.Del(storageClass) // classes are each provider's own
		err = copyWith(ctx, r, info, h, sum, create)
	}
	return err
}

const storageClass = "X-Amz-Storage-Class"

// copyWith copies an object under the headers, in the first way that both stores
// can.
func copyWith(ctx context.Context, r route, info *backends.Info, h http.Header, sum checksum, create bool) error {
	c := &partCopy{route: r, info: info, header: h, sum: sum, create: create}
	if n := partsOf(info.ETag); n > 1 {
		if err := c.run(ctx, c.originals(n)); !refused(err) {
			return err
		}
		if c.sum.name != "" { // perhaps it was the checksums
			c.sum = checksum{}
			if err := c.run(ctx, c.originals(n)); !refused(err) {
				return err
			}
		}
		// The parts can not be had, or the store wants others (of equal size,
		// say): only the copy's origin tells the ETag then.
	}
	if info.Size <= largestPut {
		if err := copyWhole(ctx, r, info, h, sum, create); !tooLarge(err) {
			return err
		}
	}
	c.sum = checksum{}
	return c.run(ctx, ranges(info.Size))
}

// copyWhole copies an object with one PUT.
func copyWhole(ctx context.Context, r route, info *backends.Info, h http.Header, sum checksum, create bool) error {
	o, err := r.from.Get(ctx, backends.GetRequest{Key: info.Key, IfMatch: info.ETag})
	if err != nil {
		return notApplied(err)
	}
	defer o.Body.Close()
	h = maps.Clone(h)
	if sum.whole {
		h.Set(sum.name, sum.value)
	}
	_, err = r.to.Put(ctx, backends.PutRequest{
		Key: info.Key, Body: o.Body, Size: o.Length, IfNoneMatch: create, Header: h,
	})
	return err
}

// attributes are the headers that give a copy what the original has beside its
// content.
func attributes(ctx context.Context, r route, info *backends.Info) (http.Header, error) {
	h := describing(info.Header)
	h.Set(originHeader, cmp.Or(info.Header.Get(originHeader), origin(info))) // a copy's copy has the same origin
	if r.tags() {
		tags, err := backends.Tags(ctx, r.from, info.Key)
		if err != nil {
			return nil, err
		}
		if len(tags) > 0 {
			h.Set("X-Amz-Tagging", tags.Encode())
		}
	}
	if r.acls() {
		acl, err := backends.CannedACL(ctx, r.from, info.Key)
		if err != nil {
			return nil, err
		}
		h.Set("X-Amz-Acl", acl)
	}
	return h, nil
}

// What both stores have can be copied and compared.
func (r route) tags() bool { return r.from.Profile.Tags && r.to.Profile.Tags }
func (r route) acls() bool { return r.from.Profile.ACLs && r.to.Profile.ACLs }
func (r route) sums() bool { return r.from.Profile.Checksums && r.to.Profile.Checksums }

// etags tells whether the ETags of both stores are hashes of the content.
func (r route) etags() bool { return r.from.Profile.MD5ETags && r.to.Profile.MD5ETags }

// notApplied says of a failed step before the last that the object is untouched,
// whatever became of the step itself.
func notApplied(err error) error {
	var e *backends.Error
	if !errors.As(err, &e) {
		return &backends.Error{Op: "copy", Kind: backends.ErrUnavailable, Err: err}
	}
	known := *e
	known.MaybeApplied = false
	return &known
}

// headOrAbsent describes a store's own object, its checksums too where it has them;
// nil for an object that is proven absent.
func (s *Store) headOrAbsent(ctx context.Context, key string) (*backends.Info, error) {
	info, err := s.Head(ctx, backends.GetRequest{Key: key, Header: s.header(primary, withSums())})
	if errors.Is(err, backends.ErrNotFound) {
		return nil, nil
	}
	return info, err
}

// equal compares two descriptions, then the bodies where those leave it open, then
// what hangs on the objects. An object must also look the same: with another ETag
// on view it is not equal (where ETags are hashes at all).
func (r route) equal(ctx context.Context, pi, si *backends.Info) (bool, error) {
	if pi == nil || si == nil {
		return pi == nil && si == nil, nil
	}
	if pi.Size != si.Size || !maps.EqualFunc(describing(pi.Header), describing(si.Header), slices.Equal) {
		return false, nil
	}
	if pi.ETag != si.ETag { // "…-N" is no content's hash, but hashes the parts' hashes
		if r.etags() && visibleETag(pi) != visibleETag(si) {
			return false, nil
		}
		same, err := sameContent(ctx, r.from, r.to, pi, si)
		if !same || err != nil {
			return false, err
		}
	}
	return r.sameAttributes(ctx, pi.Key)
}

// sameAttributes compares tags and ACLs, each where both stores have them.
func (r route) sameAttributes(ctx context.Context, key string) (bool, error) {
	if r.tags() {
		p, err := backends.Tags(ctx, r.from, key)
		if err != nil {
			return false, err
		}
		s, err := backends.Tags(ctx, r.to, key)
		if err != nil || p.Encode() != s.Encode() {
			return false, err
		}
	}
	if !r.acls() {
		return true, nil
	}
	pa, err := backends.CannedACL(ctx, r.from, key)
	if err != nil {
		return false, err
	}
	sa, err := backends.CannedACL(ctx, r.to, key)
	return pa == sa, err
}

// sameContent hashes both bodies.
func sameContent(ctx context.Context, p, s backends.Reader, pi, si *backends.Info) (bool, error) {
	var sums [2][]byte
	for i, side := range []struct {
		store backends.Reader
		info  *backends.Info
	}{{p, pi}, {s, si}} {
		o, err := side.store.Get(ctx, backends.GetRequest{Key: side.info.Key, IfMatch: side.info.ETag})
		if err != nil {
			return false, err
		}
		h := sha256.New()
		_, err = io.Copy(h, o.Body)
		o.Body.Close()
		if err != nil {
			return false, fmt.Errorf("reading %q on store %s to compare it: %w", side.info.Key, side.store.Name(), err)
		}
		sums[i] = h.Sum(nil)
	}
	return bytes.Equal(sums[0], sums[1]), nil
}
