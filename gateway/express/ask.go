package express

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"runtime/debug"
	"strconv"
	"time"
)

// ask has the handler answer the request that is next on the connection, and tells whether
// another can follow.
func (s *lane) ask(asked request) (sent bool) {
	lines, _ := s.in.Peek(asked.size)
	r, err := asked.inHTTP(lines)
	if err != nil { // nothing that parse lets through
		return false
	}
	_, _ = s.in.Discard(asked.size)
	r.RemoteAddr, r.TLS = s.remote, s.tls
	ctx, cancel := context.WithCancel(s.l.ctx)
	defer cancel()
	s.cancel = cancel
	w := &response{s: s, header: make(http.Header), left: notSaid}
	_ = s.conn.SetReadDeadline(time.Time{})
	s.watch.Reset(lookAfter)
	defer func() {
		if !s.watch.Stop() {
			_ = s.conn.SetReadDeadline(time.Unix(1, 0))
			<-s.looked
		}
		if panicked := recover(); panicked != nil {
			sent = false
			if panicked != http.ErrAbortHandler {
				s.o.ErrorLog.Printf("http: panic serving %s: %v\n%s", s.remote, panicked, debug.Stack())
			}
		}
	}()
	s.o.Handler.ServeHTTP(w, r.WithContext(ctx))
	return w.end()
}

// lookAfter is how long an answer takes before it is of interest whether its client still
// waits. Most are sent by then, and cost no goroutine that reads meanwhile.
const lookAfter = time.Second

// look waits until the client sends something, which is left unread, or leaves. A client
// that has ended its half only counts as gone, as it does for net/http.
func (s *lane) look() {
	_, err := s.in.Peek(s.in.Buffered() + 1)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, bufio.ErrBufferFull) {
		s.cancel()
	}
	s.looked <- struct{}{}
}

// response is what a handler answers, an http.ResponseWriter. The headers wait for the
// body's first bytes.
type response struct {
	s      *lane
	header http.Header
	status int    // 0: not said
	left   int64  // of the body that was announced
	short  []byte // a body that was not announced
	begun  bool   // the headers are sent
	err    error
}

const notSaid = -1

// errLength: the body is not as long as was said, or too long for nothing to be said.
var errLength = errors.New("the answer has another length than it says")

// Header is the answer's.
func (w *response) Header() http.Header { return w.header }

// SetWriteDeadline is for http.ResponseController. Here each piece has its limit anyway.
func (w *response) SetWriteDeadline(time.Time) error { return nil }

// WriteHeader says the status. The headers count that are there now.
func (w *response) WriteHeader(status int) {
	if w.status != 0 {
		return
	}
	if length := w.header["Content-Length"]; len(length) == 1 {
		if n, err := strconv.ParseInt(length[0], 10, 64); err == nil && n >= 0 {
			w.left = n
		}
	}
	w.head(status)
}

// WriteHead is WriteHeader for who has headers as lines, beside those of Header, with a body's
// length, or -1 for an answer that has none. Making a map of them for every answer would cost
// more than anything else here.
func (w *response) WriteHead(status int, length int64, lines []byte) {
	if w.status != 0 {
		return
	}
	w.head(status)
	w.s.out = append(w.s.out, lines...)
	if w.left = max(length, 0); length >= 0 {
		w.s.out = append(strconv.AppendInt(append(w.s.out, "Content-Length: "...), length, 10), "\r\n"...)
	}
}

// head begins the answer with its status and the headers of Header.
func (w *response) head(status int) {
	w.status = status
	w.s.out = strconv.AppendInt(append(w.s.out[:0], "HTTP/1.1 "...), int64(status), 10)
	w.s.out = append(append(append(w.s.out, ' '), http.StatusText(status)...), "\r\n"...)
	_ = w.header.Write((*appender)(&w.s.out)) // it takes everything
}

// Write sends a part of the body.
func (w *response) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	switch {
	case w.err != nil:
		return 0, w.err
	case w.left == notSaid && len(w.short)+len(p) <= together:
		w.short = append(w.short, p...)
		return len(p), nil
	case int64(len(p)) > w.left:
		w.err = errLength
		return 0, w.err
	}
	w.left -= int64(len(p))
	w.err = w.send(p)
	if w.err != nil {
		return 0, w.err
	}
	return len(p), nil
}

// send sends a part of the body, behind the headers if it is the first.
func (w *response) send(p []byte) error {
	if w.begun {
		return w.s.send(nil, p)
	}
	w.begun = true
	w.s.closeHead()
	if len(p) <= together {
		w.s.out = append(w.s.out, p...)
		p = nil
	}
	return w.s.send(w.s.out, p)
}

// end sends what waits, and tells whether the answer is whole.
func (w *response) end() bool {
	w.WriteHeader(http.StatusOK)
	if w.left == notSaid {
		if w.left = 0; w.status != http.StatusNoContent && w.status != http.StatusNotModified {
			w.s.out = fmt.Appendf(w.s.out, "Content-Length: %d\r\n", len(w.short))
		}
	}
	if !w.begun && w.err == nil {
		w.err = w.send(w.short)
	}
	return w.err == nil && w.left == 0
}

// appender is an io.Writer that appends.
type appender []byte

func (a *appender) Write(p []byte) (int, error) {
	*a = append(*a, p...)
	return len(p), nil
}

// WriteString spares http.Header a copy.
func (a *appender) WriteString(p string) (int, error) {
	*a = append(*a, p...)
	return len(p), nil
}
