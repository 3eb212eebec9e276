package e2e

import (
	"context"
	stdtls "crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/gateway/config"
	"sluice/test/process"
	"sluice/test/servers"
)

// startLocalCA starts a gateway with both listeners and certificates of its own CA, for any
// bucket of a MinIO. It answers rigs for plain HTTP and for HTTPS, and the CA's pool.
func startLocalCA(t *testing.T, redirect bool) (plain, secure *rig, trusted *x509.CertPool) {
	t.Helper()
	c := settings(t, minioStore(t, servers.MinIO(t), ""), config.Store{})
	delete(c.Stores, "new")
	c.Buckets = map[string]config.Bucket{"*": {Old: "old"}}
	c.Hosts = map[string]config.Host{"s3.test": {Serve: "s3"}, "show.test": {Serve: "public", Bucket: "shown"}}
	c.Hosts["own.test"] = config.Host{Serve: "public", Bucket: "shown", Headers: map[string]string{"Strict-Transport-Security": "max-age=7"}}
	c.Listen.HTTPS = "127.0.0.1:0"
	c.TLS = config.TLS{Mode: "internal", Redirect: redirect, HSTS: config.Duration(time.Hour)}
	plain = startRig(t, c)
	root, err := os.ReadFile(filepath.Join(c.StateDir, "certificates", "internal", "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	trusted = x509.NewCertPool()
	trusted.AppendCertsFromPEM(root)
	secure = &rig{config: c, gateway: plain.gateway, url: plain.secure}
	process.Eventually(t, 10*time.Second, func(context.Context) error { return secure.shakes("s3.test", trusted) })
	return plain, secure, trusted
}

// shakes tells whether a name has a certificate that is trusted.
func (r *rig) shakes(name string, trusted *x509.CertPool) error {
	conn, err := stdtls.Dial("tcp", strings.TrimPrefix(r.url, "https://"), &stdtls.Config{ServerName: name, RootCAs: trusted})
	if err != nil {
		return err
	}
	return conn.Close()
}

// TestCertificatesOfBuckets: under "*" the buckets that there are have certificates for
// names of their own, and no others; none is asked for by who is not let in.
func TestCertificatesOfBuckets(t *testing.T) {
	_, secure, trusted := startLocalCA(t, true)
	client := over(t, trusted, true)
	const host = "a.bucket.s3.test" // no wildcard of s3.test is for it
	if err := secure.shakes(host, trusted); err == nil {
		t.Error("there is a certificate before there is a bucket")
	}
	if got := read(t, client, secure.request(t, ask{method: "PUT", path: "/b.bucket"})); got.status != http.StatusOK {
		t.Fatal(got)
	}
	if err := secure.shakes("b.bucket.s3.test", trusted); err != nil {
		t.Error(err)
	}
	for _, name := range []string{host, "b.bucket.s3.test.test", "files.test"} {
		if err := secure.shakes(name, trusted); err == nil {
			t.Errorf("%s has a certificate", name)
		}
	}
}

// TestPlainBesideHTTPS: with a redirect browsers go to HTTPS, and S3 is refused in its own
// words; without one S3 works on both.
func TestPlainBesideHTTPS(t *testing.T) {
	plain, secure, trusted := startLocalCA(t, true)
	client := over(t, trusted, false)
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	put := ask{method: "PUT", path: "/made-by-http"}
	got := read(t, client, plain.request(t, put))
	if got.status != http.StatusBadRequest || got.code != "InvalidRequest" || !strings.Contains(got.body, "use https://") || got.header.Get("X-Amz-Request-Id") == "" {
		t.Errorf("signed: %v", got)
	}
	if got := read(t, client, plain.request(t, ask{method: "GET", path: "/", unsigned: true})); got.status != http.StatusMovedPermanently ||
		!strings.HasPrefix(got.header.Get("Location"), "https://127.0.0.1") {
		t.Errorf("a browser: %v", got)
	}
	if got := read(t, client, secure.request(t, put)); got.status != http.StatusOK {
		t.Errorf("by HTTPS: %v", got)
	}

	plain, secure, trusted = startLocalCA(t, false)
	client = over(t, trusted, false)
	for _, r := range []*rig{plain, secure} {
		if got := read(t, client, r.request(t, ask{method: "GET", path: "/"})); got.status != http.StatusOK {
			t.Errorf("%s: %v", r.url, got)
		}
	}
}

// TestPublicByTLS: what is cached is answered as what is not, by HTTP/1.1 and HTTP/2, and
// never by plain HTTP where browsers are sent to HTTPS.
func TestPublicByTLS(t *testing.T) {
	plain, secure, trusted := startLocalCA(t, true)
	for _, a := range []ask{{method: "PUT", path: "/shown"}, {method: "PUT", path: "/shown/k", body: "content"}} {
		if got := read(t, over(t, trusted, false), secure.request(t, a)); got.status != http.StatusOK {
			t.Fatal(got)
		}
	}
	request := func(r *rig) *http.Request {
		req := r.request(t, ask{method: "GET", path: "/k", unsigned: true})
		req.Host = "show.test"
		return req
	}
	for _, header := range []string{"Te", "X-Any"} { // past the express lane, and by it
		own := request(secure)
		own.Host = "own.test"
		own.Header.Set(header, "trailers")
		got := read(t, over(t, trusted, false), own)
		if v := got.header.Values("Strict-Transport-Security"); got.status != http.StatusOK || !slices.Equal(v, []string{"max-age=7"}) {
			t.Errorf("with %s: %v", header, got)
		}
		read(t, over(t, trusted, false), secure.request(t, ask{method: "PUT", path: "/shown/k", body: "content"})) // uncached again
	}
	for _, http2 := range []bool{false, true} {
		var first answer
		for i, want := range []string{"MISS", "HIT", "HIT"} {
			got := read(t, over(t, trusted, http2), request(secure)) // by a connection of its own
			if got.status != http.StatusOK || got.body != "content" || got.header.Get("Strict-Transport-Security") != "max-age=3600" {
				t.Fatalf("HTTP/2 %v: %v", http2, got)
			}
			if i == 0 {
				first = got
			}
			if cached := got.header.Get("X-Cache"); cached != want && !http2 {
				t.Errorf("HTTP/2 %v: %s, not %s", http2, cached, want)
			}
			for _, name := range []string{"Age", "Cache-Status", "X-Cache", "X-Cache-Status", "Date"} {
				got.header.Del(name)
				first.header.Del(name)
			}
			if !reflect.DeepEqual(got.header, first.header) {
				t.Errorf("HTTP/2 %v: %v, not %v", http2, got.header, first.header)
			}
		}
	}
	for range 2 {
		if got := read(t, over(t, trusted, false), request(plain)); got.status != http.StatusMovedPermanently {
			t.Errorf("by plain HTTP: %v", got)
		}
	}
}
