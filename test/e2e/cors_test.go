package e2e

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"sluice/test/servers"
)

const origin = "https://page.test"

// TestCORS: MinIO opens every bucket to every origin; what it answers, the gateway
// answers.
func TestCORS(t *testing.T) {
	r := startRig(t, settings(t, minioStore(t, servers.MinIO(t), "old-media"), embeddedStore(t)))
	r.put(t, "/media/k", "content")
	asks := func(header ...string) map[string]string { return pairs(header) }
	for _, c := range []struct {
		name   string
		a      ask
		status int
		code   string
		want   map[string]string // headers
	}{
		{
			"preflight",
			ask{method: "OPTIONS", path: "/media/k", unsigned: true, header: asks("Origin", origin, "Access-Control-Request-Method", "PUT",
				"Access-Control-Request-Headers", "content-type,x-amz-date")},
			204, "",
			asks("Access-Control-Allow-Origin", origin, "Access-Control-Allow-Methods", "PUT", "Access-Control-Allow-Headers", "content-type,x-amz-date"),
		},
		{
			"preflight of the bucket",
			ask{method: "OPTIONS", path: "/media", unsigned: true, header: asks("Origin", origin, "Access-Control-Request-Method", "GET")},
			204, "", asks("Access-Control-Allow-Origin", origin, "Access-Control-Allow-Methods", "GET"),
		},
		{"preflight without Origin", ask{method: "OPTIONS", path: "/media/k", unsigned: true, header: asks("Access-Control-Request-Method", "PUT")}, 400, "BadRequest", nil},
		{"preflight of no bucket", ask{method: "OPTIONS", path: "/nosuch/k", unsigned: true, header: asks("Origin", origin, "Access-Control-Request-Method", "PUT")}, 404, "NoSuchBucket", nil},
		{"GET", ask{method: "GET", path: "/media/k", header: asks("Origin", origin)}, 200, "", asks("Access-Control-Allow-Origin", origin)},
		{"HEAD", ask{method: "HEAD", path: "/media/k", header: asks("Origin", origin)}, 200, "", asks("Access-Control-Allow-Origin", origin)},
		{"PUT", ask{method: "PUT", path: "/media/l", body: "content", header: asks("Origin", origin)}, 200, "", asks("Access-Control-Allow-Origin", origin)},
		{"list", ask{method: "GET", path: "/media?list-type=2", header: asks("Origin", origin)}, 200, "", asks("Access-Control-Allow-Origin", origin)},
		{"a refusal, which the page may read too", ask{method: "GET", path: "/media/none", header: asks("Origin", origin)}, 404, "NoSuchKey", asks("Access-Control-Allow-Origin", origin)},
		{"GET without Origin", ask{method: "GET", path: "/media/k"}, 200, "", asks("Access-Control-Allow-Origin", "")},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := r.must(t, c.status, c.code, c.a)
			for name, want := range c.want {
				if !strings.EqualFold(got.header.Get(name), want) {
					t.Errorf("%s: want %q, got %v", name, want, got)
				}
			}
		})
	}
	r.holds(t, "media", map[string]string{"k": "content", "l": "content"})
}

// TestCORSIsThePrimarys: the primary is asked once for what many requests of a page
// want to know, its refusal is passed on, and the secondary is never asked.
func TestCORSIsThePrimarys(t *testing.T) {
	old, new := embeddedStore(t), embeddedStore(t)
	var mu sync.Mutex
	asked := make(map[string]int)
	for name, store := range map[string]*string{"old": &old.Endpoint, "new": &new.Endpoint} {
		*store = answersPreflights(t, *store, func(r *http.Request) bool {
			mu.Lock()
			defer mu.Unlock()
			asked[name+" "+r.Header.Get("Origin")+" "+r.Header.Get("Access-Control-Request-Method")]++
			return r.Header.Get("Origin") == origin
		})
	}
	r := startRig(t, settings(t, old, new))
	r.put(t, "/media/k", "content")
	for range 3 {
		got := r.must(t, 200, "", ask{method: "GET", path: "/media/k", header: pairs([]string{"Origin", origin})})
		if got.header.Get("Access-Control-Allow-Origin") != origin || got.header.Get("Access-Control-Expose-Headers") != "ETag" || got.header.Get("Vary") != "Origin" {
			t.Errorf("got %v", got)
		}
		if got.header.Get("Access-Control-Allow-Methods") != "" {
			t.Errorf("a preflight's own header: %v", got)
		}
		got = r.must(t, 200, "", ask{method: "GET", path: "/media/k", header: pairs([]string{"Origin", "https://other.test"})})
		if got.body != "content" || got.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("got %v", got)
		}
	}
	r.must(t, 403, "AccessForbidden", ask{
		method: "OPTIONS", path: "/media/k", unsigned: true,
		header: pairs([]string{"Origin", "https://other.test", "Access-Control-Request-Method", "PUT"}),
	})
	mu.Lock()
	defer mu.Unlock()
	if want := map[string]int{"old " + origin + " GET": 1, "old https://other.test GET": 1, "old https://other.test PUT": 1}; !maps.Equal(asked, want) {
		t.Errorf("the stores were asked %v, want %v", asked, want)
	}
}

// answersPreflights stands before a store that knows no preflights: those that open
// allows are allowed.
func answersPreflights(t *testing.T, endpoint string, open func(*http.Request) bool) string {
	t.Helper()
	u, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	store := httputil.NewSingleHostReverseProxy(u)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodOptions {
			store.ServeHTTP(w, r)
			return
		}
		if !open(r) {
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte("<Error><Code>AccessForbidden</Code><Message>CORSResponse: This CORS request is not allowed.</Message></Error>"))
			return
		}
		w.Header().Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
		w.Header().Set("Access-Control-Allow-Methods", "GET")
		w.Header().Set("Access-Control-Expose-Headers", "ETag")
		w.Header().Set("Vary", "Origin")
	}))
	t.Cleanup(front.Close)
	return front.URL
}
