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

// copyObject copies an object, as src describes it now, to dst: its body, the
// headers that describe it, and its part layout, so that the ETag survives. With
// create it never replaces an object, where dst honours that.
//
// backends.Unknown tells of an error whether dst may have been changed.
func copyObject(ctx context.Context, src backends.Reader, dst backends.Store, info *backends.Info, create bool) error {
	h := describing(info.Header)
	h.Set(originHeader, cmp.Or(info.Header.Get(originHeader), origin(info))) // a copy's copy has the same origin
	if n := partsOf(info.ETag); n > 1 {
		if err := copyParts(ctx, src, dst, info, h, n, create); !errors.Is(err, errNoParts) {
			return err
		}
	}
	o, err := src.Get(ctx, backends.GetRequest{Key: info.Key, IfMatch: info.ETag})
	if err != nil {
		return err
	}
	defer o.Body.Close()
	_, err = dst.Put(ctx, backends.PutRequest{
		Key: info.Key, Body: o.Body, Size: o.Length, IfNoneMatch: create, Header: h,
	})
	return err
}

// errNoParts: the store does not give out an object's single parts. The copy then
// has one part, and only its origin tells the ETag.
var errNoParts = errors.New("the store answers no parts")

// copyParts copies a multipart object part by part.
func copyParts(ctx context.Context, src backends.Reader, dst backends.Store, info *backends.Info, h http.Header, n int, create bool) error {
	up, err := dst.CreateUpload(ctx, backends.CreateUploadRequest{Key: info.Key, Header: h})
	if err != nil {
		return notApplied(err)
	}
	parts := make([]backends.CompletedPart, 0, n)
	for number := 1; number <= n; number++ {
		part, err := copyPart(ctx, src, dst, info, up.UploadID, number)
		if err != nil {
			// The object itself was not touched; the parts are rubbish now.
			_ = dst.AbortUpload(context.WithoutCancel(ctx), info.Key, up.UploadID)
			return notApplied(err)
		}
		parts = append(parts, part)
	}
	_, err = dst.CompleteUpload(ctx, backends.CompleteRequest{
		Key: info.Key, UploadID: up.UploadID, Parts: parts, IfNoneMatch: create,
	})
	return err
}

func copyPart(ctx context.Context, src backends.Reader, dst backends.Store, info *backends.Info, uploadID string, number int) (backends.CompletedPart, error) {
	o, err := src.Get(ctx, backends.GetRequest{Key: info.Key, PartNumber: number, IfMatch: info.ETag})
	if err != nil {
		return backends.CompletedPart{}, err
	}
	defer o.Body.Close()
	if o.ContentRange == "" {
		return backends.CompletedPart{}, errNoParts
	}
	res, err := dst.UploadPart(ctx, backends.PartRequest{
		Key: info.Key, UploadID: uploadID, Number: number, Body: o.Body, Size: o.Length,
	})
	if err != nil {
		return backends.CompletedPart{}, err
	}
	return backends.CompletedPart{Number: number, ETag: res.ETag}, nil
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

// headOrAbsent is Head, with nil for an object that is proven absent.
func headOrAbsent(ctx context.Context, s backends.Reader, key string) (*backends.Info, error) {
	info, err := s.Head(ctx, backends.GetRequest{Key: key})
	if errors.Is(err, backends.ErrNotFound) {
		return nil, nil
	}
	return info, err
}

// equal compares two descriptions, and the bodies where those leave it open.
func equal(ctx context.Context, p, s backends.Reader, pi, si *backends.Info) (bool, error) {
	if pi == nil || si == nil {
		return pi == nil && si == nil, nil
	}
	if pi.Size != si.Size || !maps.EqualFunc(describing(pi.Header), describing(si.Header), slices.Equal) {
		return false, nil
	}
	if pi.ETag == si.ETag {
		return true, nil // for "…-N" too: it hashes the parts' hashes
	}
	if isMD5(pi.ETag) && isMD5(si.ETag) && unencrypted(pi) && unencrypted(si) {
		return false, nil
	}
	return sameContent(ctx, p, s, pi, si)
}

// unencrypted tells whether an ETag of the form of an MD5 is one: under SSE-C
// and SSE-KMS it is not.
func unencrypted(info *backends.Info) bool {
	sse := info.Header.Get("X-Amz-Server-Side-Encryption")
	return (sse == "" || sse == "AES256") && info.Header.Get("X-Amz-Server-Side-Encryption-Customer-Algorithm") == ""
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
	p, err := headOrAbsent(ctx, v.primary, key)
	if err != nil {
		return false, err
	}
	s, err := headOrAbsent(ctx, v.secondary, key)
	if err != nil {
		return false, err
	}
	same, err := equal(ctx, v.primary, v.secondary, p, s)
	switch {
	case err != nil:
		return false, notApplied(err)
	case same:
		return false, nil
	case p == nil:
		_, err := v.secondary.Delete(ctx, backends.DeleteRequest{Key: key})
		return true, err
	default:
		return true, copyObject(ctx, v.primary, v.secondary, p, false)
	}
}
