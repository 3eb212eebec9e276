package express

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// answers are what a handler may do, by path.
var answers = map[string]http.HandlerFunc{
	"/shown/small": func(w http.ResponseWriter, _ *http.Request) { whole(w, 200, "small") },
	"/shown/large": func(w http.ResponseWriter, _ *http.Request) { whole(w, 200, strings.Repeat("large ", 100_000)) },
	"/shown/empty": func(w http.ResponseWriter, _ *http.Request) { whole(w, 200, "") },
	"/shown/silent": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-A", "1")
	},
	"/shown/refused": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusServiceUnavailable)
		w.WriteHeader(http.StatusOK)
		fmt.Fprint(w, "Service ")
		fmt.Fprintln(w, "Unavailable")
	},
	"/shown/nothing": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
	"/shown/pieces": func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Length"] = []string{"300000"}
		w.Header().Set("Content-Type", "image/png")
		w.Header()["X-Many"] = []string{"a", "b\r\nX-Injected: 1"}
		w.WriteHeader(http.StatusOK)
		w.Header().Set("X-Late", "1")
		for range 3 {
			_, _ = w.Write(bytes.Repeat([]byte("p"), 100_000))
		}
	},
	"/shown/lines": func(w http.ResponseWriter, _ *http.Request) {
		inLines(w, 200, 300_000)
		inLines(w, 404, 0)
		for range 3 {
			_, _ = w.Write(bytes.Repeat([]byte("p"), 100_000))
		}
	},
	"/shown/cut": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "10")
		fmt.Fprint(w, "half ")
	},
	"/shown/longer": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "5")
		_, err := fmt.Fprint(w, "longer")
		if err == nil {
			panic("it was taken")
		}
	},
	"/shown/aborted": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100000")
		_, _ = w.Write(make([]byte, 50_000))
		panic(http.ErrAbortHandler)
	},
	"/shown/panics": func(http.ResponseWriter, *http.Request) { panic("for a test") },
}

// inLines says the headers as lines where that can be done.
func inLines(w http.ResponseWriter, status int, length int64) {
	w.Header().Set("X-By", "a handler")
	if l, ok := w.(interface{ WriteHead(int, int64, []byte) }); ok {
		l.WriteHead(status, length, []byte("Content-Type: a/b\r\nX-Many: 1\r\nX-Many: 2\r\n"))
		return
	}
	w.Header().Set("Content-Type", "a/b")
	w.Header()["X-Many"] = []string{"1", "2"}
	if length >= 0 {
		w.Header().Set("Content-Length", fmt.Sprint(length))
	}
	w.WriteHeader(status)
}

func whole(w http.ResponseWriter, status int, body string) {
	w.Header()["Content-Length"] = []string{fmt.Sprint(len(body))}
	w.Header().Set("Content-Type", "text/plain")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func answerBy(w http.ResponseWriter, r *http.Request) {
	if h := answers[r.URL.Path]; h != nil {
		h(w, r)
		return
	}
	other(w, r)
}

// told is an answer, and what a second request on the connection is answered.
type told struct {
	status  int
	header  http.Header
	body    string
	length  int64
	another bool
	torn    bool // nothing else of it is known
}

func ask2(t *testing.T, address net.Addr, path string) (got told) {
	conn := dial(t, address)
	defer conn.Close()
	send(t, conn, get(path))
	in := bufio.NewReader(conn)
	r, err := http.ReadResponse(in, nil)
	if err != nil {
		got.torn = true
		return got
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		got.torn = true
		return got
	}
	r.Header.Del("Date")
	got = told{status: r.StatusCode, header: r.Header, body: string(body), length: r.ContentLength}
	_, _ = io.WriteString(conn, get("/shown/small"))
	_, err = http.ReadResponse(in, nil)
	got.another = err == nil
	return got
}

// What a handler answers arrives from here as from net/http.
func TestAHandlersAnswersAreAsByNetHTTP(t *testing.T) {
	s := open(t, Options{Handler: http.HandlerFunc(answerBy)}, nil)
	bare, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	plain := &http.Server{Handler: s.server.Handler, ReadHeaderTimeout: time.Minute, ErrorLog: s.server.ErrorLog}
	go func() { _ = plain.Serve(bare) }()
	t.Cleanup(func() { plain.Close() })
	for path := range answers {
		got, want := ask2(t, s.Addr(), path), ask2(t, bare.Addr(), path)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %d %v, %d bytes, %+v; want %d %v, %d bytes, %+v", path, got.status, got.header, len(got.body), got.torn,
				want.status, want.header, len(want.body), want.torn)
		}
	}
}

// The connection stays here: what is held is answered after what is not.
func TestHitsAfterMisses(t *testing.T) {
	s := open(t, Options{Handler: http.HandlerFunc(answerBy)}, nil)
	conn := dial(t, s.Addr())
	in := bufio.NewReader(conn)
	send(t, conn, get("/shown")+get("/held")+get("/shown?b=%zz")+get("/shown/large"))
	expect(t, in, "net/http")
	expect(t, in, "express")
	if _, body := expect(t, in, "net/http"); !strings.Contains(string(body), "/shown?b=%zz") {
		t.Errorf("%s", body)
	}
	expect(t, in, "")
	send(t, conn, get("/held"))
	expect(t, in, "express")
}

func TestAMissOverTLS(t *testing.T) {
	s, trust := openTLS(t, Options{})
	conn := tls.Client(dial(t, s.Addr()), trust)
	send(t, conn, get("/shown"))
	in := bufio.NewReader(conn)
	if header, _ := expect(t, in, "net/http"); strings.TrimSpace(header.Get("X-Tls")) != "example.com" {
		t.Errorf("%v", header)
	}
	send(t, conn, get("/held"))
	expect(t, in, "express")
}

func TestAPanicIsTold(t *testing.T) {
	var said bytes.Buffer
	s := open(t, Options{Handler: http.HandlerFunc(answerBy), ErrorLog: log.New(&said, "", 0)}, nil)
	for _, path := range []string{"/shown/aborted", "/shown/panics"} {
		conn := dial(t, s.Addr())
		send(t, conn, get(path))
		_, _ = io.Copy(io.Discard, conn)
	}
	s.end(t)
	if !strings.Contains(said.String(), "for a test") || strings.Contains(said.String(), "abort") {
		t.Errorf("it says %q", said.String())
	}
}

// waits answers when its client has left.
func waits(left chan<- time.Time) http.HandlerFunc {
	return func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		left <- time.Now()
	}
}

func TestAClientThatLeavesIsNoticed(t *testing.T) {
	for _, next := range []string{"", get("/held"), strings.Repeat("x", 2*headSize)} {
		left := make(chan time.Time, 1)
		o := Options{Header: headerTime, Handler: waits(left)}
		bubble(t, o, func(t *testing.T, c *connected) {
			send(t, c, get("/shown"))
			go func() { _, _ = io.WriteString(c.Conn, next) }()
			time.Sleep(3 * headerTime) // it may take as long as it takes
			synctest.Wait()
			if len(left) > 0 {
				t.Fatal("it is thought to have left")
			}
			c.Conn.Close()
			synctest.Wait()
			if next == "" && len(left) == 0 {
				t.Error("it is waited for")
			}
			c.Listener.cancel() // as Drain does
		})
	}
}

// A client that is looked at may go on.
func TestAClientThatWaitsIsAnswered(t *testing.T) {
	o := Options{Header: headerTime, Idle: idleTime, Client: clientTime, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(headerTime)
		other(w, r)
	})}
	bubble(t, o, func(t *testing.T, c *connected) {
		for range 3 {
			send(t, c, get("/shown"))
			expect(t, c.in, "net/http")
			c.hit(t)
		}
		send(t, c, get("/shown"))
		time.Sleep(headerTime / 2)
		send(t, c, get("/held")) // it is read ahead
		expect(t, c.in, "net/http")
		expect(t, c.in, "express")
		c.since = time.Now()
		c.ended(t, idleTime)
	})
}

func TestAMissesSlowReaderIsCutOff(t *testing.T) {
	o := Options{Header: headerTime, Client: clientTime, Handler: http.HandlerFunc(answerBy)}
	bubble(t, o, func(t *testing.T, c *connected) {
		send(t, c, get("/shown/large"))
		if _, err := io.ReadFull(c.in, make([]byte, 1<<10)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(clientTime + time.Second)
		if rest, err := io.ReadAll(c.in); err != nil || len(rest) >= 600_000-1<<10 {
			t.Errorf("it got %d bytes more, %v", len(rest), err)
		}
	})
}

func TestDrainEndsWhatTheHandlerWaitsFor(t *testing.T) {
	left := make(chan time.Time, 1)
	bubble(t, Options{Handler: waits(left)}, func(t *testing.T, c *connected) {
		send(t, c, get("/shown"))
		synctest.Wait()
		if err := c.server.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		brief, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.Drain(brief); !errors.Is(err, context.DeadlineExceeded) || time.Since(c.since) != time.Second || len(left) == 0 {
			t.Errorf("%v after %v", err, time.Since(c.since))
		}
	})
}

func TestARequestsContextEndsWithItsAnswer(t *testing.T) {
	asked := make(chan context.Context, 1)
	s := open(t, Options{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Context()
		other(w, r)
	})}, nil)
	conn := dial(t, s.Addr())
	send(t, conn, get("/shown"))
	expect(t, bufio.NewReader(conn), "net/http")
	select {
	case <-(<-asked).Done():
	case <-time.After(5 * time.Second):
		t.Error("it goes on")
	}
}
