package mirror

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"

	"sluice/backends"
	"sluice/gateway/cache"
	"sluice/gateway/journal"
)

// lookup is a read of a clean key on its way through the cache.
type lookup struct {
	b  *Bucket
	v  view
	st journal.Stamp
	r  backends.GetRequest
	w  want

	key   cache.Key
	epoch uint64
}

// readCached answers from the cache, or from the stores together with whoever asks for the
// same meanwhile.
func (b *Bucket) readCached(ctx context.Context, v view, st journal.Stamp, r backends.GetRequest, w want) (*backends.Object, Served, error) {
	l := &lookup{b: b, v: v, st: st, r: r, w: w, key: b.cacheKey(r.Key), epoch: b.cache.Epoch()}
	if e, body := b.cache.Get(l.key, l.still); e != nil && l.useful(e) {
		stale, err := l.confirm(ctx, e, body)
		switch {
		case err == nil && l.still():
			o, served, err := l.serve(ctx, e, body)
			if served.Stale = stale; !errors.Is(err, errGaps) {
				return o, served, err
			}
		case err != nil && !errors.Is(err, errChanged):
			return nil, Served{}, err
		}
	}
	return l.fetch(ctx)
}

// still tells whether what was true when the read began is true now (R6).
func (l *lookup) still() bool {
	return l.st.Clean && l.st.Still() && l.b.current(l.v) && l.b.cache.Epoch() == l.epoch
}

// useful tells whether an entry says what is asked for.
func (l *lookup) useful(e *cache.Entry) bool {
	switch {
	case e.Absent:
		return l.w.acl // who signs sees at once what was written behind our back
	case l.w.acl && e.Info.ACL == "":
		return false
	}
	return !l.sums() || e.Sums != nil
}

// sums tells whether checksums are asked for, and answered: those of the whole body.
func (l *lookup) sums() bool { return l.r.Header != nil && l.r.Range == "" }

var (
	errChanged = errors.New("a store says otherwise")
	errGaps    = errors.New("not all of the object is cached")
)

// confirm asks the stores for an entry that is not fresh any more. One that is stale is
// served while they do not answer, or, to everyone, while they are asked; the entry of an
// object that is another now is errChanged.
func (l *lookup) confirm(ctx context.Context, e *cache.Entry, body []byte) (stale bool, err error) {
	c := l.b.cache
	switch state := c.State(e); {
	case state == cache.Fresh || e.Absent:
		return false, nil
	case state == cache.Doubtful:
		return false, l.askAgain(ctx, e, body)
	case !e.Ask():
		return true, nil // another is asking
	case l.w.acl && c.Aging(e) && l.b.later(func(ctx context.Context) {
		defer e.Asked()
		_ = l.askAgain(ctx, e, body)
	}):
		return true, nil
	}
	defer e.Asked()
	err = l.askAgain(ctx, e, body)
	if errors.Is(err, backends.ErrUnavailable) || errors.Is(err, backends.ErrSlowDown) {
		return true, nil
	}
	return false, err
}

// later runs a question to the stores behind the client's back, if not too many run.
func (b *Bucket) later(ask func(context.Context)) bool {
	select {
	case b.late <- struct{}{}:
	default:
		return false
	}
	b.wg.Go(func() {
		defer func() { <-b.late }()
		ctx, cancel := context.WithTimeout(context.Background(), b.o.Settings().StoreTimeout)
		defer cancel()
		ask(ctx)
	})
	return true
}

// askAgain asks the stores whether an entry is true. Not If-None-Match but HEAD asks: a
// changed metadata leaves the ETag as it was.
func (l *lookup) askAgain(ctx context.Context, e *cache.Entry, body []byte) error {
	o, _, err := l.b.readStores(ctx, l.v, l.st, backends.GetRequest{Key: l.r.Key}, want{head: true, acl: e.Info.ACL != ""})
	switch {
	case err == nil && cache.Same(&e.Info, &o.Info) && e.Info.ACL == o.ACL &&
		maps.EqualFunc(e.Info.Header, cache.WithoutChecksums(o.Header), slices.Equal):
		l.b.cache.Confirm(l.key, e, body, l.still)
		return nil
	case err == nil, errors.Is(err, backends.ErrNotFound):
		l.b.cache.Remove(l.key)
		return errChanged
	}
	return err
}

// serve answers from the cache: the description, all of a small object, or the blocks that
// a range asks for; the stores are asked for those that are missing.
func (l *lookup) serve(ctx context.Context, e *cache.Entry, body []byte) (*backends.Object, Served, error) {
	served := Served{Cache: true, Age: e.Age()}
	if e.Absent {
		l.b.cache.Hit(0)
		return nil, served, notFound(l.r.Key)
	}
	o := &backends.Object{Info: e.Info, Body: http.NoBody}
	from, err := l.span(&o.Info)
	if err != nil {
		return nil, served, err
	}
	to := from + o.Length
	if len(e.Sums) > 0 && l.sums() {
		o.Header = maps.Clone(o.Header)
		maps.Copy(o.Header, e.Sums)
	}
	switch {
	case l.w.head || o.Length == 0:
		l.b.cache.Hit(0)
		return o, served, nil
	case body != nil:
		l.b.cache.Hit(o.Length)
		o.Body = cachedBody{bytes.NewReader(body[from:to])}
		return o, served, nil
	}
	x := &blocks{ctx: ctx, l: l, info: &e.Info, e: e, at: from, end: to}
	o.Body = x
	missing := l.b.cache.Missing(l.key, e, from, to)
	switch {
	case missing == to:
		l.b.cache.Hit(o.Length)
		return o, served, nil
	case l.r.Range == "" || missing == from || !l.byBlocks():
		return nil, served, errGaps
	}
	// Asked for before the headers go out: from here on nobody can be told of an error.
	f, err := x.open(missing)
	if errors.Is(err, errChanged) {
		l.b.cache.Remove(l.key)
		err = errGaps
	}
	if err != nil {
		return nil, served, err
	}
	l.b.cache.Miss(f.Collapsed)
	x.ahead, x.from = f, missing
	return o, Served{Store: f.Store, Collapsed: f.Collapsed, Kept: f.Entry != nil, Missed: "partial"}, nil
}

// span is where what is asked for begins, whose length and range are set in i.
func (l *lookup) span(i *backends.Info) (from int64, err error) {
	i.Length, i.ContentRange = i.Size, ""
	if l.r.Range == "" {
		return 0, nil
	}
	start, length, ok, err := backends.ParseRange(l.r.Range, i.Size)
	if ok && err == nil {
		i.Length, i.ContentRange = length, fmt.Sprintf("bytes %d-%d/%d", start, start+length-1, i.Size)
	}
	return start, err
}

// byBlocks tells whether a range is read in whole blocks, which are kept. Who signs is
// answered by one read of just that: it may be one of many small ones, all over an object.
func (l *lookup) byBlocks() bool { return l.w.acl }

// slice is how much of an object one read of the stores brings in answer to a range: the
// client may not want the rest, and what it brings is held for others.
const slice = 64 << 20

// widened is a range in whole blocks, and no more than a slice; as it is where its place is
// not known before the size is. ok is false for a range that is not read in blocks.
func (l *lookup) widened() (r string, ok bool) {
	const most = 1 << 62 // of a size that is not known
	r = l.r.Range
	start, length, ok, err := backends.ParseRange(r, most)
	switch {
	case !ok || err != nil:
		return "", true // it means the whole
	case !l.byBlocks():
		return "", false
	case r[len("bytes=")] == '-': // the last bytes
		return r, true
	}
	return rangeOf(start, start+length), true
}

func rangeOf(from, to int64) string {
	from -= from % cache.BlockSize
	to = min((to+cache.BlockSize-1)/cache.BlockSize*cache.BlockSize, from+slice)
	return fmt.Sprintf("bytes=%d-%d", from, to-1)
}

const noEntry = "uri-miss" // there was no entry that says what is asked for

// fetch asks the stores.
func (l *lookup) fetch(ctx context.Context) (*backends.Object, Served, error) {
	asked, ok := l.widened()
	if l.w.head || !ok {
		l.b.cache.Miss(false)
		o, served, err := l.b.readStores(ctx, l.v, l.st, l.r, l.w)
		served.Missed = noEntry
		return o, served, l.absent(err)
	}
	f, err := l.b.cache.Fetch(ctx, cache.Ask{Key: l.key, Range: asked, Public: l.w.acl}, l.still, l.opener(asked))
	if err != nil {
		if errors.Is(err, backends.ErrInvalidRange) && asked != l.r.Range {
			return l.b.readStores(ctx, l.v, l.st, l.r, l.w) // who says what was asked for
		}
		return nil, Served{}, l.absent(err)
	}
	l.b.cache.Miss(f.Collapsed)
	o := &backends.Object{Info: f.Info}
	from, err := l.span(&o.Info)
	if err != nil {
		f.Close()
		return nil, Served{Store: f.Store}, err
	}
	if !l.sums() {
		o.Header = cache.WithoutChecksums(o.Header)
	}
	o.Body = l.body(ctx, f, from, from+o.Length)
	return o, Served{Store: f.Store, Collapsed: f.Collapsed, Kept: f.Entry != nil, Missed: noEntry}, nil
}

// body is what an answer holds of a span, and the rest of it after that.
func (l *lookup) body(ctx context.Context, f *cache.Fetched, from, to int64) io.ReadCloser {
	if _, end := f.Span(); to <= end {
		return f.Body(from, to)
	}
	return &blocks{ctx: ctx, l: l, info: &f.Info, e: f.Entry, at: from, end: to, ahead: f, from: from}
}

// absent remembers for everyone that the object is not there.
func (l *lookup) absent(err error) error {
	if l.w.acl && errors.Is(err, backends.ErrNotFound) {
		l.b.cache.AddAbsent(l.key, l.still)
	}
	return err
}

// opener asks the stores for a range, or for the whole with its checksums: the cache, and a
// copy made of the read, want them.
func (l *lookup) opener(asked string) cache.Opener {
	r := backends.GetRequest{Key: l.r.Key, Range: asked}
	if asked == "" {
		r.Header = withSums()
	}
	return func(ctx context.Context) (*backends.Object, string, error) {
		o, served, err := l.b.readStores(ctx, l.v, l.st, r, want{acl: l.w.acl})
		return o, served.Store, err
	}
}

// cachedBody keeps io.WriterTo, so that a cached body is written in one piece.
type cachedBody struct{ *bytes.Reader }

func (cachedBody) Close() error { return nil }
