package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/gateway/admin"
	"sluice/gateway/migrate"
	"sluice/gateway/mirror"
)

// fake is a gateway's admin socket that answers as it is told.
type fake struct {
	socket   string
	mu       sync.Mutex
	answers  map[string][]any // to "METHOD path", in turn; the last one stays
	requests []string         // that change something: "METHOD path body"
}

func newFake(t *testing.T, answers map[string][]any) *fake {
	t.Helper()
	f := &fake{socket: filepath.Join(t.TempDir(), admin.SocketName), answers: answers}
	if _, told := answers[conditions]; !told {
		answers[conditions] = []any{[]migrate.Condition{}}
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", f.socket)
	if err != nil {
		t.Fatal(err)
	}
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: f}}
	s.Start()
	t.Cleanup(s.Close)
	return f
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at := r.Method + " " + r.URL.Path
	if r.Method != http.MethodGet {
		body, _ := io.ReadAll(r.Body)
		f.requests = append(f.requests, at+" "+string(body))
	}
	answers := f.answers[at]
	if len(answers) == 0 {
		http.Error(w, "nobody expected "+at, http.StatusNotImplemented)
		return
	}
	if len(answers) > 1 {
		f.answers[at] = answers[1:]
	}
	switch a := answers[0].(type) {
	case nil:
		w.WriteHeader(http.StatusAccepted)
	case string:
		_, _ = io.WriteString(w, a)
	case *admin.Error:
		w.WriteHeader(http.StatusConflict)
		_ = json.NewEncoder(w).Encode(a)
	default:
		_ = json.NewEncoder(w).Encode(a)
	}
}

// outcome is what a run of the program left.
type outcome struct {
	code           int
	stdout, stderr string
	requests       []string
	pauses         int
}

// run runs the program against f. It is interrupted in the pause of that number; 0 is
// never.
func (f *fake) run(t *testing.T, interrupt int, args ...string) outcome {
	t.Helper()
	return execute(t, interrupt, append(args, "--socket", f.socket)...).with(f)
}

func (o outcome) with(f *fake) outcome {
	f.mu.Lock()
	defer f.mu.Unlock()
	o.requests = f.requests
	return o
}

func execute(t *testing.T, interrupt int, args ...string) (o outcome) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var stdout, stderr bytes.Buffer
	p := program{&stdout, &stderr, func(ctx context.Context, _ time.Duration) error {
		if o.pauses++; o.pauses == interrupt {
			cancel()
		}
		return ctx.Err()
	}}
	o.code = p.run(ctx, args)
	o.stdout, o.stderr = stdout.String(), stderr.String()
	return o
}

// expect compares what a run left with what it should have; both texts begin with a
// line break, for the eye.
func (o outcome) expect(t *testing.T, code int, stdout, stderr string) {
	t.Helper()
	if o.code != code {
		t.Errorf("exit code %d, not %d", o.code, code)
	}
	same(t, "stdout", o.stdout, stdout)
	same(t, "stderr", o.stderr, stderr)
}

func same(t *testing.T, what, got, want string) {
	t.Helper()
	if want = strings.TrimPrefix(want, "\n"); got != want {
		t.Errorf("%s:\n%s\nnot:\n%s", what, got, want)
	}
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// media is a bucket in the middle of a crawl, and of nothing else.
func media() migrate.Status {
	return migrate.Status{
		Bucket: "media", Old: "minio", New: "hetzner", Since: noon, Pending: 2,
		Phase: mirror.Phase{Name: mirror.Mirroring, Epoch: 2, Baseline: true},
		Conditions: []migrate.Condition{
			{Type: "backfilled", Message: "the backfill is running", Since: noon},
			{Type: "throttled", Status: true, Message: "minio is slow (p95 700ms)", Since: noon},
		},
		Backfill: &migrate.Progress{
			State: migrate.Running, Started: noon, Counted: true,
			Total: migrate.Amount{Objects: 2_700_000, Bytes: 2 << 40}, Done: migrate.Amount{Objects: 1_234_567, Bytes: 1 << 40},
			Rate: migrate.Rate{Objects: 830.4, Bytes: 45 << 20}, Remaining: 6*time.Hour + 31*time.Minute, Failed: 1,
			Failures: []migrate.Failure{{Key: "a\nb", Error: "access denied", Attempts: 3}},
		},
	}
}

// quiet is a bucket whose migration has not begun.
func quiet() migrate.Status {
	return migrate.Status{
		Bucket: "backups", Old: "minio", Phase: mirror.Phase{Name: mirror.Passthrough, Epoch: 1}, Since: noon,
		Conditions: []migrate.Condition{},
	}
}

const (
	buckets    = "GET /v1/buckets"
	conditions = "GET /v1/conditions"
)
