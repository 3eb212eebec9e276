package e2e

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"sluice/backends"
	"sluice/gateway/config"
)

// versioned: versions of the mirror are never removed one by one; with the bucket
// they go.
func (w *wildcardRig) versioned(t *testing.T) {
	w.create(t, "versions")
	w.must(t, 200, "", ask{method: "PUT", path: "/versions?versioning", body: "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"})
	for _, store := range []string{"old", "new"} {
		if got, err := w.document(t, store, "versions", "versioning"); err != nil || !strings.Contains(got, "<Status>Enabled</Status>") {
			t.Errorf("%s: %s (%v)", store, got, err)
		}
	}
	w.put(t, "/versions/k", "first")
	w.put(t, "/versions/k", "second")
	w.holds(t, "versions", map[string]string{"k": "second"})
	w.must(t, 204, "", ask{method: "DELETE", path: "/versions/k"})
	w.holds(t, "versions", map[string]string{})
	w.must(t, 409, "BucketNotEmpty", ask{method: "DELETE", path: "/versions"})
	w.mustBeOn(t, "versions", "old new")

	for _, id := range between(w.must(t, 200, "", ask{method: "GET", path: "/versions?versions"}).body, "VersionId") {
		w.must(t, 204, "", ask{method: "DELETE", path: "/versions/k?versionId=" + id})
	}
	w.quiet(t)
	page, err := w.store(t, "new", "versions").ListVersions(t.Context(), backends.ListVersionsRequest{MaxKeys: 10})
	if err != nil || len(page.Versions) == 0 {
		t.Errorf("the mirror has nothing left to remove with the bucket (%v)", err)
	}
	w.remove(t, "versions")
	w.mustBeOn(t, "versions", "")
}

// objectLock: a lock can only be had from the start, so both stores must be told.
func (w *wildcardRig) objectLock(t *testing.T) {
	w.must(t, 200, "", ask{method: "PUT", path: "/locked", header: map[string]string{"X-Amz-Bucket-Object-Lock-Enabled": "true"}})
	for _, store := range []string{"old", "new"} {
		if got, err := w.document(t, store, "locked", "object-lock"); err != nil || !strings.Contains(got, "<ObjectLockEnabled>Enabled") {
			t.Errorf("%s: %s (%v)", store, got, err)
		}
	}
	if got := w.must(t, 200, "", ask{method: "GET", path: "/locked?object-lock"}); !strings.Contains(got.body, "Enabled") {
		t.Errorf("got %v", got)
	}
	w.remove(t, "locked")
	w.mustBeOn(t, "locked", "")
}

// pendingWrites: what waits for the repairer of a bucket is settled with it.
func (w *wildcardRig) pendingWrites(t *testing.T) {
	w.create(t, "pending")
	w.new.Stop(t)
	w.put(t, "/pending/k", "on old alone")
	w.put(t, "/pending/l", "on old alone")
	if w.gateway.Journal().Pending() == 0 {
		t.Error("nothing is pending, so nothing is tried here")
	}
	w.must(t, 200, "", ask{method: "POST", path: "/pending?delete", body: deletion("k", "l")})
	w.remove(t, "pending")
	w.quiet(t)
	w.new.Restart(t)
	w.mustBeOn(t, "pending", "new") // it was down
	w.must(t, 404, "NoSuchBucket", ask{method: "GET", path: "/pending/k"})
	w.create(t, "pending") // on the bucket that was left
	if !w.proven(t, "pending") {
		t.Error("an empty mirror proves a baseline")
	}
	w.put(t, "/pending/k", "of the next life")
	w.holds(t, "pending", map[string]string{"k": "of the next life"})
	w.must(t, 204, "", ask{method: "DELETE", path: "/pending/k"})
	w.remove(t, "pending")
	w.mustBeOn(t, "pending", "")
}

// secondaryDown: a mirror that still holds the former life's objects is no proven
// one for the next.
func (w *wildcardRig) secondaryDown(t *testing.T) {
	w.create(t, "twice")
	w.put(t, "/twice/k", "of the first life")
	w.new.Stop(t)
	w.must(t, 204, "", ask{method: "DELETE", path: "/twice/k"})
	w.remove(t, "twice")
	if !w.log.has("WARN", "could not be removed", "bucket=twice") {
		t.Error("the operator is not told")
	}
	w.quiet(t)
	w.new.Restart(t)
	w.mustBeOn(t, "twice", "new")
	w.create(t, "twice")
	if w.proven(t, "twice") {
		t.Error("the former life's objects pass for a mirror")
	}
	w.must(t, 404, "NoSuchKey", ask{method: "GET", path: "/twice/k"})
	w.put(t, "/twice/l", "of the second life")
	w.quiet(t)
	if got := contentOf(t, w.store(t, "old", "twice")); len(got) != 1 || got["l"] != "of the second life" {
		t.Errorf("the old store holds %v", got)
	}
	if got := contentOf(t, w.store(t, "new", "twice")); got["l"] != "of the second life" {
		t.Errorf("the new store holds %v", got)
	}
}

// mirrorLost: without the new store's bucket the old one serves; once it is back it
// gets what it missed.
func (w *wildcardRig) mirrorLost(t *testing.T) {
	w.create(t, "lost")
	new := w.store(t, "new", "lost")
	if _, err := new.ChangeSubresource(t.Context(), backends.SubresourceRequest{Op: "DeleteBucket", Method: http.MethodDelete}); err != nil {
		t.Fatal(err)
	}
	w.put(t, "/lost/k", "content")
	if got := w.must(t, 200, "", ask{method: "GET", path: "/lost/k"}); got.body != "content" {
		t.Errorf("got %v", got)
	}
	w.must(t, 404, "NoSuchKey", ask{method: "GET", path: "/lost/none"})
	w.must(t, 200, "", ask{method: "GET", path: "/lost?list-type=2"})
	w.mustBeOn(t, "lost", "old")
	if err := new.CreateBucket(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.holds(t, "lost", map[string]string{"k": "content"})
	w.must(t, 204, "", ask{method: "DELETE", path: "/lost/k"})
	w.remove(t, "lost")
	w.mustBeOn(t, "lost", "")
}

// TestWildcardWithoutVersions: a mirror on a store that knows no versions is
// emptied too.
func TestWildcardWithoutVersions(t *testing.T) {
	old, new := embeddedStore(t), embeddedStore(t)
	old.Bucket, new.Bucket = "", ""
	c := settings(t, old, new)
	c.Buckets = map[string]config.Bucket{"*": {Old: "old", New: "new"}}
	r := startRig(t, c)
	r.must(t, 200, "", ask{method: "PUT", path: "/simple"})
	r.put(t, "/simple/k", "content")
	r.holds(t, "simple", map[string]string{"k": "content"})
	r.must(t, 409, "BucketNotEmpty", ask{method: "DELETE", path: "/simple"})
	r.must(t, 204, "", ask{method: "DELETE", path: "/simple/k"})
	putBehind(t, r.store(t, "new", "simple"), "left", "behind")
	r.must(t, 204, "", ask{method: "DELETE", path: "/simple"})
	for _, name := range []string{"old", "new"} {
		if _, err := r.document(t, name, "simple", "location"); !errors.Is(err, backends.ErrNoBucket) {
			t.Errorf("%s still has the bucket (%v)", name, err)
		}
	}
	r.must(t, 404, "NoSuchBucket", ask{method: "GET", path: "/simple/k"})
}

// TestWildcardOff: without it buckets are the configuration's.
func TestWildcardOff(t *testing.T) {
	r := startRig(t, settings(t, embeddedStore(t), embeddedStore(t)))
	r.must(t, 200, "", ask{method: "PUT", path: "/media"})
	r.must(t, 403, "AccessDenied", ask{method: "DELETE", path: "/media"})
	r.must(t, 403, "AccessDenied", ask{method: "PUT", path: "/unmade"})
	r.must(t, 404, "NoSuchBucket", ask{method: "PUT", path: "/unmade/k", body: "content"})
	r.must(t, 404, "NoSuchBucket", ask{method: "DELETE", path: "/unmade"})
	for _, name := range []string{"old", "new"} {
		if _, err := r.document(t, name, "", "location"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	r.holds(t, "media", map[string]string{})
}
