package network

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"sluice/backends"
)

// traffic is many clients at a gateway: hot keys that several write and read at once,
// and keys that are written once.
type traffic struct {
	r     *rig
	sick  string
	zero  time.Time
	ctx   context.Context
	quit  context.CancelFunc
	group sync.WaitGroup

	hot      []string
	mu       sync.Mutex
	byKey    map[string]*history
	unique   atomic.Uint64
	requests atomic.Int64
	unknown  atomic.Int64 // writes without an answer, or with an error
	unread   atomic.Int64 // reads without an answer
	torn     atomic.Int64 // reads whose body broke off
	slowest  atomic.Int64 // wait for a write, a HEAD or a LIST, in ns
}

const (
	hotKeys  = 4
	patience = 8 * time.Second // of a client
	// margin is what a busy machine may add to a documented wait.
	margin = 1500 * time.Millisecond
)

func newTraffic(r *rig, sick string) *traffic {
	c := &traffic{r: r, sick: sick, zero: time.Now(), byKey: make(map[string]*history)}
	c.ctx, c.quit = context.WithCancel(r.t.Context())
	for i := range hotKeys {
		c.hot = append(c.hot, fmt.Sprint("hot/", i))
		c.of(c.hot[i])
	}
	return c
}

func (c *traffic) of(key string) *history {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byKey[key] == nil {
		c.byKey[key] = new(history)
	}
	return c.byKey[key]
}

func (c *traffic) now() time.Duration { return time.Since(c.zero) }

func (c *traffic) start() {
	client := func(i int, turn func(random *rand.Rand)) {
		random := rand.New(rand.NewPCG(*seed, uint64(i)))
		c.group.Go(func() {
			for c.ctx.Err() == nil {
				turn(random)
			}
		})
	}
	for i, key := range c.hot {
		for w := range 2 {
			client(10*i+w, func(random *rand.Rand) {
				if random.IntN(4) == 0 {
					c.delete(key)
				} else {
					c.put(key, size(random))
				}
			})
		}
		for g := range 2 {
			client(10*i+5+g, func(random *rand.Rand) {
				if random.IntN(2) == 0 {
					c.get(key)
				} else {
					c.head(key)
				}
			})
		}
	}
	client(100, func(*rand.Rand) { c.list() })
	for i := range 4 {
		n := 0
		client(200+i, func(random *rand.Rand) {
			key := fmt.Sprintf("once/%d/%05d", i, n)
			n++
			c.put(key, size(random))
			c.get(key)
		})
	}
}

// size is of a body that is small, or now and then so large that it is streamed.
func size(random *rand.Rand) int {
	if random.IntN(12) == 0 {
		return 1<<20 + random.IntN(1<<20)
	}
	return 8 + random.IntN(64<<10)
}

// stop lets the clients finish what they are at.
func (c *traffic) stop() {
	c.quit()
	c.group.Wait()
}

// body is a content that no other write of this test has.
func (c *traffic) body(size int) []byte {
	var s [32]byte
	binary.LittleEndian.PutUint64(s[:], c.unique.Add(1))
	b := make([]byte, max(size, 8))
	_, _ = rand.NewChaCha8(s).Read(b)
	return b
}

func hashOf(r io.Reader) (string, error) {
	h := md5.New()
	_, err := io.Copy(h, r)
	return hex.EncodeToString(h.Sum(nil)), err
}

// ask runs a request as a client does that gives up after a while. Requests that are
// under way when the test ends are finished.
func (c *traffic) ask(what string, send func(context.Context) error) (begin, end time.Duration, err error) {
	ctx, cancel := context.WithTimeout(c.r.t.Context(), patience)
	defer cancel()
	c.requests.Add(1)
	begin = c.now()
	err = send(ctx)
	end = c.now()
	switch {
	case err == nil, errors.Is(err, backends.ErrNotFound), errors.Is(err, backends.ErrUnavailable), errors.Is(err, backends.ErrSlowDown):
	default:
		c.r.t.Errorf("%s is answered in an unexpected way: %v", what, err)
	}
	if what != "GET" { // its body comes over whatever network it has to
		c.waited(what, end-begin)
	}
	return begin, end, err
}

// waited: when only the secondary is sick nobody is made to wait for it for longer
// than mirror.sync_timeout.
func (c *traffic) waited(what string, d time.Duration) {
	for was := c.slowest.Load(); int64(d) > was && !c.slowest.CompareAndSwap(was, int64(d)); was = c.slowest.Load() {
	}
	if c.sick == "new" && d > syncTimeout+margin {
		c.r.t.Errorf("a client waited %v for a %s, though only the secondary was sick (sync_timeout %v)", d, what, syncTimeout)
	}
}

// failed counts a request that was not answered; the secondary's trouble is no
// client's.
func (c *traffic) failed(what string, count *atomic.Int64, err error) {
	count.Add(1)
	if c.sick == "new" {
		c.r.t.Errorf("a %s failed, though only the secondary was sick: %v", what, err)
	}
}

func (c *traffic) put(key string, size int) {
	data := c.body(size)
	sum := md5.Sum(data)
	w := write{value: hex.EncodeToString(sum[:])}
	var err error
	w.begin, w.end, err = c.ask("PUT", func(ctx context.Context) error {
		_, err := c.r.client.Put(ctx, backends.PutRequest{Key: key, Body: bytes.NewReader(data), Size: int64(len(data))})
		return err
	})
	if w.acked = err == nil; !w.acked {
		c.failed("PUT", &c.unknown, err)
	}
	c.of(key).wrote(w)
}

func (c *traffic) delete(key string) {
	w := write{value: absent}
	var err error
	w.begin, w.end, err = c.ask("DELETE", func(ctx context.Context) error {
		_, err := c.r.client.Delete(ctx, backends.DeleteRequest{Key: key})
		return err
	})
	if w.acked = err == nil; !w.acked {
		c.failed("DELETE", &c.unknown, err)
	}
	c.of(key).wrote(w)
}

func (c *traffic) get(key string) {
	r := read{how: "GET"}
	var torn, err error
	r.begin, r.end, err = c.ask("GET", func(ctx context.Context) error {
		o, err := c.r.client.Get(ctx, backends.GetRequest{Key: key})
		if err != nil {
			return err
		}
		defer o.Body.Close()
		sum, err := hashOf(o.Body)
		if err != nil {
			torn = err
			return nil
		}
		if r.value = sum; sum != o.ETag {
			c.r.t.Errorf("GET of %q at %v answers a body that is not its ETag's: %s (%v) with ETag %s (%v); header %v",
				key, c.now(), sum, c.origin(key, sum), o.ETag, c.origin(key, o.ETag), o.Header)
		}
		return nil
	})
	switch {
	case torn != nil: // the client knows, and asks again
		c.failed("GET's body", &c.torn, torn)
		return
	case errors.Is(err, backends.ErrNotFound):
		r.value = absent
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF): // before the headers were sent
		c.failed("GET's body", &c.torn, err)
		return
	case err != nil:
		c.failed("GET", &c.unread, err)
		return
	}
	c.of(key).saw(r)
}

// origin is the write of a value, for messages.
func (c *traffic) origin(key, value string) string {
	h := c.of(key)
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, w := range h.writes {
		if w.value == value {
			return fmt.Sprintf("%+v", w)
		}
	}
	return "no write that ended"
}

func (c *traffic) head(key string) {
	r := read{how: "HEAD"}
	var err error
	r.begin, r.end, err = c.ask("HEAD", func(ctx context.Context) error {
		info, err := c.r.client.Head(ctx, backends.GetRequest{Key: key})
		if err == nil {
			r.value = info.ETag
		}
		return err
	})
	switch {
	case errors.Is(err, backends.ErrNotFound):
		r.value = absent
	case err != nil:
		c.failed("HEAD", &c.unread, err)
		return
	}
	c.of(key).saw(r)
}

// list reads all hot keys at once.
func (c *traffic) list() {
	page := make(map[string]string)
	begin, end, err := c.ask("LIST", func(ctx context.Context) error {
		got, err := c.r.client.List(ctx, backends.ListRequest{Prefix: "hot/"})
		if err != nil {
			return err
		}
		for _, o := range got.Objects {
			page[o.Key] = o.ETag
		}
		return nil
	})
	if err != nil {
		c.failed("LIST", &c.unread, err)
		return
	}
	for _, key := range c.hot {
		value, there := page[key]
		if !there {
			value = absent
		}
		c.of(key).saw(read{value, begin, end, "LIST"})
	}
}

// readAll reads every key that was written, when all is quiet.
func (c *traffic) readAll() {
	for key := range c.byKey {
		c.get(key)
	}
}

// judge reports what the histories do not explain.
func (c *traffic) judge() {
	for key, h := range c.byKey {
		for _, err := range h.violations(quarantine) {
			c.r.t.Errorf("%s: %v", key, err)
		}
	}
}

func (c *traffic) figures() string {
	return fmt.Sprintf("%d requests on %d keys, %d writes and %d reads without a known outcome, %d bodies broken off, slowest answer %v",
		c.requests.Load(), len(c.byKey), c.unknown.Load(), c.unread.Load(), c.torn.Load(), time.Duration(c.slowest.Load()).Round(time.Millisecond))
}
