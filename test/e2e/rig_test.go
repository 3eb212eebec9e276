package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/minio/minio-go/v7/pkg/signer"

	"sluice/backends"
	"sluice/backends/embedded"
	"sluice/backends/s3"
	"sluice/gateway"
	"sluice/gateway/admin"
	"sluice/gateway/config"
	"sluice/test/process"
	"sluice/test/servers"
)

// rig is a gateway in this process whose configuration a test writes, and which
// it can end and start again.
type rig struct {
	config  config.Config
	url     string // of the first listener
	secure  string // of that for HTTPS, if there is one
	gateway *gateway.Gateway
	log     *logText
	stop    func() error // ends the gateway
}

// settings are the configuration of a bucket "media" between two stores. What a
// slow store could make a test wait for is short.
func settings(t *testing.T, old, new config.Store) config.Config {
	t.Helper()
	c := config.Default()
	c.StateDir = t.TempDir()
	c.Listen.HTTP = "127.0.0.1:0"
	c.Stores = map[string]config.Store{"old": old, "new": new}
	c.Buckets = map[string]config.Bucket{"media": {Old: "old", New: "new"}}
	c.Credentials = []config.Credential{{AccessKeyID: accessKey, SecretAccessKey: secretKey}}
	c.Migration.Mirror.Quarantine = config.Duration(100 * time.Millisecond)
	return c
}

// embeddedStore is a store in this process with the bucket "bucket".
func embeddedStore(t *testing.T) config.Store {
	t.Helper()
	server, err := embedded.Start(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	if _, err := server.Store(t.Context(), "any", "bucket"); err != nil {
		t.Fatal(err)
	}
	return config.Store{Endpoint: server.Endpoint(), Bucket: "bucket", AccessKeyID: "any", SecretAccessKey: "any"}
}

// minioStore is a store on a MinIO server. A bucket that is named is created.
func minioStore(t *testing.T, s *servers.Server, bucket string) config.Store {
	t.Helper()
	if bucket != "" {
		s.Store(t, "any", bucket)
	}
	return config.Store{Endpoint: s.Endpoint, Bucket: bucket, AccessKeyID: s.AccessKey, SecretAccessKey: s.SecretKey}
}

func startRig(t *testing.T, c config.Config) *rig {
	t.Helper()
	r := &rig{config: c, log: new(logText), stop: func() error { return nil }}
	t.Cleanup(func() { r.end(t) })
	for name, b := range c.Buckets {
		if b.New != "" {
			process.Mirroring(t, c.StateDir, name)
		}
	}
	r.start(t)
	return r
}

// start starts the gateway; restart ends the one before, with its state kept.
func (r *rig) start(t *testing.T) {
	t.Helper()
	log := slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	g, err := gateway.Open(t.Context(), r.config, log)
	if err != nil {
		t.Fatal(err)
	}
	listeners, err := g.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Serve(ctx, listeners...) }()
	eventually(t, func(context.Context) error { // what a test finds there it did not make itself
		_, err := os.Stat(filepath.Join(r.config.StateDir, admin.SocketName))
		return err
	})
	r.gateway, r.url = g, "http://"+listeners[0].Addr().String()
	if r.config.Listen.HTTPS != "" {
		r.secure = "https://" + listeners[len(listeners)-1].Addr().String()
	}
	if r.config.Listen.HTTP == "" {
		r.url = r.secure
	}
	r.stop = func() error {
		r.stop = func() error { return nil }
		stop()
		return <-ended
	}
}

func (r *rig) end(t *testing.T) {
	t.Helper()
	if err := r.stop(); err != nil {
		t.Error(err)
	}
}

func (r *rig) restart(t *testing.T) {
	t.Helper()
	r.end(t)
	r.start(t)
}

// logText is the gateway's log.
type logText struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// has tells whether a line holds all the words.
func (l *logText) has(words ...string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.text.String()) {
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) }) {
			return true
		}
	}
	return false
}

// find is what a pattern's group matches in the log.
func (l *logText) find(t *testing.T, pattern string) string {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	m := regexp.MustCompile(pattern).FindStringSubmatch(l.text.String())
	if m == nil {
		t.Fatalf("nothing in the log is like %s", pattern)
	}
	return m[1]
}

// ask is a request; without keys of its own it is signed with the default pair.
type ask struct {
	method, path string // the path encoded as it is sent
	body         string
	header       map[string]string
	key, secret  string
	unsigned     bool
}

// answer is what came back; code is that of S3's error document.
type answer struct {
	status int
	code   string
	header http.Header
	body   string
}

func (a answer) String() string {
	return fmt.Sprintf("%d %s\n%v\n%.600s", a.status, a.code, a.header, a.body)
}

// request makes the request of an ask.
func (r *rig) request(t *testing.T, a ask) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), a.method, r.url+a.path, strings.NewReader(a.body))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(a.body))
	req.Header.Set("X-Amz-Content-Sha256", hex.EncodeToString(sum[:]))
	for name, value := range a.header {
		req.Header.Set(name, value)
	}
	if a.unsigned {
		return req
	}
	key, secret := accessKey, secretKey
	if a.key != "" {
		key, secret = a.key, a.secret
	}
	return signer.SignV4(*req, key, secret, "", "us-east-1")
}

// do sends an ask. It follows no redirect: those are answers too.
func (r *rig) do(t *testing.T, a ask) answer {
	t.Helper()
	return read(t, http.DefaultClient, r.request(t, a))
}

var errorCode = regexp.MustCompile(`<Code>([^<]*)</Code>`)

func read(t *testing.T, from *http.Client, req *http.Request) answer {
	t.Helper()
	client := *from
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header, body: string(raw)}
	if m := errorCode.FindSubmatch(raw); m != nil && resp.StatusCode >= 300 {
		a.code = string(m[1])
	}
	return a
}

// must sends an ask that must be answered with a status, and a code ("": none).
func (r *rig) must(t *testing.T, status int, code string, a ask) answer {
	t.Helper()
	got := r.do(t, a)
	if got.status != status || got.code != code {
		t.Fatalf("%s %s: want %d %s, got %v", a.method, a.path, status, code, got)
	}
	return got
}

// store is one of the stores, seen from behind the gateway. bucket is the one
// that clients name; a store with a bucket of its own has that.
func (r *rig) store(t *testing.T, name, bucket string) *s3.Store {
	t.Helper()
	c := r.config.Stores[name]
	if c.Bucket != "" {
		bucket = c.Bucket
	}
	s, err := s3.New(t.Context(), s3.Config{
		Name: name, Endpoint: c.Endpoint, Bucket: bucket, Region: "us-east-1",
		AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// quiet waits until no write is left to the repairer.
func (r *rig) quiet(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := r.gateway.Journal().Quiet(ctx); err != nil {
		t.Fatal(err)
	}
}

// holds compares what both stores hold in a bucket with what they should.
func (r *rig) holds(t *testing.T, bucket string, want map[string]string) {
	t.Helper()
	r.quiet(t)
	for _, name := range []string{"old", "new"} {
		got := contentOf(t, r.store(t, name, bucket))
		if !maps.Equal(got, want) {
			t.Errorf("the %s store holds\n%.600q\nwant\n%.600q", name, got, want)
		}
	}
}

// contentOf reads every object's bytes.
func contentOf(t *testing.T, s backends.Store) map[string]string {
	t.Helper()
	all, err := content(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range all {
		_, all[key], _ = strings.Cut(value, "\x00")
	}
	return all
}

// eventually is process.Eventually with the limit that these tests share.
func eventually(t *testing.T, what func(context.Context) error) {
	t.Helper()
	process.Eventually(t, 20*time.Second, what)
}
