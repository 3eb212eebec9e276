package mirror

import (
	"cmp"
	"context"
	"io"
	"maps"
	"net/http"

	"sluice/backends"
	"sluice/gateway/journal"
)

// defaultType is what S3 stores for an object without a Content-Type. It is sent
// explicitly, because other stores have other defaults.
const defaultType = "binary/octet-stream"

// objectHeader is the client's header for a new object as both stores get it.
func objectHeader(h http.Header) http.Header {
	h = maps.Clone(h)
	if h == nil {
		h = make(http.Header)
	}
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", defaultType)
	}
	h.Del(originHeader)
	return h
}

// Put stores an object on both stores from one read of r.Body. The body's
// source answers its verification's result at its end, in place of io.EOF.
func (b *Bucket) Put(ctx context.Context, r backends.PutRequest) (*backends.PutResult, error) {
	v := b.view()
	r.Header = objectHeader(r.Header)
	var result *backends.PutResult
	content := newBody(r.Body, r.Size, b.o)
	m := &mutation{
		kind: journal.Write, keys: []string{r.Key},
		ordered: r.IfMatch != "" || r.IfNoneMatch,
		body:    content,
		run: func(ctx context.Context, s side, store backends.Store, t *tap) error {
			req := r
			req.Body = reader(t)
			req.SHA256 = cmp.Or(r.SHA256, content.sum)
			if s == secondary {
				req.IfMatch, req.IfNoneMatch = "", false // judged by the primary
			}
			res, err := store.Put(ctx, req)
			if s == primary {
				result = res
			}
			return err
		},
	}
	if err := b.mutate(ctx, v, m); err != nil {
		return nil, err
	}
	return result, nil
}

// reader is the tap as a body; a body of no bytes has no tap.
func reader(t *tap) io.Reader {
	if t == nil {
		return http.NoBody
	}
	return t
}

// Delete removes an object from both stores.
func (b *Bucket) Delete(ctx context.Context, r backends.DeleteRequest) (*backends.DeleteResult, error) {
	v := b.view()
	var result *backends.DeleteResult
	m := &mutation{
		kind: journal.Delete, keys: []string{r.Key},
		ordered: r.IfMatch != "",
		alone:   r.VersionID != "", // versions have other names on the other store
		run: func(ctx context.Context, s side, store backends.Store, _ *tap) error {
			req := r
			if s == secondary {
				req.IfMatch = ""
			}
			res, err := store.Delete(ctx, req)
			if s == primary {
				result = res
			}
			return err
		},
	}
	if err := b.mutate(ctx, v, m); err != nil {
		return nil, err
	}
	return result, nil
}

// DeleteMany removes up to 1,000 objects from both stores, with an intent for
// each in one batch. The answer holds one entry per key, in the order asked.
func (b *Bucket) DeleteMany(ctx context.Context, keys []string) ([]backends.DeleteResult, error) {
	v := b.view()
	var results [2][]backends.DeleteResult
	m := &mutation{
		kind: journal.Delete, keys: keys,
		run: func(ctx context.Context, s side, store backends.Store, _ *tap) (err error) {
			results[s], err = store.DeleteMany(ctx, keys)
			return err
		},
		keyErr: func(s side, key int) error { return results[s][key].Err },
	}
	if err := b.mutate(ctx, v, m); err != nil {
		return nil, err
	}
	return results[primary], nil
}

// Copy copies an object inside the bucket: on each store's own server where the
// source is there and clean, else on the primary, and the repairer brings the
// result to the secondary.
func (b *Bucket) Copy(ctx context.Context, r backends.CopyRequest) (*backends.CopyResult, error) {
	v := b.view()
	source := b.stamp(r.SourceKey)
	var results [2]*backends.CopyResult
	m := &mutation{
		kind: journal.Write, keys: []string{r.Key},
		ordered: true, // conditions on the source are judged by the primary
		alone:   !source.Clean || !v.phase.Baseline || r.SourceVersionID != "",
		run: func(ctx context.Context, s side, store backends.Store, _ *tap) (err error) {
			results[s], err = copyOn(ctx, s, store, r)
			return err
		},
		doubt: func() bool {
			// The source must have been the same on both stores throughout.
			// A copy onto itself moves its own counter; its intent watches it.
			moved := r.SourceKey != r.Key && !source.Still()
			return moved || results[primary].ETag != results[secondary].ETag
		},
	}
	if err := b.mutate(ctx, v, m); err != nil {
		return nil, err
	}
	return results[primary], nil
}

// copyOn copies on one store. A source that is itself a background copy carries
// its origin, which must not become the new object's.
func copyOn(ctx context.Context, s side, store backends.Store, r backends.CopyRequest) (*backends.CopyResult, error) {
	r.Header = maps.Clone(r.Header)
	if r.Header == nil {
		r.Header = make(http.Header)
	}
	r.Header.Del(originHeader)
	if s == secondary {
		r.Header = unconditional(r.Header)
	}
	if r.Header.Get("X-Amz-Metadata-Directive") != "REPLACE" {
		info, err := store.Head(ctx, backends.GetRequest{Key: r.SourceKey, VersionID: r.SourceVersionID})
		if err != nil {
			return nil, err
		}
		if info.Header.Get(originHeader) != "" {
			maps.Copy(r.Header, describing(info.Header))
			r.Header.Set("X-Amz-Metadata-Directive", "REPLACE")
		}
	}
	return store.Copy(ctx, r)
}

// unconditional drops a copy's conditions on its source, which the primary has
// judged.
func unconditional(h http.Header) http.Header {
	h = maps.Clone(h)
	for _, condition := range []string{"Match", "None-Match", "Modified-Since", "Unmodified-Since"} {
		h.Del("X-Amz-Copy-Source-If-" + condition)
	}
	return h
}
