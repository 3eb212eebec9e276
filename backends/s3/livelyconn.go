package s3

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// livelyConn is a connection on which something must happen. A network that forgot it
// answers nothing, not even with an error, and TCP alone would wait for a quarter of an
// hour, or for ever where nothing is on the way. A connection on which no byte went
// either way for the limit fails.
type livelyConn struct {
	net.Conn
	limit time.Duration
	last  atomic.Int64 // when bytes went last, in nanoseconds
}

func newLivelyConn(conn net.Conn, limit time.Duration) *livelyConn {
	return &livelyConn{Conn: conn, limit: limit}
}

// Quiet tells whether an idle connection is open and nothing was sent on it.
func (c *livelyConn) Quiet() bool {
	conn, ok := c.Conn.(interface{ Quiet() bool })
	return ok && conn.Quiet()
}

func (c *livelyConn) moved(n int) {
	if n > 0 {
		c.last.Store(time.Now().UnixNano())
	}
}

// Read reads. The transport always has a read under way, also while it sends a long
// body: what is written counts, too.
func (c *livelyConn) Read(p []byte) (int, error) {
	since := time.Now()
	for {
		end := since.Add(c.limit)
		if err := c.SetReadDeadline(end); err != nil {
			return 0, err
		}
		n, err := c.Conn.Read(p)
		c.moved(n)
		last := time.Unix(0, c.last.Load())
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) || !last.After(since) {
			return n, err
		}
		since = last
	}
}

// Write writes, in pieces that show whether it goes on.
func (c *livelyConn) Write(p []byte) (written int, err error) {
	for len(p) > 0 && err == nil {
		if err := c.SetWriteDeadline(time.Now().Add(c.limit)); err != nil {
			return written, err
		}
		var n int
		n, err = c.Conn.Write(p[:min(len(p), 256<<10)])
		c.moved(n)
		written += n
		p = p[n:]
	}
	return written, err
}

var buffers = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// ReadFrom writes what it reads: net/http would make a buffer for each body.
func (c *livelyConn) ReadFrom(r io.Reader) (int64, error) {
	buffer := buffers.Get().(*[64 << 10]byte)
	defer buffers.Put(buffer)
	return io.CopyBuffer(struct{ io.Writer }{c}, r, buffer[:])
}
