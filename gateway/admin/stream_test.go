package admin

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sluice/gateway/events"
	"sluice/gateway/trace"
)

// served is the API of a control with nothing but events and requests.
func served(t *testing.T) (*events.Log, *trace.Hub, string) {
	t.Helper()
	log, hub := new(events.Log), new(trace.Hub)
	s := httptest.NewUnstartedServer(Control{Events: log, Traces: hub, Metrics: http.NotFoundHandler()}.Handler())
	s.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		_ = c.(*net.TCPConn).SetWriteBuffer(little)
		return ctx
	}
	s.Start()
	t.Cleanup(s.Close)
	t.Cleanup(s.CloseClientConnections)
	return log, hub, s.URL
}

// little is what sockets hold here, so that a reader who takes nothing is noticed soon.
const little = 32 << 10

var client = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err == nil {
		err = c.(*net.TCPConn).SetReadBuffer(little)
	}
	return c, err
}}}

func get(t *testing.T, url, after string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if after != "" {
		req.Header.Set("Last-Event-ID", after)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// TestEventStream: the stream is as browsers take it, and goes on after the event that a
// browser saw last.
func TestEventStream(t *testing.T) {
	log, _, url := served(t)
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	log.Add(events.Event{Time: at, Kind: events.Phase, Bucket: "media", Message: "start: passthrough → mirroring", By: "root"})
	log.Add(events.Event{Time: at.Add(time.Second), Kind: events.Store, Level: events.Error, Message: "store new does not answer"})
	log.Add(events.Event{Time: at.Add(2 * time.Second), Kind: events.Command, Bucket: "other", Message: "pause"})
	first := `id: 1772366400000
event: event
data: {"id":1772366400000,"time":"2026-03-01T12:00:00Z","kind":"phase","bucket":"media","level":"info","message":"start: passthrough → mirroring","by":"root"}

`
	second := `id: 1772366401000
event: event
data: {"id":1772366401000,"time":"2026-03-01T12:00:01Z","kind":"store","bucket":"","level":"error","message":"store new does not answer","by":""}

`
	for _, c := range []struct{ query, after, want string }{
		{"?follow=false&bucket=media", "", first + second},
		{"?follow=false&bucket=media", "1772366400000", second},
		{"?follow=false&bucket=media", "1772366401000", ""},
	} {
		resp := get(t, url+"/v1/events"+c.query, c.after)
		body, err := io.ReadAll(resp.Body)
		if err != nil || string(body) != c.want || resp.Header.Get("Content-Type") != "text/event-stream" {
			t.Errorf("%s after %q: %v %v\n%s\nwant\n%s", c.query, c.after, err, resp.Header, body, c.want)
		}
	}
	if resp := get(t, url+"/v1/events", "x"); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("an id that is none: %s", resp.Status)
	}
	lines := bufio.NewScanner(get(t, url+"/v1/events", "1772366402000").Body)
	log.Add(events.Event{Message: "next"})
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "data: ") {
			break
		}
	}
	if !strings.Contains(lines.Text(), `"message":"next"`) {
		t.Errorf("it goes on with %q, %v", lines.Text(), lines.Err())
	}
}

// TestReaderThatTakesNothing: nobody waits for it, and it is let go.
func TestReaderThatTakesNothing(t *testing.T) {
	log, hub, url := served(t)
	asleep := get(t, url+"/v1/events", "")
	traced := get(t, url+"/v1/trace", "")
	const (
		many  = 3000 // more than sockets hold
		ahead = 300  // more than a tracer's queue does
	)
	for range many {
		log.Add(events.Event{Message: strings.Repeat("x", 400)})
		hub.Send(&trace.Record{Key: strings.Repeat("k", 400)})
	}
	body, err := io.ReadAll(asleep.Body) // which ends
	if n := strings.Count(string(body), "event: event\n"); err != nil || n == 0 || n >= many {
		t.Errorf("it got %d events, %v", n, err)
	}
	seen, missed := 0, int64(0)
	err = readStream(traced.Body, func(event string, data []byte) error {
		if event == "request" {
			seen++
			return nil
		}
		var m TraceMissed
		if err := json.Unmarshal(data, &m); err != nil {
			return err
		}
		if missed += m.Missed; missed+int64(seen) >= many-ahead { // what is queued is still to come
			return io.EOF
		}
		return nil
	})
	if err != io.EOF || missed == 0 {
		t.Errorf("%d seen, %d missed, %v", seen, missed, err)
	}
}

// TestFilterOfQuery: what a query says wrongly is refused.
func TestFilterOfQuery(t *testing.T) {
	_, _, url := served(t)
	for _, wrong := range []string{"slower=fast", "errors=perhaps", "status=7xx", "slower=-1s"} {
		resp := get(t, url+"/v1/trace?"+wrong, "")
		body, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != http.StatusBadRequest || !strings.Contains(string(body), `"kind":"invalid"`) {
			t.Errorf("%s: %s", wrong, fmt.Sprint(resp.Status, string(body)))
		}
	}
}
