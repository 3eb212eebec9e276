package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/backends"
	"sluice/gateway/config"
	"sluice/test/process"
	"sluice/test/servers"
)

// startPublic is a rig with hosts that show its bucket to everyone.
func startPublic(t *testing.T, change ...func(*config.Config)) *rig {
	t.Helper()
	c := settings(t, embeddedStore(t), minioStore(t, servers.MinIO(t), "new-media"))
	c.Hosts = map[string]config.Host{
		"s3.test":    {Serve: config.ServeS3},
		"files.test": {Serve: config.ServePublic, Bucket: "media", Purge: config.Purge{Secret: "s3cret"}},
		"local.test": {
			Serve: config.ServePublic, Paths: map[string]string{"/system/": "media"},
			CacheControl: "public, max-age=60", Headers: map[string]string{
				"X-Robots-Tag": "noindex", "Content-Security-Policy": "", "Server": "", "content-type": "image/png",
			},
		},
	}
	for _, f := range change {
		f(&c)
	}
	return startRig(t, c)
}

// show asks a public host for a path.
func (r *rig) show(t *testing.T, method, host, path string, header map[string]string) answer {
	t.Helper()
	req := r.request(t, ask{method: method, path: path, header: header, unsigned: true})
	req.Host = host
	req.Header.Del("X-Amz-Content-Sha256")
	return read(t, http.DefaultClient, req)
}

// TestPublicHost: what a CDN's origin must answer, and what it must not, from the stores
// and from the cache alike.
func TestPublicHost(t *testing.T) {
	r := startPublic(t)
	modified := ""
	r.must(t, 200, "", ask{method: "PUT", path: "/media/dir/a%20b.png", body: "0123456789", header: map[string]string{
		"Content-Type": "image/png", "X-Amz-Acl": "public-read", "X-Amz-Meta-Secret": "x", "Content-Disposition": "inline",
		"Cache-Control": "public, max-age=315576000, immutable", "X-Amz-Storage-Class": "STANDARD",
	}})
	r.quiet(t)
	etag := `"781e5e245d69b566979b86e28d23f2c7"`
	for _, served := range []string{"MISS", "HIT", "HIT"} {
		got := r.show(t, "GET", "files.test:8443", "/dir/a%20b.png?X-Amz-Expires=1&response-content-type=text/html&versionId=7", map[string]string{
			"Authorization": "AWS4-HMAC-SHA256 nonsense", "Cookie": "session=1",
		})
		modified = got.header.Get("Last-Modified")
		want := map[string]string{
			"Content-Type": "image/png", "Content-Length": "10", "Etag": etag, "Accept-Ranges": "bytes", "Content-Disposition": "inline",
			"Cache-Control": "public, max-age=315576000, immutable", "Access-Control-Allow-Origin": "*",
			"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; form-action 'none'",
			"X-Cache": served, "X-Cache-Status": served, "Server": "Sluice",
		}
		if got.status != 200 || got.body != "0123456789" || modified == "" {
			t.Fatalf("%v", got)
		}
		for name, value := range want {
			if v := got.header.Values(name); len(v) != 1 || v[0] != value {
				t.Errorf("%s: %q, want %q", name, v, value)
			}
		}
		for name := range got.header {
			if strings.HasPrefix(name, "X-Amz-") || name == "Set-Cookie" {
				t.Errorf("%s is shown", name)
			}
		}
	}
	for _, c := range []struct {
		method, path string
		header       map[string]string
		status       int
		body         string
		more         map[string]string
	}{
		{"GET", "/dir/a%20b.png", map[string]string{"Range": "bytes=2-4"}, 206, "234", map[string]string{"Content-Range": "bytes 2-4/10"}},
		{"GET", "/dir/a%20b.png", map[string]string{"Range": "bytes=-3"}, 206, "789", map[string]string{"Content-Length": "3"}},
		{"GET", "/dir/a%20b.png", map[string]string{"Range": "bytes=10-"}, 416, "Requested Range Not Satisfiable\n", map[string]string{"Content-Range": "bytes */10"}},
		{"GET", "/dir/a%20b.png", map[string]string{"Range": "bytes=2-4", "If-Range": etag}, 206, "234", nil},
		{"GET", "/dir/a%20b.png", map[string]string{"Range": "bytes=2-4", "If-Range": `"other"`}, 200, "0123456789", nil},
		{"GET", "/dir/a%20b.png", map[string]string{"If-None-Match": etag}, 304, "", map[string]string{"Etag": etag}},
		{"GET", "/dir/a%20b.png", map[string]string{"If-None-Match": etag, "Range": "bytes=99-"}, 304, "", nil},
		{"GET", "/dir/a%20b.png", map[string]string{"If-Modified-Since": modified}, 304, "", map[string]string{"X-Content-Type-Options": "nosniff"}},
		{"GET", "/dir/a%20b.png", map[string]string{"If-Match": `"other"`}, 412, "Precondition Failed\n", nil},
		{"GET", "/dir/a%20b.png", map[string]string{"Accept-Encoding": "gzip"}, 200, "0123456789", map[string]string{"Content-Encoding": ""}},
		{"HEAD", "/dir/a%20b.png", nil, 200, "", map[string]string{"Content-Length": "10", "Content-Type": "image/png"}},
		{"HEAD", "/dir/a%20b.png", map[string]string{"Range": "bytes=2-4"}, 206, "", map[string]string{"Content-Length": "3", "Content-Range": "bytes 2-4/10"}},
		{"HEAD", "/dir/a%20b.png", map[string]string{"If-None-Match": "*"}, 304, "", nil},
		{"HEAD", "/absent", nil, 404, "", map[string]string{"Cache-Control": "no-store"}},
		{"GET", "/absent", nil, 404, "Not Found\n", map[string]string{"Cache-Control": "no-store", "Access-Control-Allow-Origin": ""}},
		{"GET", "/", nil, 404, "Not Found\n", nil},
		{"GET", "/?max-keys=1&x-random=7", nil, 404, "Not Found\n", nil},
		{"GET", "/?list-type=2", nil, 404, "Not Found\n", nil},
		{"GET", "/dir/", nil, 404, "Not Found\n", nil},
		{"GET", "/.sluice/marker.json", nil, 404, "Not Found\n", nil},
		{"GET", "/dir/a%20b.png?acl", nil, 200, "0123456789", nil},
		{
			"OPTIONS", "/dir/a%20b.png",
			map[string]string{"Origin": "https://a.test", "Access-Control-Request-Method": "GET"},
			204, "",
			map[string]string{"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS"},
		},
		{"PUT", "/dir/a%20b.png", nil, 403, "Forbidden\n", nil},
		{"POST", "/?delete", nil, 403, "Forbidden\n", nil},
		{"DELETE", "/dir/a%20b.png", nil, 403, "Forbidden\n", nil},
		{"PURGE", "/dir/a%20b.png", nil, 403, "Forbidden\n", nil},
	} {
		got := r.show(t, c.method, "files.test", c.path, c.header)
		if got.status != c.status || got.body != c.body || strings.Contains(got.body, "ListBucketResult") {
			t.Errorf("%s %s %v: %v", c.method, c.path, c.header, got)
		}
		for name, value := range c.more {
			if v := got.header.Get(name); v != value {
				t.Errorf("%s %s %v: %s is %q, want %q", c.method, c.path, c.header, name, v, value)
			}
		}
	}
}

// TestPublicPaths: old local URLs keep working, with headers of the operator's own.
func TestPublicPaths(t *testing.T) {
	r := startPublic(t)
	r.must(t, 200, "", ask{method: "PUT", path: "/media/accounts/1.png", body: "x"})
	r.quiet(t)
	for range 2 { // from the store, and from the cache
		got := r.show(t, "GET", "LOCAL.test", "/system/accounts/1.png", nil)
		if got.status != 200 || got.body != "x" {
			t.Errorf("%v", got)
		}
		for name, want := range map[string][]string{
			"X-Robots-Tag": {"noindex"}, "Content-Security-Policy": nil, "Server": nil, "Content-Type": {"image/png"},
			"Cache-Control": {"public, max-age=60"},
		} {
			if v := got.header.Values(name); !slices.Equal(v, want) {
				t.Errorf("%s: %q, want %q", name, v, want)
			}
		}
	}
	for _, path := range []string{"/accounts/1.png", "/system/", "/systemaccounts/1.png", "/"} {
		if got := r.show(t, "GET", "local.test", path, nil); got.status != 404 {
			t.Errorf("%s: %v", path, got)
		}
	}
	if got := r.show(t, "GET", "s3.test", "/media/accounts/1.png", nil); got.status != 403 {
		t.Errorf("the S3 host answers a stranger %v", got)
	}
}

// TestBothWaysToAnAnswerAreOne: what the express lane answers to a plain GET is what others
// get, of the stores, of the cache, and of an object that tells nothing of itself.
func TestBothWaysToAnAnswerAreOne(t *testing.T) {
	r := startPublic(t)
	told := map[string]string{
		"Content-Type": "image/png", "Cache-Control": "no-cache", "Content-Encoding": "br", "Content-Language": "de, en",
		"Content-Disposition": "inline; filename=\"a b.png\"",
	}
	for path, header := range map[string]map[string]string{"/told": told, "/silent": nil, "/empty": nil} {
		body := strings.TrimPrefix(path, "/empty")
		r.must(t, 200, "", ask{method: "PUT", path: "/media" + path, body: body, header: header})
		r.quiet(t)
		var lanes, others []answer
		for range 2 {
			purge := func() { r.show(t, "PURGE", "files.test", path, map[string]string{"Secret-Header": "s3cret"}) }
			purge()
			lanes = append(lanes, r.show(t, "GET", "files.test", path, nil), r.show(t, "GET", "files.test", path, nil))
			purge()
			other := map[string]string{"Te": "trailers"}
			others = append(others, r.show(t, "GET", "files.test", path, other), r.show(t, "GET", "files.test", path, other))
		}
		for i, got := range lanes {
			want := others[i]
			for _, h := range []http.Header{got.header, want.header} {
				h.Del("Date")
				h.Del("Age")
			}
			if got.status != 200 || got.body != body || want.body != body || !reflect.DeepEqual(got.header, want.header) {
				t.Errorf("%s: %v, others get %v", path, got, want)
			}
		}
	}
}

// TestPrivateIsNeverShown: by a PUT or by ?acl, cached or not, on both stores and from
// either, before and after a restart; and what is public again is shown at once.
func TestPrivateIsNeverShown(t *testing.T) {
	r := startPublic(t)
	shown := func(key string, want int) {
		t.Helper()
		for _, method := range []string{"GET", "HEAD", "GET"} {
			if got := r.show(t, method, "files.test", "/"+key, nil); got.status != want || want != 200 && strings.Contains(got.body, "content") {
				t.Errorf("%s %s: %v, want %d", method, key, got, want)
			}
		}
	}
	put := func(key, acl string) {
		t.Helper()
		header := map[string]string{}
		if acl != "" {
			header["X-Amz-Acl"] = acl
		}
		r.must(t, 200, "", ask{method: "PUT", path: "/media/" + key, body: "content of " + key, header: header})
	}
	set := func(key, acl string) {
		t.Helper()
		r.must(t, 200, "", ask{method: "PUT", path: "/media/" + key + "?acl", header: map[string]string{"X-Amz-Acl": acl}})
	}
	put("plain", "")
	put("born", "private")
	put("made", "public-read")
	shown("plain", 200)
	shown("born", 403)
	shown("made", 200)
	set("made", "private")
	shown("made", 403)
	if got := r.must(t, 200, "", ask{method: "GET", path: "/media/made"}); got.body != "content of made" {
		t.Errorf("who may reads %v", got)
	}
	if got := r.must(t, 200, "", ask{method: "GET", path: "/media/made?acl"}); strings.Contains(got.body, "AllUsers") {
		t.Errorf("its ACL is %v", got)
	}
	shown("made", 403)
	r.quiet(t)
	r.restart(t)
	shown("plain", 200)
	shown("born", 403)
	shown("made", 403)
	set("made", "public-read")
	shown("made", 200)
	put("born", "public-read")
	shown("born", 200)
	set("plain", "private")
	r.must(t, 204, "", ask{method: "DELETE", path: "/media/plain"})
	shown("plain", 404)
	put("plain", "")
	shown("plain", 200)
}

// TestPublicWhileStoresAreDown: what is cached is shown, what is not is 503 with a time to
// come back, and never 404.
func TestPublicWhileStoresAreDown(t *testing.T) {
	old, new := servers.MinIO(t), servers.MinIO(t)
	r := startPublic(t, func(c *config.Config) {
		c.Stores["old"], c.Stores["new"] = minioStore(t, old, "old-media"), minioStore(t, new, "new-media")
	})
	for _, key := range []string{"seen", "unseen"} {
		r.must(t, 200, "", ask{method: "PUT", path: "/media/" + key, body: key})
	}
	r.quiet(t)
	r.show(t, "GET", "files.test", "/seen", nil)
	old.Stop(t)
	new.Stop(t)
	if got := r.show(t, "GET", "files.test", "/seen", nil); got.status != 200 || got.body != "seen" {
		t.Errorf("%v", got)
	}
	for _, key := range []string{"unseen", "absent"} {
		got := r.show(t, "GET", "files.test", "/"+key, nil)
		if got.status != 503 || got.header.Get("Retry-After") == "" || got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", key, got)
		}
	}
}

// TestTornReadsFreeTheirSlots: a store that goes away within a body costs that answer, and
// not the place of the requests to come.
func TestTornReadsFreeTheirSlots(t *testing.T) {
	r := startPublic(t, func(c *config.Config) {
		_, c.Stores["old"] = startFront(t, servers.MinIO(t), "old-media")
		c.Buckets["media"] = config.Bucket{Old: "old"}
		c.Limits.Requests = 1
	})
	for _, key := range []string{"torn", "whole"} {
		r.must(t, 200, "", ask{method: "PUT", path: "/media/" + key, body: "0123456789"})
	}
	for range 3 {
		req := r.request(t, ask{method: "GET", path: "/torn", unsigned: true})
		req.Host = "files.test"
		answer, err := http.DefaultClient.Do(req)
		if err == nil {
			_, err = io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
		}
		if err == nil {
			t.Error("half an object looked like a whole one")
		}
		if got := r.show(t, "GET", "files.test", "/whole", nil); got.status != 200 {
			t.Fatalf("the next request is answered %v", got)
		}
	}
}

// TestSlowReader: a client that takes a large cached object slowly but steadily gets all of
// it, however much longer than client_timeout that takes. Seen to fail with the body written
// in one piece.
func TestSlowReader(t *testing.T) {
	const size = 6 << 20
	r := startPublic(t, func(c *config.Config) { c.Limits.ClientTimeout = config.Duration(time.Second) })
	r.must(t, 200, "", ask{method: "PUT", path: "/media/video", body: strings.Repeat("0123456789abcdef", size/16)})
	r.quiet(t)
	r.show(t, "GET", "files.test", "/video", nil)
	dialer := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 64<<10) })
	}}
	conn, err := dialer.DialContext(t.Context(), "tcp", strings.TrimPrefix(r.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /video HTTP/1.1\r\nHost: files.test\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	pace := time.NewTicker(150 * time.Millisecond)
	defer pace.Stop()
	var taken int64
	for taken < size {
		<-pace.C
		n, err := io.CopyN(io.Discard, answer.Body, min(256<<10, size-taken))
		if taken += n; err != nil {
			t.Fatalf("after %d bytes: %v", taken, err)
		}
	}
}

// TestPurge: who knows the secret drops a path, as Mastodon's cache buster does, or all that
// begin alike; nobody else does.
func TestPurge(t *testing.T) {
	r := startPublic(t)
	behind := func(key, content string) {
		t.Helper()
		for _, store := range []string{"old", "new"} {
			_, err := r.store(t, store, "media").Put(t.Context(), backends.PutRequest{Key: key, Body: strings.NewReader(content), Size: int64(len(content))})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	seen := func(want string, keys ...string) {
		t.Helper()
		for _, key := range keys {
			if got := r.show(t, "GET", "files.test", "/"+key, nil); got.body != want {
				t.Errorf("%s: %v, want %q", key, got, want)
			}
		}
	}
	all := []string{"a/1", "a/2", "b"}
	for _, key := range all {
		behind(key, "one")
		// On a busy machine new may answer too late, and a look at the key goes before.
		process.Eventually(t, 20*time.Second, func(context.Context) error {
			if got := r.show(t, "GET", "files.test", "/"+key, nil); got.body != "one" || got.header.Get("X-Cache") != "HIT" {
				return fmt.Errorf("not cached: %v", got)
			}
			return nil
		})
		behind(key, "two")
		seen("one", key)
	}
	secret := map[string]string{"Secret-Header": "s3cret"}
	wrong := map[string]string{"Secret-Header": "guess"}
	if got := r.show(t, "PURGE", "files.test", "/b", wrong); got.status != 403 {
		t.Errorf("%v", got)
	}
	if got := r.show(t, "GET", "files.test", "/b", wrong); got.body != "one" {
		t.Errorf("%v", got)
	}
	if got := r.show(t, "PURGE", "local.test", "/system/b", map[string]string{"Secret-Header": ""}); got.status != 403 {
		t.Errorf("a host without a secret: %v", got)
	}
	seen("one", all...)
	purge := func(method, path, want string) {
		t.Helper()
		if got := r.show(t, method, "files.test", path, secret); got.status != 200 || got.body != want || got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s %s: %v", method, path, got)
		}
	}
	purge("GET", "/b", "purged: 1\n")
	seen("two", "b")
	seen("one", "a/1", "a/2")
	purge("PURGE", "/a/*", "purged: 2\n")
	seen("two", all...)
	purge("PURGE", "/*", "purged: 3\n")
	purge("PURGE", "/b", "purged: 0\n")
}

// TestBehindAProxy: a proxy that is trusted says which host was asked for.
func TestBehindAProxy(t *testing.T) {
	for _, trusted := range []bool{true, false} {
		r := startPublic(t, func(c *config.Config) {
			if trusted {
				c.TrustedProxies = []string{"127.0.0.1"}
			}
		})
		r.must(t, 200, "", ask{method: "PUT", path: "/media/k", body: "x"})
		r.quiet(t)
		for range 2 {
			got := r.show(t, "GET", "inside.test", "/k", map[string]string{"X-Forwarded-Host": "files.test"})
			if shown := got.status == 200; shown != trusted {
				t.Errorf("trusted %v: %v", trusted, got)
			}
		}
	}
}
