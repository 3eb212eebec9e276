package load

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sluice/test/process"
)

// dial opens a connection to the gateway.
func (r *rig) dial() net.Conn {
	r.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(r.gateway.Endpoint, "http://"))
	if err != nil {
		r.t.Fatal(err)
	}
	return conn
}

// serves fails the test unless the gateway serves an ordinary client.
func (r *rig) serves() {
	r.t.Helper()
	c := newTraffic(r)
	for range 20 {
		if err := c.put("ordinary", 1000); err != nil {
			r.t.Fatalf("an ordinary client is not served: %v", err)
		}
		if err := c.get("ordinary"); err != nil {
			r.t.Fatalf("an ordinary client is not served: %v", err)
		}
	}
}

// ended counts the connections that the gateway closes.
type ended struct {
	closed atomic.Int64
	group  sync.WaitGroup
}

// watch reads a connection to its end.
func (e *ended) watch(conn net.Conn) {
	e.group.Go(func() {
		_, _ = io.Copy(io.Discard, conn)
		e.closed.Add(1)
	})
}

// all waits until so many are closed.
func (e *ended) all(n int64) func(context.Context) error {
	return func(context.Context) error {
		if closed := e.closed.Load(); closed < n {
			return fmt.Errorf("%d of %d connections are closed", closed, n)
		}
		return nil
	}
}

// TestClientsThatNeverFinishTheirHeadersAreLetGo: some hundred clients that send a byte
// of their headers now and then hold nobody up, and are let go after half a minute.
func TestClientsThatNeverFinishTheirHeadersAreLetGo(t *testing.T) {
	t.Parallel()
	const clients = 400
	r := newRig(t, "limits: { client_timeout: 3s }")
	idle := r.use()
	var e ended
	var sent atomic.Int64
	for range clients {
		conn := r.dial()
		t.Cleanup(func() { conn.Close() })
		e.watch(conn)
		e.group.Go(func() {
			_, err := io.WriteString(conn, "GET /media/k HTTP/1.1\r\nHost: media\r\nX-Slow: ")
			for err == nil {
				_, err = io.WriteString(conn, "x")
				sent.Add(1)
				<-time.After(500 * time.Millisecond)
			}
		})
	}
	r.serves()
	busy := r.use()
	process.Eventually(t, 90*time.Second, e.all(clients))
	e.group.Wait()
	r.serves()
	t.Logf("%d clients sent %d bytes of headers; idle: %v; with them: %v; without: %v", clients, sent.Load(), idle, busy, r.use())
}

// TestHugeHeadersAreRefused: 431 or 400, and nothing breaks.
func TestHugeHeadersAreRefused(t *testing.T) {
	r := newRig(t, "")
	const start = "PUT /media/k HTTP/1.1\r\nHost: media\r\n"
	for name, request := range map[string]string{
		"one of 100 KiB":    start + "X-Large: " + strings.Repeat("x", 100<<10) + "\r\n",
		"one of 8 MiB":      start + "X-Large: " + strings.Repeat("x", 8<<20) + "\r\n",
		"100,000 small":     start + strings.Repeat("X-Small: x\r\n", 100_000),
		"a name of 100 KiB": start + strings.Repeat("x", 100<<10) + ": x\r\n",
		"a path of 100 KiB": "GET /media/" + strings.Repeat("x", 100<<10) + " HTTP/1.1\r\nHost: media\r\n",
		"no colon":          start + strings.Repeat("x", 1000) + "\r\n",
		"a metadata flood":  start + strings.Repeat("X-Amz-Meta-A: "+strings.Repeat("y", 1000)+"\r\n", 200),
	} {
		conn := r.dial()
		go func() { _, _ = io.WriteString(conn, request+"\r\n") }()
		if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		switch {
		case err != nil: // it was closed while the rest was still on its way
			t.Logf("%s: %v", name, err)
		case resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge && resp.StatusCode != http.StatusBadRequest:
			t.Errorf("%s: %s", name, resp.Status)
		default:
			t.Logf("%s: %s", name, resp.Status)
		}
		conn.Close()
	}
	r.serves()
	const bound = 100 << 20
	if peak := r.gateway.PeakMemory(t); peak > bound {
		t.Errorf("the gateway used %d MiB", peak>>20)
	}
}

// TestIdleConnectionsAreCheap: 10,000 clients that keep their connections cost little
// memory, and others are served.
func TestIdleConnectionsAreCheap(t *testing.T) {
	clients := 10_000
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	limit.Cur = limit.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if most := int(min(limit.Max, 1<<20)) - 1000; most < clients {
		t.Logf("a process may have %d files: %d connections instead of %d", limit.Max, most, clients)
		clients = most
	}
	r := newRig(t, "")
	r.serves()
	before := r.use()
	var group sync.WaitGroup
	conns := make([]net.Conn, clients)
	t.Cleanup(func() {
		for _, conn := range conns {
			if conn != nil {
				conn.Close()
			}
		}
	})
	var refused atomic.Int64
	for worker := range 16 {
		group.Go(func() {
			for i := worker; i < clients; i += 16 {
				conn, err := net.Dial("tcp", strings.TrimPrefix(r.gateway.Endpoint, "http://"))
				if err != nil {
					t.Error(err)
					return
				}
				conns[i] = conn
				// One request each, so that all that a connection needs is there.
				_, err = io.WriteString(conn, "HEAD /media/k HTTP/1.1\r\nHost: media\r\n\r\n")
				if err != nil {
					t.Error(err)
					return
				}
				resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: http.MethodHead})
				if err != nil {
					t.Error(err)
					return
				}
				if resp.StatusCode == http.StatusForbidden {
					refused.Add(1)
				}
			}
		})
	}
	group.Wait()
	after := r.use()
	each := (after.rss - before.rss) / int64(clients)
	t.Logf("%d idle connections: %v before, %v with them: %d bytes each; %d unsigned requests refused",
		clients, before, after, each, refused.Load())
	if after.fds < clients {
		t.Errorf("only %d files are open", after.fds)
	}
	const bound = 48 << 10
	if each > bound {
		t.Errorf("an idle connection costs %d bytes, more than %d", each, bound)
	}
	r.serves()
	for _, conn := range conns {
		conn.Close()
	}
	process.Eventually(t, time.Minute, func(context.Context) error {
		if u := r.use(); u.fds > before.fds+300 {
			return fmt.Errorf("%d files are open", u.fds)
		}
		return nil
	})
	r.serves()
}
