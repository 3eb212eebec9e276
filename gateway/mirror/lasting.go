package mirror

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"

	"sluice/backends"
	"sluice/gateway/journal"
)

// resumptions bounds how often one body is taken up again.
const resumptions = 4

// lasting is a body that outlives its store: where it breaks off it goes on from the other
// store, or from the same one if that is asked in vain. The client has its headers by then, and
// could be told of an error only by a body that is not whole. What goes on is of the same
// ETag and size, or the body breaks off after all.
type lasting struct {
	b       *Bucket
	ctx     context.Context
	v       view
	r       backends.GetRequest
	info    *backends.Info // what was answered
	stores  [2]*Store      // whose body it is now, and the other that may have the same, or nil
	at, end int64          // of the object: what is read next, and the answer's end
	left    int            // resumptions

	mu     sync.Mutex
	body   io.ReadCloser
	closed bool
}

// last gives what a store answered a body that lasts.
func (b *Bucket) last(ctx context.Context, v view, st journal.Stamp, o *backends.Object, r backends.GetRequest, from *Store) {
	if o.Body == http.NoBody || o.Length == 0 || o.ETag == "" {
		return
	}
	other := v.primary
	if from == v.primary {
		if other = v.mirror(); other != nil && !b.secondaryMayAnswer(v, st, r) {
			other = nil
		}
	}
	l := &lasting{
		b: b, ctx: ctx, v: v, r: r, info: &o.Info, stores: [2]*Store{from, other}, left: resumptions, body: o.Body,
	}
	if o.ContentRange != "" {
		if _, err := fmt.Sscanf(o.ContentRange, "bytes %d-", &l.at); err != nil {
			return
		}
	}
	l.end = l.at + o.Length
	o.Body = l
}

func (l *lasting) Read(p []byte) (int, error) {
	for {
		n, err := l.body.Read(p)
		l.at += int64(n)
		switch {
		case err == nil || l.at >= l.end || l.ctx.Err() != nil:
			return n, err
		case errors.Is(err, io.EOF):
			err = io.ErrUnexpectedEOF
		}
		if !l.goOn(err) {
			return n, err
		}
		if n > 0 {
			return n, nil
		}
	}
}

// goOn opens the rest of a body that broke off.
func (l *lasting) goOn(why error) bool {
	if l.left == 0 {
		return false
	}
	l.left--
	r := l.r
	r.Range, r.PartNumber = fmt.Sprintf("bytes=%d-%d", l.at, l.end-1), 0
	for range l.stores {
		l.stores[0], l.stores[1] = l.stores[1], l.stores[0]
		s := l.stores[0]
		if s == nil {
			continue
		}
		o, err := l.open(s, r)
		if err != nil {
			continue
		}
		if l.fits(&o.Info) && l.become(o.Body) {
			l.b.log.Debug("a body broke off, and goes on from where it was", "key", l.r.Key, "at", l.at, "from", s.Name(), "error", why)
			return true
		}
		o.Body.Close()
	}
	return false
}

// open asks a store for the rest; the secondary gets only so long to answer.
func (l *lasting) open(s *Store, r backends.GetRequest) (*backends.Object, error) {
	if s == l.v.mirror() {
		return l.b.ask(l.ctx, l.v, r, want{})
	}
	return s.open(l.ctx, r, want{})
}

// fits tells whether an answer is the rest of what was answered.
func (l *lasting) fits(rest *backends.Info) bool {
	return rest.ETag == l.info.ETag && rest.Size == l.info.Size &&
		rest.ContentRange == fmt.Sprintf("bytes %d-%d/%d", l.at, l.end-1, l.info.Size)
}

// become goes on with another body; false if this one was closed meanwhile.
func (l *lasting) become(body io.ReadCloser) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.body.Close()
	l.body = body
	return true
}

// Close may come while a Read is under way, which it ends.
func (l *lasting) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	return l.body.Close()
}
