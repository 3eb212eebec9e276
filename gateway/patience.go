package gateway

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// patience bounds what a request waits for its client, which holds a slot and a
// connection meanwhile: each read of the body, and each write of the answer. What the
// stores make it wait does not count.
type patience struct {
	http.ResponseWriter
	limit   time.Duration
	control *http.ResponseController
	body    io.ReadCloser
	read    bool // the body, to its end
	status  int  // of the answer
	sent    int64
	first   time.Time // when the answer's headers were written
	whole   bool      // the answer did not break off
}

// newPatience answers the request with its body watched, in a copy: net/http looks at
// its own to see whether the client still waits for a "100 Continue".
func newPatience(w http.ResponseWriter, r *http.Request, limit time.Duration) (*patience, *http.Request) {
	p := &patience{ResponseWriter: w, limit: limit, control: http.NewResponseController(w), body: r.Body, read: r.Body == http.NoBody}
	if !p.read {
		r = r.WithContext(r.Context())
		r.Body = p
	}
	return p, r
}

// Read reads the body. Between reads there is no deadline: one that passed can not be
// moved any more, and the end of the body must not end the request.
func (p *patience) Read(b []byte) (int, error) {
	if err := p.control.SetReadDeadline(time.Now().Add(p.limit)); err != nil {
		return p.body.Read(b) // not a connection (a test's recorder)
	}
	n, err := p.body.Read(b)
	if p.read = errors.Is(err, io.EOF); err == nil || p.read {
		_ = p.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

// Close closes the body.
func (p *patience) Close() error { return p.body.Close() }

// piece is how much a client must take within the limit.
const piece = 256 << 10

// WriteHeader notes the status.
func (p *patience) WriteHeader(status int) {
	p.note(status)
	p.ResponseWriter.WriteHeader(status)
}

func (p *patience) note(status int) {
	if p.status < http.StatusOK {
		if p.status = status; status >= http.StatusOK {
			p.first = time.Now()
		}
	}
}

// WriteHead is WriteHeader with headers that are lines, beside those of Header, and with a
// body's length, or -1 for an answer that has none. The express lane sends them as they are.
func (p *patience) WriteHead(status int, length int64, lines []byte) {
	if w, ok := p.ResponseWriter.(interface{ WriteHead(int, int64, []byte) }); ok {
		p.note(status)
		w.WriteHead(status, length, lines)
		return
	}
	header := p.Header()
	header["Content-Type"] = nil // of an object without one net/http would make one up
	for line := range strings.Lines(string(lines)) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\r\n"), ": ")
		header[name] = append(header[name], value)
	}
	if length >= 0 {
		header["Content-Length"] = []string{strconv.FormatInt(length, 10)}
	}
	p.WriteHeader(status)
}

// Write writes a part of the answer, in pieces that show whether it goes on.
func (p *patience) Write(b []byte) (written int, err error) {
	if p.status < http.StatusOK {
		p.status, p.first = http.StatusOK, time.Now()
	}
	for {
		_ = p.control.SetWriteDeadline(time.Now().Add(p.limit))
		n, err := p.ResponseWriter.Write(b[:min(len(b), piece)])
		written += n
		p.sent += int64(n)
		if b = b[n:]; err != nil || len(b) == 0 {
			return written, err
		}
	}
}

// Unwrap lets http.ResponseController find the connection.
func (p *patience) Unwrap() http.ResponseWriter { return p.ResponseWriter }

// end is called when the request was answered: what is left of the body the server
// reads to keep the connection, but not for ever.
func (p *patience) end() {
	if !p.read {
		_ = p.control.SetReadDeadline(time.Now().Add(p.limit))
	}
	_ = p.control.SetWriteDeadline(time.Now().Add(p.limit)) // what is still buffered
}
