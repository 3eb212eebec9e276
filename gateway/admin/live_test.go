package admin

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sluice/gateway/migrate"
	"sluice/gateway/migrate/throttle"
)

// control is one of so many buckets that counts how often they are asked for.
func control(t *testing.T, buckets int, asked *atomic.Int64) Control {
	t.Helper()
	limits, err := throttle.New(throttle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return Control{
		Buckets: func() []migrate.Status {
			asked.Add(1)
			list := make([]migrate.Status, buckets)
			for i := range list {
				list[i].Backfill = &migrate.Progress{Failures: make([]migrate.Failure, 100)}
			}
			return list
		},
		Conditions: func() []migrate.Condition { return nil },
		Traffic:    func(time.Time) Traffic { return Traffic{Seconds: 1} },
		Throttle:   limits, Metrics: http.NotFoundHandler(),
	}
}

func watched(t *testing.T, c Control) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(c.Handler())
	t.Cleanup(server.Close)
	return server
}

func watch(t *testing.T, server *httptest.Server) *http.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/v1/live", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// TestLive: however many watch, the gateway is looked at once a second, and only as much is
// told as a page can show.
func TestLive(t *testing.T) {
	var asked atomic.Int64
	server := watched(t, control(t, maxShown+5, &asked))
	began := time.Now()
	var all []*bufio.Scanner
	for range 3 {
		resp := watch(t, server)
		if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
			t.Fatalf("it is %q", got)
		}
		lines := bufio.NewScanner(resp.Body)
		lines.Buffer(nil, 4<<20)
		all = append(all, lines)
	}
	for range 3 {
		for _, lines := range all {
			live := next(t, lines)
			if len(live.Buckets) != maxShown || live.More != 5 || len(live.Buckets[0].Backfill.Failures) != maxFailures {
				t.Fatalf("%d buckets, %d more, %d failures", len(live.Buckets), live.More, len(live.Buckets[0].Backfill.Failures))
			}
		}
	}
	if n, took := asked.Load(), time.Since(began); n > int64(took.Seconds())+2 {
		t.Errorf("for 9 documents in %v the gateway was looked at %d times", took, n)
	}
}

func next(t *testing.T, lines *bufio.Scanner) (live Live) {
	t.Helper()
	for lines.Scan() {
		if document, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			if err := json.Unmarshal([]byte(document), &live); err != nil {
				t.Fatal(err)
			}
			return live
		}
	}
	t.Fatalf("the stream ended: %v", lines.Err())
	return live
}

// once is a listener with one connection.
type once struct{ conns chan net.Conn }

func (once) Addr() net.Addr { return &net.TCPAddr{} }
func (once) Close() error   { return nil }

func (l once) Accept() (net.Conn, error) {
	if conn, ok := <-l.conns; ok {
		return conn, nil
	}
	return nil, net.ErrClosed
}

// TestSlowViewer: who asks and does not read is let go.
func TestSlowViewer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFeed(control(t, 1, new(atomic.Int64)))
		ours, theirs := net.Pipe()
		l := once{conns: make(chan net.Conn, 1)}
		l.conns <- theirs
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _ = f.serve(w, r) })}
		var serving sync.WaitGroup
		serving.Go(func() { _ = server.Serve(l) })
		if _, err := io.WriteString(ours, "GET /v1/live HTTP/1.1\r\nHost: gateway\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(sendTimeout / 2)
		if len(f.viewers) != 1 {
			t.Error("it is gone at once")
		}
		time.Sleep(sendTimeout)
		synctest.Wait()
		if len(f.viewers) != 0 {
			t.Error("it still has its place")
		}
		ours.Close()
		close(l.conns)
		serving.Wait()
	})
}

// TestLiveIsBounded: one viewer too many is told so.
func TestLiveIsBounded(t *testing.T) {
	server := watched(t, control(t, 1, new(atomic.Int64)))
	for range maxViewers {
		watch(t, server)
	}
	if resp := watch(t, server); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("it is answered %s", resp.Status)
	}
}
