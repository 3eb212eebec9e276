package mirror

import (
	"context"
	"errors"
	"fmt"
	"io"

	"sluice/backends"
	"sluice/gateway/cache"
)

// blocks is a span of an object that comes in pieces: blocks of the cache, and slices that
// the stores are asked for. All are of the state that the headers told of; where that is gone
// meanwhile the body breaks off.
type blocks struct {
	ctx  context.Context
	l    *lookup
	info *backends.Info
	e    *cache.Entry // nil: none of it is cached
	at   int64
	end  int64

	ahead *cache.Fetched // what was asked for beforehand, for the bytes from there on
	from  int64

	block []byte        // from the cache
	slice io.ReadCloser // from the stores
	until int64         // the end of slice
}

// Read reads the pieces one after the other.
func (x *blocks) Read(p []byte) (int, error) {
	if x.at == x.end {
		return 0, io.EOF
	}
	if err := x.next(); err != nil {
		return 0, err
	}
	if len(x.block) > 0 {
		n := copy(p, x.block)
		x.block = x.block[n:]
		x.at += int64(n)
		return n, nil
	}
	n, err := x.slice.Read(p)
	x.at += int64(n)
	if errors.Is(err, io.EOF) && x.at == x.until {
		err = nil
	}
	return n, err
}

// WriteTo writes a block in one piece.
func (x *blocks) WriteTo(w io.Writer) (written int64, err error) {
	for x.at < x.end && err == nil {
		if err = x.next(); err != nil {
			break
		}
		var n int64
		if len(x.block) > 0 {
			var m int
			m, err = w.Write(x.block)
			n, x.block = int64(m), x.block[m:]
		} else if n, err = io.Copy(w, x.slice); err == nil && x.at+n != x.until {
			err = io.ErrUnexpectedEOF
		}
		x.at += n
		written += n
	}
	return written, err
}

// next finds the piece for the bytes that come now.
func (x *blocks) next() error {
	if len(x.block) > 0 || x.slice != nil && x.at < x.until {
		return nil
	}
	x.closeSlice()
	if x.ahead == nil || x.at < x.from {
		if x.e != nil {
			n := x.at / cache.BlockSize
			if data, ok := x.l.b.cache.Block(x.l.key, x.e, n, x.l.still); ok {
				begin := n * cache.BlockSize
				x.block = data[x.at-begin : min(x.end-begin, int64(len(data)))]
				return nil
			}
		}
		x.closeAhead() // it begins behind what is missing
		f, err := x.open(x.at)
		if err != nil {
			return err
		}
		x.ahead = f
	}
	_, end := x.ahead.Span()
	x.until = min(end, x.end)
	x.slice, x.ahead = x.ahead.Body(x.at, x.until), nil
	return nil
}

// open asks the stores for the slice that begins at an offset.
func (x *blocks) open(at int64) (*cache.Fetched, error) {
	b := x.l.b
	l := &lookup{b: b, v: b.view(), st: b.stamp(x.l.r.Key), r: x.l.r, w: x.l.w, key: x.l.key, epoch: b.cache.Epoch()}
	asked := rangeOf(at, x.end)
	f, err := b.cache.Fetch(x.ctx, cache.Ask{Key: l.key, Range: asked, Public: l.w.acl}, l.still, l.opener(asked))
	if err != nil {
		return nil, err
	}
	if _, end := f.Span(); !cache.Same(x.info, &f.Info) || end <= at {
		f.Close()
		return nil, fmt.Errorf("reading %q on: %w", l.r.Key, errChanged)
	}
	return f, nil
}

func (x *blocks) closeSlice() {
	if x.slice != nil {
		x.slice.Close()
		x.slice = nil
	}
}

func (x *blocks) closeAhead() {
	if x.ahead != nil {
		x.ahead.Close()
		x.ahead = nil
	}
}

// Close gives up what was opened.
func (x *blocks) Close() error {
	x.closeSlice()
	x.closeAhead()
	return nil
}
