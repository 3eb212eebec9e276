package notify

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nicholas-fedor/shoutrrr/pkg/types"
)

// receiver is a server that keeps the requests it gets.
type receiver struct {
	*httptest.Server
	host   string
	mu     sync.Mutex
	status int
	got    []received
}

type received struct {
	method, path, body string
	header             http.Header
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{status: http.StatusOK}
	r.Server = httptest.NewServer(r)
	r.Config.Handler = r
	r.host = r.Listener.Addr().String()
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, _ := io.ReadAll(q.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, received{q.Method, q.URL.Path, string(body), q.Header})
	w.WriteHeader(r.status)
	if r.status == http.StatusOK {
		_, _ = io.WriteString(w, `{}`)
		return
	}
	_, _ = fmt.Fprintf(w, `{"code":%d,"error":"%s refused %s"}`, r.status, q.URL, q.Header.Get("Authorization"))
}

func (r *receiver) only(t *testing.T) received {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.got) != 1 {
		t.Fatalf("%d requests arrived", len(r.got))
	}
	return r.got[0]
}

func (r *receiver) answer(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

var example = Message{
	Kind: Problem, Subject: "bucket media", Condition: "caught-up", Title: "writes are not on both stores", Detail: "3 writes wait for the repairer",
	Since: midnight, Todo: "Run `sluice status`.", Time: midnight.Add(time.Minute),
}

func sendTo(t *testing.T, url string) {
	t.Helper()
	s, err := openService(url, "key")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), sendTimeout)
	defer cancel()
	if err := s.send(ctx, example); err != nil {
		t.Error(err)
	}
}

func TestGenericWebhook(t *testing.T) {
	r := newReceiver(t)
	sendTo(t, "generic+http://"+r.host+"/hook")
	got, want := r.only(t), example.Headline()+"\n"+example.Text()
	if got.method != http.MethodPost || got.path != "/hook" || got.body != want {
		t.Errorf("%+v", got)
	}
}

func TestNtfy(t *testing.T) {
	r := newReceiver(t)
	sendTo(t, "ntfy://user:password@"+r.host+"/topic?scheme=http&priority=high")
	got := r.only(t)
	if got.path != "/topic" || got.body != example.Text() || got.header.Get("Title") != example.Headline() || got.header.Get("Authorization") == "" {
		t.Errorf("%+v", got)
	}
}

func TestSignedWebhook(t *testing.T) {
	r := newReceiver(t)
	sendTo(t, "signed+http://"+r.host+"/hook?a=b")
	got := r.only(t)
	mac := hmac.New(sha256.New, []byte("key"))
	mac.Write([]byte(got.body))
	if want := "sha256=" + hex.EncodeToString(mac.Sum(nil)); got.header.Get("X-Sluice-Signature") != want {
		t.Errorf("signature %s, not %s", got.header.Get("X-Sluice-Signature"), want)
	}
	var m Message
	if err := json.Unmarshal([]byte(got.body), &m); err != nil || m != example {
		t.Errorf("%s, %v", got.body, err)
	}
}

// TestHangingReceiver: it is given up after a while, few requests hang at once, others
// are reached, and Run ends.
func TestHangingReceiver(t *testing.T) {
	free := make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-free }))
	defer hanging.Close()
	defer close(free)
	r := newReceiver(t)
	board := new(switchboard)
	board.certificates(true)
	n, err := New(Options{
		URLs:   []string{"generic+" + hanging.URL + "/hook", "generic+" + r.URL + "/hook"},
		Repeat: time.Hour, Subjects: board.subjects, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); n.Run(ctx) }()
	n.couriers[0].take(example)
	n.couriers[1].take(example)
	until(t, func() bool { return len(n.couriers[0].queue) == 0 })
	short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	for range maxHanging {
		if err := n.couriers[0].service.send(short, example); err == nil || !strings.Contains(err.Error(), "no answer") {
			t.Error(err)
		}
	}
	if err := n.couriers[0].service.send(t.Context(), example); err == nil || err.Error() != "4 earlier messages have had no answer yet" {
		t.Error(err)
	}
	stop()
	select {
	case <-ended:
	case <-time.After(sendTimeout / 2):
		t.Error("Run waits for who hangs")
	}
	r.only(t)
}

// broken is a service whose code fails.
type broken struct{ types.Service }

// TestBrokenServiceTakesNothingAlong: its code is not ours, and runs in the gateway.
func TestBrokenServiceTakesNothingAlong(t *testing.T) {
	m := newMessenger("ntfy", "ntfy://ntfy.test/topic")
	m.idle <- broken{}
	if err := m.send(t.Context(), example); err == nil || !strings.HasPrefix(err.Error(), "the service's code failed: ") {
		t.Error(err)
	}
}

func TestHeartbeat(t *testing.T) {
	r := newReceiver(t)
	var log safeText
	n, err := New(Options{Heartbeat: r.URL + "/ping/secret-check", Every: 100 * time.Millisecond, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	began, ended := time.Now(), make(chan struct{})
	go func() { defer close(ended); n.Run(ctx) }()
	defer func() { stop(); <-ended }()
	beats := func(more int) {
		r.mu.Lock()
		before := len(r.got)
		r.mu.Unlock()
		until(t, func() bool {
			r.mu.Lock()
			defer r.mu.Unlock()
			return len(r.got) >= before+more
		})
	}
	beats(1)
	if took := time.Since(began); took < 100*time.Millisecond {
		t.Errorf("it beat after %v", took)
	}
	r.mu.Lock()
	if got := r.got[0]; got.method != http.MethodGet || got.path != "/ping/secret-check" {
		t.Errorf("%+v", got)
	}
	r.mu.Unlock()
	r.answer(http.StatusNotFound)
	beats(4)
	if f := n.Failures(); len(f) != 1 || f[0].Service != "heartbeat "+r.host || f[0].Error != "it answered 404 Not Found" {
		t.Errorf("%+v", f)
	}
	r.answer(http.StatusOK)
	beats(3)
	if f := n.Failures(); len(f) != 0 {
		t.Errorf("%+v", f)
	}
	if text := log.String(); strings.Count(text, "WARN") != 1 || strings.Count(text, "INFO") != 1 || strings.Contains(text, "secret") {
		t.Errorf("logged:\n%s", text)
	}
}

// until waits for what must come soon.
func until(t *testing.T, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it did not come")
		}
	}
}

// safeText is a log that is read while it is written.
type safeText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *safeText) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *safeText) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}
