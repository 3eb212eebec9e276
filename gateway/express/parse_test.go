package express

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// mine are requests that are answered here.
var mine = []string{
	"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /a/b HTTP/1.1\r\nhOST:\ta.example:8080 \r\n\r\n",
	"GET /a?b=%zz&c HTTP/1.1\r\nHost: a_b.example\r\nAccept: */*\r\nX:\r\n\r\n",
	"GET /%41%2f%00%20 HTTP/1.1\r\nHost: [::1]:80\r\nconnection: Keep-Alive\r\n\r\n",
	"GET //a/../b;c HTTP/1.1\r\nHost: a\r\nUser-Agent: \xff\xfe\r\nContent_Length: 5\r\n\r\n",
	"GET /http://b/? HTTP/1.1\r\nHost: a\r\nUpgrade-Insecure-Requests: 1\r\n\r\nGET /next",
	"GET /a HTTP/1.1\r\nHost: a\r\nx-any: 1\r\nX-Any:  2 \r\n\r\n",
	"GET /a HTTP/1.1\r\nHost: a\r\nPragma: no-cache\r\n\r\n",
	"GET /a HTTP/1.1\r\nHost: a\r\nCache-Control: max-age=0\r\nPragma: no-cache\r\n\r\n",
}

// odd are requests that are not, whatever the cache holds.
var odd = []string{
	"HEAD /held HTTP/1.1\r\nHost: a\r\n\r\n",
	"POST /held HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx",
	"get /held HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /held HTTP/1.0\r\nHost: a\r\n\r\n",
	"GET /held HTTP/1.2\r\nHost: a\r\n\r\n",
	"GET /held http/1.1\r\nHost: a\r\n\r\n",
	"GET /held\r\n\r\n",
	"GET  /held HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /held  HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /held?a b HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /held?\x01 HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /held#a HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /held%4 HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /held%zz HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /h\xc3\xa9ld HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET held HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET * HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET http://b/held HTTP/1.1\r\nHost: a\r\n\r\n",
	"CONNECT /held HTTP/1.1\r\nHost: a\r\n\r\n",
	"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	"\r\nGET /held HTTP/1.1\r\nHost: a\r\n\r\n",
	"\x16\x03\x01\x02\x00\n",
	"GET /held HTTP/1.1\r\n\r\n",
	"GET /held HTTP/1.1\r\nHost:\r\n\r\n",
	"GET /held HTTP/1.1\r\nHost:\r\nHost: a\r\n\r\n",
	"GET /held HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
	"GET /held HTTP/1.1\r\nHost: a/b\r\n\r\n",
	"GET /held HTTP/1.1\r\nHost: a b\r\n\r\n",
	"GET /held HTTP/1.1\r\nHost: \xc3\xa9\r\n\r\n",
	"GET /held HTTP/1.1\r\nHost: a%\r\n\r\n",
	"GET /held HTTP/1.1\r\n Host: a\r\n\r\n",
	"GET /held HTTP/1.1\r\nHost: a\r\n b\r\n\r\n",
	"GET /held HTTP/1.1\r\nHost : a\r\n\r\n",
	"GET /held HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n",
	"GET /held HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
	"GET /held HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n",
	"GET /held HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
	"GET /held HTTP/1.1\r\nHost: a\r\nX: a\r\r\n\r\n",
	"GET /held HTTP/1.1\r\nHost: a\r\nX\xff: a\r\n\r\n",
	"GET /held HTTP/1.1\nHost: a\n\n",
	"GET /held HTTP/1.1\r\nHost: a\n\r\n",
	"GET /held HTTP/1.1\r\nHost: a\r\n\n",
	"GET /held HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
	"GET /held HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, close\r\n\r\n",
	"GET /held HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n",
	"GET /held HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
	"GET /held HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
	"GET /held HTTP/1.1\r\nHost: a\r\nExpect: miracles\r\n\r\n",
	"GET /held HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
	"GET /held HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
	"GET /held HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
	"GET /held HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"GET /held HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
	"GET /held HTTP/1.1\r\nHost: a\r\nTrailer: X\r\n\r\n",
	"GET /held HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n",
	"GET /held HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n",
	"GET /held HTTP/1.1\r\nHost: a\r\nKeep-Alive: 300\r\n\r\n",
	"GET /held HTTP/1.1\r\nHost: a\r\nProxy-Connection: close\r\n\r\n",
	"GET /held HTTP/1.1\r\nHost: a\r\nHTTP2-Settings: AAA\r\n\r\n",
	"GET /held HTTP/1.1\r\nHost: a\r\nRange: bytes=0-1\r\n\r\n",
	"GET /held HTTP/1.1\r\nHost: a\r\nrange: bytes=0-1\r\n\r\n",
	"GET /held HTTP/1.1\r\nHost: a\r\nIf-Range: \"a\"\r\n\r\n",
	"GET /held HTTP/1.1\r\nHost: a\r\nIf-Match: *\r\n\r\n",
	"GET /held HTTP/1.1\r\nHost: a\r\nIf-None-Match: *\r\n\r\n",
	"GET /held HTTP/1.1\r\nHost: a\r\nIf-Modified-Since: Mon, 02 Jan 2006 15:04:05 GMT\r\n\r\n",
	"GET /held HTTP/1.1\r\nHost: a\r\nIf-Unmodified-Since: Mon, 02 Jan 2006 15:04:05 GMT\r\n\r\n",
	"GET /held HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", headSize) + "\r\n\r\n",
	"GET /" + strings.Repeat("x", 2*headSize) + " HTTP/1.1\r\nHost: a\r\n\r\n",
}

func TestWhatIsForHere(t *testing.T) {
	for _, raw := range mine {
		if _, is := parse(wholeLines(raw), nil); is != ours {
			t.Errorf("%q is not", raw)
		}
	}
	for _, raw := range odd {
		if _, is := parse(wholeLines(raw), nil); is != others && len(raw) < headSize {
			t.Errorf("%q is (%d)", raw, is)
		}
	}
}

func TestParseMakesOnlyStrings(t *testing.T) {
	raw := []byte("GET /a/long/path/of/an/object/in/a/bucket.jpg HTTP/1.1\r\nHost: a.rather.long.name.of.a.host.example\r\nAccept: */*\r\nUser-Agent: test\r\n\r\n")
	if n := testing.AllocsPerRun(100, func() { parse(raw, nil) }); n > 2 {
		t.Errorf("%v allocations, not those of host and path", n)
	}
}

func wholeLines(raw string) []byte { return []byte(raw[:strings.LastIndexByte(raw, '\n')+1]) }

// FuzzParse holds parse against net/http: what is for here, a server must understand in
// the same way and as a request without a body after which the connection stays; and where
// parse waits for more lines, so must net/http.
func FuzzParse(f *testing.F) {
	for _, raw := range slices.Concat(mine, odd) {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		lines := wholeLines(raw)
		if len(lines) == 0 || len(lines) > headSize {
			return
		}
		asked, is := parse(lines, nil)
		for end := range lines {
			if lines[end] == '\n' {
				if _, early := parse(lines[:end+1], nil); early != nothing && early != is {
					t.Fatalf("%q is %d, its beginning up to %d is %d", lines, is, end, early)
				}
			}
		}
		in := bufio.NewReader(bytes.NewReader(lines))
		r, err := http.ReadRequest(in)
		switch {
		case is == nothing && !errors.Is(err, io.ErrUnexpectedEOF):
			t.Fatalf("%q may go on, but net/http has %v", lines, err)
		case is != ours:
			return
		case err != nil:
			t.Fatalf("%q: %v", lines, err)
		}
		if r.Method != http.MethodGet || r.Host != asked.host || r.URL.Path != asked.path || r.Close || r.Body != http.NoBody {
			t.Fatalf("%q: %+v, net/http has %+v", lines, asked, r)
		}
		if rest, _ := io.ReadAll(in); !bytes.Equal(rest, lines[asked.size:]) {
			t.Fatalf("%q: %q is left, not %q", lines, rest, lines[asked.size:])
		}
		if got, want := hereOnce(lines[:asked.size]), serveOnce(lines[:asked.size]); got != want {
			t.Fatalf("%q is answered\n%s\nand by net/http\n%s", lines, got, want)
		}
	})
}

// serveOnce is what net/http answers a request.
func serveOnce(raw []byte) string {
	c := &said{Reader: bytes.NewReader(raw), closed: make(chan struct{})}
	server := &http.Server{Handler: http.HandlerFunc(other)}
	_ = server.Serve(&only{conn: c})
	return c.answer()
}

// hereOnce is what is answered here with the same handler.
func hereOnce(raw []byte) string {
	c := &said{Reader: bytes.NewReader(raw), closed: make(chan struct{})}
	l := NewListener(&only{conn: c}, Options{Handler: http.HandlerFunc(other), Find: func(string, string, bool) (Hit, Found) {
		return Hit{}, Missing
	}})
	_, _ = l.Accept() // its end
	answer := c.answer()
	_ = l.Close()
	_ = l.Drain(context.Background())
	return answer
}

// only is a listener of one connection.
type only struct{ conn net.Conn }

func (l *only) Accept() (conn net.Conn, err error) {
	if conn, l.conn = l.conn, nil; conn == nil {
		return nil, net.ErrClosed
	}
	return conn, nil
}
func (*only) Close() error   { return nil }
func (*only) Addr() net.Addr { return &net.TCPAddr{} }

// said is a connection whose client has said everything.
type said struct {
	io.Reader
	out    bytes.Buffer
	once   sync.Once
	closed chan struct{}
}

// answer is what was answered when the connection is closed, in one order and without its
// moment.
func (c *said) answer() string {
	<-c.closed
	lines := strings.SplitAfter(c.out.String(), "\r\n")
	lines = slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, "Date: ") })
	slices.Sort(lines)
	return strings.Join(lines, "")
}

func (c *said) Write(b []byte) (int, error)    { return c.out.Write(b) }
func (c *said) Close() error                   { c.once.Do(func() { close(c.closed) }); return nil }
func (*said) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (*said) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (*said) SetDeadline(time.Time) error      { return nil }
func (*said) SetReadDeadline(time.Time) error  { return nil }
func (*said) SetWriteDeadline(time.Time) error { return nil }
