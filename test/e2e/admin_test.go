package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/gateway/config"
)

// TestOperatorsAddress: health, metrics and the dashboard's pages for everyone who reaches it,
// the API for who has the token; nothing of it where clients come.
func TestOperatorsAddress(t *testing.T) {
	r := startPublic(t, func(c *config.Config) { c.Listen.Admin = "127.0.0.1:0" })
	at := "http://" + r.log.find(t, `operators are served" address=(\S+)`)
	r.must(t, 200, "", ask{method: "PUT", path: "/media/k", body: "x"})
	r.quiet(t) // while a write is under way reads pass the cache by
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
		{"/", "", 200, "<title>Sluice</title>"}, // by way of /dashboard/
		{"/dashboard/app.js", "", 200, "import"},
		{"/v1/session", "", 200, `"open":false`},
		{"/v1/live", "", 401, "admin.token"},
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
	for _, path := range []string{"/metrics", "/dashboard/", "/dashboard/app.js", "/v1/session", "/v1/live"} {
		if got := r.do(t, ask{method: "GET", path: path}); got.status == 200 {
			t.Errorf("clients are told %v of %s", got, path)
		}
		if got := r.show(t, "GET", "files.test", path, nil); got.status == 200 {
			t.Errorf("everyone is told %v of %s", got, path)
		}
	}
}

// TestAccessLog: a line for every request, from the cache too, and no secrets in it.
func TestAccessLog(t *testing.T) {
	r := startPublic(t, func(c *config.Config) { c.Log.Access = true })
	r.must(t, 200, "", ask{method: "PUT", path: "/media/k", body: "content"})
	r.quiet(t)
	for range 3 {
		r.show(t, "GET", "files.test", "/k?X-Amz-Signature=c0ffee", nil)
	}
	r.must(t, 400, "AuthorizationQueryParametersError", ask{method: "GET", path: "/media/k?X-Amz-Signature=c0ffee", unsigned: true})
	for _, line := range [][]string{
		{"msg=access", "operation=PutObject", "status=200", "whole=true", "method=PUT", "path=/media/k", "client=127.0.0.1:"},
		{"msg=access", "operation=PutObject", "old PutObject ", "new PutObject ", "s ok", "first_byte="},
		{"msg=access", "host=files.test", "operation=GET", "status=200", "bytes=7", "fwd=uri-miss", `stores="new GetObject `},
		{"msg=access", "host=files.test", "operation=GET", "status=200", "bytes=7", `cache="Sluice; hit"`},
		{"msg=access", "operation=GetObject", "status=400"},
	} {
		eventually(t, func(context.Context) error { // a line is written behind the answer
			if !r.log.has(line...) {
				return fmt.Errorf("there is no line with %q", line)
			}
			return nil
		})
	}
	for _, secret := range []string{"c0ffee", secretKey, "AWS4-HMAC"} {
		if r.log.has(secret) {
			t.Errorf("%q is in the log", secret)
		}
	}
}
