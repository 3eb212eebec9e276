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

// copyObject copies an object of the primary, as info describes it now, to the
// secondary: its body, the headers that describe it, its tags, ACL and storage class, and its part
// layout, so that the ETag survives. With create it never replaces an object, where
// the secondary honours that.
//
// backends.Unknown tells of an error whether the secondary may have been changed.
func copyObject(ctx context.Context, v view, info *backends.Info, create bool) error {
	h, err := attributes(ctx, v, info)
	if err != nil {
		return notApplied(err)
	}
	if class := info.Header.Get(storageClass); class != "" && class != "STANDARD" {
		h.Set(storageClass, class)
	}
	sum := sumOf(v, info)
	err = copyWith(ctx, v, info, h, sum, create)
	var e *backends.Error
	if errors.As(err, &e) && e.Code == "InvalidStorageClass" && h.Get(storageClass) != "" {
		h.Del(storageClass) // classes are each provider's own
		err = copyWith(ctx, v, info, h, sum, create)
	}
	return err
}

const storageClass = "X-Amz-Storage-Class"

// copyWith copies an object under the headers, in the first way that both stores
// can.
func copyWith(ctx context.Context, v view, info *backends.Info, h http.Header, sum checksum, create bool) error {
	c := &partCopy{v: v, info: info, header: h, sum: sum, create: create}
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
		if err := copyWhole(ctx, v, info, h, sum, create); !tooLarge(err) {
			return err
		}
	}
	c.sum = checksum{}
	return c.run(ctx, ranges(info.Size))
}

// copyWhole copies an object with one PUT.
func copyWhole(ctx context.Context, v view, info *backends.Info, h http.Header, sum checksum, create bool) error {
	o, err := v.primary.Get(ctx, backends.GetRequest{Key: info.Key, IfMatch: info.ETag})
	if err != nil {
		return notApplied(err)
	}
	defer o.Body.Close()
	h = maps.Clone(h)
	if sum.whole {
		h.Set(sum.name, sum.value)
	}
	_, err = v.secondary.Put(ctx, backends.PutRequest{
		Key: info.Key, Body: o.Body, Size: o.Length, IfNoneMatch: create, Header: h,
	})
	return err
}

// attributes are the headers that give a copy what the original has beside its
// content.
func attributes(ctx context.Context, v view, info *backends.Info) (http.Header, error) {
	h := describing(info.Header)
	h.Set(originHeader, cmp.Or(info.Header.Get(originHeader), origin(info))) // a copy's copy has the same origin
	if v.bothTag() {
		tags, err := backends.Tags(ctx, v.primary, info.Key)
		if err != nil {
			return nil, err
		}
		if len(tags) > 0 {
			h.Set("X-Amz-Tagging", tags.Encode())
		}
	}
	if v.profile[primary].ACLs && v.profile[secondary].ACLs {
		acl, err := backends.CannedACL(ctx, v.primary, info.Key)
		if err != nil {
			return nil, err
		}
		h.Set("X-Amz-Acl", acl)
	}
	return h, nil
}

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
func (v view) headOrAbsent(ctx context.Context, s side, key string) (*backends.Info, error) {
	info, err := v.store(s).Head(ctx, backends.GetRequest{Key: key, Header: v.header(s, withSums())})
	if errors.Is(err, backends.ErrNotFound) {
		return nil, nil
	}
	return info, err
}

// equal compares two descriptions, then the bodies where those leave it open, then
// what hangs on the objects. An object must also look the same: with another ETag
// on view it is not equal (where ETags are hashes at all).
func equal(ctx context.Context, v view, pi, si *backends.Info) (bool, error) {
	if pi == nil || si == nil {
		return pi == nil && si == nil, nil
	}
	if pi.Size != si.Size || !maps.EqualFunc(describing(pi.Header), describing(si.Header), slices.Equal) {
		return false, nil
	}
	if pi.ETag != si.ETag { // "…-N" is no content's hash, but hashes the parts' hashes
		if v.comparableETags() && visibleETag(pi) != visibleETag(si) {
			return false, nil
		}
		same, err := sameContent(ctx, v.primary, v.secondary, pi, si)
		if !same || err != nil {
			return false, err
		}
	}
	return sameAttributes(ctx, v, pi.Key)
}

// comparableETags tells whether the ETags of both stores are hashes of the content.
func (v view) comparableETags() bool {
	return v.profile[primary].MD5ETags && v.profile[secondary].MD5ETags
}

// bothTag tells whether both stores have tags.
func (v view) bothTag() bool { return v.profile[primary].Tags && v.profile[secondary].Tags }

// sameAttributes compares tags and ACLs, each where both stores have them.
func sameAttributes(ctx context.Context, v view, key string) (bool, error) {
	if v.bothTag() {
		p, err := backends.Tags(ctx, v.primary, key)
		if err != nil {
			return false, err
		}
		s, err := backends.Tags(ctx, v.secondary, key)
		if err != nil || p.Encode() != s.Encode() {
			return false, err
		}
	}
	if !v.profile[primary].ACLs || !v.profile[secondary].ACLs {
		return true, nil
	}
	pa, err := backends.CannedACL(ctx, v.primary, key)
	if err != nil {
		return false, err
	}
	sa, err := backends.CannedACL(ctx, v.secondary, key)
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

// Reconcile makes the secondary hold what the primary holds of a key, and tells
// whether it had to. The caller runs it under the key's pending intents (R4).
// backends.Unknown tells of an error whether the secondary may still change.
func (b *Bucket) Reconcile(ctx context.Context, key string) (changed bool, err error) {
	v := b.view()
	p, err := v.headOrAbsent(ctx, primary, key)
	if err != nil {
		return false, err
	}
	s, err := v.headOrAbsent(ctx, secondary, key)
	b.turned(b.circuit.count(err), err) // writes learn of it, too
	if err != nil {
		return false, err
	}
	same, err := equal(ctx, v, p, s)
	switch {
	case errors.Is(err, backends.ErrNotFound):
		return true, nil // it changed while it was looked at: look again
	case err != nil:
		return false, notApplied(err)
	case same:
		return false, b.copyLock(ctx, v, p, s)
	case p == nil:
		_, err := v.secondary.Delete(ctx, backends.DeleteRequest{Key: key})
		return true, err
	default:
		return true, copyObject(ctx, v, p, false)
	}
}
