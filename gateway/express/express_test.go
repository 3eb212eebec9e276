package express

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// held are the objects of every host's cache.
var held = map[string][]byte{
	"/held":  []byte("what is held"),
	"/empty": {},
	"/large": bytes.Repeat([]byte("large "), 1<<20),
}

func find(_, path string, _ bool) (Hit, Found) {
	body, ok := held[path]
	switch {
	case strings.HasPrefix(path, "/shown"):
		return Hit{}, Missing
	case !ok:
		return Hit{}, Elsewhere
	}
	head := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\nX-By: express\r\n", len(body))
	return Hit{Head: []byte(head), Body: body, Age: 3999 * time.Millisecond}, Held
}

// other answers what is not found, and tells what it was asked.
func other(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	w.Header().Set("X-By", "net/http")
	if r.TLS != nil {
		w.Header().Set("X-Tls", r.TLS.ServerName+" "+r.TLS.NegotiatedProtocol)
	}
	w.Header().Set("Content-Type", "text/plain")
	text := fmt.Sprintln(r.Proto, r.Method, r.URL, r.RequestURI, r.Host, r.Close, r.Header, r.ContentLength, string(body), err)
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	_, _ = io.WriteString(w, text)
}

// site is a server behind a Listener.
type site struct {
	*Listener
	server *http.Server
	served chan struct{} // closed when Serve answered err
	err    error
}

func newSite(l net.Listener, o Options) *site {
	if o.Find == nil {
		o.Find = find
	}
	if o.Handler == nil {
		o.Handler = http.HandlerFunc(other)
	}
	if o.ErrorLog == nil {
		o.ErrorLog = log.New(io.Discard, "", 0)
	}
	s := &site{Listener: NewListener(l, o), served: make(chan struct{})}
	s.server = &http.Server{Handler: o.Handler, ReadHeaderTimeout: o.Header, IdleTimeout: o.Idle, ErrorLog: o.ErrorLog}
	go func() {
		s.err = s.server.Serve(s.Listener)
		close(s.served)
	}()
	return s
}

// end ends a site as the gateway does; again it does nothing.
func (s *site) end(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := s.server.Shutdown(ctx); err != nil {
		t.Error("shutdown:", err)
	}
	if err := s.Drain(ctx); err != nil {
		t.Error("drain:", err)
	}
	<-s.served
	if s.mu.Lock(); len(s.Listener.open) > 0 {
		t.Errorf("%d connections are not forgotten", len(s.Listener.open))
	}
	s.mu.Unlock()
}

// open serves on an address of this machine, until the test's end; no goroutine may be
// left then.
func open(t *testing.T, o Options, wrap func(net.Listener) net.Listener) *site {
	before := runtime.NumGoroutine()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if wrap != nil {
		l = wrap(l)
	}
	s := newSite(l, o)
	t.Cleanup(func() {
		s.end(t)
		for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
			if time.Now().After(end) {
				stacks := make([]byte, 64<<10)
				t.Fatalf("%d goroutines before, now\n%s", before, stacks[:runtime.Stack(stacks, true)])
			}
		}
	})
	return s
}

// dial is a client's connection, for at most ten seconds.
func dial(t *testing.T, address net.Addr) *net.TCPConn {
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	return conn.(*net.TCPConn)
}

// get is a plain request.
func get(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: held.example\r\n\r\n" }

// send sends text.
func send(t *testing.T, conn io.Writer, text string) {
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
}

// expect reads the next answer, which must be by one or the other.
func expect(t *testing.T, in *bufio.Reader, by string) (header http.Header, body []byte) {
	t.Helper()
	r, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err = io.ReadAll(r.Body)
	if err != nil || r.Header.Get("X-By") != by {
		t.Fatalf("%d bytes, %v, %v", len(body), r.Header, err)
	}
	return r.Header, body
}

// ends waits for the connection's end.
func ends(t *testing.T, in *bufio.Reader) {
	t.Helper()
	if rest, err := io.ReadAll(in); err != nil || len(rest) > 0 {
		t.Errorf("%q, %v", rest, err)
	}
}

func TestHitsMissesAndHitsOnOneConnection(t *testing.T) {
	s := open(t, Options{}, nil)
	conn := dial(t, s.Addr())
	in := bufio.NewReader(conn)
	for range 2 {
		for path, want := range held {
			send(t, conn, get(path))
			header, body := expect(t, in, "express")
			if !bytes.Equal(body, want) || header.Get("Age") != "3" {
				t.Errorf("%s: %d bytes, %v", path, len(body), header)
			}
			if at, err := http.ParseTime(header.Get("Date")); err != nil || time.Since(at).Abs() > time.Minute {
				t.Errorf("it is %v, %v", at, err)
			}
		}
	}
	send(t, conn, get("/absent"))
	if _, body := expect(t, in, "net/http"); !strings.HasPrefix(string(body), "HTTP/1.1 GET /absent /absent held.example") {
		t.Errorf("%s", body)
	}
	send(t, conn, get("/held"))
	expect(t, in, "net/http") // it stays there
}

func TestPipelinedRequests(t *testing.T) {
	s := open(t, Options{}, nil)
	conn := dial(t, s.Addr())
	upload := "PUT /new HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
	send(t, conn, get("/held")+get("/large")+get("/empty")+upload+get("/held"))
	in := bufio.NewReader(conn)
	for range 3 {
		expect(t, in, "express")
	}
	if _, body := expect(t, in, "net/http"); !strings.Contains(string(body), "hello <nil>") {
		t.Errorf("%s", body)
	}
	expect(t, in, "net/http")
}

func TestAClientThatClosedItsHalfIsAnswered(t *testing.T) {
	s := open(t, Options{}, nil)
	conn := dial(t, s.Addr())
	send(t, conn, get("/held")+get("/large"))
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	expect(t, in, "express")
	expect(t, in, "express")
	ends(t, in)
}

// What is not for here is answered as by a server that no Listener stands before, byte by
// byte, first on a connection or after a hit.
func TestOddRequestsAreAnsweredByNetHTTPAlone(t *testing.T) {
	s := open(t, Options{}, nil)
	bare, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	plain := &http.Server{Handler: http.HandlerFunc(other), ReadHeaderTimeout: time.Minute}
	go func() { _ = plain.Serve(bare) }()
	t.Cleanup(func() { plain.Close() })

	halves := []string{"", "G", "GET /held HTT", "GET /held HTTP/1.1\r\n", "GET /held HTTP/1.1\r\nHost: a", "GET /held HTTP/1.1\r\nHost: a\r\n\r"}
	for _, raw := range slices.Concat(odd, halves) {
		want := conversation(t, bare.Addr(), raw)
		if got := conversation(t, s.Addr(), raw); got != want {
			t.Errorf("%q is answered\n%s\nand not\n%s", raw, got, want)
		}
		_, got, _ := strings.Cut(conversation(t, s.Addr(), get("/held")+raw), "what is held")
		if got != want {
			t.Errorf("after a hit, %q is answered\n%s\nand not\n%s", raw, got, want)
		}
	}
}

// conversation is all that is answered, without its moment.
func conversation(t *testing.T, address net.Addr, raw string) string {
	conn := dial(t, address)
	defer conn.Close()
	send(t, conn, raw)
	_ = conn.CloseWrite()
	answer, _ := io.ReadAll(conn) // its end may be rough
	lines := strings.SplitAfter(string(answer), "\r\n")
	return strings.Join(slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, "Date: ") }), "")
}

// net/http ends its half first when a client is still sending.
func TestAHandedConnectionMayCloseItsHalf(t *testing.T) {
	plain, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := NewListener(plain, Options{Find: find})
	defer l.Close()
	client := dial(t, l.Addr())
	send(t, client, get("/absent"))
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	half, ok := server.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		t.Fatal("it can not")
	}
	ends(t, bufio.NewReader(client))
	send(t, client, "more")
	all := make([]byte, len(get("/absent")+"more"))
	if _, err := io.ReadFull(server, all); err != nil || string(all) != get("/absent")+"more" {
		t.Errorf("%q, %v", all, err)
	}
}

// failing is a listener that files run out for, for a while.
type failing struct {
	net.Listener
	failures int
}

// passing is an error that says so.
type passing struct{ error }

func (passing) Timeout() bool   { return false }
func (passing) Temporary() bool { return true }

func (l *failing) Accept() (net.Conn, error) {
	if l.failures > 0 {
		l.failures--
		return nil, passing{io.ErrNoProgress}
	}
	return l.Listener.Accept()
}

func TestFailuresToAcceptAreTheServersMatter(t *testing.T) {
	s := open(t, Options{}, func(l net.Listener) net.Listener { return &failing{l, 3} })
	conn := dial(t, s.Addr())
	send(t, conn, get("/held"))
	expect(t, bufio.NewReader(conn), "express")
}

func TestTheServerEndsWithItsListener(t *testing.T) {
	s := open(t, Options{}, func(l net.Listener) net.Listener {
		l.Close()
		return l
	})
	<-s.served
	if !errors.Is(s.err, net.ErrClosed) {
		t.Error(s.err)
	}
}

func TestAnAnswerAllocatesLittle(t *testing.T) {
	body := make([]byte, 100<<10)
	hit := Hit{Head: []byte("HTTP/1.1 200 OK\r\nContent-Length: 102400\r\n"), Body: body}
	l := &Listener{closed: make(chan struct{})}
	s := &lane{l: l, conn: nowhere{}, o: new(Options)}
	if n := testing.AllocsPerRun(100, func() { _ = s.answer(hit) }); n > 0.5 {
		t.Errorf("%v allocations", n)
	}
}

// nowhere takes everything.
type nowhere struct{ net.Conn }

func (nowhere) Write(b []byte) (int, error)      { return len(b), nil }
func (nowhere) SetWriteDeadline(time.Time) error { return nil }
