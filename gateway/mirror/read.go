package mirror

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"sluice/backends"
	"sluice/gateway/cache"
	"sluice/gateway/journal"
)

// Served says where an answer came from, for headers and logs.
type Served struct {
	Cache bool          // from the cache
	Age   time.Duration // since a store last said so
	Stale bool          // it is older than it should be: no store answers, or one is being asked

	Store     string // the store that answered, when Cache is false
	Missed    string // why: "uri-miss", "partial", or "" where the cache was not asked (RFC 9211)
	Collapsed bool   // to another reader, who had asked for the same
	Kept      bool   // the cache takes it
}

// Get opens an object. What it answers was true at some moment of the call (R6):
// a dirty key is read from the primary alone; a clean one from the cache, new,
// then old, and the answer counts only if nothing happened to the key meanwhile.
func (b *Bucket) Get(ctx context.Context, r backends.GetRequest) (*backends.Object, Served, error) {
	return b.read(ctx, r, want{})
}

// Head is Get without the body.
func (b *Bucket) Head(ctx context.Context, r backends.GetRequest) (*backends.Info, Served, error) {
	o, served, err := b.read(ctx, r, want{head: true})
	if err != nil {
		return nil, served, err
	}
	return &o.Info, served, nil
}

// want is what a read is for.
type want struct {
	head bool // the description alone
	acl  bool // with the object's ACL
}

// read is one read on its way through the cache and the stores.
func (b *Bucket) read(ctx context.Context, r backends.GetRequest, w want) (*backends.Object, Served, error) {
	if IsReserved(r.Key) {
		return nil, Served{}, notFound(r.Key)
	}
	v := b.view()
	st := b.stamp(r.Key)
	plain := r.VersionID == "" && r.PartNumber == 0 && plainHeader(r.Header)
	if b.cache != nil && st.Clean && plain {
		return b.readCached(ctx, v, st, r, w)
	}
	unasked := v.secondary != nil && plain && !w.head && r.Range == "" && r.Header == nil
	if unasked {
		r.Header = withSums() // a copy made of the read wants them
	}
	o, served, err := b.readStores(ctx, v, st, r, w)
	if unasked && err == nil {
		o.Header = cache.WithoutChecksums(o.Header)
	}
	return o, served, err
}

// readStores asks new first where it may answer for the primary, then the primary.
func (b *Bucket) readStores(
	ctx context.Context, v view, st journal.Stamp, r backends.GetRequest, w want,
) (*backends.Object, Served, error) {
	new := notAsked
	if v.phase.Name == Mirroring && b.secondaryMayAnswer(v, st, r) && !b.o.Settings().ReadPrimary {
		o, err := b.ask(ctx, v, r, w)
		if st.Still() && b.current(v) {
			switch {
			case err == nil:
				b.last(ctx, v, st, o, r, v.secondary)
				return o, Served{Store: v.secondary.Name()}, nil
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
	return b.readPrimary(ctx, r, w, new)
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

// readPrimary asks the store that is right by definition, and old where that is right
// (R8).
func (b *Bucket) readPrimary(ctx context.Context, r backends.GetRequest, w want, new newHas) (*backends.Object, Served, error) {
	o, by, err := ofKey(b, r.Key, func(s *Store) (*backends.Object, error) { return s.open(ctx, r, w) },
		func(o *backends.Object) { o.Body.Close() })
	served := Served{Store: by.store.Name()}
	if by.old {
		new = lacksIt
	}
	switch {
	case err == nil:
		if by.old {
			forgetStore(o)
		}
		b.last(ctx, by.v, by.st, o, r, by.store)
		switch {
		case new == lacksIt && by.st.Clean:
			o = b.lazily(o, by.v, by.st, r, w.head)
		case new == unavailable:
			b.copies.add(r.Key) // looked for when new is back
		}
		return o, served, nil
	case errors.Is(err, backends.ErrUnavailable) && !by.old && b.secondaryMayStandIn(by.v, by.st, r):
		// The primary is down; a clean key's secondary holds the same, if
		// it holds anything. Its 404 proves nothing.
		if o, err2 := b.ask(ctx, by.v, r, w); err2 == nil {
			if by.st.Still() && b.current(by.v) {
				b.last(ctx, by.v, by.st, o, r, by.v.secondary)
				return o, Served{Store: by.v.secondary.Name()}, nil
			}
			o.Body.Close()
		}
	}
	return nil, served, err
}

// answered says how an answer about a key came about.
type answered struct {
	v     view
	st    journal.Stamp
	store *Store
	old   bool // the primary is incomplete and lacks the key: old answered
}

// ofKey asks what is true of a key: the primary, and, if that is incomplete, has
// nothing of the key and no delete is unsettled, old (R8). A phase change meanwhile
// makes the answer doubtful, and for an answer of old anything that happened to the
// key; it is then dropped and asked again (R6).
func ofKey[T any](b *Bucket, key string, ask func(*Store) (T, error), drop func(T)) (T, answered, error) {
	for {
		by := answered{v: b.view(), st: b.stamp(key)}
		by.store = by.v.primary
		answer, err := ask(by.store)
		valid := b.current(by.v)
		if errors.Is(err, backends.ErrNotFound) && by.v.incomplete() {
			if valid = valid && by.st.Still(); valid && !by.st.Deleted(by.v.phase.Epoch) {
				by.store, by.old = by.v.secondary, true
				answer, err = ask(by.store)
				valid = b.current(by.v) && by.st.Still()
			}
		}
		if valid {
			return answer, by, err
		}
		if err == nil {
			drop(answer)
		}
	}
}

const checksumMode = "X-Amz-Checksum-Mode"

// withSums is the header of a read that asks for checksums, too.
func withSums() http.Header { return http.Header{checksumMode: {"ENABLED"}} }

// secondaryMayAnswer: only for a clean key, on a proven baseline, and only what
// is the same on both stores (version ids are not, nor are ETags of other kinds).
func (b *Bucket) secondaryMayAnswer(v view, st journal.Stamp, r backends.GetRequest) bool {
	return v.secondary != nil && v.phase.Baseline && st.Clean && r.VersionID == "" && !b.versioned.Load() &&
		b.ComparableETags()
}

// secondaryMayStandIn: for a primary that is down. New was asked already while it is
// the secondary, unless the primary goes first. A read-only old is no mirror (R12).
func (b *Bucket) secondaryMayStandIn(v view, st journal.Stamp, r backends.GetRequest) bool {
	return v.mirror() != nil && (v.phase.Name == Switched || b.o.Settings().ReadPrimary) && b.secondaryMayAnswer(v, st, r)
}

// ask opens an object on the secondary, which is not right by definition: it gets only
// so long to answer, since the primary can.
func (b *Bucket) ask(ctx context.Context, v view, r backends.GetRequest, w want) (*backends.Object, error) {
	s := v.secondary
	if !s.Circuit.closed() {
		return nil, &backends.Error{Store: s.Name(), Op: "GetObject", Key: r.Key, Kind: backends.ErrUnavailable, Err: ErrNotTried}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	limit := b.o.Settings().SyncTimeout
	late := time.AfterFunc(limit, func() {
		cancel(fmt.Errorf("no answer for %v: %w", limit, context.DeadlineExceeded))
	})
	o, err := s.open(ctx, r, w)
	if !late.Stop() && err == nil {
		o.Body.Close()
		err = &backends.Error{Store: s.Name(), Op: "GetObject", Key: r.Key, Kind: backends.ErrUnavailable, Err: context.Cause(ctx)}
	}
	b.turned(s.Circuit.Count(err), err)
	if err != nil {
		cancel(nil)
		return nil, err
	}
	forgetStore(o)
	o.Body = &cancelBody{ReadCloser: o.Body, cancel: cancel}
	return o, nil
}

// forgetStore takes off the headers that speak of the very store that answered.
func forgetStore(o *backends.Object) {
	for _, name := range []string{"X-Amz-Version-Id", "X-Amz-Expiration", "X-Amz-Replication-Status"} {
		o.Header.Del(name)
	}
}

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
func (s *Store) open(ctx context.Context, r backends.GetRequest, w want) (*backends.Object, error) {
	r.Header = s.header(primary, r.Header) // conditions, too
	o := &backends.Object{Body: http.NoBody}
	var err error
	if w.head {
		var info *backends.Info
		if info, err = s.Head(ctx, r); err == nil {
			o.Info = *info
		}
	} else {
		o, err = s.Get(ctx, r)
	}
	if err != nil {
		return nil, err
	}
	if w.acl {
		if o.ACL, err = s.acl(ctx, &o.Info); err != nil {
			o.Body.Close()
			return nil, err
		}
	}
	restoreOrigin(&o.Info)
	return o, nil
}

func notFound(key string) error {
	return &backends.Error{Store: "sluice", Op: "GetObject", Key: key, Kind: backends.ErrNotFound, Status: 404, Code: "NoSuchKey"}
}
