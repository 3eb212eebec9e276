// Package express answers the commonest request of all, a plain GET of an object, straight on
// its connection. What the cache holds gets headers that are made once for each object and
// not for each request; of what it does not hold the server's own handler is asked, without
// the goroutines, channels and buffers that net/http has around it. A connection whose request
// is anything else goes to net/http, with every byte of it unread, and stays there.
package express

import (
	"context"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Hit is an object that the cache holds.
type Hit struct {
	// Head is the status line and the headers, Content-Length among them, but for those
	// of the moment: Age, Date and Connection. Each line ends in CRLF.
	Head []byte
	Body []byte
	Age  time.Duration
}

// Found says who answers a request.
type Found int

// The answers.
const (
	Elsewhere Found = iota // the server, which gets the connection
	Missing                // the handler, on the connection
	Held                   // the hit
)

// Options are a Listener's settings. A time of zero is no limit, as in http.Server.
type Options struct {
	// Find answers what is held of a path on a host, as http.Request would have them in
	// Host and URL.Path; secure says that it came by TLS. It is called for every request that
	// may be answered here, by many connections at once, and must neither wait nor panic.
	// nil finds nothing.
	Find func(host, path string, secure bool) (Hit, Found)
	// Handler is the server's. What it answers to a request that is Missing has a
	// Content-Length, or a body of 8 KiB at most, and a Content-Type, or it arrives without.
	// ErrorLog is told of its panics.
	Handler  http.Handler
	ErrorLog *log.Logger
	// Others are the names of headers with which a request is not for here, beside those of
	// HTTP itself that change an answer.
	Others []string
	// Header bounds what http.Server.ReadHeaderTimeout bounds: a TLS handshake, and the
	// time to the end of a request's headers, from its first byte on or, for a
	// connection's first request, from the beginning. Idle bounds the time between two
	// requests, Client the time in which a client must take 256 KiB of an answer.
	Header, Idle, Client time.Duration
}

// Listener accepts connections for an http.Server, once they have a request for it.
type Listener struct {
	net.Listener
	o      atomic.Pointer[Options]
	handed chan accepted
	closed chan struct{}
	lanes  sync.WaitGroup
	ctx    context.Context // of the handler's requests
	cancel context.CancelFunc

	mu   sync.Mutex
	open map[*lane]struct{}
}

// accepted is what Accept answers.
type accepted struct {
	conn net.Conn
	err  error
}

// NewListener stands before an http.Server, and behind a TLS listener if there is one: what
// it accepts from l may be a *tls.Conn.
func NewListener(l net.Listener, o Options) *Listener {
	e := &Listener{
		Listener: l,
		handed:   make(chan accepted), closed: make(chan struct{}), open: make(map[*lane]struct{}),
	}
	e.o.Store(&o)
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.lanes.Go(e.accept)
	return e
}

// Change puts other options in place of those there are. A request sees the ones or the
// others, also on a connection that was open before.
func (l *Listener) Change(o Options) { l.o.Store(&o) }

// Accept answers a connection that is not for here, or not any more.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case a := <-l.handed:
		return a.conn, a.err
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close ends the connections that wait for a request. Those that are being answered end
// after their answer; Close does not wait for them, since http.Server calls it with a lock
// held that its own connections need. Drain does.
func (l *Listener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.ended() {
		close(l.closed)
	}
	for s := range l.open {
		if s.state.CompareAndSwap(waiting, ended) {
			l.lanes.Go(s.end) // a client that reads nothing delays the end of its TLS
		}
	}
	return l.Listener.Close()
}

// Drain waits, after Close, until the answers that were under way are sent, and breaks them
// off when ctx is done.
func (l *Listener) Drain(ctx context.Context) error {
	defer l.cancel()
	sent := make(chan struct{})
	go func() {
		l.lanes.Wait()
		close(sent)
	}()
	select {
	case <-sent:
		return nil
	case <-ctx.Done():
	}
	l.cancel()
	l.mu.Lock()
	for s := range l.open {
		go s.end()
	}
	l.mu.Unlock()
	<-sent
	return ctx.Err()
}

func (l *Listener) ended() bool {
	select {
	case <-l.closed:
		return true
	default:
		return false
	}
}

// accept takes connections until the listener is closed. An error is for the server, which
// knows whether to go on and how soon: until it asks again no connection is taken.
func (l *Listener) accept() {
	for {
		conn, err := l.Listener.Accept()
		if err == nil {
			l.begin(conn)
		} else if !l.give(accepted{err: err}) {
			return
		}
	}
}

// begin serves a connection.
func (l *Listener) begin(conn net.Conn) {
	s := newLane(l, conn)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended() {
		l.lanes.Go(s.end)
		return
	}
	l.open[s] = struct{}{}
	l.lanes.Go(func() { l.serve(s) })
}

// serve is a connection's time here.
func (l *Listener) serve(s *lane) {
	if rest := s.run(); rest == nil || !l.give(accepted{conn: rest}) {
		s.end()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, s)
}

// give answers an Accept; false after the end.
func (l *Listener) give(a accepted) bool {
	select {
	case l.handed <- a:
		return true
	case <-l.closed:
		return false
	}
}
