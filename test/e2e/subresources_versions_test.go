package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/backends"
)

func retention(mode string, until time.Time) string {
	return "<Retention><Mode>" + mode + "</Mode><RetainUntilDate>" + until.UTC().Format(time.RFC3339) + "</RetainUntilDate></Retention>"
}

var bypass = map[string]string{"X-Amz-Bypass-Governance-Retention": "true"}

// retention: a version that is locked stays until the lock is overruled.
func (s *subresourceRig) retention(t *testing.T) {
	until := time.Now().Add(24 * time.Hour)
	version := s.must(t, 200, "", ask{method: "PUT", path: "/locked/kept", body: "content"}).header.Get("X-Amz-Version-Id")
	s.must(t, 200, "", ask{method: "PUT", path: "/locked/kept?retention", body: retention("GOVERNANCE", until)})
	s.bothHave(t, "old-lock new-lock", "kept", "retention", "<Mode>GOVERNANCE</Mode>")
	if got := s.must(t, 200, "", ask{method: "GET", path: "/locked/kept?retention"}); !strings.Contains(got.body, "<Mode>GOVERNANCE</Mode>") {
		t.Errorf("got %v", got)
	}
	shorter := ask{method: "PUT", path: "/locked/kept?retention", body: retention("GOVERNANCE", until.Add(-time.Hour))}
	if got := s.do(t, shorter); got.status < 400 {
		t.Errorf("the lock was made shorter: %v", got)
	}
	shorter.header = bypass
	s.must(t, 200, "", shorter)
	date := until.Add(-time.Hour).UTC().Format("2006-01-02T15:04")
	s.bothHave(t, "old-lock new-lock", "kept", "retention", date)

	remove := ask{method: "DELETE", path: "/locked/kept?versionId=" + version}
	if got := s.do(t, remove); got.status < 400 {
		t.Errorf("a locked version was deleted: %v", got)
	}
	remove.header = bypass
	s.must(t, 204, "", remove)
	s.must(t, 404, "NoSuchKey", ask{method: "GET", path: "/locked/kept"})
}

func (s *subresourceRig) legalHold(t *testing.T) {
	version := s.must(t, 200, "", ask{method: "PUT", path: "/locked/held", body: "content"}).header.Get("X-Amz-Version-Id")
	hold := func(status string) {
		t.Helper()
		s.must(t, 200, "", ask{method: "PUT", path: "/locked/held?legal-hold", body: "<LegalHold><Status>" + status + "</Status></LegalHold>"})
		s.bothHave(t, "old-lock new-lock", "held", "legal-hold", "<Status>"+status+"</Status>")
	}
	hold("ON")
	remove := ask{method: "DELETE", path: "/locked/held?versionId=" + version, header: bypass}
	if got := s.do(t, remove); got.status < 400 {
		t.Errorf("a held version was deleted: %v", got)
	}
	if got := s.must(t, 200, "", ask{method: "GET", path: "/locked/held"}); got.body != "content" || got.header.Get("X-Amz-Object-Lock-Legal-Hold") != "ON" {
		t.Errorf("got %v", got)
	}
	hold("OFF")
	s.must(t, 204, "", remove)
	s.quiet(t)
}

func (s *subresourceRig) lockAtPut(t *testing.T) {
	s.must(t, 200, "", ask{method: "PUT", path: "/locked/at-once", body: "content", header: map[string]string{
		"X-Amz-Object-Lock-Mode":              "GOVERNANCE",
		"X-Amz-Object-Lock-Retain-Until-Date": time.Now().Add(time.Hour).UTC().Format(time.RFC3339),
	}})
	s.bothHave(t, "old-lock new-lock", "at-once", "retention", "<Mode>GOVERNANCE</Mode>")
}

// lockLater: locks that are set while the secondary is down reach it afterwards, of
// a new object and of one that it has already. (Seen to fail without copyLock.)
func (s *subresourceRig) lockLater(t *testing.T) {
	s.put(t, "/locked/there", "content")
	s.quiet(t)
	s.new.Stop(t)
	until := time.Now().Add(time.Hour)
	s.must(t, 200, "", ask{method: "PUT", path: "/locked/there?retention", body: retention("GOVERNANCE", until)})
	s.must(t, 200, "", ask{method: "PUT", path: "/locked/fresh", body: "content", header: map[string]string{
		"X-Amz-Object-Lock-Mode":              "GOVERNANCE",
		"X-Amz-Object-Lock-Retain-Until-Date": until.UTC().Format(time.RFC3339),
		"X-Amz-Object-Lock-Legal-Hold":        "ON",
	}})
	s.new.Restart(t)
	s.quiet(t)
	for _, key := range []string{"there", "fresh"} {
		s.bothHave(t, "old-lock new-lock", key, "retention", until.UTC().Format("2006-01-02T15:04"))
	}
	s.bothHave(t, "old-lock new-lock", "fresh", "legal-hold", "<Status>ON</Status>")
}

// versions: they have the primary's names, and are read from it.
func (s *subresourceRig) versions(t *testing.T) {
	s.must(t, 200, "", ask{method: "PUT", path: "/media?versioning", body: "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"})
	s.bothHave(t, "old new", "", "versioning", "<Status>Enabled</Status>")
	var ids []string
	for _, body := range []string{"first", "second"} {
		ids = append(ids, s.must(t, 200, "", ask{method: "PUT", path: "/media/versioned", body: body}).header.Get("X-Amz-Version-Id"))
	}
	if ids[0] == "" || ids[0] == ids[1] {
		t.Fatalf("version ids %q", ids)
	}
	for i, body := range []string{"first", "second"} {
		got := s.must(t, 200, "", ask{method: "GET", path: "/media/versioned?versionId=" + ids[i]})
		if got.body != body || got.header.Get("X-Amz-Version-Id") != ids[i] {
			t.Errorf("got %v", got)
		}
	}
	listed := func() []string {
		t.Helper()
		return between(s.must(t, 200, "", ask{method: "GET", path: "/media?versions&prefix=versioned"}).body, "VersionId")
	}
	if got := listed(); !slices.Equal(got, []string{ids[1], ids[0]}) {
		t.Errorf("listed %q, want %q", got, ids)
	}

	t.Run("delete marker", func(t *testing.T) {
		marker := s.must(t, 204, "", ask{method: "DELETE", path: "/media/versioned"})
		id := marker.header.Get("X-Amz-Version-Id")
		if marker.header.Get("X-Amz-Delete-Marker") != "true" || id == "" {
			t.Errorf("got %v", marker)
		}
		for method, code := range map[string]string{"GET": "NoSuchKey", "HEAD": ""} {
			if got := s.must(t, 404, code, ask{method: method, path: "/media/versioned"}); got.header.Get("X-Amz-Delete-Marker") != "true" {
				t.Errorf("%s: got %v", method, got)
			}
		}
		if got := s.must(t, 405, "MethodNotAllowed", ask{method: "GET", path: "/media/versioned?versionId=" + id}); got.header.Get("X-Amz-Delete-Marker") != "true" {
			t.Errorf("got %v", got)
		}
		if got := listed(); !slices.Equal(got, []string{id, ids[1], ids[0]}) {
			t.Errorf("listed %q", got)
		}
		s.quiet(t)
		if got := contentOf(t, s.store(t, "new", "")); got["versioned"] != "" {
			t.Errorf("the secondary still has %q", got["versioned"])
		}
		s.must(t, 204, "", ask{method: "DELETE", path: "/media/versioned?versionId=" + id})
		if got := s.must(t, 200, "", ask{method: "GET", path: "/media/versioned"}); got.body != "second" {
			t.Errorf("got %v", got)
		}
	})
	t.Run("delete a version", func(t *testing.T) {
		s.must(t, 204, "", ask{method: "DELETE", path: "/media/versioned?versionId=" + ids[1]})
		if got := listed(); !slices.Equal(got, ids[:1]) {
			t.Errorf("listed %q", got)
		}
		s.must(t, 404, "NoSuchVersion", ask{method: "GET", path: "/media/versioned?versionId=" + ids[1]})
		if got := s.must(t, 200, "", ask{method: "GET", path: "/media/versioned"}); got.body != "first" {
			t.Errorf("got %v", got)
		}
		s.quiet(t) // the secondary learns what came to light
		o, err := s.store(t, "new", "").Head(t.Context(), backends.GetRequest{Key: "versioned"})
		if err != nil || o.Size != int64(len("first")) {
			t.Errorf("the secondary has %+v (%v)", o, err)
		}
	})
	t.Run("wrong version", func(t *testing.T) {
		s.must(t, 400, "InvalidArgument", ask{method: "GET", path: "/media/versioned?versionId="})
	})
}
