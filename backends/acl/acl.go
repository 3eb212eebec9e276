// Package acl gives objects' ACLs to a store that has none: R2, MinIO, S3 with the
// bucket's owner enforced.
//
// An object's ACL comes and goes with it, as metadata that clients never see; one that is
// changed later is in the Records, which go before the metadata. The ACL of an object that
// was never given one is not known.
package acl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"

	"sluice/backends"
)

const (
	metadata     = "X-Amz-Meta-Sluice-Acl"
	cannedHeader = "X-Amz-Acl"
	notKnown     = ""
	private      = "private"
)

// Store is a store with ACLs kept for it.
type Store struct {
	backends.Store
	records *Records
	bucket  string // as clients name it
}

// Keep keeps the ACLs of a store's objects in one of the buckets of the records. What is
// recorded is the store's own: two that mirror each other agree by the mirror's doing alone.
func Keep(s backends.Store, r *Records, bucket string) *Store {
	return &Store{s, r, bucket}
}

// place is where the record of a key is.
func (s *Store) place(key string) place { return place{s.bucket, s.Name(), key} }

// ListsToAnyone is the store's own.
func (s *Store) ListsToAnyone(ctx context.Context) (bool, error) {
	own, ok := s.Store.(interface {
		ListsToAnyone(ctx context.Context) (bool, error)
	})
	if !ok {
		return false, nil
	}
	return own.ListsToAnyone(ctx)
}

// kept moves an ACL out of a new object's header into its metadata. One that nobody knows
// is left for the store to refuse.
func kept(h http.Header) (moved http.Header, canned string) {
	canned = canonical(h)
	moved = make(http.Header, len(h)+1)
	maps.Copy(moved, h)
	delete(moved, metadata)
	if canned != notKnown {
		maps.DeleteFunc(moved, func(name string, _ []string) bool { return name == cannedHeader || isGrant(name) })
		moved.Set(metadata, canned)
	}
	return moved, canned
}

// replacing runs a write that gives its object an ACL, so that the record of the former
// one ends with it. At no moment, and after no crash, is the object more open than before
// or after. An object that is given no ACL keeps its record.
func (s *Store) replacing(op, key, canned string, write func() error) error {
	if canned == notKnown {
		return write()
	}
	if _, err := s.hide(op, key, canned); err != nil {
		return err
	}
	if err := write(); err != nil {
		return err
	}
	return s.forget(op, key)
}

// hide makes an object's record say "private" until a write of it is done, unless the write
// leaves it as it is. A write that failed leaves it at that, since another may be on its way.
func (s *Store) hide(op, key, canned string) (was string, err error) {
	if was, err = s.records.get(s.place(key)); err != nil {
		return was, s.failed(op, key, err, false)
	}
	if was == notKnown || was == private || was == canned {
		return was, nil
	}
	return was, s.record(op, key, private, false)
}

// record sets an object's record.
func (s *Store) record(op, key, canned string, applied bool) error {
	if err := s.records.set(s.place(key), canned); err != nil {
		return s.failed(op, key, err, applied)
	}
	return nil
}

// forget drops the record of an object that was written or deleted.
func (s *Store) forget(op, key string) error {
	if err := s.records.forget(s.place(key)); err != nil {
		return s.failed(op, key, err, true)
	}
	return nil
}

func (s *Store) failed(op, key string, err error, applied bool) error {
	return &backends.Error{
		Store: s.Name(), Op: op, Key: key, Kind: backends.ErrUnavailable, MaybeApplied: applied,
		Err: fmt.Errorf("the ACL could not be recorded: %w", err),
	}
}

// Put stores an object with its ACL.
func (s *Store) Put(ctx context.Context, r backends.PutRequest) (result *backends.PutResult, err error) {
	var canned string
	r.Header, canned = kept(r.Header)
	err = s.replacing("PutObject", r.Key, canned, func() error {
		result, err = s.Store.Put(ctx, r)
		return err
	})
	return result, err
}

// CreateUpload opens an upload of an object with its ACL.
func (s *Store) CreateUpload(ctx context.Context, r backends.CreateUploadRequest) (*backends.CreateUploadResult, error) {
	r.Header, _ = kept(r.Header)
	return s.Store.CreateUpload(ctx, r)
}

// CompleteUpload completes it. Which ACL the upload was opened with shows only then; until
// it is seen the record says "private".
func (s *Store) CompleteUpload(ctx context.Context, r backends.CompleteRequest) (*backends.PutResult, error) {
	const op = "CompleteMultipartUpload"
	was, err := s.hide(op, r.Key, notKnown)
	if err != nil {
		return nil, err
	}
	result, err := s.Store.CompleteUpload(ctx, r)
	if err != nil || was == notKnown {
		return result, err
	}
	info, err := s.Store.Head(ctx, backends.GetRequest{Key: r.Key})
	switch {
	case err != nil:
		err = s.failed(op, r.Key, err, true)
	case info.Header.Get(metadata) != notKnown:
		err = s.forget(op, r.Key)
	case was != private: // as of every write without one
		err = s.record(op, r.Key, was, true)
	}
	if err != nil {
		return nil, err
	}
	return result, nil
}

// Delete removes an object, and what is known of its ACL.
func (s *Store) Delete(ctx context.Context, r backends.DeleteRequest) (*backends.DeleteResult, error) {
	result, err := s.Store.Delete(ctx, r)
	if err == nil && r.VersionID == "" {
		err = s.forget("DeleteObject", r.Key)
	}
	return result, err
}

// DeleteMany removes objects, and what is known of their ACLs.
func (s *Store) DeleteMany(ctx context.Context, r backends.DeleteManyRequest) ([]backends.DeleteResult, error) {
	results, err := s.Store.DeleteMany(ctx, r)
	if err != nil {
		return nil, err
	}
	for i := range results {
		if results[i].Err == nil && r.Objects[i].VersionID == "" {
			results[i].Err = s.forget("DeleteObjects", r.Objects[i].Key)
		}
	}
	return results, nil
}

// Copy copies an object on the server. As on S3 the source's ACL does not come along, but
// what was private does not become public by that.
func (s *Store) Copy(ctx context.Context, r backends.CopyRequest) (result *backends.CopyResult, err error) {
	var canned string
	unknown := false
	r.Header, canned = kept(r.Header)
	var source backends.Reader = s
	if r.Source != nil {
		source = r.Source
		r.Source = bare(r.Source)
	}
	if r.Header.Get("X-Amz-Metadata-Directive") != "REPLACE" {
		info, err := source.Head(ctx, backends.GetRequest{Key: r.SourceKey, VersionID: r.SourceVersionID})
		switch {
		case errors.Is(err, backends.ErrUnavailable), errors.Is(err, backends.ErrSlowDown):
			return nil, err
		case err != nil: // the copy itself says what is wrong
			unknown = true
		case canned == notKnown && info.ACL != "" && info.ACL != backends.NoACL:
			canned = info.ACL
		}
		if canned != notKnown && err == nil {
			r.Header = backends.Replacing(r.Header, info.Header)
			r.Header.Set(metadata, canned)
		}
	}
	err = s.replacing("CopyObject", r.Key, canned, func() error {
		result, err = s.Store.Copy(ctx, r)
		return err
	})
	if err == nil && unknown { // it worked after all; the source may have been private
		err = s.record("CopyObject", r.Key, private, true)
	}
	return result, err
}

// CopyPart copies a range of an object.
func (s *Store) CopyPart(ctx context.Context, r backends.CopyPartRequest) (*backends.CopyResult, error) {
	if r.Source != nil {
		r.Source = bare(r.Source)
	}
	return s.Store.CopyPart(ctx, r)
}

// bare is the store behind the ACLs, as the server knows it.
func bare(s backends.Reader) backends.Reader {
	if kept, ok := s.(*Store); ok {
		return kept.Store
	}
	return s
}

// Get opens an object.
func (s *Store) Get(ctx context.Context, r backends.GetRequest) (o *backends.Object, err error) {
	err = s.telling(r, func() (*backends.Info, error) {
		if o != nil {
			o.Body.Close()
		}
		if o, err = s.Store.Get(ctx, r); err != nil {
			return nil, err
		}
		return &o.Info, nil
	})
	if err != nil && o != nil {
		o.Body.Close()
		o = nil
	}
	return o, err
}

// Head describes an object.
func (s *Store) Head(ctx context.Context, r backends.GetRequest) (info *backends.Info, err error) {
	err = s.telling(r, func() (*backends.Info, error) {
		info, err = s.Store.Head(ctx, r)
		return info, err
	})
	return info, err
}

// tellTries is how often a read looks again when the record changes under it.
const tellTries = 3

// telling runs a read, takes the ACL out of the metadata it answers, and puts the record in
// its place. Object and record must be of one moment: a record that ends with a new object
// must not leave the former one open.
func (s *Store) telling(r backends.GetRequest, read func() (*backends.Info, error)) error {
	for try := 1; ; try++ {
		before, err := s.recorded(r)
		if err != nil {
			return err
		}
		info, err := read()
		if err != nil {
			return err
		}
		after, err := s.recorded(r)
		if err != nil {
			return err
		}
		if before != after && try < tellTries {
			continue
		}
		info.ACL = cmp.Or(after, info.Header.Get(metadata), backends.NoACL)
		if before != after {
			info.ACL = private
		}
		info.Header.Del(metadata)
		return nil
	}
}

// recorded is what was recorded of what is read; notKnown if nothing was. Of older versions
// nothing is.
func (s *Store) recorded(r backends.GetRequest) (string, error) {
	if r.VersionID != "" {
		return notKnown, nil
	}
	canned, err := s.records.get(s.place(r.Key))
	if err != nil {
		return notKnown, s.failed("GetObject", r.Key, err, false)
	}
	return canned, nil
}

// Subresource reads an ACL, if it is known, or what the store has.
func (s *Store) Subresource(ctx context.Context, r backends.SubresourceRequest) (*backends.SubresourceResult, error) {
	if r.Op != "GetObjectAcl" || r.Query.Has("versionId") {
		return s.Store.Subresource(ctx, r)
	}
	info, err := s.Head(ctx, backends.GetRequest{Key: r.Key})
	if err != nil {
		return nil, err
	}
	if info.ACL == backends.NoACL {
		return s.Store.Subresource(ctx, r)
	}
	return &backends.SubresourceResult{
		Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/xml"}}, Body: backends.ACLDocument("owner", info.ACL),
	}, nil
}

// ChangeSubresource changes an ACL, or what the store has. What is private from now on is
// recorded before the client is told so.
func (s *Store) ChangeSubresource(ctx context.Context, r backends.SubresourceRequest) (*backends.SubresourceResult, error) {
	if r.Op != "PutObjectAcl" || r.Query.Has("versionId") {
		return s.Store.ChangeSubresource(ctx, r)
	}
	canned := canonical(r.Header)
	if canned == notKnown && len(r.Body) > 0 {
		var err error
		if canned, err = backends.ParseACL(r.Body); err != nil {
			return nil, s.invalid(r, "MalformedACLError", err.Error())
		}
	}
	if canned == notKnown {
		return nil, s.invalid(r, "MissingSecurityHeader", "Your request was missing a required header")
	}
	if _, err := s.Store.Head(ctx, backends.GetRequest{Key: r.Key}); err != nil {
		return nil, err
	}
	if err := s.record(r.Op, r.Key, canned, true); err != nil {
		return nil, err
	}
	return &backends.SubresourceResult{Status: http.StatusOK, Header: make(http.Header)}, nil
}

func (s *Store) invalid(r backends.SubresourceRequest, code, message string) error {
	return &backends.Error{
		Store: s.Name(), Op: r.Op, Key: r.Key, Kind: backends.ErrInvalid, Status: http.StatusBadRequest, Code: code, Message: message,
	}
}
