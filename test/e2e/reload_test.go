package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7/pkg/signer"

	"sluice/backends"
	"sluice/gateway/admin"
	"sluice/gateway/config"
	"sluice/gateway/migrate/throttle"
	"sluice/test/process"
)

// TestReloadedIsInForceAtOnce: also on connections that are open, and on the express lane.
// Seen to fail with the express listener's options left as they were, and with the
// verifier's.
func TestReloadedIsInForceAtOnce(t *testing.T) {
	r, f, stores := startReloading(t)
	r.must(t, 200, "", ask{method: "PUT", path: "/media/a", body: "hello"})
	r.quiet(t)
	get := ask{method: "GET", path: "/media/a"}
	r.must(t, 200, "", get)
	// A connection stays on the express lane while all that comes on it is for there.
	lane := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
	defer lane.CloseIdleConnections()
	held := func(host string, header map[string]string) answer {
		req := r.request(t, ask{method: "GET", path: "/a", header: header, unsigned: true})
		req.Host = host
		req.Header.Del("X-Amz-Content-Sha256")
		return read(t, lane, req)
	}
	r.show(t, "GET", "files.test", "/a", nil)
	if a := held("files.test", nil); a.header.Get("X-Cache") != "HIT" || a.header.Get("Cache-Control") != "public, max-age=31536000" {
		t.Fatal(a)
	}

	f.Hosts["files.test"] = host(func(h *config.Host) {
		h.CacheControl, h.Headers = "max-age=5", map[string]string{"X-Robots-Tag": "noindex"}
		h.Purge = config.Purge{Header: "X-Purge", Secret: "other"}
	})
	r.reload(t)
	a := held("files.test", nil)
	if a.header.Get("X-Cache") != "HIT" || a.header.Get("Cache-Control") != "max-age=5" || a.header.Get("X-Robots-Tag") != "noindex" {
		t.Error(a)
	}
	if a := held("files.test", map[string]string{"Secret-Header": "s3cret"}); a.body != "hello" {
		t.Errorf("the former secret purges: %v", a)
	}
	if a := held("files.test", map[string]string{"X-Purge": "other"}); a.body != "purged: 1\n" {
		t.Errorf("the secret does not purge: %v", a)
	}

	lane.CloseIdleConnections() // which the purge has led to net/http
	r.show(t, "GET", "files.test", "/a", nil)
	if a := held("files.test", nil); a.header.Get("X-Cache") != "HIT" {
		t.Error(a)
	}
	delete(f.Hosts, "files.test")
	f.Hosts["new.test"] = host(nil)
	r.reload(t)
	if a := held("files.test", nil); a.status < 400 {
		t.Errorf("a host that was removed answers %v", a)
	}
	if a := r.show(t, "GET", "new.test", "/a", nil); a.body != "hello" {
		t.Error(a)
	}

	f.Credentials = []config.Credential{{AccessKeyID: "other", SecretAccessKey: "other-secret"}}
	r.reload(t)
	r.must(t, 403, "InvalidAccessKeyId", get)
	get.key, get.secret = "other", "other-secret"
	r.must(t, 200, "", get)

	anonymous := ask{method: "GET", path: "/media/a", unsigned: true}
	r.must(t, 403, "AccessDenied", anonymous)
	f.Buckets["media"] = config.Bucket{Old: "old", New: "new", Anonymous: config.AnonymousRead}
	r.reload(t)
	r.must(t, 200, "", anonymous)

	for _, s := range stores {
		s.take("first", "second")
	}
	f.Stores["old"], f.Stores["new"] = stores[0].store("second"), stores[1].store("second")
	r.reload(t)
	before := []int{stores[0].uses("first"), stores[1].uses("first")}
	r.must(t, 200, "", ask{method: "PUT", path: "/media/b", body: "b", key: "other", secret: "other-secret"})
	r.quiet(t)
	for i, s := range stores {
		if s.uses("first") != before[i] || s.uses("second") == 0 {
			t.Errorf("store %d is asked with the former key", i)
		}
	}

	f.Log.Access = true
	r.reload(t)
	r.show(t, "GET", "new.test", "/a", nil)
	eventually(t, func(context.Context) error {
		if !r.log.has("msg=access", "path=/a", "cache=\"Sluice; hit\"") {
			return errors.New("no line for a request that the express lane would have answered")
		}
		return nil
	})
}

// TestReloadAddsStoresAndBuckets, and they take part in everything.
func TestReloadAddsStoresAndBuckets(t *testing.T) {
	r, f, _ := startReloading(t)
	more := [2]*guarded{guardedStore(t, "bucket"), guardedStore(t, "bucket")}
	f.Stores["third"], f.Stores["fourth"] = more[0].store("first"), more[1].store("first")
	f.Buckets["added"] = config.Bucket{Old: "third", New: "fourth"}
	r.must(t, 404, "NoSuchBucket", ask{method: "PUT", path: "/added/k", body: "x"})
	r.reload(t)
	r.must(t, 200, "", ask{method: "PUT", path: "/added/k", body: "x"})
	o, err := r.gateway.Operator(t.Context(), "added")
	if err != nil {
		t.Fatal(err)
	}
	if s := o.Status(); s.Name != "passthrough" || s.Old != "third" {
		t.Errorf("%+v", s)
	}
	delete(f.Buckets, "added")
	if _, err := r.gateway.Reload(t.Context(), false); err == nil || !strings.Contains(err.Error(), "buckets.added can only change with a restart") {
		t.Error(err)
	}
}

// TestReloadThatFailsChangesNothing, wherever it fails: what else the file says is not taken
// either. Status and metric say so until one goes well.
func TestReloadThatFailsChangesNothing(t *testing.T) {
	dead := httptest.NewServer(nil)
	dead.Close()
	r, f, _ := startReloading(t, func(c *config.Config) {
		c.TLS.Mode, c.Listen.HTTPS, c.TLS.Redirect = "internal", "127.0.0.1:0", false
		c.Listen.Admin = "127.0.0.1:0"
	})
	client := admin.NewClient(filepath.Join(r.config.StateDir, admin.SocketName))
	defer client.Close()
	good := clone(f.Config)
	state := func() string { // the buckets that it knows; the backfill goes on meanwhile
		var state struct{ Buckets map[string]any }
		raw, err := os.ReadFile(filepath.Join(r.config.StateDir, "state.json"))
		if err == nil {
			err = json.Unmarshal(raw, &state)
		}
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(slices.Sorted(maps.Keys(state.Buckets)))
	}
	before := state()
	condition := func() (bool, string) {
		list, err := client.Conditions(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range list {
			if c.Type == "configuration" {
				return c.Status, c.Message
			}
		}
		t.Fatal("there is no such condition")
		return false, ""
	}
	certificates := filepath.Join(r.config.StateDir, "certificates")
	var spare [4]*guarded
	for i := range spare {
		spare[i] = guardedStore(t, "bucket")
	}
	another := startRig(t, settings(t, spare[2].store("first"), spare[3].store("first")))
	another.must(t, 200, "", ask{method: "PUT", path: "/media/k", body: "x"})
	another.quiet(t)
	eventually(t, func(context.Context) error { // its stores are marked
		_, err := another.store(t, "old", "").Head(t.Context(), backends.GetRequest{Key: ".sluice/marker.json"})
		return err
	})
	store := func(name string, change func(*config.Store)) func() {
		return func() {
			s := f.Stores[name]
			change(&s)
			f.Stores[name] = s
		}
	}
	for _, c := range []struct {
		what   string
		change func()
		want   string
	}{
		{"a bad file", func() { f.err = errors.New("[3:5] unknown field") }, "[3:5] unknown field"},
		{"a restart", func() { f.Listen.HTTP, f.StateDir = ":1", "/elsewhere" }, "state_dir, listen.http can only change with a restart"},
		{"a CA file that is missing", store("old", func(s *config.Store) { s.CAFile = "/absent.pem" }), "/absent.pem"},
		{"a store key that is wrong", store("new", func(s *config.Store) { s.AccessKeyID = "typo" }), "stores.new"},
		{"a new store that is away", func() {
			f.Stores["x"] = config.Store{Endpoint: dead.URL, Region: "r", Bucket: "b", AccessKeyID: "a", SecretAccessKey: "b"}
		}, "stores.x"},
		{"a new bucket that is not there", func() {
			f.Stores["x"] = spare[0].store("first")
			store("x", func(s *config.Store) { s.Bucket = "" })()
			f.Buckets["absent"] = config.Bucket{Old: "x"}
		}, "stores.x"},
		{"the second of two new buckets", func() {
			for i, name := range []string{"w", "x", "y", "z"} {
				f.Stores[name] = spare[i].store("first")
			}
			f.Buckets["a-good-one"], f.Buckets["b-of-another"] = config.Bucket{Old: "w", New: "x"}, config.Bucket{Old: "y", New: "z"}
		}, "buckets.b-of-another"},
		{"certificates that can not be written", func() {
			f.TLS.Names = []string{"further.test"}
			if err := os.Rename(certificates, certificates+".away"); err != nil {
				t.Fatal(err)
			}
		}, "certificates can not be written"},
	} {
		t.Run(c.what, func(t *testing.T) {
			f.err, f.Config = nil, clone(good)
			f.Credentials = []config.Credential{{AccessKeyID: "taken", SecretAccessKey: "x"}}
			delete(f.Hosts, "files.test")
			c.change()
			_, err := client.Reload(t.Context(), admin.ReloadOrder{})
			var refused *admin.Error
			if !errors.As(err, &refused) || refused.Kind != admin.BadConfig || !strings.Contains(err.Error(), c.want) || !strings.HasSuffix(err.Error(), config.ErrKept.Error()) {
				t.Errorf("%v, want %s", err, c.want)
			}
			if ok, message := condition(); ok || message != err.Error() {
				t.Errorf("the condition says %t: %s", ok, message)
			}
			if m := r.metric(t, "sluice_config_last_reload_successful"); m != "0" {
				t.Errorf("the metric is %s", m)
			}
			if got := state(); got != before {
				t.Errorf("the state is\n%s\nand was\n%s", got, before)
			}
			r.must(t, 200, "", ask{method: "PUT", path: "/media/k", body: "x"})
			r.must(t, 403, "InvalidAccessKeyId", ask{method: "GET", path: "/media/k", key: "taken", secret: "x"})
			if a := r.show(t, "GET", "files.test", "/k", nil); a.status != 200 {
				t.Error(a)
			}
		})
	}
	if err := os.Rename(certificates+".away", certificates); err != nil {
		t.Fatal(err)
	}
	f.err, f.Config = nil, clone(good)
	f.TLS.Names = []string{"further.test"}
	changes, err := client.Reload(t.Context(), admin.ReloadOrder{DryRun: true})
	if ok, _ := condition(); err != nil || ok || !slices.Equal(changes.Settings, []string{"tls.names"}) {
		t.Errorf("%+v, %v, and the condition is %t", changes, err, ok)
	}
	if changes, err = client.Reload(t.Context(), admin.ReloadOrder{}); err != nil || !slices.Equal(changes.Settings, []string{"tls.names"}) {
		t.Errorf("%+v, %v", changes, err)
	}
	if ok, message := condition(); !ok {
		t.Error(message)
	}
	if m := r.metric(t, "sluice_config_last_reload_successful"); m != "1" {
		t.Errorf("the metric is %s", m)
	}
	listed := func(name string) func(context.Context) error {
		return func(ctx context.Context) error {
			list, err := client.Certificates(ctx)
			for _, c := range list.List {
				if c.Name == name && c.DaysLeft > 0 {
					return nil
				}
			}
			return errors.Join(err, fmt.Errorf("no certificate for %s", name))
		}
	}
	eventually(t, listed("further.test"))
	f.TLS.Names = nil
	r.reload(t)
	if listed("further.test")(t.Context()) == nil || listed("files.test")(t.Context()) != nil {
		t.Error("the certificates are not those that are wanted")
	}
}

// metric reads one without labels.
func (r *rig) metric(t *testing.T, name string) string {
	t.Helper()
	at := r.log.find(t, `"operators are served" address=(\S+)`)
	resp, err := http.Get("http://" + at + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var text strings.Builder
	if _, err := io.Copy(&text, resp.Body); err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindStringSubmatch(text.String())
	if m == nil {
		t.Fatalf("there is no %s", name)
	}
	return m[1]
}

// TestReplacedPartsEnd: no goroutine and no connection is left of what reloads replaced.
func TestReplacedPartsEnd(t *testing.T) {
	r, f, stores := startReloading(t)
	hook := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer hook.Close()
	change := func(i int) {
		key := fmt.Sprint("key", i)
		for s, name := range []string{"old", "new"} {
			stores[s].take("first", key, fmt.Sprint("key", i-1))
			f.Stores[name] = stores[s].store(key)
		}
		f.Notify.URLs = []string{fmt.Sprintf("generic+%s/%d", hook.URL, i)}
		f.Notify.Heartbeat.URL = fmt.Sprintf("%s/%d", hook.URL, i)
		f.Hosts["files.test"] = host(func(h *config.Host) { h.CacheControl = key })
		r.reload(t)
		r.must(t, 200, "", ask{method: "PUT", path: "/media/k", body: key})
		r.quiet(t)
	}
	change(0)
	count := func() int {
		http.DefaultClient.CloseIdleConnections()
		return runtime.NumGoroutine()
	}
	before := count()
	for i := range 30 {
		change(i + 1)
	}
	process.Eventually(t, 5*time.Second, func(context.Context) error { // idle connections end by themselves after 15 s
		if now := count(); now > before+10 {
			return fmt.Errorf("%d goroutines, there were %d", now, before)
		}
		return nil
	})
}

// TestReloadLeavesRequestsUnderWayAlone: an upload ends whose key pair, and whose store's key,
// were exchanged in its midst.
func TestReloadLeavesRequestsUnderWayAlone(t *testing.T) {
	r, f, stores := startReloading(t)
	body, sending := io.Pipe()
	text := strings.Repeat("0123456789abcdef", 1<<18) // 4 MiB: it streams to the stores
	req := r.request(t, ask{method: "PUT", path: "/media/long", header: map[string]string{"X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD"}})
	req.Body, req.ContentLength = body, int64(len(text))
	req = signer.SignV4(*req, accessKey, secretKey, "", "us-east-1")
	answered := make(chan answer, 1)
	// The body is read from here only once the gateway asks for it.
	req.Header.Set("Expect", "100-continue")
	patient := &http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Minute}}
	defer patient.CloseIdleConnections()
	go func() { defer close(answered); answered <- read(t, patient, req) }()
	if _, err := io.WriteString(sending, text[:len(text)/2]); err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"old", "new"} {
		stores[i].take("first", "second")
		f.Stores[name] = stores[i].store("second")
	}
	f.Credentials = []config.Credential{{AccessKeyID: "other", SecretAccessKey: "other-secret"}}
	f.Limits.Requests = 1
	r.reload(t)
	get := ask{method: "GET", path: "/media/absent", key: "other", secret: "other-secret"}
	r.must(t, 503, "SlowDown", get) // the upload has the one slot that there is now
	if _, err := io.WriteString(sending, text[len(text)/2:]); err != nil {
		t.Error(err)
	}
	sending.Close()
	if a := <-answered; a.status != 200 {
		t.Fatal(a)
	}
	r.must(t, 404, "NoSuchKey", get)
	r.holds(t, "media", map[string]string{"long": text})
}

// TestReloadAndThrottle: what an operator has set stays until the file says something new.
func TestReloadAndThrottle(t *testing.T) {
	r, f, _ := startReloading(t)
	client := admin.NewClient(filepath.Join(r.config.StateDir, admin.SocketName))
	defer client.Close()
	bandwidth := func(want int64) {
		t.Helper()
		if s, err := client.Throttle(t.Context()); err != nil || s.Limits.Bandwidth != want {
			t.Errorf("%+v, %v; want %d", s, err, want)
		}
	}
	if _, err := client.SetThrottle(t.Context(), throttle.Limits{Bandwidth: 1 << 20}); err != nil {
		t.Fatal(err)
	}
	f.Log.Level = "debug"
	r.reload(t)
	bandwidth(1 << 20)
	f.Migration.Backfill.Throttle.Bandwidth = 2 << 20
	r.reload(t)
	bandwidth(2 << 20)
}
