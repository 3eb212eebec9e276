package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/gateway/admin"
	"sluice/gateway/config"
	"sluice/test/process"
	"sluice/test/servers"
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
	box, store := newInbox(t), servers.MinIO(t)
	c := settings(t, embeddedStore(t), minioStore(t, store, "new-media"))
	c.Notify.URLs = []string{"generic+" + box.URL + "/hush", "generic+http://hush:hush@127.0.0.1:1/hush"}
	c.Notify.Heartbeat = config.Heartbeat{URL: box.URL + "/beat", Every: config.Duration(time.Second)}
	r := startRig(t, c)
	store.Stop(t)
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
	store.Restart(t)
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
