package express

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const (
	headerTime = 10 * time.Second
	idleTime   = time.Minute
	clientTime = 30 * time.Second
)

// pipes is a listener of connections in memory, where the time is that of a bubble and a
// byte is sent once it is read.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	close(p.closed)
	return nil
}

func (*pipes) Addr() net.Addr { return &net.TCPAddr{} }

// connected is a client's connection, and the server at its other end.
type connected struct {
	*site
	net.Conn
	in    *bufio.Reader
	since time.Time
	drips sync.WaitGroup
}

// inBubble runs a test over a connection in memory.
func inBubble(t *testing.T, test func(t *testing.T, c *connected)) {
	bubble(t, Options{Header: headerTime, Idle: idleTime, Client: clientTime}, test)
}

func bubble(t *testing.T, o Options, test func(t *testing.T, c *connected)) {
	synctest.Test(t, func(t *testing.T) {
		p := &pipes{make(chan net.Conn), make(chan struct{})}
		s := newSite(p, o)
		client, server := net.Pipe()
		p.conns <- server
		c := &connected{site: s, Conn: client, in: bufio.NewReader(client), since: time.Now()}
		test(t, c)
		client.Close()
		c.drips.Wait()
		s.end(t)
	})
}

// ended waits for the connection's end, which must come after a time.
func (c *connected) ended(t *testing.T, after time.Duration) {
	t.Helper()
	ends(t, c.in)
	if took := time.Since(c.since); took != after {
		t.Errorf("it ended after %v, not %v", took, after)
	}
}

func (c *connected) hit(t *testing.T) {
	t.Helper()
	send(t, c, get("/held"))
	expect(t, c.in, "express")
	c.since = time.Now()
}

func TestAConnectionWithoutARequestEnds(t *testing.T) {
	inBubble(t, func(t *testing.T, c *connected) { c.ended(t, headerTime) })
	inBubble(t, func(t *testing.T, c *connected) {
		c.hit(t)
		c.ended(t, idleTime)
	})
}

// drip sends bytes, one a second.
func (c *connected) drip(text string) {
	c.drips.Go(func() {
		for i := range text {
			time.Sleep(time.Second)
			if _, err := io.WriteString(c.Conn, text[i:i+1]); err != nil {
				return
			}
		}
	})
}

func TestHeadersArriveInTimeInTotal(t *testing.T) {
	inBubble(t, func(t *testing.T, c *connected) {
		c.drip(get("/held"))
		c.ended(t, headerTime)
	})
	inBubble(t, func(t *testing.T, c *connected) {
		c.hit(t)
		c.drip(get("/held"))
		c.ended(t, time.Second+headerTime) // from the first byte on
	})
	inBubble(t, func(t *testing.T, c *connected) {
		request := get("/held")
		for range 2 {
			send(t, c, request[:len(request)-8])
			c.drip(request[len(request)-8:])
			expect(t, c.in, "express")
		}
	})
}

// What net/http answers before a request ends, it is asked at once.
func TestNonsenseIsNotWaitedFor(t *testing.T) {
	for _, raw := range []string{"nonsense\r\n", "GET /held HTTP/1.1\nHost: a\n\n", "GET /held HTTP/1.1\r\nHost: a\r\nnonsense\r\n"} {
		inBubble(t, func(t *testing.T, c *connected) {
			send(t, c, raw)
			if _, err := http.ReadResponse(c.in, nil); err != nil || time.Since(c.since) != 0 {
				t.Errorf("%q: %v after %v", raw, err, time.Since(c.since))
			}
		})
	}
}

// take reads an answer evenly, a piece in each time.
func (c *connected) take(t *testing.T, every time.Duration) (got int64, err error) {
	send(t, c, get("/large"))
	for {
		time.Sleep(every / 16)
		n, err := io.CopyN(io.Discard, c.in, piece/16)
		if got += n; err != nil {
			return got, err
		}
	}
}

func TestASlowReaderIsCutOff(t *testing.T) {
	inBubble(t, func(t *testing.T, c *connected) {
		got, err := c.take(t, clientTime+2*time.Second)
		if !errors.Is(err, io.EOF) || got > 2*piece {
			t.Errorf("%d bytes, %v", got, err)
		}
	})
}

func TestAReaderThatTakesAPieceInTimeIsNot(t *testing.T) {
	inBubble(t, func(t *testing.T, c *connected) {
		got, err := c.take(t, clientTime-2*time.Second)
		if !errors.Is(err, io.EOF) || got < int64(len(held["/large"])) {
			t.Errorf("%d bytes, %v", got, err)
		}
	})
}

// A connection that is handed over brings no deadline of its time here: a handler may take
// longer than any of them.
func TestNoDeadlineIsHandedOver(t *testing.T) {
	inBubble(t, func(t *testing.T, c *connected) {
		c.server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(idleTime + clientTime)
			other(w, r)
		})
		c.hit(t)
		send(t, c, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
		time.Sleep(headerTime + time.Second) // the handler reads after it
		send(t, c, "hello")
		if _, body := expect(t, c.in, "net/http"); !strings.Contains(string(body), "hello <nil>") {
			t.Errorf("%s", body)
		}
	})
}

// A handler learns that its client has gone.
func TestAHandlerSeesItsClientGo(t *testing.T) {
	inBubble(t, func(t *testing.T, c *connected) {
		gone := make(chan struct{})
		c.server.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			close(gone)
		})
		c.hit(t)
		send(t, c, get("/absent"))
		synctest.Wait()
		c.Conn.Close()
		<-gone
	})
}

func TestCloseEndsWhatWaits(t *testing.T) {
	for _, begun := range []string{"", "GET /held HTTP/1.1\r\n"} {
		for _, hits := range []int{0, 1} {
			inBubble(t, func(t *testing.T, c *connected) {
				for range hits {
					c.hit(t)
				}
				send(t, c, begun)
				synctest.Wait()
				c.end(t)
				c.ended(t, 0)
			})
		}
	}
}

func TestCloseLetsAnAnswerFinish(t *testing.T) {
	inBubble(t, func(t *testing.T, c *connected) {
		send(t, c, get("/large")+get("/held"))
		synctest.Wait()
		if err := c.server.Shutdown(t.Context()); err != nil || time.Since(c.since) != 0 {
			t.Errorf("the server ends with %v after %v", err, time.Since(c.since))
		}
		brief, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		drained := make(chan error)
		go func() { drained <- c.Drain(t.Context()) }()
		synctest.Wait()
		select {
		case err := <-drained:
			t.Error("it did not wait", err)
		case <-brief.Done():
		}
		if _, body := expect(t, c.in, "express"); len(body) != len(held["/large"]) {
			t.Errorf("%d bytes", len(body))
		}
		c.ended(t, time.Second) // the next one is not answered any more
		if err := <-drained; err != nil {
			t.Error(err)
		}
	})
}

func TestAnAnswerAfterTheEndSaysSo(t *testing.T) {
	inBubble(t, func(t *testing.T, c *connected) {
		found, closed := make(chan struct{}), make(chan struct{})
		o := *c.o.Load()
		o.Find = func(host, path string, _ bool) (Hit, Found) {
			close(found)
			<-closed
			return find(host, path, false)
		}
		c.Change(o)
		send(t, c, get("/held"))
		<-found
		synctest.Wait() // the server accepts
		if err := c.server.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		close(closed)
		r, err := http.ReadResponse(c.in, nil)
		if err != nil || !r.Close {
			t.Errorf("%v, %v", r, err)
		}
	})
}

func TestDrainBreaksOffWhatTakesTooLong(t *testing.T) {
	inBubble(t, func(t *testing.T, c *connected) {
		send(t, c, get("/large"))
		synctest.Wait()
		if err := c.server.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		brief, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.Drain(brief); !errors.Is(err, context.DeadlineExceeded) || time.Since(c.since) != time.Second {
			t.Errorf("%v after %v", err, time.Since(c.since))
		}
	})
}
