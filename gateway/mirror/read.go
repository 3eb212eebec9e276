package mirror

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"time"

	"sluice/backends"
	"sluice/gateway/cache"
	"sluice/gateway/journal"
)

// Served says where an answer came from, for headers and logs.
type Served struct {
	Cache bool          // from the cache
	Age   time.Duration // of the cached entry
	Store string        // the store that answered, when Cache is false
}

// Get opens an object. What it answers was true at some moment of the call (R6):
// a dirty key is read from the primary alone; a clean one from the cache, new,
// then old, and the answer counts only if nothing happened to the key meanwhile.
func (b *Bucket) Get(ctx context.Context, r backends.GetRequest) (*backends.Object, Served, error) {
	return b.read(ctx, r, false)
}

// Head is Get without the body.
func (b *Bucket) Head(ctx context.Context, r backends.GetRequest) (*backends.Info, Served, error) {
	o, served, err := b.read(ctx, r, true)
	if err != nil {
		return nil, served, err
	}
	return &o.Info, served, nil
}

// read is one read on its way through the cache and the stores.
func (b *Bucket) read(ctx context.Context, r backends.GetRequest, head bool) (*backends.Object, Served, error) {
	if IsReserved(r.Key) {
		return nil, Served{}, notFound(r.Key)
	}
	v := b.view()
	st := b.stamp(r.Key)
	plain := r.VersionID == "" && r.PartNumber == 0 && plainHeader(r.Header)
	if st.Clean && plain {
		if e, ok := b.cache.Get(b.cacheKey(r.Key)); ok && st.Still() && b.current(v) {
			o, err := cached(e, r)
			return o, Served{Cache: true, Age: time.Since(e.Stored)}, err
		}
	}
	unasked := plain && !head && r.Range == "" && r.Header == nil
	if unasked {
		r.Header = withSums() // the cache, and a copy made of the read, want them
	}
	o, served, err := b.readStores(ctx, v, st, r, head, plain)
	if unasked && err == nil {
		o.Info = withoutChecksums(o.Info)
	}
	return o, served, err
}

// readStores asks new, if it may answer, then the primary.
func (b *Bucket) readStores(
	ctx context.Context, v view, st journal.Stamp, r backends.GetRequest, head, plain bool,
) (*backends.Object, Served, error) {
	new := notAsked
	if b.secondaryMayAnswer(v, st, r) && !b.o.ReadPrimary {
		o, err := b.ask(ctx, v, r, head)
		if st.Still() && b.current(v) {
			switch {
			case err == nil:
				return b.filling(o, v, st, r, head, plain), Served{Store: v.secondary.Name()}, nil
			case errors.Is(err, backends.ErrInvalidRange), errors.Is(err, backends.ErrPrecondition):
				return nil, Served{Store: v.secondary.Name()}, err
			}
			new = unavailable
			if errors.Is(err, backends.ErrNotFound) {
				new = lacksIt
			}
		} else if err == nil {
			o.Body.Close()
		}
	}
	return b.readPrimary(ctx, r, head, plain, new)
}

// plainHeader: checksums are the only thing a header may ask for that the cache has.
func plainHeader(h http.Header) bool {
	return len(h) == 0 || len(h) == 1 && h.Get(checksumMode) != ""
}

// newHas is what a read learned of the new store before it turned to the primary.
type newHas int

const (
	notAsked newHas = iota
	lacksIt
	unavailable
)

// readPrimary asks the store that is right by definition. Only a phase change
// during the read makes the answer doubtful; it is then asked again.
func (b *Bucket) readPrimary(ctx context.Context, r backends.GetRequest, head, plain bool, new newHas) (*backends.Object, Served, error) {
	for {
		v := b.view()
		st := b.stamp(r.Key)
		o, err := v.open(ctx, primary, r, head)
		if !b.current(v) {
			if err == nil {
				o.Body.Close()
			}
			continue
		}
		served := Served{Store: v.primary.Name()}
		switch {
		case err == nil:
			switch {
			case new == lacksIt && st.Clean:
				o = b.lazily(o, v, st, r, head)
			case new == unavailable:
				b.copies.add(r.Key) // looked for when new is back
			}
			return b.filling(o, v, st, r, head, plain), served, nil
		case b.o.ReadPrimary && errors.Is(err, backends.ErrUnavailable) && b.secondaryMayAnswer(v, st, r):
			// The primary is down; a clean key's secondary holds the same, if
			// it holds anything. Its 404 proves nothing.
			if o, err2 := b.ask(ctx, v, r, head); err2 == nil {
				if st.Still() && b.current(v) {
					return b.filling(o, v, st, r, head, plain), Served{Store: v.secondary.Name()}, nil
				}
				o.Body.Close()
			}
		}
		return nil, served, err
	}
}

const checksumMode = "X-Amz-Checksum-Mode"

// withSums is the header of a read that asks for checksums, too.
func withSums() http.Header { return http.Header{checksumMode: {"ENABLED"}} }

// secondaryMayAnswer: only for a clean key, on a proven baseline, and only what
// is the same on both stores (version ids are not, nor are ETags of other kinds).
func (b *Bucket) secondaryMayAnswer(v view, st journal.Stamp, r backends.GetRequest) bool {
	return v.secondary != nil && v.phase.Baseline && st.Clean && r.VersionID == "" && !b.versioned.Load() &&
		v.comparableETags()
}

// ask opens an object on the secondary, which is not right by definition: it gets only
// so long to answer, since the primary can.
func (b *Bucket) ask(ctx context.Context, v view, r backends.GetRequest, head bool) (*backends.Object, error) {
	s := v.secondary
	if !b.circuit.closed() {
		return nil, &backends.Error{Store: s.Name(), Op: "GetObject", Key: r.Key, Kind: backends.ErrUnavailable, Err: errNotTried}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	late := time.AfterFunc(b.o.SyncTimeout, func() {
		cancel(fmt.Errorf("no answer for %v: %w", b.o.SyncTimeout, context.DeadlineExceeded))
	})
	o, err := v.open(ctx, secondary, r, head)
	if !late.Stop() && err == nil {
		o.Body.Close()
		err = &backends.Error{Store: s.Name(), Op: "GetObject", Key: r.Key, Kind: backends.ErrUnavailable, Err: context.Cause(ctx)}
	}
	b.turned(b.circuit.count(err), err)
	if err != nil {
		cancel(nil)
		return nil, err
	}
	for _, name := range ofOneStore {
		o.Header.Del(name)
	}
	o.Body = &cancelBody{ReadCloser: o.Body, cancel: cancel}
	return o, nil
}

// ofOneStore are the headers that speak of the very store that answers.
var ofOneStore = []string{"X-Amz-Version-Id", "X-Amz-Expiration", "X-Amz-Replication-Status"}

// cancelBody frees the request's context with the body.
type cancelBody struct {
	io.ReadCloser
	cancel context.CancelCauseFunc
}

func (c *cancelBody) Close() error {
	defer c.cancel(nil)
	return c.ReadCloser.Close()
}

// open reads an object, or its headers, with the origin of a copy put back.
func (v view) open(ctx context.Context, from side, r backends.GetRequest, head bool) (*backends.Object, error) {
	s := v.store(from)
	r.Header = v.header(from, r.Header)
	if head {
		info, err := s.Head(ctx, r)
		if err != nil {
			return nil, err
		}
		restoreOrigin(info)
		return &backends.Object{Info: *info, Body: http.NoBody}, nil
	}
	o, err := s.Get(ctx, r)
	if err != nil {
		return nil, err
	}
	restoreOrigin(&o.Info)
	return o, nil
}

// cached answers from the cache, the range too if one is asked for.
func cached(e *cache.Entry, r backends.GetRequest) (*backends.Object, error) {
	o := &backends.Object{Info: e.Info}
	o.Length = int64(len(e.Body))
	if len(e.Sums) > 0 && r.Range == "" && r.Header.Get(checksumMode) != "" {
		o.Header = maps.Clone(o.Header)
		maps.Copy(o.Header, e.Sums)
	}
	body := e.Body
	if r.Range != "" {
		start, length, ok, err := backends.ParseRange(r.Range, o.Size)
		if err != nil {
			return nil, err
		}
		if ok {
			body, o.Length = body[start:start+length], length
			o.ContentRange = fmt.Sprintf("bytes %d-%d/%d", start, start+length-1, o.Size)
		}
	}
	o.Body = cachedBody{bytes.NewReader(body)}
	return o, nil
}

// cachedBody keeps io.WriterTo, so that a cached body is written in one piece.
type cachedBody struct{ *bytes.Reader }

func (cachedBody) Close() error { return nil }

// filling makes the read put what it reads into the cache, if it reads a whole
// small object and the key is clean.
func (b *Bucket) filling(o *backends.Object, v view, st journal.Stamp, r backends.GetRequest, head, plain bool) *backends.Object {
	if head || !plain || !st.Clean || r.Range != "" || !b.cache.Fits(o.Size) || o.Length != o.Size {
		return o
	}
	entry := &cache.Entry{Info: withoutChecksums(o.Info), Sums: checksumsOf(o.Header)}
	o.Body = &fill{
		ReadCloser: o.Body, buf: make([]byte, 0, o.Size), size: o.Size,
		done: func(body []byte) {
			entry.Body = body
			b.cache.Add(b.cacheKey(r.Key), entry, func() bool { return st.Still() && b.current(v) })
		},
	}
	return o
}

// checksumsOf picks the checksums out of a header.
func checksumsOf(h http.Header) http.Header {
	sums := maps.Clone(h)
	maps.DeleteFunc(sums, func(name string, _ []string) bool { return !strings.HasPrefix(name, checksumPrefix) })
	return sums
}

// withoutChecksums drops what is true of the whole body alone, and told only to who
// asks.
func withoutChecksums(info backends.Info) backends.Info {
	info.Header = maps.Clone(info.Header)
	maps.DeleteFunc(info.Header, func(name string, _ []string) bool { return strings.HasPrefix(name, checksumPrefix) })
	return info
}

// fill collects a body as it is read and hands it over once, whole.
type fill struct {
	io.ReadCloser
	buf  []byte
	size int64
	done func([]byte)
}

func (f *fill) Read(p []byte) (int, error) {
	n, err := f.ReadCloser.Read(p)
	if f.done == nil {
		return n, err
	}
	f.buf = append(f.buf, p[:n]...)
	switch {
	case err != nil && !errors.Is(err, io.EOF) || int64(len(f.buf)) > f.size:
		f.done = nil
	case errors.Is(err, io.EOF):
		if int64(len(f.buf)) == f.size {
			f.done(f.buf)
		}
		f.done = nil
	}
	return n, err
}

func notFound(key string) error {
	return &backends.Error{Store: "sluice", Op: "GetObject", Key: key, Kind: backends.ErrNotFound, Status: 404, Code: "NoSuchKey"}
}
