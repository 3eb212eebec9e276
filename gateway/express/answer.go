package express

import (
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"time"
)

const (
	// together is the longest body that is copied behind its headers.
	together = 8 << 10
	// piece is how much a client must take within the limit.
	piece = 256 << 10
)

// answer sends a hit.
func (s *lane) answer(hit Hit) error {
	s.head(hit)
	if len(hit.Body) <= together {
		s.out = append(s.out, hit.Body...)
		return s.send(s.out, nil)
	}
	head := s.out
	for part := range slices.Chunk(hit.Body, piece) {
		if err := s.send(head, part); err != nil {
			return err
		}
		head = nil
	}
	return nil
}

// head makes the answer's headers.
func (s *lane) head(hit Hit) {
	s.out = append(s.out[:0], hit.Head...)
	s.out = append(s.out, "Age: "...)
	s.out = strconv.AppendInt(s.out, int64(max(hit.Age, 0)/time.Second), 10)
	s.out = append(s.out, "\r\n"...)
	s.closeHead()
}

// closeHead ends the headers with those that are the connection's.
func (s *lane) closeHead() {
	if s.l.ended() {
		s.out = append(s.out, "Connection: close\r\n"...)
	}
	s.out = append(s.out, "Date: "...)
	s.out = append(s.out, date()...)
	s.out = append(s.out, "\r\n\r\n"...)
}

// send sends headers, a part of a body, or both.
func (s *lane) send(head, part []byte) (err error) {
	_ = s.conn.SetWriteDeadline(deadline(s.o.Client))
	switch {
	case len(part) == 0:
		_, err = s.conn.Write(head)
	case len(head) == 0:
		_, err = s.conn.Write(part)
	default:
		if c, ok := s.conn.(twoWriter); ok {
			_, err = c.WriteBoth(head, part)
		} else if _, err = s.conn.Write(head); err == nil {
			_, err = s.conn.Write(part)
		}
	}
	return err
}

// twoWriter is a connection that takes headers and a part of a body in one call.
type twoWriter interface {
	WriteBoth(p, then []byte) (int, error)
}

// second is a moment as a Date header has it.
type second struct {
	unix int64
	text string
}

var current atomic.Pointer[second]

// date is the Date header's value, made once a second.
func date() string {
	now := time.Now()
	if s := current.Load(); s != nil && s.unix == now.Unix() {
		return s.text
	}
	s := &second{now.Unix(), now.UTC().Format(http.TimeFormat)}
	current.Store(s)
	return s.text
}
