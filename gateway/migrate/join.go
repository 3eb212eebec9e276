package migrate

import (
	"context"
	"fmt"

	"sluice/backends"
	"sluice/gateway/mirror"
)

// pair is a key as the listings of the two stores have it.
type pair struct {
	key      string
	old, new *backends.ListedObject // nil: not listed
}

// span is a piece of the key space: the keys with the prefix behind After, up to and
// with To.
type span struct {
	Prefix string `json:"prefix,omitempty"`
	After  string `json:"after,omitempty"`
	To     string `json:"to,omitempty"` // "": no end
}

// joined goes through the keys of a span that either store lists, in byte order.
type joined struct {
	old, new *listing
}

func join(ctx context.Context, old, new backends.Reader, s span) *joined {
	return &joined{list(ctx, old, s), list(ctx, new, s)}
}

// next answers the next pair; ok is false at the end.
func (j *joined) next() (p pair, ok bool, err error) {
	o, err := j.old.peek()
	if err != nil {
		return p, false, err
	}
	n, err := j.new.peek()
	if err != nil {
		return p, false, err
	}
	switch {
	case o == nil && n == nil:
		return p, false, nil
	case n == nil || o != nil && o.Key < n.Key:
		j.old.pass()
		return pair{o.Key, o, nil}, true, nil
	case o == nil || n.Key < o.Key:
		j.new.pass()
		return pair{n.Key, nil, n}, true, nil
	}
	j.old.pass()
	j.new.pass()
	return pair{o.Key, o, n}, true, nil
}

// close ends the requests that are under way, and waits for them.
func (j *joined) close() {
	j.old.close()
	j.new.close()
}

// listing is one store's half of a join. A page is asked for while the one before it
// is worked on.
type listing struct {
	store  backends.Reader
	pages  chan *backends.ListPage
	cancel context.CancelFunc
	failed error // once pages is closed

	rest []backends.ListedObject
	last string
	to   string // the span's end
}

func list(ctx context.Context, store backends.Reader, s span) *listing {
	ctx, cancel := context.WithCancel(ctx)
	l := &listing{store: store, pages: make(chan *backends.ListPage), cancel: cancel, last: s.After, to: s.To}
	go func() {
		defer close(l.pages)
		l.failed = l.run(ctx, s)
	}()
	return l
}

func (l *listing) run(ctx context.Context, s span) error {
	r := backends.ListRequest{Prefix: s.Prefix, After: s.After, MaxKeys: 1000}
	for {
		page, err := l.store.List(ctx, r)
		if err != nil {
			return fmt.Errorf("listing store %s behind %q: %w", l.store.Name(), r.After, err)
		}
		n := len(page.Objects)
		end := !page.Truncated || s.To != "" && n > 0 && page.Objects[n-1].Key > s.To
		if !end && page.NextToken == r.Token {
			return fmt.Errorf("listing store %s: the page behind %q is the same page again", l.store.Name(), r.Token)
		}
		select {
		case l.pages <- page:
		case <-ctx.Done():
			return ctx.Err()
		}
		if end {
			return nil
		}
		r.Token = page.NextToken
	}
}

// peek answers the next object that is a client's; nil at the end.
func (l *listing) peek() (*backends.ListedObject, error) {
	for {
		for len(l.rest) == 0 {
			page, ok := <-l.pages
			if !ok {
				return nil, l.failed
			}
			l.rest = page.Objects
		}
		o := &l.rest[0]
		if o.Key <= l.last {
			// What is compared with an unsorted listing would be taken for absent.
			return nil, fmt.Errorf("store %s lists %q behind %q: its listings are not sorted, and can not be compared", l.store.Name(), o.Key, l.last)
		}
		switch {
		case l.to != "" && o.Key > l.to:
			return nil, nil
		case !mirror.IsReserved(o.Key):
			return o, nil
		}
		l.pass()
	}
}

func (l *listing) pass() {
	l.last = l.rest[0].Key
	l.rest = l.rest[1:]
}

func (l *listing) close() {
	l.cancel()
	for range l.pages { // until it is closed
	}
}
