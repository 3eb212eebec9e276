package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/backends/embedded"
	"sluice/gateway/admin"
	"sluice/gateway/config"
	"sluice/test/process"
)

// inbox is a service that keeps what operators are told.
type inbox struct {
	*httptest.Server
	mu  sync.Mutex
	got []string
}

func newInbox(t *testing.T) *inbox {
	b := &inbox{}
	b.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		b.mu.Lock()
		defer b.mu.Unlock()
		b.got = append(b.got, r.Method+" "+r.URL.Path+" "+string(body))
	}))
	t.Cleanup(b.Close)
	return b
}

// has tells whether a message began so and holds the words.
func (b *inbox) has(start string, words ...string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, text := range b.got {
		all := strings.HasPrefix(text, start)
		for _, w := range words {
			all = all && strings.Contains(text, w)
		}
		if all {
			return true
		}
	}
	return false
}

// TestOperatorsAreToldOfAnOutage: the new store goes away, operators are told, it comes
// back, they are told; meanwhile the heart beats. No secret of a URL is seen anywhere.
func TestOperatorsAreToldOfAnOutage(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for half a minute")
	}
	box, dir := newInbox(t), t.TempDir()
	server, err := embedded.Start(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := server.Store(t.Context(), "any", "bucket"); err != nil {
		t.Fatal(err)
	}
	address := strings.TrimPrefix(server.Endpoint(), "http://")
	c := settings(t, embeddedStore(t), config.Store{Endpoint: server.Endpoint(), Bucket: "bucket", AccessKeyID: "any", SecretAccessKey: "any"})
	c.Notify.URLs = []string{"generic+" + box.URL + "/hush", "generic+http://hush:hush@127.0.0.1:1/hush"}
	c.Notify.Heartbeat = config.Heartbeat{URL: box.URL + "/beat", Every: config.Duration(time.Second)}
	r := startRig(t, c)
	server.Close()
	for i := range 10 { // the first of them open the circuit
		r.do(t, ask{method: "PUT", path: fmt.Sprintf("/media/%d", i), body: "x"})
	}
	told := func(start string, words ...string) {
		t.Helper()
		process.Eventually(t, time.Minute, func(context.Context) error {
			if !box.has(start, words...) {
				return fmt.Errorf("nobody was told %q %q", start, words)
			}
			return nil
		})
	}
	told("POST /hush Sluice: Problem: a store does not answer (store new)", "refused", "What to do: ")
	told("GET /beat")
	back, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Skip("the store's port is taken:", err)
	}
	answering := &httptest.Server{Listener: back, Config: &http.Server{Handler: http.NotFoundHandler()}}
	answering.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "<Error><Code>AccessDenied</Code></Error>") // an answer
	})
	answering.Start()
	defer answering.Close()
	told("POST /hush Sluice: Good again: a store does not answer (store new)", "It began at ")

	client := admin.NewClient(filepath.Join(c.StateDir, admin.SocketName))
	defer client.Close()
	results, err := client.TestNotify(t.Context())
	if err != nil || len(results) != 2 || results[0].Error != "" || !strings.Contains(results[1].Error, "refused") || strings.Contains(fmt.Sprint(results), "hush") {
		t.Errorf("%+v, %v", results, err)
	}
	conditions, err := client.Conditions(t.Context())
	if text := fmt.Sprint(conditions); err != nil || !strings.Contains(text, "{notifications false generic 127.0.0.1:1, URL 2: ") || strings.Contains(text, "hush") {
		t.Errorf("%s, %v", text, err)
	}
	if r.log.has("hush") {
		t.Error("a secret was logged")
	}
}
