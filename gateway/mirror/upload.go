package mirror

import (
	"cmp"
	"context"
	"errors"
	"net/http"

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
	m := &mutation{invisible: true, part: true}
	m.run = func(ctx context.Context, s side, store *Store, _ *tap) (err error) {
		req := r
		req.Header = store.header(s, r.Header)
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
	v, ids = v.holder(ids)
	var result *backends.PutResult
	content := newBody(r.Body, r.Size, b.o.Settings())
	m := &mutation{
		invisible: true, part: true, alone: ids[secondary] == "",
		body: content,
		run: func(ctx context.Context, s side, store *Store, t *tap) error {
			req := r
			req.UploadID, req.Body, req.SHA256 = ids[s], reader(t), cmp.Or(r.SHA256, content.sum)
			req.Header, req.Trailer = store.trailer(content, store.header(s, r.Header), r.Trailer)
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
	if _, err := b.openUpload(b.view(), "UploadPartCopy", r.Key, r.UploadID); err != nil {
		return nil, err
	}
	var ids [2]string
	var source copySource
	var result *backends.CopyResult
	m := &mutation{
		invisible: true, ordered: true, from: from, needs: []need{{from, r.SourceKey}},
		run: func(ctx context.Context, s side, store *Store, _ *tap) (err error) {
			if s == primary {
				source = b.source(from, r.SourceKey)
				ids, err = b.openUpload(b.view(), "UploadPartCopy", r.Key, r.UploadID)
			} else if source.alone || r.SourceVersionID != "" {
				err = errNoSource
			}
			if err != nil {
				return err
			}
			if ids[s] == "" {
				return errNotOpen
			}
			req := r
			req.UploadID, req.Source, req.Header = ids[s], source.stores[s], store.header(s, r.Header)
			res, err := store.CopyPart(ctx, req)
			if s == primary {
				result = res
			}
			return err
		},
	}
	if err := b.mutate(ctx, b.view(), m); err != nil {
		return nil, hideID(err, r.UploadID, ids)
	}
	return result, nil
}

// errNotOpen: the upload was opened in another phase, on the other store alone.
var errNotOpen = &backends.Error{Store: "sluice", Op: "UploadPartCopy", Kind: backends.ErrNoUpload, Status: 404, Code: "NoSuchUpload"}

// CompleteUpload assembles the object on the primary, then on the secondary from
// the parts that arrived there. If they are not the same parts, the repairer
// copies the object.
//
// A store answers success to a completion that is repeated, and does nothing: its
// success does not prove that the object is there now. So it is always the repairer
// who settles, when it has compared the stores.
func (b *Bucket) CompleteUpload(ctx context.Context, r backends.CompleteRequest) (*backends.PutResult, error) {
	ids, err := b.openUpload(b.view(), "CompleteMultipartUpload", r.Key, r.UploadID)
	if err != nil {
		return nil, err
	}
	c := &completion{b: b, CompleteRequest: r}
	m := &mutation{
		kind: journal.Write, keys: []string{r.Key}, ordered: true, derived: true,
		run: func(ctx context.Context, s side, _ *Store, _ *tap) (err error) {
			if s == secondary {
				c.results[secondary], err = c.onSecondary(ctx)
				return err
			}
			// Entered: the phase stays as it is.
			c.v = b.view()
			if c.ids, err = b.openUpload(c.v, "CompleteMultipartUpload", r.Key, r.UploadID); err != nil {
				return err
			}
			c.results[primary], err = c.onPrimary(ctx)
			return err
		},
		doubt: func() bool { return true },
	}
	if r.IfMatch != "" || r.IfNoneMatch || conditional(r.Header) {
		m.needs = []need{{b, r.Key}}
	}
	if err := b.mutate(ctx, b.view(), m); err != nil {
		return nil, hideID(err, r.UploadID, ids)
	}
	b.noticeVersions(c.results[primary].Header)
	return c.results[primary], nil
}

// AbortUpload drops the upload on both stores.
func (b *Bucket) AbortUpload(ctx context.Context, key, uploadID string) error {
	v := b.view()
	ids, err := b.openUpload(v, "AbortMultipartUpload", key, uploadID)
	if err != nil {
		return err
	}
	v, ids = v.holder(ids)
	return hideID(b.mutate(ctx, v, &mutation{
		invisible: true, part: true, alone: ids[secondary] == "",
		run: func(ctx context.Context, s side, store *Store, _ *tap) error {
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
	v, ids = v.holder(ids)
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
