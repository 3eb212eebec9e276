package mirror

import (
	"cmp"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"sluice/backends"
	"sluice/gateway/journal"
)

// defaultType is what S3 stores for an object without a Content-Type. It is sent
// explicitly, because other stores have other defaults.
const defaultType = "binary/octet-stream"

// cloned is a copy of a header, to be changed.
func cloned(h http.Header) http.Header {
	if h == nil {
		return make(http.Header)
	}
	return maps.Clone(h)
}

// objectHeader is the client's header for a new object as both stores get it.
func objectHeader(h http.Header) http.Header {
	h = cloned(h)
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", defaultType)
	}
	h.Del(originHeader)
	return h
}

// conditions are judged by the primary alone.
var conditions = []string{
	"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since",
	"X-Amz-If-Match-Size", "X-Amz-If-Match-Last-Modified-Time",
	"X-Amz-Copy-Source-If-Match", "X-Amz-Copy-Source-If-None-Match",
	"X-Amz-Copy-Source-If-Modified-Since", "X-Amz-Copy-Source-If-Unmodified-Since",
}

// conditional tells whether a header holds a condition.
func conditional(h http.Header) bool {
	return slices.ContainsFunc(conditions, func(name string) bool { return h.Get(name) != "" })
}

// header is what of a request's header the store is sent on its side. Checksums were
// verified on the way in: a store that refuses them is sent none, nor is it asked for
// any. Tags that the primary has and the secondary can not have are left out there.
func (s *Store) header(as side, h http.Header) http.Header {
	p := s.Profile
	noChecksums, noTags := !p.Checksums, as == secondary && !p.Tags
	h = maps.Clone(h)
	maps.DeleteFunc(h, func(name string, _ []string) bool {
		return noChecksums && strings.HasPrefix(name, checksumPrefix) ||
			noTags && strings.HasPrefix(name, "X-Amz-Tagging") ||
			as == secondary && slices.Contains(conditions, name)
	})
	return h
}

// trailer decides how a checksum that the client sent behind the body goes on: as a
// header where the body was read before it is sent, else behind it, if the store
// takes it there.
func (s *Store) trailer(b *body, h http.Header, t *backends.Trailer) (http.Header, *backends.Trailer) {
	switch {
	case t == nil || !s.Profile.Checksums:
		return h, nil
	case b.primed():
		h = cloned(h)
		h.Set(t.Name, t.Value())
		return h, nil
	case s.Profile.Trailers:
		return h, t
	}
	return h, nil
}

// Put stores an object on both stores from one read of r.Body. The body's
// source answers its verification's result at its end, in place of io.EOF.
func (b *Bucket) Put(ctx context.Context, r backends.PutRequest) (*backends.PutResult, error) {
	r.Header = objectHeader(r.Header)
	var results [2]*backends.PutResult
	content := newBody(r.Body, r.Size, b.o.Settings())
	m := &mutation{
		kind: journal.Write, keys: []string{r.Key},
		ordered: r.IfMatch != "" || r.IfNoneMatch || conditional(r.Header),
		body:    content,
		run: func(ctx context.Context, s side, store *Store, t *tap) error {
			req := r
			req.Body, req.Header = reader(t), store.header(s, r.Header)
			req.SHA256 = cmp.Or(r.SHA256, content.sum)
			req.Header, req.Trailer = store.trailer(content, req.Header, r.Trailer)
			if s == secondary {
				req.IfMatch, req.IfNoneMatch = "", false // judged by the primary
			}
			res, err := store.Put(ctx, req)
			results[s] = res
			return err
		},
		doubt: func() bool { return b.ComparableETags() && results[primary].ETag != results[secondary].ETag },
	}
	if m.ordered {
		m.needs = []need{{b, r.Key}}
	}
	if err := b.mutate(ctx, b.view(), m); err != nil {
		return nil, err
	}
	b.noticeVersions(results[m.lead].Header)
	return results[m.lead], nil
}

// noticeVersions finds out from an answer of the primary that it keeps versions.
func (b *Bucket) noticeVersions(h http.Header) {
	if h.Get("X-Amz-Version-Id") != "" {
		b.versioned.Store(true)
	}
}

// reader is the tap as a body; a body of no bytes has no tap.
func reader(t *tap) io.Reader {
	if t == nil {
		return http.NoBody
	}
	return t
}

// Copy copies an object of the bucket from, which may be this one, on each store's
// own server. Where the secondary's source is not surely the primary's, the result
// is left to be copied from store to store.
func (b *Bucket) Copy(ctx context.Context, from *Bucket, r backends.CopyRequest) (*backends.CopyResult, error) {
	var source copySource
	var results [2]*backends.CopyResult
	m := &mutation{
		kind: journal.Write, keys: []string{r.Key},
		ordered: true, // conditions on the source are judged by the primary
		derived: true,
		from:    from, needs: []need{{from, r.SourceKey}},
		run: func(ctx context.Context, s side, store *Store, _ *tap) (err error) {
			if s == primary {
				source = b.source(from, r.SourceKey)
			} else if source.alone || r.SourceVersionID != "" {
				return errNoSource
			}
			req := r
			req.Source, req.Header = source.stores[s], store.header(s, r.Header)
			results[s], err = copyOn(ctx, store, req)
			return err
		},
		doubt: func() bool {
			// The source must have been the same on both stores throughout. A
			// copy onto itself never gets here: its own intent makes it dirty.
			return !source.Still() || b.ComparableETags() && results[primary].ETag != results[secondary].ETag
		},
	}
	if conditional(r.Header) && r.SourceKey != r.Key {
		m.needs = append(m.needs, need{b, r.Key})
	}
	if err := b.mutate(ctx, b.view(), m); err != nil {
		return nil, err
	}
	b.noticeVersions(results[primary].Header)
	return results[primary], nil
}

// errNoSource: the secondary does not surely hold what the primary copied, and is
// left to the repairer.
var errNoSource = &backends.Error{Op: "CopyObject", Kind: backends.ErrNotSupported, Err: ErrNotTried}

// copySource is where a copy reads on each side.
type copySource struct {
	journal.Stamp
	stores [2]backends.Reader // nil: the bucket that is written
	alone  bool               // the secondary's is not surely the primary's
}

// source finds it, when the copy has entered: the phases stay as they are.
func (b *Bucket) source(from *Bucket, key string) copySource {
	v := from.view()
	src := copySource{Stamp: from.stamp(key)}
	src.alone = !src.Clean || !v.phase.Baseline || v.mirror() == nil || v.phase.Name != b.Phase().Name
	if from != b {
		src.stores[primary] = v.primary.Store
		if v.secondary != nil {
			src.stores[secondary] = v.secondary.Store
		}
	}
	return src
}

// copyOn copies on one store. Where the source carries an origin, the new object
// must not: it has a time of its own.
func copyOn(ctx context.Context, store *Store, r backends.CopyRequest) (*backends.CopyResult, error) {
	r.Header = cloned(r.Header)
	r.Header.Del(originHeader)
	if r.Header.Get("X-Amz-Metadata-Directive") != "REPLACE" {
		var from backends.Reader = store
		if r.Source != nil {
			from = r.Source
		}
		info, err := from.Head(ctx, backends.GetRequest{Key: r.SourceKey, VersionID: r.SourceVersionID})
		switch {
		case errors.Is(err, backends.ErrUnavailable), errors.Is(err, backends.ErrSlowDown):
			return nil, notApplied(err)
		case err == nil && info.Header.Get(originHeader) != "":
			r.Header = backends.Replacing(r.Header, describing(info.Header))
		} // otherwise the copy itself says what is wrong with the source
	}
	return store.Copy(ctx, r)
}
