package mirror

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"

	"sluice/backends"
)

// route is the way of a copy.
type route struct {
	from, to *Store
	source   *stoppable // from, where the server of to can copy from it; else nil
}

// opened is an original that a copy has begun to read, or is about to.
type opened struct {
	backends.Info
	got     bool          // Info is a GET's: it tells of tags where the store does so at all
	content []byte        // the whole body of a small object, else nil
	body    io.ReadCloser // of a larger one, until it was passed on; else nil
}

func (o *opened) close() {
	if o.body != nil {
		o.body.Close()
		o.body = nil
	}
}

// open begins to read an original. A small one is read to its end: without its intent
// a copy may not write, but it may read.
func (r route) open(ctx context.Context, key string) (*opened, error) {
	if r.source != nil { // nothing is to be read
		info, err := r.from.Head(ctx, backends.GetRequest{Key: key, Header: r.from.header(primary, withSums())})
		if err != nil {
			return nil, err
		}
		return &opened{Info: *info}, nil
	}
	got, err := r.from.Get(ctx, backends.GetRequest{Key: key, Header: r.from.header(primary, withSums())})
	if err != nil {
		return nil, err
	}
	o := &opened{Info: got.Info, got: true, body: got.Body}
	if partsOf(o.ETag) > 1 {
		o.close() // its parts are read one by one
		return o, nil
	}
	if o.Size > smallBody {
		return o, nil
	}
	defer o.close()
	o.content = make([]byte, o.Size)
	if _, err := io.ReadFull(got.Body, o.content); err != nil {
		return nil, fmt.Errorf("reading %q on store %s to copy it: %w", key, r.from.Name(), err)
	}
	return o, nil
}

// take answers the body of a larger one, once more if it was passed on before.
func (o *opened) take(ctx context.Context, r route) (io.ReadCloser, error) {
	if body := o.body; body != nil {
		o.body = nil
		return body, nil
	}
	got, err := r.from.Get(ctx, backends.GetRequest{Key: o.Key, IfMatch: o.ETag})
	if err != nil {
		return nil, err
	}
	return got.Body, nil
}

// copyObject copies an object, as info describes the original now: its body, the
// headers that describe it, its tags, ACL and storage class, and its part layout, so
// that the ETag survives. With create it never replaces an object, where the target
// honours that.
//
// backends.Unknown tells of an error whether the target may have been changed.
func copyObject(ctx context.Context, r route, info *backends.Info, create bool) error {
	return copyOpened(ctx, r, &opened{Info: *info}, create)
}

// copyOpened is copyObject of an original that is open already.
func copyOpened(ctx context.Context, r route, o *opened, create bool) error {
	defer o.close()
	h, err := attributes(ctx, r, o)
	if err != nil {
		return notApplied(err)
	}
	if class := o.Header.Get(storageClass); class != "" && class != "STANDARD" {
		h.Set(storageClass, class)
	}
	sum := r.sumOf(&o.Info)
	err = copyWith(ctx, r, o, h, sum, create)
	var e *backends.Error
	if errors.As(err, &e) && e.Code == "InvalidStorageClass" && h.Get(storageClass) != "" {
		h.Del(storageClass) // classes are each provider's own
		err = copyWith(ctx, r, o, h, sum, create)
	}
	return err
}

const storageClass = "X-Amz-Storage-Class"

// copyWith copies an object under the headers, in the first way that both stores
// can.
func copyWith(ctx context.Context, r route, o *opened, h http.Header, sum checksum, create bool) error {
	c := &partCopy{route: r, info: &o.Info, header: h, sum: sum, create: create}
	if n := partsOf(o.ETag); n > 1 {
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
	if o.Size <= largestPut {
		if err := copyWhole(ctx, r, o, h, sum, create); !tooLarge(err) {
			return err
		}
	}
	c.sum = checksum{}
	return c.run(ctx, ranges(o.Size))
}

// copyWhole copies an object with one PUT.
func copyWhole(ctx context.Context, r route, o *opened, h http.Header, sum checksum, create bool) error {
	if r.source != nil && !create {
		if err := r.copyOnServer(ctx, &o.Info, h); !elsewhere(err) {
			return err
		}
	}
	h = maps.Clone(h)
	if sum.whole {
		h.Set(sum.name, sum.value)
	}
	put := backends.PutRequest{Key: o.Key, Size: o.Size, IfNoneMatch: create, Header: h}
	if o.content != nil {
		hash := sha256.Sum256(o.content)
		put.Body, put.SHA256 = bytes.NewReader(o.content), hex.EncodeToString(hash[:])
	} else {
		body, err := o.take(ctx, r)
		if err != nil {
			return notApplied(err)
		}
		defer body.Close()
		put.Body = body
	}
	stored, err := r.to.Put(ctx, put)
	if err != nil {
		return err
	}
	return r.sameETag("PutObject", &o.Info, stored.ETag)
}

// sameETag compares a copy's ETag with its original's, where they are hashes. If they
// differ the copy was damaged on the way, or the original's is no hash after all: the
// repairer finds out by the contents.
func (r route) sameETag(op string, original *backends.Info, copied string) error {
	if !r.etags() || !isMD5(original.ETag) || copied == original.ETag {
		return nil
	}
	return &backends.Error{
		Store: r.to.Name(), Op: op, Key: original.Key, Kind: backends.ErrUnavailable, MaybeApplied: true,
		Message: fmt.Sprintf("the copy's ETag is %s, the original's %s", copied, original.ETag),
	}
}

// attributes are the headers that give a copy what the original has beside its
// content.
func attributes(ctx context.Context, r route, o *opened) (http.Header, error) {
	h := describing(o.Header)
	h.Set(originHeader, cmp.Or(o.Header.Get(originHeader), origin(&o.Info))) // a copy's copy has the same origin
	if r.tags() && !(o.got && r.untagged(o.Header)) {
		tags, err := backends.Tags(ctx, r.from, o.Key)
		if err != nil {
			return nil, err
		}
		if len(tags) > 0 {
			h.Set("X-Amz-Tagging", tags.Encode())
		}
	}
	acl, err := r.from.acl(ctx, &o.Info)
	if err != nil {
		return nil, err
	}
	if acl != backends.NoACL {
		h.Set("X-Amz-Acl", acl)
	}
	return h, nil
}

// What both stores have can be copied and compared.
func (r route) tags() bool { return r.from.Profile.Tags && r.to.Profile.Tags }
func (r route) sums() bool { return r.from.Profile.Checksums && r.to.Profile.Checksums }

// untagged tells of the headers of a GET that the original has no tags.
func (r route) untagged(h http.Header) bool {
	return r.from.Profile.TagCounts && h.Get(tagCount) == ""
}

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
	if !r.look(pi, si) {
		return false, nil
	}
	if pi.ETag != si.ETag { // "…-N" is no content's hash, but hashes the parts' hashes
		same, err := sameContent(ctx, r.from, r.to, pi, si)
		if !same || err != nil {
			return false, err
		}
	}
	return r.sameAttributes(ctx, pi, si)
}

// look tells whether two objects look the same to clients.
func (r route) look(pi, si *backends.Info) bool {
	return pi.Size == si.Size && maps.EqualFunc(describing(pi.Header), describing(si.Header), slices.Equal) &&
		(pi.ETag == si.ETag || !r.etags() || visibleETag(pi) == visibleETag(si))
}

// described is equal as far as it shows without reading bodies.
func (r route) described(ctx context.Context, pi, si *backends.Info) (bool, error) {
	if !r.look(pi, si) {
		return false, nil
	}
	return r.sameAttributes(ctx, pi, si)
}

// sameAttributes compares tags, where both stores have them, and ACLs. An ACL that was
// never given is like any other, but for one that keeps strangers out.
func (r route) sameAttributes(ctx context.Context, pi, si *backends.Info) (bool, error) {
	key := pi.Key
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
	pa, err := r.from.acl(ctx, pi)
	if err != nil || pa == backends.NoACL {
		return err == nil, err
	}
	sa, err := r.to.acl(ctx, si)
	return pa == sa || sa == backends.NoACL && isPublic(pa), err
}

// acl is an object's canned ACL: as its description tells, or else by asking.
func (s *Store) acl(ctx context.Context, info *backends.Info) (string, error) {
	if info.ACL != "" {
		return info.ACL, nil
	}
	canned, err := backends.CannedACL(ctx, s, info.Key)
	return cmp.Or(canned, backends.NoACL), err
}

// isPublic tells whether everyone may read an object. What was given no ACL may be read
// where the store has none.
func isPublic(acl string) bool {
	return acl == "public-read" || acl == "public-read-write" || acl == backends.NoACL
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
