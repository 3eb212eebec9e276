package s3

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const yes = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes"

// scripted is a server whose connections are answered as told: for each, what it sends for
// one request after the other. After the last it closes; "hang" is no answer at all.
type scripted struct {
	net.Listener
	opened atomic.Int64
	closed chan int // the number of a connection that its client has closed
}

func script(t *testing.T, conns ...[]string) *scripted {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	s := &scripted{Listener: l, closed: make(chan int, 10)}
	go func() {
		for n := 0; ; n++ {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.opened.Add(1)
			go s.play(conn, n, conns[min(n, len(conns)-1)])
		}
	}()
	return s
}

func (s *scripted) play(conn net.Conn, n int, answers []string) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for _, answer := range answers {
		if _, err := http.ReadRequest(in); err != nil {
			s.closed <- n
			return
		}
		if answer != "hang" {
			_, _ = io.WriteString(conn, answer)
			continue
		}
		_, _ = io.Copy(io.Discard, in)
		s.closed <- n
	}
}

func poolFor(t *testing.T, c Config) *pool {
	transport, err := NewTransport(c)
	if err != nil {
		t.Fatal(err)
	}
	p := newPool(transport)
	t.Cleanup(p.CloseIdleConnections)
	return p
}

// read asks for something and reads it whole.
func (p *pool) read(ctx context.Context, l net.Listener) (string, error) {
	return p.fetch(ctx, "http://"+l.Addr().String()+"/a%2Fb?c=d")
}

func (p *pool) fetch(ctx context.Context, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := p.RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

// resting waits until so many connections are idle.
func (p *pool) resting(t *testing.T, want int) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); ; {
		p.mu.Lock()
		count := p.count
		p.mu.Unlock()
		switch {
		case count == want:
			return
		case time.Now().After(end):
			t.Fatalf("%d connections are idle, not %d", count, want)
		}
		<-time.After(time.Millisecond)
	}
}

func TestAConnectionServesOneReadAfterTheOther(t *testing.T) {
	chunked := "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nyes\r\n0\r\n\r\n"
	early := "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + yes
	s := script(t, []string{yes, chunked, early, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", yes})
	p := poolFor(t, Config{})
	for _, want := range []string{"yes", "yes", "yes", "", "yes"} {
		if got, err := p.read(t.Context(), s); got != want || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	}
	if n := s.opened.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestAConnectionThatEndsIsNotKept(t *testing.T) {
	for _, answers := range [][]string{
		{"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nyes", yes},
		{"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nyes", yes},
		{"HTTP/1.1 200 OK\r\n\r\nyes"}, // to the connection's end
		{yes + "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno", yes},
	} {
		s := script(t, answers)
		p := poolFor(t, Config{})
		for range 2 {
			if got, err := p.read(t.Context(), s); got != "yes" || err != nil {
				t.Errorf("%q: %q, %v", answers, got, err)
			}
		}
		if n := s.opened.Load(); n != 2 {
			t.Errorf("%q: %d connections", answers, n)
		}
	}
}

// A server may close a connection that is idle, and say so, just before it is used.
func TestAReadOnAClosedConnectionIsRepeated(t *testing.T) {
	for _, last := range []string{
		"",
		yes + "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno",
	} {
		s := script(t, []string{yes, last}, []string{yes, yes})
		p := poolFor(t, Config{})
		for range 4 {
			if got, err := p.read(t.Context(), s); got != "yes" || err != nil {
				t.Errorf("%q: %q, %v", last, got, err)
			}
		}
		if n := s.opened.Load(); n > 3 {
			t.Errorf("%q: %d connections", last, n)
		}
	}
}

func TestWhatAServerSaysUnaskedIsNoAnswer(t *testing.T) {
	s := script(t, []string{yes, yes})
	p := poolFor(t, Config{})
	_, _ = p.read(t.Context(), s)
	p.resting(t, 1)
	for _, lines := range p.idle {
		lines[0].raw, lines[0].since = said{lines[0].raw}, time.Now().Add(-settled)
	}
	if got, err := p.read(t.Context(), s); got != "yes" || err != nil || s.opened.Load() != 2 {
		t.Errorf("%q, %v, %d connections", got, err, s.opened.Load())
	}
}

// said is a connection on which the server has said something.
type said struct{ net.Conn }

func (said) Quiet() bool { return false }

func TestANewConnectionThatAnswersNothingIsReplacedOnce(t *testing.T) {
	for bad, want := range []string{"yes", "yes", ""} {
		conns := [][]string{{""}, {""}, {yes}}[2-bad:]
		s := script(t, conns...)
		if got, err := poolFor(t, Config{}).read(t.Context(), s); got != want || (err == nil) != (want != "") {
			t.Errorf("after %d: %q, %v", bad, got, err)
		}
	}
}

// An answer that has begun is not asked for again.
func TestAFailureIsNotRepeated(t *testing.T) {
	for _, conns := range [][][]string{
		{{yes, "HTTP/1.1 200 OK\r\nContent-Le"}, {yes}},
		{{yes, "nonsense\r\n\r\n"}, {yes}},
		{{yes, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: a\r\n\r\n"}, {yes}},
		{{yes, "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 2*maxHead) + "\r\n\r\n"}, {yes}},
	} {
		s := script(t, conns...)
		p := poolFor(t, Config{})
		for range len(conns[0]) - 1 {
			if _, err := p.read(t.Context(), s); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := p.read(t.Context(), s); err == nil || s.opened.Load() != 1 {
			t.Errorf("%q: %q, %d connections", conns, got, s.opened.Load())
		}
	}
}

func TestAStoreThatHangsIsGivenUp(t *testing.T) {
	s := script(t, []string{yes, "hang"})
	p := poolFor(t, Config{Stall: 100 * time.Millisecond})
	if _, err := p.read(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if _, err := p.read(t.Context(), s); err == nil || s.opened.Load() != 1 {
		t.Errorf("%v, %d connections", err, s.opened.Load())
	}
	<-s.closed
}

func TestTheEndOfACallClosesItsConnection(t *testing.T) {
	cause := errors.New("it is not wanted any more")
	half := "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nyes"
	for _, answers := range [][]string{{"hang"}, {half, "hang"}} {
		s := script(t, answers)
		p := poolFor(t, Config{})
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(50*time.Millisecond, func() { cancel(cause) })
		if got, err := p.read(ctx, s); !errors.Is(err, cause) {
			t.Errorf("%q, %v", got, err)
		}
		<-s.closed
		p.resting(t, 0)
		if _, err := p.read(ctx, s); !errors.Is(err, cause) {
			t.Error(err)
		}
	}
}

func TestABodyThatIsClosedEarlyTakesItsConnection(t *testing.T) {
	s := script(t, []string{"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nyes", "hang"})
	p := poolFor(t, Config{})
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.Addr().String(), nil)
	resp, err := p.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(resp.Body, make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(50*time.Millisecond, func() { resp.Body.Close() })
	if _, err := resp.Body.Read(make([]byte, 1)); err == nil {
		t.Error("a read goes on after Close")
	}
	<-s.closed
	p.resting(t, 0)
}

func TestIdleConnectionsAreBounded(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "yes") }))
	defer server.Close()
	p := poolFor(t, Config{MaxConns: 2, Stall: 400 * time.Millisecond})
	var bodies []io.Closer
	for range 5 {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
		resp, err := p.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, resp.Body)
		defer resp.Body.Close()
	}
	for _, b := range bodies {
		_, _ = io.Copy(io.Discard, b.(io.Reader))
	}
	p.resting(t, 2)
	p.resting(t, 0) // after a time
}

func TestReadsByTLS(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Proto, r.TLS.ServerName, r.RequestURI)
	}))
	defer server.Close()
	p := poolFor(t, Config{})
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	ask := func() (string, error) { return p.fetch(t.Context(), "https://example.com/a%2Fb") }
	dialled := 0
	dial := p.t.DialContext
	p.t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if address != "example.com:443" {
			t.Error(address)
		}
		dialled++
		return dial(ctx, network, server.Listener.Addr().String())
	}
	if _, err := ask(); err == nil {
		t.Error("a certificate of nobody is trusted")
	}
	p.t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
	for range 3 {
		if got, err := ask(); got != "HTTP/1.1example.com/a%2Fb" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	}
	if p.resting(t, 1); dialled != 2 {
		t.Errorf("%d connections", dialled)
	}
}

func TestAProxyIsForTheTransport(t *testing.T) {
	p := poolFor(t, Config{})
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://store.example/", nil)
	if !p.takes(req) {
		t.Error("it is not taken")
	}
	p.t.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: "proxy.example"})
	if p.takes(req) {
		t.Error("it is taken")
	}
}
