package mirror

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"sluice/backends"
	"sluice/gateway/journal"
)

// CreateUpload opens a multipart upload on both stores. The client's id names
// both; a secondary that can not open one is left out, and the repairer brings
// the completed object there.
func (b *Bucket) CreateUpload(ctx context.Context, r backends.CreateUploadRequest) (*backends.CreateUploadResult, error) {
	v := b.view()
	r.Header = objectHeader(r.Header)
	var results [2]*backends.CreateUploadResult
	m := &mutation{invisible: true}
	m.run = func(ctx context.Context, s side, store backends.Store, _ *tap) (err error) {
		req := r
		req.Header = v.header(s, r.Header)
		results[s], err = store.CreateUpload(ctx, req)
		if err == nil && m.late.Load() {
			err = store.AbortUpload(ctx, r.Key, results[s].UploadID) // nobody will know its id
		}
		return err
	}
	if err := b.mutate(ctx, v, m); err != nil {
		return nil, err
	}
	ids := b.pair(v, results[primary].UploadID, "")
	if m.both {
		ids = b.pair(v, results[primary].UploadID, results[secondary].UploadID)
	}
	id := b.sealUpload(r.Key, ids)
	b.uploads.Add(results[primary].UploadID, id)
	return &backends.CreateUploadResult{UploadID: id, Header: results[primary].Header}, nil
}

// listedID is the id under which a listing names an upload: the one that was given
// out, as long as it is remembered, else one that names the primary's alone.
func (b *Bucket) listedID(v view, key, primaryID string) string {
	if id, ok := b.uploads.Get(primaryID); ok {
		return id
	}
	return b.sealUpload(key, b.pair(v, primaryID, ""))
}

// UploadPart streams a part to both stores.
func (b *Bucket) UploadPart(ctx context.Context, r backends.PartRequest) (*backends.PutResult, error) {
	v := b.view()
	ids, err := b.openUpload(v, "UploadPart", r.Key, r.UploadID)
	if err != nil {
		return nil, err
	}
	var result *backends.PutResult
	content := newBody(r.Body, r.Size, b.o)
	m := &mutation{
		invisible: true, alone: ids[secondary] == "",
		body: content,
		run: func(ctx context.Context, s side, store backends.Store, t *tap) error {
			req := r
			req.UploadID, req.Body, req.SHA256 = ids[s], reader(t), cmp.Or(r.SHA256, content.sum)
			req.Header, req.Trailer = v.trailer(s, content, v.header(s, r.Header), r.Trailer)
			res, err := store.UploadPart(ctx, req)
			if s == primary {
				result = res
			}
			return err
		},
	}
	if err := b.mutate(ctx, v, m); err != nil {
		return nil, hideID(err, r.UploadID, ids)
	}
	return result, nil
}

// CopyPart copies a range of an object into a part, on each store's own server
// where the source is there and clean.
func (b *Bucket) CopyPart(ctx context.Context, from *Bucket, r backends.CopyPartRequest) (*backends.CopyResult, error) {
	v := b.view()
	ids, err := b.openUpload(v, "UploadPartCopy", r.Key, r.UploadID)
	if err != nil {
		return nil, err
	}
	source := b.source(from, v, r.SourceKey)
	var result *backends.CopyResult
	m := &mutation{
		invisible: true, ordered: true,
		alone: ids[secondary] == "" || source.alone || r.SourceVersionID != "",
		run: func(ctx context.Context, s side, store backends.Store, _ *tap) error {
			req := r
			req.UploadID, req.Source, req.Header = ids[s], source.stores[s], v.header(s, r.Header)
			res, err := store.CopyPart(ctx, req)
			if s == primary {
				result = res
			}
			return err
		},
	}
	if err := b.mutate(ctx, v, m); err != nil {
		return nil, hideID(err, r.UploadID, ids)
	}
	return result, nil
}

// CompleteUpload assembles the object on the primary, then on the secondary from
// the parts that arrived there. If they are not the same parts, the repairer
// copies the object.
func (b *Bucket) CompleteUpload(ctx context.Context, r backends.CompleteRequest) (*backends.PutResult, error) {
	v := b.view()
	ids, err := b.openUpload(v, "CompleteMultipartUpload", r.Key, r.UploadID)
	if err != nil {
		return nil, err
	}
	var results [2]*backends.PutResult
	m := &mutation{
		kind: journal.Write, keys: []string{r.Key},
		ordered: true, alone: ids[secondary] == "",
		run: func(ctx context.Context, s side, store backends.Store, _ *tap) (err error) {
			req := r
			req.UploadID, req.Header = ids[s], v.header(s, r.Header)
			if !v.profile[s].Checksums {
				req.Parts = withoutSums(r.Parts)
			}
			if s == secondary {
				req.IfMatch, req.IfNoneMatch = "", false
				if req.Parts, err = sameParts(ctx, store, req); err != nil {
					_ = store.AbortUpload(ctx, r.Key, req.UploadID)
					return err
				}
			}
			results[s], err = store.CompleteUpload(ctx, req)
			if s == secondary && err != nil && !backends.Unknown(err) {
				_ = store.AbortUpload(ctx, r.Key, req.UploadID) // a copy takes its place
			}
			return err
		},
		doubt: func() bool { return v.comparableETags() && results[primary].ETag != results[secondary].ETag },
	}
	if err := b.mutate(ctx, v, m); err != nil {
		return nil, hideID(err, r.UploadID, ids)
	}
	b.noticeVersions(results[primary].Header)
	return results[primary], nil
}

// withoutSums are the parts without their checksums.
func withoutSums(parts []backends.CompletedPart) []backends.CompletedPart {
	parts = slices.Clone(parts)
	for i := range parts {
		parts[i].Checksum = nil
	}
	return parts
}

// sameParts lists the parts the store holds of the upload, in the order they are
// to be assembled. A part that is missing, or is not what the client names, is
// an error: the object's content is then the primary's alone.
func sameParts(ctx context.Context, s backends.Store, r backends.CompleteRequest) ([]backends.CompletedPart, error) {
	etags := make(map[int]string, len(r.Parts))
	for after, more := 0, true; more; {
		page, err := s.ListParts(ctx, backends.ListPartsRequest{Key: r.Key, UploadID: r.UploadID, AfterNumber: after})
		if err != nil {
			return nil, notApplied(err)
		}
		for _, p := range page.Parts {
			etags[p.Number] = p.ETag
		}
		more = page.Truncated && page.NextNumber > after
		after = page.NextNumber
	}
	parts := make([]backends.CompletedPart, len(r.Parts))
	for i, want := range r.Parts {
		etag, ok := etags[want.Number]
		if !ok || isMD5(etag) && isMD5(want.ETag) && etag != want.ETag {
			return nil, &backends.Error{
				Store: s.Name(), Op: "CompleteMultipartUpload", Key: r.Key, Kind: backends.ErrConflict,
				Message: fmt.Sprintf("part %d is not the one the primary holds", want.Number),
			}
		}
		parts[i] = backends.CompletedPart{Number: want.Number, ETag: etag, Checksum: want.Checksum}
	}
	return parts, nil
}

// AbortUpload drops the upload on both stores.
func (b *Bucket) AbortUpload(ctx context.Context, key, uploadID string) error {
	v := b.view()
	ids, err := b.openUpload(v, "AbortMultipartUpload", key, uploadID)
	if err != nil {
		return err
	}
	return hideID(b.mutate(ctx, v, &mutation{
		invisible: true, alone: ids[secondary] == "",
		run: func(ctx context.Context, s side, store backends.Store, _ *tap) error {
			return store.AbortUpload(ctx, key, ids[s])
		},
	}), uploadID, ids)
}

// ListParts answers what the primary holds of the upload.
func (b *Bucket) ListParts(ctx context.Context, r backends.ListPartsRequest) (*backends.PartsPage, error) {
	v := b.view()
	ids, err := b.openUpload(v, "ListParts", r.Key, r.UploadID)
	if err != nil {
		return nil, err
	}
	id := r.UploadID
	r.UploadID = ids[primary]
	page, err := v.primary.ListParts(ctx, r)
	return page, hideID(err, id, ids)
}

// ListUploads answers the primary's open uploads. The ids it makes name the
// primary's upload only: completed through one of them, the object reaches the
// secondary by the repairer.
func (b *Bucket) ListUploads(ctx context.Context, r backends.ListUploadsRequest) (*backends.UploadsPage, error) {
	v := b.view()
	if r.UploadIDMarker != "" {
		// A marker is a place in the listing and opens nothing: it need not be
		// the id of the very key beside it.
		ids, _, _, ok := decodeUpload(r.UploadIDMarker)
		if !ok {
			return nil, &backends.Error{
				Store: "sluice", Op: "ListMultipartUploads", Kind: backends.ErrInvalid, Status: http.StatusBadRequest,
				Code: "InvalidArgument", Message: "Invalid uploadId marker",
			}
		}
		r.UploadIDMarker = ids.sides(v, b)[primary]
	}
	page, err := v.primary.ListUploads(ctx, r)
	if err != nil {
		return nil, err
	}
	kept := page.Uploads[:0]
	for _, u := range page.Uploads {
		if !IsReserved(u.Key) {
			u.UploadID = b.listedID(v, u.Key, u.UploadID)
			kept = append(kept, u)
		}
	}
	page.Uploads = kept
	if page.NextUploadIDMarker != "" {
		page.NextUploadIDMarker = b.listedID(v, page.NextKeyMarker, page.NextUploadIDMarker)
	}
	return page, nil
}

// hideID keeps a store's own upload id out of the client's error.
func hideID(err error, id string, ids [2]string) error {
	var e *backends.Error
	if errors.As(err, &e) && errors.Is(err, backends.ErrNoUpload) {
		hidden := *e
		hidden.Message, hidden.Details = "", nil
		return &hidden
	}
	return err
}
