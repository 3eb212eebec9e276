package s3

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// pool sends requests that have no body and change nothing, an http.RoundTripper for the
// reads. Who asks writes and reads on the connection itself: http.Transport has two goroutines
// for each connection, and handing a request to one and an answer back from the other costs
// more than a small object.
//
// Like http.Transport it asks again, on another connection, where one that had been idle turns
// out to be closed before a byte of the answer came; and once more where that happens to a new
// one. With http.Transport a read seldom gets a new connection, since writes leave theirs.
type pool struct {
	t *http.Transport // whose settings these connections have, too, and whose proxies they lack

	mu    sync.Mutex
	idle  map[origin][]*line // the one that rests longest first
	count int
	sweep *time.Timer
}

// line is a connection. It belongs to one request at a time.
type line struct {
	to    origin
	raw   net.Conn
	conn  net.Conn // raw, or TLS on it
	in    *bufio.Reader
	left  int64 // of the bytes that may come now
	since time.Time
}

// origin is where a connection leads.
type origin struct{ scheme, host string }

// settled is how long a connection rests at least before a server loses its patience with it.
const settled = 100 * time.Millisecond

// maxHead bounds an answer's headers.
const maxHead = 1 << 20

func newPool(t *http.Transport) *pool {
	p := &pool{t: t, idle: make(map[origin][]*line)}
	p.sweep = time.AfterFunc(time.Hour, p.dropRested)
	p.sweep.Stop()
	return p
}

// takes tells whether a request is for here.
func (p *pool) takes(req *http.Request) bool {
	if req.Body != nil || req.Method != http.MethodGet && req.Method != http.MethodHead {
		return false
	}
	proxy, err := p.t.Proxy(req)
	return proxy == nil && err == nil
}

// RoundTrip sends a request. The context bounds the answer's body, too.
func (p *pool) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	head := texts.Get().(*[]byte)
	defer texts.Put(head)
	var err error
	if *head, err = appendHead((*head)[:0], req); err != nil {
		return nil, err
	}
	for again := true; ; {
		l, used, err := p.get(ctx, req)
		var resp *http.Response
		if err == nil {
			resp, err = p.ask(ctx, l, req, *head)
		}
		switch {
		case err == nil:
			return resp, nil
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case l == nil || l.left != maxHead || errors.Is(err, os.ErrDeadlineExceeded), !used && !again:
			return nil, err
		}
		again = again && used
	}
}

// ask sends a request on a connection, and reads the answer's headers.
func (p *pool) ask(ctx context.Context, l *line, req *http.Request, head []byte) (*http.Response, error) {
	stop := context.AfterFunc(ctx, func() { l.raw.Close() })
	l.left = maxHead
	resp, err := l.exchange(req, head)
	if err != nil {
		stop()
		l.raw.Close()
		return nil, err
	}
	l.left = math.MaxInt64
	b := &lineBody{p: p, l: l, ctx: ctx, stop: stop, src: resp.Body, keep: !resp.Close}
	if resp.Body == http.NoBody {
		b.end(true)
	} else {
		resp.Body = b
	}
	return resp, nil
}

// exchange writes a request and reads an answer, past those that are not final.
func (l *line) exchange(req *http.Request, head []byte) (*http.Response, error) {
	if _, err := l.conn.Write(head); err != nil {
		return nil, err
	}
	if _, err := l.in.Peek(1); err != nil {
		return nil, noEOF(err)
	}
	if resp := plainAnswer(l.in, req); resp != nil {
		return resp, nil
	}
	for {
		resp, err := http.ReadResponse(l.in, req)
		switch {
		case err != nil:
			return nil, noEOF(err)
		case resp.StatusCode == http.StatusSwitchingProtocols:
			return nil, errors.New("the answer is another protocol")
		case resp.StatusCode >= http.StatusOK:
			return resp, nil
		}
	}
}

// appendHead appends a request's line and headers.
func appendHead(b []byte, req *http.Request) ([]byte, error) {
	b = append(append(append(b, req.Method...), ' '), req.URL.RequestURI()...)
	b = append(append(append(b, " HTTP/1.1\r\nHost: "...), req.Host...), "\r\n"...)
	for name, values := range req.Header {
		for _, value := range values {
			if !plainValue(value) {
				return nil, fmt.Errorf("the value of the header %s has control characters", name)
			}
			b = append(append(append(append(b, name...), ": "...), value...), "\r\n"...)
		}
	}
	return append(b, "\r\n"...), nil
}

// noEOF is an error with which an answer ends too early.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Read reads from the connection, for the buffer.
func (l *line) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, fmt.Errorf("the answer's headers are longer than %d bytes", maxHead)
	}
	n, err := l.conn.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	return n, err
}

// get takes the connection that was used last, if it is still open, or opens one.
func (p *pool) get(ctx context.Context, req *http.Request) (l *line, used bool, err error) {
	to := origin{req.URL.Scheme, req.URL.Host}
	for l = p.take(to); l != nil; l = p.take(to) {
		// What a server says unasked, that it waited for too long, would pass for the answer.
		if time.Since(l.since) < settled || l.raw.(interface{ Quiet() bool }).Quiet() {
			return l, true, nil
		}
		l.raw.Close()
	}
	l, err = p.open(ctx, req)
	return l, false, err
}

func (p *pool) take(to origin) *line {
	p.mu.Lock()
	defer p.mu.Unlock()
	lines := p.idle[to]
	if len(lines) == 0 {
		return nil
	}
	l := lines[len(lines)-1]
	lines[len(lines)-1] = nil
	p.idle[to] = lines[:len(lines)-1]
	p.count--
	return l
}

// open opens a connection.
func (p *pool) open(ctx context.Context, req *http.Request) (*line, error) {
	port := req.URL.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[req.URL.Scheme]
	}
	raw, err := p.t.DialContext(ctx, "tcp", net.JoinHostPort(req.URL.Hostname(), port))
	if err != nil {
		return nil, err
	}
	l := &line{to: origin{req.URL.Scheme, req.URL.Host}, raw: raw, conn: raw}
	if req.URL.Scheme == "https" {
		config := p.t.TLSClientConfig.Clone()
		config.ServerName = req.URL.Hostname()
		secure := tls.Client(raw, config)
		ctx, cancel := context.WithTimeout(ctx, p.t.TLSHandshakeTimeout)
		defer cancel()
		if err := secure.HandshakeContext(ctx); err != nil {
			raw.Close()
			return nil, err
		}
		l.conn = secure
	}
	l.in = bufio.NewReaderSize(l, 8<<10) // for headers; a body is read past it
	return l, nil
}

// put keeps a connection for the next request.
func (p *pool) put(l *line) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.count >= p.t.MaxIdleConns {
		l.raw.Close()
		return
	}
	if l.since = time.Now(); p.count == 0 {
		p.sweep.Reset(p.t.IdleConnTimeout)
	}
	p.idle[l.to] = append(p.idle[l.to], l)
	p.count++
}

// dropRested closes connections that have rested for long enough.
func (p *pool) dropRested() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for to, lines := range p.idle {
		for len(lines) > 0 && time.Since(lines[0].since) >= p.t.IdleConnTimeout {
			lines[0].raw.Close()
			lines = lines[1:]
			p.count--
		}
		if p.idle[to] = lines; len(lines) == 0 {
			delete(p.idle, to)
		}
	}
	if p.count > 0 {
		p.sweep.Reset(p.t.IdleConnTimeout)
	}
}

// CloseIdleConnections is as http.Transport's.
func (p *pool) CloseIdleConnections() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, lines := range p.idle {
		for _, l := range lines {
			l.raw.Close()
		}
	}
	clear(p.idle)
	p.count = 0
}

// lineBody is an answer's body. At its end the connection is free for the next request; one
// that is closed before takes the connection with it, as does the end of the context.
type lineBody struct {
	p     *pool
	l     *line
	ctx   context.Context
	stop  func() bool // of what closes the connection at the context's end
	src   io.Reader
	keep  bool
	ended atomic.Bool
}

func (b *lineBody) Read(p []byte) (int, error) {
	if b.ended.Load() {
		return 0, io.EOF
	}
	n, err := b.src.Read(p)
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, io.EOF):
		b.end(true)
		return n, io.EOF
	case b.ctx.Err() != nil:
		err = context.Cause(b.ctx)
	}
	b.end(false)
	return n, err
}

// Close may come while a Read is under way, which it ends.
func (b *lineBody) Close() error {
	b.end(false)
	return nil
}

// end is the end of the request.
func (b *lineBody) end(whole bool) {
	if !b.ended.CompareAndSwap(false, true) {
		return
	}
	if b.stop() && whole && b.keep && b.l.in.Buffered() == 0 {
		b.p.put(b.l)
	} else {
		b.l.raw.Close()
	}
}
