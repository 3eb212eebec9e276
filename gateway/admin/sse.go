package admin

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// stream is an answer of server-sent events
// (https://html.spec.whatwg.org/multipage/server-sent-events.html).
type stream struct {
	w       io.Writer
	control *http.ResponseController
}

const (
	// sendTimeout is how long a reader may take nothing.
	sendTimeout = 10 * time.Second
	// beatEvery is how often a comment shows both ends that the other is there.
	beatEvery = 15 * time.Second
)

func newStream(w http.ResponseWriter) *stream {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would keep it
	w.WriteHeader(http.StatusOK)
	return &stream{w, http.NewResponseController(w)}
}

// send sends an event; id 0 is none.
func (s *stream) send(id int64, event string, data any) error {
	raw, err := json.Marshal(data) // one line
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if id != 0 {
		fmt.Fprintf(&out, "id: %d\n", id)
	}
	fmt.Fprintf(&out, "event: %s\ndata: %s\n\n", event, raw)
	return s.write(out.Bytes())
}

func (s *stream) beat() error { return s.write([]byte(":\n\n")) }

func (s *stream) write(raw []byte) error {
	_ = s.control.SetWriteDeadline(time.Now().Add(sendTimeout)) // a test's recorder has none
	if _, err := s.w.Write(raw); err != nil {
		return err
	}
	return s.control.Flush()
}

// maxEvent bounds a line of a stream.
const maxEvent = 1 << 20

// readStream calls take with every event of a stream, until its end or an error. That the
// gateway's end cuts it off in the middle of an event is an error too.
func readStream(r io.Reader, take func(event string, data []byte) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxEvent)
	event := ""
	for lines.Scan() {
		name, value, _ := bytes.Cut(lines.Bytes(), []byte(": "))
		switch string(name) {
		case "event":
			event = string(value)
		case "data":
			if err := take(event, value); err != nil {
				return err
			}
		}
	}
	if err := lines.Err(); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	return nil
}
