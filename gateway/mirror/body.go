package mirror

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	chunkSize = 128 << 10
	// window is how many chunks a tap may be behind the client.
	window = 8
	// smallBody is verified whole before its first byte leaves; of a larger one
	// only the last chunk is held back.
	smallBody = window * chunkSize
)

// chunk is a piece of a body on its way to the taps.
type chunk struct {
	n    int
	refs atomic.Int32
	buf  [chunkSize]byte
}

var chunks = sync.Pool{New: func() any { return new(chunk) }}

func (c *chunk) release() {
	if c.refs.Add(-1) == 0 {
		chunks.Put(c)
	}
}

// tap is one store's end of a body. The producer's side is hand; the store reads.
type tap struct {
	in   chan *chunk
	idle chan struct{} // the store asked for more and nothing was there
	// waiting: that is so now.
	waiting atomic.Bool
	quit    chan struct{} // closed by abort
	done    chan struct{} // closed when the store's call has returned
	once    sync.Once
	err     error // set before quit is closed

	left int64 // bytes not yet read; the reader's own
	cur  *chunk
	off  int

	// released: the last bytes were handed over, so that the request may take
	// effect. Only the producer touches it.
	released bool
}

func newTap(size int64) *tap {
	return &tap{
		in: make(chan *chunk, window), idle: make(chan struct{}, 1),
		quit: make(chan struct{}), done: make(chan struct{}), left: size,
	}
}

// Read gives the store the body. It blocks until the producer hands over more,
// and fails once the body was aborted.
func (t *tap) Read(p []byte) (int, error) {
	if t.left == 0 {
		return 0, io.EOF
	}
	if t.cur == nil {
		select {
		case t.cur = <-t.in:
		default:
			t.waiting.Store(true)
			select {
			case t.idle <- struct{}{}:
			default:
			}
			select {
			case t.cur = <-t.in:
				t.waiting.Store(false)
			case <-t.quit:
				return 0, t.err
			}
		}
		t.off = 0
	}
	n := copy(p, t.cur.buf[t.off:t.cur.n])
	t.off += n
	t.left -= int64(n)
	if t.off == t.cur.n {
		t.cur.release()
		t.cur = nil
	}
	return n, nil
}

// abort makes the store's request fail with err before it is complete, unless
// its last bytes were released.
func (t *tap) abort(err error) {
	t.once.Do(func() {
		t.err = err
		close(t.quit)
	})
}

// errStoreDone: the store's call returned while the body was still going out.
var errStoreDone = errors.New("the store answered before the body was complete")

// hand gives the tap a chunk, waiting while its window is full, but no longer
// than limit.
func (t *tap) hand(c *chunk, limit time.Duration) error {
	t.waiting.Store(false) // the store says so again when it has taken this
	select {
	case t.in <- c:
		return nil
	default:
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case t.in <- c:
		return nil
	case <-t.done:
		return errStoreDone
	case <-timer.C:
		return fmt.Errorf("the store took no more of the body for %v", limit)
	}
}

// body is a client's body on its way to one or two stores. It is read once; each
// chunk is shared by the taps.
type body struct {
	src  io.Reader
	left int64 // bytes not yet read from src
	held []*chunk
	sum  string // SHA-256 of a primed body, in hex: computed once for both stores
	taps []*tap // primary first

	stall  time.Duration // how long the primary may take no bytes
	budget time.Duration // how long the secondary may still make the client wait
}

func newBody(src io.Reader, size int64, o *Settings) *body {
	return &body{src: src, left: size, stall: o.StoreTimeout, budget: o.SyncTimeout}
}

// prime reads and verifies a small body whole. A large one it leaves alone.
func (b *body) prime() error {
	if b.left > smallBody {
		return nil
	}
	h := sha256.New()
	for b.left > 0 {
		c, err := b.next()
		if err != nil {
			return err
		}
		b.held = append(b.held, c)
		h.Write(c.buf[:c.n])
	}
	b.sum = hex.EncodeToString(h.Sum(nil))
	return b.verify()
}

// size is how much of the body is still to be handed to the taps.
func (b *body) size() int64 {
	size := b.left
	for _, c := range b.held {
		size += int64(c.n)
	}
	return size
}

// cutOff tells whether a tap no longer gets the body.
func (b *body) cutOff(t *tap) bool { return !slices.Contains(b.taps, t) }

// primed tells whether the whole body was read before its first byte is sent.
func (b *body) primed() bool { return b.sum != "" }

// feed hands the taps everything except what must be held back until the intent
// is durable: the last chunk of a large body, the whole of a small one. When it
// returns nil the body is verified.
func (b *body) feed() error {
	if b.left == 0 {
		return nil // primed
	}
	for {
		c, err := b.next()
		if err != nil {
			return err
		}
		if b.left == 0 {
			b.held = append(b.held, c)
			return b.verify()
		}
		c.refs.Store(int32(len(b.taps)))
		if err := b.taps[0].hand(c, b.stall); err != nil {
			return err
		}
		if len(b.taps) > 1 {
			b.handSecondary(c)
		}
	}
}

// next reads the next chunk from the client.
func (b *body) next() (*chunk, error) {
	c := chunks.Get().(*chunk)
	c.n = int(min(b.left, chunkSize))
	if _, err := io.ReadFull(b.src, c.buf[:c.n]); err != nil {
		chunks.Put(c)
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("reading the client's body: %w", err)
	}
	b.left -= int64(c.n)
	return c, nil
}

// verify reads the end of the body: hashes, signatures and trailers are checked
// by the source there.
func (b *body) verify() error {
	var one [1]byte
	for {
		n, err := b.src.Read(one[:])
		switch {
		case n > 0:
			return errors.New("reading the client's body: it is longer than announced")
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("reading the client's body: %w", err)
		}
	}
}

// handSecondary gives the secondary a chunk. While the primary is busy the
// secondary may be busy too; from the moment the primary has nothing to do, the
// wait counts against the budget, and when that is spent the secondary is cut
// off: its last bytes are never released.
func (b *body) handSecondary(c *chunk) {
	t := b.taps[1]
	select {
	case <-b.taps[0].idle: // an old signal
	default:
	}
	if !b.taps[0].waiting.Load() {
		stuck := time.NewTimer(b.stall)
		defer stuck.Stop()
		select {
		case t.in <- c:
			return
		case <-t.done:
			b.drop()
			return
		case <-b.taps[0].done:
			return // feed will see it
		case <-stuck.C:
		case <-b.taps[0].idle:
		}
	}
	start := time.Now()
	err := t.hand(c, b.budget)
	b.budget = max(b.budget-time.Since(start), 0)
	if err != nil {
		t.abort(fmt.Errorf("cut off: the secondary lags behind the primary: %w", err))
		b.drop()
	}
}

// drop goes on without the secondary.
func (b *body) drop() { b.taps = b.taps[:1] }

// share sets the readers of what was held back, before the first release. A tap
// that is cut off leaves its share to the garbage collector.
func (b *body) share() {
	for _, c := range b.held {
		c.refs.Store(int32(len(b.taps)))
	}
}

// release hands a tap what was held back. From here on the request may take
// effect.
func (b *body) release(t *tap, limit time.Duration) error {
	t.released = true
	for _, c := range b.held {
		if err := t.hand(c, limit); err != nil {
			return err
		}
	}
	return nil
}

// releaseSecondary is release within what is left of the secondary's budget. Its
// own call reports a failure.
func (b *body) releaseSecondary(t *tap) {
	start := time.Now()
	_ = b.release(t, b.budget)
	b.budget = max(b.budget-time.Since(start), 0)
}
