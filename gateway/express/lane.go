package express

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// headSize bounds a request's line and headers here; net/http takes longer ones.
const headSize = 4 << 10

// lane is a connection that is answered here.
type lane struct {
	l     *Listener
	conn  net.Conn
	in    *bufio.Reader
	state atomic.Int32
	o     *Options // of the request that is looked at
	out   []byte   // the answer's headers, and a small body

	tls    *tls.ConnectionState // nil without
	remote string               // the client's address
	cancel context.CancelFunc   // of the handler's request
	watch  *time.Timer          // begins to look whether its client leaves
	looked chan struct{}        // says that this has ended
}

func newLane(l *Listener, conn net.Conn) *lane {
	s := &lane{l: l, conn: conn, in: bufio.NewReaderSize(conn, headSize), remote: conn.RemoteAddr().String(), looked: make(chan struct{})}
	s.watch = time.AfterFunc(time.Hour, s.look)
	s.watch.Stop()
	return s
}

// The states of a lane: it may be closed while it waits for a request, and not while it
// answers one or passes it on.
const (
	waiting int32 = iota
	answering
	ended
)

// take begins with a request; false if the end came first.
func (s *lane) take() bool { return s.state.CompareAndSwap(waiting, answering) }

// free ends with a request. It looks for the end after it is seen to wait, and Close the
// other way round, so that one of them sees the other.
func (s *lane) free() bool {
	s.state.Store(waiting)
	return !s.l.ended()
}

func (s *lane) end() { _ = s.conn.Close() }

// run answers requests as long as they are for here, then what goes to net/http; nil for a
// connection that is at its end.
func (s *lane) run() net.Conn {
	if s.o = s.l.o.Load(); s.o.Find == nil { // net/http has it as it came
		if !s.take() {
			return nil
		}
		return s.conn
	}
	t, secure := s.conn.(*tls.Conn)
	if secure && !s.shake(t) {
		if !s.take() {
			return nil
		}
		return t
	}
	for first := true; ; first = false {
		asked, is := s.await(first)
		if is == nothing || !s.take() {
			return nil
		}
		hit, found := Hit{}, Elsewhere
		if is == ours {
			hit, found = s.o.Find(asked.host, asked.path, secure)
		}
		sent := false
		switch found {
		case Held:
			_, _ = s.in.Discard(asked.size)
			sent = s.answer(hit) == nil
		case Missing:
			sent = s.ask(asked)
		case Elsewhere:
			return s.handOver()
		}
		if !sent || !s.free() {
			return nil
		}
	}
}

// shake does the TLS handshake; false if the connection is for net/http as it is: that
// speaks h2, and tells operator and client why a handshake failed.
func (s *lane) shake(t *tls.Conn) bool {
	_ = t.SetDeadline(deadline(s.o.Header))
	err := t.Handshake()
	_ = t.SetDeadline(time.Time{})
	state := t.ConnectionState()
	s.tls = &state
	return err == nil && (state.NegotiatedProtocol == "" || state.NegotiatedProtocol == "http/1.1")
}

// await waits until it is known what a request is: nothing if none came in time. It is left
// unread.
func (s *lane) await(first bool) (request, verdict) {
	limit := s.o.Idle
	if first {
		limit = s.o.Header
	}
	_ = s.conn.SetReadDeadline(deadline(limit))
	for begun, seen := first, 0; ; {
		got, _ := s.in.Peek(s.in.Buffered())
		// What a line is known by its end alone: net/http would wait for it, too.
		if whole := bytes.LastIndexByte(got, '\n') + 1; whole > seen {
			seen = whole
			if s.o = s.l.o.Load(); s.o.Find == nil {
				return request{}, others
			}
			if asked, is := parse(got[:whole], s.o.Others); is != nothing {
				return asked, is
			}
		}
		if len(got) > 0 && !begun {
			begun = true
			_ = s.conn.SetReadDeadline(deadline(s.o.Header))
		}
		if _, err := s.in.Peek(len(got) + 1); err != nil {
			if len(got) == 0 || errors.Is(err, os.ErrDeadlineExceeded) {
				return request{}, nothing
			}
			return request{}, others // too long for here, or half a request: net/http tells the client
		}
	}
}

// handOver is the connection as net/http would have accepted it.
func (s *lane) handOver() net.Conn {
	_ = s.conn.SetDeadline(time.Time{})
	h := handed{Conn: s.conn, in: s.in}
	if t, ok := s.conn.(*tls.Conn); ok {
		return &handedTLS{handed: h, tls: t}
	}
	return &h
}

// deadline is the end of a limit that begins now.
func deadline(limit time.Duration) time.Time {
	if limit <= 0 {
		return time.Time{}
	}
	return time.Now().Add(limit)
}
