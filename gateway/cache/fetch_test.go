package cache

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"golang.org/x/sync/semaphore"

	"sluice/backends"
)

// source is a store with one object, which counts and can be made to wait.
type source struct {
	content []byte
	opened  atomic.Int64
	sent    atomic.Int64
	closed  atomic.Int64
	gate    chan struct{} // each open waits for it; nil: none does
	short   int64         // bodies break off after so many bytes; 0: they do not
	err     error
}

func (s *source) open(first, end int64) Opener {
	return func(ctx context.Context) (*backends.Object, string, error) {
		s.opened.Add(1)
		if s.gate != nil {
			select {
			case <-s.gate:
			case <-ctx.Done():
				return nil, "", ctx.Err()
			}
		}
		if s.err != nil {
			return nil, "", s.err
		}
		o := &backends.Object{Info: backends.Info{Size: int64(len(s.content)), ETag: "e", Length: end - first}}
		if o.Length < o.Size {
			o.ContentRange = rangeText(first, end, o.Size)
		}
		body := s.content[first:end]
		if s.short > 0 {
			body = body[:s.short]
		}
		o.Body = &counted{iotest{bytes.NewReader(body)}, s}
		return o, "store", nil
	}
}

// iotest reads pieces of odd sizes.
type iotest struct{ io.Reader }

func (r iotest) Read(p []byte) (int, error) {
	return r.Reader.Read(p[:min(len(p), 1+rand.IntN(100_000))])
}

type counted struct {
	iotest
	s *source
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.iotest.Read(p)
	c.s.sent.Add(int64(n))
	return n, err
}

func (c *counted) Close() error {
	c.s.closed.Add(1)
	return nil
}

func rangeText(first, end, size int64) string {
	return "bytes " + strconv.FormatInt(first, 10) + "-" + strconv.FormatInt(end-1, 10) + "/" + strconv.FormatInt(size, 10)
}

func content(size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i * 7 >> 3)
	}
	return b
}

// TestManyReadersOneRead: they all get all of it, of whatever size, and nothing is left.
func TestManyReadersOneRead(t *testing.T) {
	for name, size := range map[string]int{"in memory": 3*BlockSize + 7, "in a file": 9*BlockSize + 7, "small": 100, "empty": 0} {
		many := min(100, 1+(100<<20)/(size+1))
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				c := New(Options{MaxBytes: 64 << 20, MaxObject: 8 << 20, SpoolDir: dir, MaxSpool: 32 << 20})
				s := &source{content: content(size), gate: make(chan struct{})}
				var readers sync.WaitGroup
				collapsed := new(atomic.Int64)
				for i := range many {
					readers.Go(func() {
						f, err := c.Fetch(t.Context(), Ask{Key: key(1), Public: true}, always, s.open(0, int64(size)))
						if err != nil {
							t.Error(err)
							return
						}
						if f.Collapsed {
							collapsed.Add(1)
						}
						from := min(i, size)
						body := f.Body(int64(from), int64(size))
						defer body.Close()
						var got bytes.Buffer
						if i%2 == 0 {
							_, err = io.Copy(&got, body)
						} else {
							_, err = io.Copy(&got, struct{ io.Reader }{body})
						}
						if err != nil || !bytes.Equal(got.Bytes(), s.content[from:]) {
							t.Errorf("%d bytes of %d, %v", got.Len(), size-from, err)
						}
					})
				}
				synctest.Wait()
				close(s.gate)
				readers.Wait()
				if s.opened.Load() != 1 || s.closed.Load() != 1 || s.sent.Load() != int64(size) || collapsed.Load() != int64(many-1) {
					t.Errorf("%d reads, %d closed, %d bytes, %d collapsed", s.opened.Load(), s.closed.Load(), s.sent.Load(), collapsed.Load())
				}
				c.restored(t)
				if left := files(t, dir); len(left) != 0 {
					t.Errorf("left: %v", left)
				}
				e, body := c.Get(key(1), always)
				if kept := size <= 8<<20; (e != nil) != kept || kept && size <= BlockSize && !bytes.Equal(body, s.content) {
					t.Errorf("cached: %v, %d bytes", e != nil, len(body))
				}
				if size == 3*BlockSize+7 && c.Missing(key(1), e, 0, int64(size)) != int64(size) {
					t.Error("blocks are missing")
				}
			})
		})
	}
}

// restored fails unless all that fetches took was given back.
func (c *Cache) restored(t *testing.T) {
	t.Helper()
	for room, size := range map[*semaphore.Weighted]int64{c.fetches.memory: c.o.Load().MaxBytes / 4, c.fetches.spool: c.o.Load().MaxSpool} {
		if !room.TryAcquire(size) {
			t.Fatal("a fetch holds on to its room")
		}
		room.Release(size)
	}
	if n := len(c.fetches.under); n != 0 {
		t.Errorf("%d fetches are left", n)
	}
}

// TestAReadIsNotJoinedAfterAChange: whoever comes after it reads anew, and what was read
// before is not kept. Seen to fail without the look at still in join.
func TestAReadIsNotJoinedAfterAChange(t *testing.T) {
	c := New(Options{MaxBytes: 64 << 20, MaxObject: 8 << 20})
	s := &source{content: content(100)}
	changed := false
	first, err := c.Fetch(t.Context(), Ask{Key: key(1), Public: true}, func() bool { return !changed }, s.open(0, 100))
	if err != nil {
		t.Fatal(err)
	}
	changed = true
	second, err := c.Fetch(t.Context(), Ask{Key: key(1), Public: true}, always, s.open(0, 100))
	if err != nil {
		t.Fatal(err)
	}
	if s.opened.Load() != 2 || second.Collapsed {
		t.Error("a read from before the change was joined")
	}
	if _, err := io.ReadAll(first.Body(0, 100)); err != nil || has(c, key(1)) {
		t.Errorf("%v; or it is kept", err)
	}
	if _, err := io.ReadAll(second.Body(0, 100)); err != nil || !has(c, key(1)) {
		t.Errorf("%v; or it is not kept", err)
	}
}

// TestAReadGoesNoFurtherThanItsReaders, and ends with the last of them.
func TestAReadGoesNoFurtherThanItsReaders(t *testing.T) {
	c := New(Options{MaxBytes: 64 << 20, MaxObject: 8 << 20, SpoolDir: t.TempDir(), MaxSpool: 64 << 20})
	const size = 40 << 20
	s := &source{content: content(size)}
	f, err := c.Fetch(t.Context(), Ask{Key: key(1), Public: true}, always, s.open(0, size))
	if err != nil {
		t.Fatal(err)
	}
	body := f.Body(0, size)
	if _, err := io.CopyN(io.Discard, body, 1<<20); err != nil {
		t.Fatal(err)
	}
	if n := s.sent.Load(); n > 2<<20 {
		t.Errorf("%d bytes were read for one who took %d", n, 1<<20)
	}
	body.Close()
	if s.closed.Load() != 1 {
		t.Error("the store goes on sending")
	}
	c.restored(t)
}

// TestLeavingBeforeTheAnswer: the first to ask goes, and the others are answered; all go,
// and the question ends.
func TestLeavingBeforeTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Options{MaxBytes: 64 << 20, MaxObject: 8 << 20})
		s := &source{content: content(100), gate: make(chan struct{})}
		ask := func(ctx context.Context) chan error {
			done := make(chan error, 1)
			go func() {
				f, err := c.Fetch(ctx, Ask{Key: key(1), Public: true}, always, s.open(0, 100))
				if err == nil {
					_, err = io.ReadAll(f.Body(0, 100))
					f.Close()
				}
				done <- err
			}()
			synctest.Wait()
			return done
		}
		ctx, leave := context.WithCancel(t.Context())
		first := ask(ctx)
		second := ask(t.Context())
		leave()
		if err := <-first; !errors.Is(err, context.Canceled) {
			t.Errorf("who left is told %v", err)
		}
		s.gate <- struct{}{}
		if err := <-second; err != nil || s.opened.Load() != 1 {
			t.Errorf("who stayed is told %v, after %d reads", err, s.opened.Load())
		}
		c.Remove(key(1))
		ctx, leave = context.WithCancel(t.Context())
		third := ask(ctx)
		leave()
		<-third
		c.fetches.wg.Wait() // would not end
		c.restored(t)
	})
}

// TestTooLargeToBeShared: each reads alone, and is not kept waiting.
func TestTooLargeToBeShared(t *testing.T) {
	c := New(Options{MaxBytes: 64 << 20, MaxObject: 8 << 20, SpoolDir: t.TempDir(), MaxSpool: 16 << 20})
	const size = 17 << 20
	s := &source{content: content(size)}
	var bodies []io.ReadCloser
	for range 3 {
		f, err := c.Fetch(t.Context(), Ask{Key: key(1), Public: true}, always, s.open(0, size))
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, f.Body(5, size-5))
	}
	for _, body := range bodies {
		got, err := io.ReadAll(body)
		if err != nil || !bytes.Equal(got, s.content[5:size-5]) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		body.Close()
	}
	if s.opened.Load() != 3 || s.closed.Load() != 3 {
		t.Errorf("%d reads, %d closed", s.opened.Load(), s.closed.Load())
	}
	c.restored(t)
}

// TestWhoSignsReadsLargeObjectsAlone, and small ones with others.
func TestWhoSignsReadsLargeObjectsAlone(t *testing.T) {
	c := New(Options{MaxBytes: 64 << 20, MaxObject: 8 << 20, SpoolDir: t.TempDir(), MaxSpool: 64 << 20})
	for size, reads := range map[int]int64{1000: 1, 9 << 20: 2} {
		s := &source{content: content(size)}
		for range 2 {
			f, err := c.Fetch(t.Context(), Ask{Key: key(size)}, always, s.open(0, int64(size)))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
		}
		if s.opened.Load() != reads {
			t.Errorf("%d bytes: %d reads", size, s.opened.Load())
		}
	}
}

// TestTornReadsAreNotKept, nor taken for whole by any of their readers.
func TestTornReadsAreNotKept(t *testing.T) {
	for name, size := range map[string]int{"small": 1000, "in memory": 3 * BlockSize, "in a file": 20 * BlockSize} {
		t.Run(name, func(t *testing.T) {
			c := New(Options{MaxBytes: 64 << 20, MaxObject: 8 << 20, SpoolDir: t.TempDir(), MaxSpool: 32 << 20})
			s := &source{content: content(size), short: int64(size - 10)}
			var bodies []io.ReadCloser
			for range 3 {
				f, err := c.Fetch(t.Context(), Ask{Key: key(1), Public: true}, always, s.open(0, int64(size)))
				if err != nil {
					t.Fatal(err)
				}
				bodies = append(bodies, f.Body(0, int64(size)))
			}
			for _, body := range bodies {
				if n, err := io.Copy(io.Discard, body); !errors.Is(err, io.ErrUnexpectedEOF) || n != int64(size-10) {
					t.Errorf("%d bytes, %v", n, err)
				}
			}
			for _, body := range bodies {
				body.Close()
			}
			if e, body := c.Get(key(1), always); e != nil && (body != nil || c.Missing(key(1), e, 0, int64(size)) == int64(size)) {
				t.Error("it is kept")
			}
			c.restored(t)
		})
	}
}

// TestErrorsAreShared: a hundred who ask a store that is down ask once.
func TestErrorsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Options{MaxBytes: 64 << 20, MaxObject: 8 << 20})
		s := &source{gate: make(chan struct{}), err: backends.ErrUnavailable}
		var readers sync.WaitGroup
		for range 100 {
			readers.Go(func() {
				if _, err := c.Fetch(t.Context(), Ask{Key: key(1), Public: true}, always, s.open(0, 0)); !errors.Is(err, backends.ErrUnavailable) {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		close(s.gate)
		readers.Wait()
		if s.opened.Load() != 1 {
			t.Errorf("%d asked", s.opened.Load())
		}
		c.restored(t)
	})
}

// TestRangesAreKeptByBlocks: whole ones, under one entry, from memory and by a file.
func TestRangesAreKeptByBlocks(t *testing.T) {
	const size = 40*BlockSize + 5
	c := New(Options{MaxBytes: 256 << 20, MaxObject: 8 << 20, SpoolDir: t.TempDir(), MaxSpool: 64 << 20})
	s := &source{content: content(size)}
	read := func(first, end int64) {
		t.Helper()
		f, err := c.Fetch(t.Context(), Ask{Key: key(1), Range: rangeText(first, end, size), Public: true}, always, s.open(first, end))
		if err != nil {
			t.Fatal(err)
		}
		body := f.Body(first, end)
		defer body.Close()
		if got, err := io.ReadAll(body); err != nil || !bytes.Equal(got, s.content[first:end]) {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
	}
	read(2*BlockSize, 4*BlockSize)
	read(4*BlockSize, 20*BlockSize)
	read(size-BlockSize, size) // not from a block's beginning
	read(39*BlockSize, size)
	e, _ := c.Get(key(1), always)
	if e == nil {
		t.Fatal("nothing is kept")
	}
	for _, span := range [][3]int64{{0, size, 0}, {2 * BlockSize, size, 20 * BlockSize}, {39*BlockSize + 3, size, size}, {38 * BlockSize, size, 38 * BlockSize}} {
		if at := c.Missing(key(1), e, span[0], span[1]); at != span[2] {
			t.Errorf("from %d missing at %d, want %d", span[0], at, span[2])
		}
	}
	for n := range int64(41) {
		if data, ok := c.Block(key(1), e, n, always); ok && !bytes.Equal(data, s.content[n*BlockSize:min((n+1)*BlockSize, size)]) {
			t.Errorf("block %d is another", n)
		}
	}
	c.restored(t)
}

// TestNoSpool: without a place for files nothing is shared, and all is read.
func TestNoSpool(t *testing.T) {
	c := New(Options{MaxBytes: 64 << 20, MaxObject: 1 << 20, SpoolDir: t.TempDir() + "/absent", MaxSpool: 64 << 20})
	s := &source{content: content(9 << 20)}
	f, err := c.Fetch(t.Context(), Ask{Key: key(1), Public: true}, always, s.open(0, 9<<20))
	if err != nil {
		t.Fatal(err)
	}
	body := f.Body(0, 9<<20)
	var got strings.Builder
	if _, err := io.Copy(&got, body); err != nil || got.String() != string(s.content) {
		t.Error(err)
	}
	body.Close()
	c.restored(t)
}

// TestABegunBlockIsReadToItsEnd when its reader has what it wants, and no further; a store
// that does not send it is not waited for.
func TestABegunBlockIsReadToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Options{MaxBytes: 256 << 20, MaxObject: 8 << 20})
		s := &source{content: content(5 * BlockSize)}
		read := func(k Key, stall bool) {
			open := s.open(0, 3*BlockSize)
			f, err := c.Fetch(t.Context(), Ask{Key: k, Range: "bytes=0-"}, always, func(ctx context.Context) (*backends.Object, string, error) {
				o, store, err := open(ctx)
				if stall {
					o.Body = &stalled{o.Body, ctx, 100}
				}
				return o, store, err
			})
			if err != nil {
				t.Fatal(err)
			}
			body := f.Body(0, 10)
			if _, err := io.ReadAll(body); err != nil {
				t.Fatal(err)
			}
			body.Close()
			c.fetches.wg.Wait()
			c.restored(t)
		}
		read(key(1), false)
		if e, _ := c.Get(key(1), always); e == nil || c.Missing(key(1), e, 0, 3*BlockSize) != BlockSize {
			t.Error("the block is not kept, or more is")
		}
		read(key(2), true)
		if e, _ := c.Get(key(2), always); e != nil && c.Missing(key(2), e, 0, BlockSize) != 0 {
			t.Error("half a block is kept")
		}
	})
}

// stalled sends some bytes and then none until its context ends.
type stalled struct {
	io.ReadCloser
	ctx  context.Context
	left int
}

func (s *stalled) Read(p []byte) (int, error) {
	if s.left == 0 {
		<-s.ctx.Done()
		return 0, s.ctx.Err()
	}
	n, err := s.ReadCloser.Read(p[:min(len(p), s.left)])
	s.left -= n
	return n, err
}
