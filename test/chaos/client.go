package chaos

import (
	"context"

	"sluice/backends"
	"sluice/gateway/mirror"
)

// client plays its operations one after the other, each when the scheduler says so.
type client struct {
	id     int
	w      *world
	ops    []op
	busy   bool
	cancel context.CancelFunc // of the operation under way
	serial int
	turn   int // counts the operations, those whose connection broke, too
}

func (w *world) addClient(id int, ops []op) {
	w.clients = append(w.clients, &client{id: id, w: w, ops: ops})
}

// begin starts the next operation.
func (c *client) begin() {
	o := c.ops[0]
	c.ops = c.ops[1:]
	c.busy = true
	c.turn++
	c.w.figures.Operations++
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	c.w.note("client %d: %s %s", c.id, o.Name, keys[o.Key])
	turn := c.turn
	l := &call{
		service: front{c.w.gateway.bucket}, history: c.w.history, client: c.id, serial: &c.serial, keys: keys,
		note: c.w.note, broken: func() bool { return c.turn != turn }, began: c.w.history.began(),
	}
	go func() {
		defer cancel()
		l.run(ctx, o)
		if c.turn == turn {
			c.busy = false
		}
	}()
}

// hangUp breaks the client's connection: it goes on with its next operation.
func (c *client) hangUp() {
	if c.busy {
		c.cancel()
		c.busy = false
		c.turn++
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
