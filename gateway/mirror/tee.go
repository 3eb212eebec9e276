package mirror

import (
	"context"
	"errors"
	"io"

	"sluice/backends"
	"sluice/gateway/journal"
)

// lazily makes a read of an object that new lacks copy it to new. A whole object
// of one part is copied from the very bytes the client reads; of anything else
// a background copy is queued.
func (b *Bucket) lazily(o *backends.Object, v view, st journal.Stamp, r backends.GetRequest, head bool) *backends.Object {
	way := route{from: b.old, to: b.new}
	switch {
	case v.secondary == nil:
		return o
	case head || o.Length != o.Size || o.Size == 0 || o.ContentRange != "" || partsOf(o.ETag) > 0,
		way.tags() && !way.untagged(o.Header), o.ACL == "":
		// What a read does not bring along is asked for by a copy of its own.
		b.copies.add(r.Key)
		return o
	case !b.copies.begin(r.Key):
		return o // a copy of it is waiting or under way
	}
	t := &tee{b: b, v: v, st: st, info: o.Info, ReadCloser: o.Body, tap: newTap(o.Size), left: o.Size}
	t.start()
	o.Body = t
	return o
}

// tee passes an object's body to the client and to a copy on new. The client
// never waits for the copy: when its window is full the copy is given up and
// queued. The copy's intent opens when all but the last chunk was read, and only
// if nothing happened to the key since the read began.
type tee struct {
	io.ReadCloser
	b    *Bucket
	v    view
	st   journal.Stamp
	info backends.Info
	tap  *tap
	stop context.CancelFunc // ends the copy's request
	put  error              // the store's answer, once tap.done is closed
	left int64
	cur  *chunk // being filled
	dead bool   // the copy was given up, or is complete

	again bool // the complete copy failed; finish's own
}

func (t *tee) start() {
	h := describing(t.info.Header)
	h.Set(originHeader, origin(&t.info))
	if acl := t.info.ACL; acl != "" && acl != backends.NoACL {
		h.Set("X-Amz-Acl", acl)
	}
	if sum := wholeSum(&t.info); sum.name != "" && t.b.new.Profile.Checksums {
		h.Set(sum.name, sum.value) // the read asked for it
	}
	ctx, cancel := context.WithCancel(context.Background()) // outlives the client's request
	t.stop = cancel
	t.b.wg.Go(func() {
		defer close(t.tap.done)
		ctx, end := t.b.o.Span(ctx, "copy of what a client reads", t.b.Name, t.info.Key)
		defer func() { end(t.put) }()
		_, t.put = t.b.new.Put(ctx, backends.PutRequest{
			Key: t.info.Key, Body: t.tap, Size: t.info.Size, Header: h,
			IfNoneMatch: t.b.new.Profile.ConditionalCreate,
		})
	})
}

var errTeeGivenUp = errors.New("the copy made from a client's read was given up")

func (t *tee) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	if !t.dead {
		t.pass(p[:n])
		if err != nil && t.left > 0 {
			t.giveUp()
		}
	}
	return n, err
}

// pass collects bytes and hands full chunks to the copy.
func (t *tee) pass(p []byte) {
	for len(p) > 0 {
		if t.cur == nil {
			t.cur = chunks.Get().(*chunk)
			t.cur.n = 0
			t.cur.refs.Store(1)
		}
		n := copy(t.cur.buf[t.cur.n:], p)
		t.cur.n += n
		t.left -= int64(n)
		p = p[n:]
		if t.left == 0 {
			t.dead = true
			t.b.wg.Go(t.finish)
			return
		}
		if t.cur.n == chunkSize {
			select {
			case t.tap.in <- t.cur:
				t.cur = nil
			default:
				t.giveUp()
				return
			}
		}
	}
}

// finish opens the copy's intent, releases the last chunk and waits for the
// store.
func (t *tee) finish() {
	defer func() {
		t.stop()
		t.b.copies.done(t.info.Key)
		if t.again {
			t.b.copies.add(t.info.Key)
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), t.b.o.Settings().StoreTimeout)
	defer cancel()
	leave, ok := t.enter(ctx)
	if !ok {
		t.abort(errTeeGivenUp)
		return
	}
	defer leave()
	in := t.b.journal.BeginCopy(t.st, t.v.phase.Epoch)
	if in == nil {
		t.abort(errTeeGivenUp)
		return
	}
	outcome := journal.Untouched
	defer func() { in.End(outcome, outcome) }()
	if err := in.Durable(ctx); err != nil {
		t.abort(err)
		return
	}
	if !t.b.new.Profile.ConditionalCreate {
		// Without a conditional create, what new got meanwhile is looked for
		// under the intent.
		if info, err := t.b.new.headOrAbsent(ctx, t.info.Key); err != nil || info != nil {
			t.abort(errTeeGivenUp)
			return
		}
	}
	if err := t.tap.hand(t.cur, t.b.o.Settings().StoreTimeout); err != nil {
		t.abort(err)
	}
	select {
	case <-t.tap.done:
	case <-ctx.Done():
		t.abort(ctx.Err())
	}
	if outcome = copied(t.put); outcome != journal.Applied && !errors.Is(t.put, backends.ErrPrecondition) {
		t.again = true
	}
}

// enter goes through the gate, and locks the key where copies must be alone with it.
func (t *tee) enter(ctx context.Context) (leave func(), ok bool) {
	if t.b.gate.Acquire(ctx, 1) != nil {
		return nil, false
	}
	leave = func() { t.b.gate.Release(1) }
	if !t.b.current(t.v) || t.b.halted.Load() != nil {
		leave()
		return nil, false
	}
	if !t.v.incomplete() {
		return leave, true
	}
	unlock, ok := t.b.locks.tryAlone(t.info.Key)
	if !ok {
		leave()
		return nil, false
	}
	return func() { unlock(); t.b.gate.Release(1) }, true
}

// Close gives the copy up if the client did not read to the end, and queues it.
func (t *tee) Close() error {
	if !t.dead {
		t.giveUp()
	}
	return t.ReadCloser.Close()
}

func (t *tee) giveUp() {
	t.dead = true
	t.tap.abort(errTeeGivenUp)
	t.stop()
	t.b.copies.done(t.info.Key)
	t.b.copies.add(t.info.Key)
}

// abort makes the store's request fail and waits for its end.
func (t *tee) abort(why error) {
	t.tap.abort(why)
	t.stop()
	<-t.tap.done
}
