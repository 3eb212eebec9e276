package cache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"sluice/backends"
)

// Ask names what a read asks the stores for.
type Ask struct {
	Key
	Range string // one part; "": the whole object
	// Public: it is for everyone, and comes with the object's ACL. Only then are long answers
	// shared: crowds come by the public hosts, and who signs reads large objects once.
	Public bool
}

// Opener asks the stores, and answers which one it was that answered.
type Opener func(ctx context.Context) (o *backends.Object, store string, err error)

// fetches are the reads of the stores that are under way, and what they may take.
type fetches struct {
	wg       sync.WaitGroup
	memory   *semaphore.Weighted
	spool    *semaphore.Weighted
	spoolDir string
	running  atomic.Int64

	mu    sync.Mutex
	under map[Ask]*fetch
}

// fetch is one read of the stores for all who ask for the same while it lasts. Whoever of
// them needs bytes that are not there reads on: it goes as fast as the fastest of them takes
// it, and no further.
type fetch struct {
	c     *Cache
	ask   Ask
	still func() bool
	began time.Time
	stop  context.CancelFunc

	readers int           // under fetches.mu
	opened  chan struct{} // closed once the next are known

	object     *backends.Object
	store      string
	err        error
	first, end int64  // what of the object the answer holds
	entry      *Entry // that it is kept under; nil: it is not kept
	hold       *hold  // nil: it is too much to be held, so that one alone can have it
	free       func() // gives back what the hold takes

	mu      sync.Mutex
	more    sync.Cond // something came, or nothing will
	reading bool
	got     int64 // the offset up to which it came
	failed  error
}

// Fetched is a store's answer as one of its readers has it.
type Fetched struct {
	Info      backends.Info // as the store told it, with its checksums
	Store     string
	Collapsed bool   // another began this read
	Entry     *Entry // that it is kept under in the cache; nil: it is not

	f *fetch
}

// Fetch opens what ask names, or joins who is reading it already, if nothing that still
// knows of has happened since that began. The caller ends with Body or with Close.
func (c *Cache) Fetch(ctx context.Context, ask Ask, still func() bool, open Opener) (*Fetched, error) {
	f, joined := c.join(ctx, ask, still, open)
	answer, err := f.answer(ctx)
	if err == nil && f.hold == nil && joined {
		f.leave()
		f, joined = c.begin(ctx, ask, still, open), false
		answer, err = f.answer(ctx)
	}
	if err != nil {
		f.leave()
		return nil, err
	}
	answer.Collapsed = joined
	return answer, nil
}

// join finds the fetch of an ask, or begins it.
func (c *Cache) join(ctx context.Context, ask Ask, still func() bool, open Opener) (f *fetch, joined bool) {
	c.fetches.mu.Lock()
	defer c.fetches.mu.Unlock()
	ttl := c.o.Load().TTL
	if f = c.fetches.under[ask]; f != nil && f.still() && (ttl <= 0 || time.Since(f.began) < ttl) {
		f.readers++
		return f, true
	}
	f = c.begin(ctx, ask, still, open)
	c.fetches.under[ask] = f
	return f, false
}

// begin begins a fetch, which goes on when who began it leaves before the others.
func (c *Cache) begin(ctx context.Context, ask Ask, still func() bool, open Opener) *fetch {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	f := &fetch{c: c, ask: ask, still: still, began: time.Now(), stop: stop, readers: 1, opened: make(chan struct{})}
	f.more.L = &f.mu
	c.fetches.running.Add(1)
	c.fetches.wg.Go(func() { f.open(ctx, open) })
	return f
}

// open asks the stores, and finds room for the answer.
func (f *fetch) open(ctx context.Context, open Opener) {
	if f.object, f.store, f.err = open(ctx); f.err == nil {
		f.first = firstOf(&f.object.Info)
		f.end = f.first + f.object.Length
		f.got = f.first
		f.hold, f.free = f.room()
		f.entry = f.keep()
	}
	f.c.fetches.mu.Lock()
	close(f.opened)
	left := f.readers == 0
	f.c.fetches.mu.Unlock()
	if left {
		f.close()
	}
}

// room finds a place for the answer: memory for a short one, a file for others; nil where
// there is none.
func (f *fetch) room() (h *hold, free func()) {
	a, length := &f.c.fetches, f.end-f.first
	h = &hold{first: f.first, end: f.end}
	switch short := f.c.Whole(length); {
	case short && a.memory.TryAcquire(length):
		return h, func() { a.memory.Release(length) }
	case !short && !f.ask.Public, !a.memory.TryAcquire(BlockSize):
		return nil, func() {}
	}
	free = func() { a.memory.Release(BlockSize) }
	if a.spool.TryAcquire(length) {
		free = func() { a.memory.Release(BlockSize); a.spool.Release(length) }
		if h.file = unnamed(a.spoolDir); h.file != nil {
			return h, free
		}
	}
	free()
	return nil, func() {}
}

// firstOf is where in its object an answer begins.
func firstOf(i *backends.Info) (first int64) {
	if i.ContentRange != "" {
		_, _ = fmt.Sscanf(i.ContentRange, "bytes %d-", &first)
	}
	return first
}

// answer waits for the answer.
func (f *fetch) answer(ctx context.Context) (*Fetched, error) {
	select {
	case <-f.opened:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if f.err != nil {
		return nil, f.err
	}
	return &Fetched{Info: f.object.Info, Store: f.store, Entry: f.entry, f: f}, nil
}

// keep decides what of the answer goes into the cache, and under which entry: small objects
// that are read whole, and of others the blocks that a range asks for.
func (f *fetch) keep() *Entry {
	whole := f.ask.Range == ""
	if f.hold == nil || whole && !f.c.Whole(f.object.Size) {
		return nil
	}
	e := newEntry(f.object.Info, whole)
	switch {
	case f.object.Size == 0:
		f.c.Add(f.ask.Key, e, []byte{}, f.still)
		return e
	case f.object.Size <= BlockSize:
		return e // it comes with its body
	}
	if known, _ := f.c.Get(f.ask.Key, f.still); known != nil && !whole && Same(&known.Info, &e.Info) &&
		(known.Info.ACL == e.Info.ACL || e.Info.ACL == "") {
		return known
	}
	if !f.c.Add(f.ask.Key, e, nil, f.still) {
		return nil
	}
	return e
}

// await waits until the byte at an offset is there, reading on if nobody does, and answers
// up to where bytes are.
func (f *fetch) await(at int64) (got int64, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.got <= at && f.failed == nil {
		if f.reading {
			f.more.Wait()
			continue
		}
		f.reading = true
		f.mu.Unlock()
		n, err := f.read()
		f.mu.Lock()
		f.reading = false
		f.got += n
		f.failed = err
		f.more.Broadcast()
	}
	if f.got > at {
		return f.got, nil
	}
	return 0, f.failed
}

// read reads on. A block that is complete goes into the cache.
func (f *fetch) read() (int64, error) {
	n, full, err := f.hold.read(f.object.Body, f.got, f.entry != nil)
	if full != nil && f.entry != nil {
		f.keepBlock(f.got+n-int64(len(full)), full)
	}
	switch {
	case f.got+n == f.end:
		return n, nil // nobody asks for more
	case errors.Is(err, io.EOF):
		return n, io.ErrUnexpectedEOF
	}
	return n, err
}

// keepBlock puts a block into the cache, if it is one from its beginning to its end.
func (f *fetch) keepBlock(at int64, data []byte) {
	switch size := f.object.Size; {
	case at%BlockSize != 0 || int64(len(data)) < min(BlockSize, size-at):
	case size <= BlockSize:
		f.c.Add(f.ask.Key, f.entry, data, f.still)
	default:
		f.c.AddBlock(f.ask.Key, f.entry, at/BlockSize, data, f.still)
	}
}

// leave is the end of a reader.
func (f *fetch) leave() {
	a := &f.c.fetches
	a.mu.Lock()
	f.readers--
	last := f.readers == 0
	if last && a.under[f.ask] == f {
		delete(a.under, f.ask)
	}
	select {
	case <-f.opened:
	default:
		if last {
			f.stop() // and open sees to the rest
		}
		last = false
	}
	a.mu.Unlock()
	switch {
	case !last:
	case f.err == nil && f.failed == nil && f.entry != nil && f.hold.begun():
		a.wg.Go(f.finish)
	default:
		f.close()
	}
}

// finishTimeout is how long the rest of a block may take that nobody waits for.
const finishTimeout = 30 * time.Second

// finish reads the block that was begun to its end: the store sends it already, and the next
// who asks for some of it shall find it.
func (f *fetch) finish() {
	defer f.close()
	defer time.AfterFunc(finishTimeout, f.stop).Stop()
	for f.hold.begun() {
		if _, err := f.await(f.got); err != nil {
			return
		}
	}
}

// close is called once nobody reads any more.
func (f *fetch) close() {
	if f.err == nil {
		f.object.Body.Close()
		f.hold.close()
		f.free()
	}
	f.stop()
	f.c.fetches.running.Add(-1)
}

// Close is the end of an answer whose body is not wanted.
func (a *Fetched) Close() { a.f.leave() }

// Span is what of the object the answer holds.
func (a *Fetched) Span() (first, end int64) { return a.f.first, a.f.end }

// Body is the object's bytes from an offset up to another, within the span.
func (a *Fetched) Body(from, to int64) io.ReadCloser {
	if a.f.hold == nil {
		return &loneBody{f: a.f, skip: from - a.f.first, Reader: io.LimitReader(a.f.object.Body, to-a.f.first)}
	}
	return &sharedBody{f: a.f, at: from, end: to}
}

// loneBody is the body of an answer that is not held.
type loneBody struct {
	io.Reader
	f    *fetch
	skip int64
}

func (b *loneBody) Read(p []byte) (int, error) {
	if b.skip > 0 {
		n, err := io.CopyN(io.Discard, b.Reader, b.skip)
		if b.skip -= n; err != nil {
			return 0, err
		}
	}
	return b.Reader.Read(p)
}

func (b *loneBody) Close() error {
	b.f.leave()
	return nil
}

// sharedBody is one reader's way through what a fetch holds.
type sharedBody struct {
	f       *fetch
	at, end int64
}

func (b *sharedBody) Read(p []byte) (int, error) {
	if b.at == b.end {
		return 0, io.EOF
	}
	got, err := b.f.await(b.at)
	if err != nil {
		return 0, err
	}
	n, err := b.f.hold.readAt(p[:min(int64(len(p)), got-b.at, b.end-b.at)], b.at)
	b.at += int64(n)
	return n, err
}

// pieceOfFile is what a reader holds in memory of a file: there may be thousands of them,
// each waiting for its client.
const pieceOfFile = 16 << 10

// WriteTo writes what is held in memory from where it is.
func (b *sharedBody) WriteTo(w io.Writer) (written int64, err error) {
	if b.f.hold.file != nil {
		return io.CopyBuffer(w, struct{ io.Reader }{b}, make([]byte, pieceOfFile))
	}
	for b.at < b.end {
		got, err := b.f.await(b.at)
		if err != nil {
			return written, err
		}
		piece := b.f.hold.view(b.at, min(got, b.end))
		n, err := w.Write(piece)
		written += int64(n)
		if b.at += int64(n); err != nil {
			return written, err
		}
	}
	return written, nil
}

func (b *sharedBody) Close() error {
	b.f.leave()
	return nil
}
