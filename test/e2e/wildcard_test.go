package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sluice/backends"
	"sluice/gateway/config"
	"sluice/test/servers"
)

// wildcardRig is a gateway that lets clients create buckets, between two MinIOs,
// with one bucket that the configuration names.
type wildcardRig struct {
	*rig
	old, new *servers.Server
}

func startWildcard(t *testing.T) *wildcardRig {
	t.Helper()
	w := &wildcardRig{old: servers.MinIO(t), new: servers.MinIO(t)}
	c := settings(t, minioStore(t, w.old, ""), minioStore(t, w.new, ""))
	c.Buckets["*"] = config.Bucket{Old: "old", New: "new"}
	w.old.Store(t, "old", "media")
	w.new.Store(t, "new", "media")
	c.Credentials = append(c.Credentials, config.Credential{AccessKeyID: guest, SecretAccessKey: guest + "-secret", Buckets: []string{"one-a", "unmade"}})
	w.rig = startRig(t, c)
	return w
}

// onStores says which of the stores have a bucket.
func (w *wildcardRig) onStores(t *testing.T, bucket string) string {
	t.Helper()
	var on []string
	for _, name := range []string{"old", "new"} {
		_, err := w.document(t, name, bucket, "location")
		switch {
		case err == nil:
			on = append(on, name)
		case !errors.Is(err, backends.ErrNoBucket):
			t.Fatal(err)
		}
	}
	return strings.Join(on, " ")
}

// document is a bucket's sub-resource as one store has it.
func (r *rig) document(t *testing.T, store, bucket, sub string) (string, error) {
	t.Helper()
	answer, err := r.store(t, store, bucket).Subresource(t.Context(), backends.SubresourceRequest{
		Op: "Get", Method: http.MethodGet, Query: url.Values{sub: {""}},
	})
	if err != nil {
		return "", err
	}
	return string(answer.Body), nil
}

func (w *wildcardRig) mustBeOn(t *testing.T, bucket, stores string) {
	t.Helper()
	if on := w.onStores(t, bucket); on != stores {
		t.Errorf("the bucket %s is on the stores %q, want %q", bucket, on, stores)
	}
}

// create and remove do it through the gateway.
func (w *wildcardRig) create(t *testing.T, bucket string) {
	t.Helper()
	w.must(t, 200, "", ask{method: "PUT", path: "/" + bucket})
	w.mustBeOn(t, bucket, "old new")
}

func (w *wildcardRig) remove(t *testing.T, bucket string) {
	t.Helper()
	w.must(t, 204, "", ask{method: "DELETE", path: "/" + bucket})
}

// proven tells whether a bucket's mirror is one by proof.
func (w *wildcardRig) proven(t *testing.T, bucket string) bool {
	t.Helper()
	b, err := w.gateway.Bucket(t.Context(), bucket)
	if err != nil {
		t.Fatal(err)
	}
	return b.Phase().Baseline
}

func TestWildcard(t *testing.T) {
	w := startWildcard(t)
	t.Run("life", w.life)
	t.Run("list", w.list)
	t.Run("unknown", w.unknown)
	t.Run("fixed", w.fixed)
	t.Run("made behind the gateway", w.madeBehind)
	t.Run("garbage, proven", w.garbageProven)
	t.Run("garbage, unproven", w.garbageUnproven)
	t.Run("restart", w.restarts)
	t.Run("versioned", w.versioned)
	t.Run("object lock", w.objectLock)
	t.Run("pending writes", w.pendingWrites)
	t.Run("secondary down", w.secondaryDown)
	t.Run("mirror lost", w.mirrorLost)
}

func (w *wildcardRig) life(t *testing.T) {
	got := w.must(t, 200, "", ask{method: "PUT", path: "/life"})
	if got.header.Get("Location") != "/life" {
		t.Errorf("got %v", got)
	}
	w.mustBeOn(t, "life", "old new")
	w.must(t, 409, "BucketAlreadyOwnedByYou", ask{method: "PUT", path: "/life"})
	w.must(t, 200, "", ask{method: "HEAD", path: "/life"})
	w.put(t, "/life/k", "content")
	if got := w.must(t, 200, "", ask{method: "GET", path: "/life/k"}); got.body != "content" {
		t.Errorf("got %v", got)
	}
	w.holds(t, "life", map[string]string{"k": "content"})
	w.must(t, 409, "BucketNotEmpty", ask{method: "DELETE", path: "/life"})
	w.put(t, "/life/k", "still in use") // and a mirror, as it was
	w.holds(t, "life", map[string]string{"k": "still in use"})
	if !w.proven(t, "life") {
		t.Error("the refused deletion lost the baseline")
	}
	w.must(t, 204, "", ask{method: "DELETE", path: "/life/k"})
	w.remove(t, "life")
	w.mustBeOn(t, "life", "")
	w.must(t, 404, "NoSuchBucket", ask{method: "GET", path: "/life/k"})
	w.must(t, 404, "NoSuchBucket", ask{method: "DELETE", path: "/life"})

	w.create(t, "life")
	if !w.proven(t, "life") {
		t.Error("the bucket's second life has no clean baseline")
	}
	w.must(t, 404, "NoSuchKey", ask{method: "GET", path: "/life/k"})
	w.holds(t, "life", map[string]string{})
	w.remove(t, "life")
}

func (w *wildcardRig) list(t *testing.T) {
	for _, name := range []string{"one-a", "one-b", "two-a"} {
		w.create(t, name)
	}
	for query, want := range map[string][]string{
		"":                  {"media", "one-a", "one-b", "two-a"},
		"prefix=one-":       {"one-a", "one-b"},
		"prefix=none":       nil,
		"max-buckets=10000": {"media", "one-a", "one-b", "two-a"},
	} {
		if got := between(w.must(t, 200, "", ask{method: "GET", path: "/?" + query}).body, "Name"); !slices.Equal(got, want) {
			t.Errorf("%q lists %v, want %v", query, got, want)
		}
	}
	for _, prefix := range []string{"", "&prefix=one-"} {
		var paged []string
		for token, pages := "", 0; pages < 9; pages++ {
			got := w.must(t, 200, "", ask{method: "GET", path: "/?max-buckets=1" + prefix + token})
			paged = append(paged, between(got.body, "Name")...)
			next := between(got.body, "ContinuationToken")
			if len(next) == 0 {
				break
			}
			token = "&continuation-token=" + url.QueryEscape(next[0])
		}
		whole := between(w.must(t, 200, "", ask{method: "GET", path: "/?" + strings.TrimPrefix(prefix, "&")}).body, "Name")
		if !slices.Equal(paged, whole) {
			t.Errorf("pages of %q have %v, want %v", prefix, paged, whole)
		}
	}
	w.must(t, 400, "InvalidArgument", ask{method: "GET", path: "/?max-buckets=0"})
	if got := between(w.must(t, 200, "", ask{method: "GET", path: "/"}.by(guest)).body, "Name"); fmt.Sprint(got) != "[one-a]" {
		t.Errorf("a pair for one bucket is shown %v", got)
	}
	for _, name := range []string{"one-a", "one-b", "two-a"} {
		w.remove(t, name)
		w.mustBeOn(t, name, "")
	}
}

func (w *wildcardRig) unknown(t *testing.T) {
	for _, c := range []struct {
		method, path string
		status       int
		code         string
	}{
		{"GET", "/unmade", 404, "NoSuchBucket"},
		{"HEAD", "/unmade", 404, ""},
		{"GET", "/unmade/k", 404, "NoSuchBucket"},
		{"PUT", "/unmade/k", 404, "NoSuchBucket"},
		{"DELETE", "/unmade/k", 404, "NoSuchBucket"},
		{"DELETE", "/unmade", 404, "NoSuchBucket"},
		{"GET", "/unmade?versioning", 404, "NoSuchBucket"},
		{"PUT", "/unmade?versioning", 404, "NoSuchBucket"},
		{"POST", "/unmade/k?uploads", 404, "NoSuchBucket"},
		{"PUT", "/UPPER", 400, "InvalidBucketName"},
		{"PUT", "/ab", 400, "InvalidBucketName"},
		{"PUT", "/192.168.5.4", 400, "InvalidBucketName"},
		{"PUT", "/under_score", 400, "InvalidBucketName"},
	} {
		t.Run(c.method+strings.ReplaceAll(c.path, "/", " "), func(t *testing.T) {
			w.must(t, c.status, c.code, ask{method: c.method, path: c.path})
		})
	}
	t.Run("copy from", func(t *testing.T) {
		w.must(t, 404, "NoSuchBucket", ask{method: "PUT", path: "/media/k", header: map[string]string{"X-Amz-Copy-Source": "/unmade/k"}})
	})
	w.must(t, 403, "AccessDenied", ask{method: "PUT", path: "/denied"}.by(guest))
	for _, name := range []string{"unmade", "denied"} {
		w.mustBeOn(t, name, "")
	}
	w.holds(t, "media", map[string]string{})
}

// fixed: a bucket that the configuration names is the operator's.
func (w *wildcardRig) fixed(t *testing.T) {
	if got := w.must(t, 200, "", ask{method: "PUT", path: "/media"}); got.header.Get("Location") != "/media" {
		t.Errorf("got %v", got)
	}
	w.must(t, 403, "AccessDenied", ask{method: "DELETE", path: "/media"})
	w.put(t, "/media/k", "content")
	w.holds(t, "media", map[string]string{"k": "content"})
	w.must(t, 204, "", ask{method: "DELETE", path: "/media/k"})
}

// madeBehind: a bucket that the old store has is there without being created.
func (w *wildcardRig) madeBehind(t *testing.T) {
	old := w.old.Store(t, "old", "behind")
	putBehind(t, old, "k", "from before")
	if got := w.must(t, 200, "", ask{method: "GET", path: "/behind/k"}); got.body != "from before" {
		t.Errorf("got %v", got)
	}
	w.mustBeOn(t, "behind", "old new")
	b, err := w.gateway.Bucket(t.Context(), "behind")
	if err == nil {
		err = b.CopiesDone(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	w.holds(t, "behind", map[string]string{"k": "from before"})
	w.must(t, 204, "", ask{method: "DELETE", path: "/behind/k"})
	w.remove(t, "behind")
	w.mustBeOn(t, "behind", "")
}

// garbageProven: what a proven mirror holds is a copy of what is gone.
func (w *wildcardRig) garbageProven(t *testing.T) {
	w.create(t, "garbage")
	if !w.proven(t, "garbage") {
		t.Fatal("a new bucket has no baseline")
	}
	for i := range 3 {
		putBehind(t, w.store(t, "new", "garbage"), fmt.Sprint("left/", i), "behind")
	}
	w.remove(t, "garbage")
	w.mustBeOn(t, "garbage", "")
	w.create(t, "garbage")
	if !w.proven(t, "garbage") {
		t.Error("the bucket's second life has no clean baseline")
	}
	w.remove(t, "garbage")
}

// garbageUnproven: what new held before the gateway came may be nobody's copy.
func (w *wildcardRig) garbageUnproven(t *testing.T) {
	w.old.Store(t, "old", "unproven")
	putBehind(t, w.new.Store(t, "new", "unproven"), "theirs", "not ours")
	w.must(t, 404, "NoSuchKey", ask{method: "GET", path: "/unproven/theirs"}) // old alone is asked
	if w.proven(t, "unproven") {
		t.Fatal("a store that holds something proves a baseline")
	}
	w.remove(t, "unproven")
	w.mustBeOn(t, "unproven", "new")
	if !w.log.has("WARN", "could not be removed", "bucket=unproven") {
		t.Error("the operator is not told")
	}
	w.must(t, 404, "NoSuchBucket", ask{method: "GET", path: "/unproven/theirs"})
	if got := contentOf(t, w.store(t, "new", "unproven")); got["theirs"] != "not ours" {
		t.Errorf("the new store holds %v", got)
	}
	// Its next life has the same mirror: unproven again.
	w.create(t, "unproven")
	if w.proven(t, "unproven") {
		t.Error("what was left behind passes for a mirror")
	}
	w.must(t, 404, "NoSuchKey", ask{method: "GET", path: "/unproven/theirs"})
	w.remove(t, "unproven")
}

// restarts: what a gateway knew of its buckets the next one knows.
func (w *wildcardRig) restarts(t *testing.T) {
	w.create(t, "lasting")
	w.put(t, "/lasting/k", "content")
	w.restart(t)
	if got := w.must(t, 200, "", ask{method: "GET", path: "/lasting/k"}); got.body != "content" {
		t.Errorf("got %v", got)
	}
	if !w.proven(t, "lasting") {
		t.Error("the restart lost the baseline: new holds something by now")
	}
	w.put(t, "/lasting/k", "changed")
	w.holds(t, "lasting", map[string]string{"k": "changed"})
	w.restart(t)
	w.must(t, 204, "", ask{method: "DELETE", path: "/lasting/k"})
	w.restart(t)
	w.remove(t, "lasting")
	w.mustBeOn(t, "lasting", "")
	if state, err := os.ReadFile(filepath.Join(w.config.StateDir, "state.json")); err != nil || strings.Contains(string(state), "lasting") {
		t.Errorf("the state still names the bucket: %s (%v)", state, err)
	}
	w.restart(t)
	w.must(t, 404, "NoSuchBucket", ask{method: "GET", path: "/lasting/k"})
	w.create(t, "lasting")
	w.remove(t, "lasting")
}
