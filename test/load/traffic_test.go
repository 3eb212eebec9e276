package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"sluice/backends"
)

// traffic is many clients that ask for what comes into their minds.
type traffic struct {
	r     *rig
	group sync.WaitGroup
	ctx   context.Context
	quit  context.CancelFunc

	ok, missing, slowed, torn atomic.Int64
	wrong                     sync.Once
}

// random is where all bodies are cut from.
var random = func() []byte {
	b := make([]byte, 4<<20)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}()

func body(size int) []byte {
	at := rand.IntN(len(random) - size)
	return random[at : at+size]
}

func newTraffic(r *rig) *traffic {
	c := &traffic{r: r}
	c.ctx, c.quit = context.WithCancel(r.t.Context())
	return c
}

// start begins with so many clients.
func (c *traffic) start(clients int, turn func(client int)) {
	for i := range clients {
		c.group.Go(func() {
			for c.ctx.Err() == nil {
				turn(i)
			}
		})
	}
}

// stop lets each client finish its request.
func (c *traffic) stop() {
	c.quit()
	c.group.Wait()
}

func (c *traffic) requests() int64 { return c.ok.Load() + c.missing.Load() + c.slowed.Load() }

func (c *traffic) String() string {
	return fmt.Sprintf("%d requests: %d served, %d not found, %d slowed down, %d bodies broken off",
		c.requests(), c.ok.Load(), c.missing.Load(), c.slowed.Load(), c.torn.Load())
}

// count takes an answer. There are three: the result, 404, and 503 SlowDown, after
// which a client waits a little.
func (c *traffic) count(err error) {
	switch {
	case err == nil:
		c.ok.Add(1)
	case errors.Is(err, backends.ErrNotFound):
		c.missing.Add(1)
	case slowDown(err):
		c.slowed.Add(1)
		<-time.After(time.Duration(rand.IntN(20)) * time.Millisecond)
	default:
		c.wrong.Do(func() { c.r.t.Errorf("neither a result nor 404 nor SlowDown: %v", err) })
	}
}

// slowDown tells whether an answer is 503 SlowDown. One to a HEAD has no body, and so
// no code.
func slowDown(err error) bool {
	var e *backends.Error
	return errors.Is(err, backends.ErrSlowDown) ||
		errors.As(err, &e) && e.Op == "HeadObject" && e.Status == http.StatusServiceUnavailable
}

// mixed is one request of a client that does everything.
func (c *traffic) mixed(int) {
	key, large := fmt.Sprint("small/", rand.IntN(500)), fmt.Sprint("large/", rand.IntN(16))
	switch n := rand.IntN(100); {
	case n < 25:
		c.count(c.put(key, rand.IntN(32<<10)))
	case n < 30:
		c.count(c.put(large, 2<<20))
	case n < 60:
		c.count(c.get(key))
	case n < 65:
		c.count(c.get(large))
	case n < 80:
		_, err := c.r.client.Head(c.r.t.Context(), backends.GetRequest{Key: key})
		c.count(err)
	case n < 92:
		_, err := c.r.client.Delete(c.r.t.Context(), backends.DeleteRequest{Key: key})
		c.count(err)
	case n < 97:
		_, err := c.r.client.List(c.r.t.Context(), backends.ListRequest{Prefix: "small/1", MaxKeys: 50})
		c.count(err)
	case n < 98:
		c.count(c.multipart(fmt.Sprint("parts/", rand.IntN(8))))
	default:
		c.count(c.get("nothing/here"))
	}
}

func (c *traffic) put(key string, size int) error {
	_, err := c.r.client.Put(c.r.t.Context(), backends.PutRequest{Key: key, Body: bytes.NewReader(body(size)), Size: int64(size)})
	return err
}

func (c *traffic) get(key string) error {
	o, err := c.r.client.Get(c.r.t.Context(), backends.GetRequest{Key: key})
	if err != nil {
		return err
	}
	defer o.Body.Close()
	if _, err := io.Copy(io.Discard, o.Body); err != nil {
		c.torn.Add(1) // the store went away in the middle of it
	}
	return nil
}

func (c *traffic) multipart(key string) error {
	ctx, client := c.r.t.Context(), c.r.client
	up, err := client.CreateUpload(ctx, backends.CreateUploadRequest{Key: key})
	if err != nil {
		return err
	}
	part, err := client.UploadPart(ctx, backends.PartRequest{
		Key: key, UploadID: up.UploadID, Number: 1, Body: bytes.NewReader(body(1 << 20)), Size: 1 << 20,
	})
	if err != nil {
		return errors.Join(err, client.AbortUpload(ctx, key, up.UploadID))
	}
	_, err = client.CompleteUpload(ctx, backends.CompleteRequest{
		Key: key, UploadID: up.UploadID, Parts: []backends.CompletedPart{{Number: 1, ETag: part.ETag}},
	})
	return err
}
