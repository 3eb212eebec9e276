package e2e

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/gateway/config"
)

// TestOperatorsAddress: health and metrics for everyone, the API for who has the token.
func TestOperatorsAddress(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := "http://" + l.Addr().String()
	l.Close()
	r := startPublic(t, func(c *config.Config) { c.Listen.Admin = strings.TrimPrefix(at, "http://") })
	r.must(t, 200, "", ask{method: "PUT", path: "/media/k", body: "x"})
	r.show(t, "GET", "files.test", "/k", nil)
	token, err := os.ReadFile(filepath.Join(r.config.StateDir, "admin.token"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path, token string
		status      int
		holds       string
	}{
		{"/livez", "", 200, "ok"},
		{"/readyz", "", 200, "ok"},
		{"/metrics", "", 200, `sluice_requests_total{host="s3",operation="PutObject",status="2xx"} 1`},
		{"/metrics", "", 200, `sluice_bucket_phase{bucket="media",phase="mirroring"} 1`},
		{"/metrics", "", 200, "sluice_cache_misses_total 1"},
		{"/v1/buckets", "", 401, "admin.token"},
		{"/v1/buckets", "wrong", 401, "admin.token"},
		{"/v1/buckets", string(token), 200, `"bucket":"media"`},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if c.token != "" {
			req.Header.Set("Authorization", "Bearer "+c.token)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != c.status || !strings.Contains(string(body), c.holds) {
			t.Errorf("%s: %d %v, without %q in\n%.2000s", c.path, resp.StatusCode, err, c.holds, body)
		}
	}
	if got := r.do(t, ask{method: "GET", path: "/metrics"}); got.status == 200 {
		t.Errorf("clients are told %v", got)
	}
}
