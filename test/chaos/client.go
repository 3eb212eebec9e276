package chaos

import (
	"context"
	"sync/atomic"

	"sluice/backends"
	"sluice/gateway/mirror"
)

// client plays its operations one after the other, each when the scheduler says so.
type client struct {
	id     int
	w      *world
	ops    []op
	busy   atomic.Bool
	cancel context.CancelFunc // of the operation under way
	serial atomic.Int64
	turn   atomic.Int64 // counts the operations, those whose connection broke, too
}

func (w *world) addClient(id int, ops []op) {
	w.clients = append(w.clients, &client{id: id, w: w, ops: ops})
}

// begin starts the next operation.
func (c *client) begin() {
	o := c.ops[0]
	c.ops = c.ops[1:]
	c.busy.Store(true)
	turn := c.turn.Add(1)
	c.w.count(func(f *figures) { f.Operations++ })
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	c.w.note("client %d: %s %s", c.id, o.Name, keys[o.Key])
	l := &call{
		service: front{c.w.gateway.bucket}, history: c.w.history, client: c.id, serial: &c.serial, keys: keys,
		note: c.w.note, broken: func() bool { return c.turn.Load() != turn }, began: c.w.history.began(),
	}
	go func() {
		defer cancel()
		l.run(ctx, o)
		if c.turn.Load() == turn {
			c.busy.Store(false)
		}
	}()
}

// hangUp breaks the client's connection: it goes on with its next operation.
func (c *client) hangUp() {
	if c.busy.Load() {
		c.cancel()
		c.busy.Store(false)
		c.turn.Add(1)
	}
}

// front is a bucket as a client's library sees it.
type front struct{ *mirror.Bucket }

func (f front) Get(ctx context.Context, r backends.GetRequest) (*backends.Object, error) {
	o, _, err := f.Bucket.Get(ctx, r)
	return o, err
}

func (f front) Head(ctx context.Context, r backends.GetRequest) (*backends.Info, error) {
	info, _, err := f.Bucket.Head(ctx, r)
	return info, err
}

func (f front) Copy(ctx context.Context, r backends.CopyRequest) (*backends.CopyResult, error) {
	return f.Bucket.Copy(ctx, f.Bucket, r)
}
