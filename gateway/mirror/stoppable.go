package mirror

import (
	"context"
	"errors"
	"io"
	"sync"

	"sluice/backends"
)

// stoppable is a store whose objects can be read only as long as a context lasts.
type stoppable struct {
	backends.Store
	reading context.Context
	pace    func(ctx context.Context, bytes int) error // nil: at full speed
}

// Get opens an object.
func (s stoppable) Get(ctx context.Context, r backends.GetRequest) (*backends.Object, error) {
	ctx, cancel := s.bound(ctx)
	o, err := s.Store.Get(ctx, r)
	if err != nil {
		cancel(nil)
		return nil, err
	}
	o.Body = &cancelBody{ReadCloser: o.Body, cancel: cancel}
	if s.pace != nil {
		o.Body = &pacedBody{o.Body, ctx, s.pace}
	}
	return o, nil
}

// bound is a context that ends with reading too.
func (s stoppable) bound(ctx context.Context) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	detach := context.AfterFunc(s.reading, func() { cancel(ErrStopped) })
	return ctx, func(err error) { detach(); cancel(err) }
}

// pacedBody is read no faster than pace allows.
type pacedBody struct {
	io.ReadCloser
	ctx  context.Context
	pace func(ctx context.Context, bytes int) error
}

func (b *pacedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if paced := b.pace(b.ctx, n); err == nil {
		err = paced
	}
	return n, err
}

// copying are the background copies under way. A mutation of their key, or a phase
// change, stops them while that leaves nothing behind.
type copying struct {
	mu   sync.Mutex
	keys map[string]context.CancelFunc
}

// ErrStopped is the end of a background copy that made way for a mutation or a phase change.
var ErrStopped = errors.New("the copy made way; it is made again later")

func (c *copying) begin(ctx context.Context, key string) (reading context.Context, done func()) {
	reading, cancel := context.WithCancel(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.keys == nil {
		c.keys = make(map[string]context.CancelFunc)
	}
	if c.keys[key] != nil {
		return reading, cancel // a second copy of a key finds it dirty and ends at once
	}
	c.keys[key] = cancel
	return reading, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.keys, key)
		cancel()
	}
}

func (c *copying) stop(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if cancel := c.keys[key]; cancel != nil {
		cancel()
	}
}

func (c *copying) stopAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cancel := range c.keys {
		cancel()
	}
}
