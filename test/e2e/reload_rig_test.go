package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"sync"
	"testing"

	"sluice/backends/embedded"
	"sluice/gateway/config"
)

// guarded is a store in this process that takes certain keys alone, and remembers which were
// used.
type guarded struct {
	*httptest.Server
	mu   sync.Mutex
	good map[string]bool
	used map[string]int
}

var signedBy = regexp.MustCompile(`Credential=([^/]+)/`)

func guardedStore(t *testing.T, bucket string) *guarded {
	t.Helper()
	server, err := embedded.Start(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	if _, err := server.Store(t.Context(), "any", bucket); err != nil {
		t.Fatal(err)
	}
	behind, err := url.Parse(server.Endpoint())
	if err != nil {
		t.Fatal(err)
	}
	pass := httputil.NewSingleHostReverseProxy(behind)
	pass.Transport = &http.Transport{MaxIdleConnsPerHost: 64}
	g := &guarded{good: map[string]bool{"first": true}, used: make(map[string]int)}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := ""
		if m := signedBy.FindStringSubmatch(r.Header.Get("Authorization")); m != nil {
			key = m[1]
		}
		g.mu.Lock()
		good := g.good[key]
		g.used[key]++
		g.mu.Unlock()
		if !good {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, "<Error><Code>InvalidAccessKeyId</Code></Error>")
			return
		}
		pass.ServeHTTP(w, r)
	}))
	t.Cleanup(g.Close)
	return g
}

func (g *guarded) take(keys ...string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	clear(g.good)
	for _, k := range keys {
		g.good[k] = true
	}
}

// uses counts the requests that were signed with a key.
func (g *guarded) uses(key string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.used[key]
}

func (g *guarded) store(key string) config.Store {
	return config.Store{Endpoint: g.URL, Bucket: "bucket", Region: "us-east-1", AccessKeyID: key, SecretAccessKey: "secret of " + key}
}

// file is the configuration that a rig reloads.
type file struct {
	mu sync.Mutex
	config.Config
	err error
}

// reloads makes a rig's gateway reload what the test writes.
func (r *rig) reloads() *file {
	f := &file{Config: clone(r.config)}
	r.gateway.ReloadFrom(func() (config.Config, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		return clone(f.Config), f.err
	}, func(config.Config) {})
	return f
}

// clone shares nothing that a test changes.
func clone(c config.Config) config.Config {
	c.Stores, c.Buckets, c.Hosts = maps.Clone(c.Stores), maps.Clone(c.Buckets), maps.Clone(c.Hosts)
	c.Credentials = slices.Clone(c.Credentials)
	return c
}

func (r *rig) reload(t *testing.T) {
	t.Helper()
	if _, err := r.gateway.Reload(t.Context(), false); err != nil {
		t.Fatal(err)
	}
}

// host is a public host of the bucket.
func host(change func(*config.Host)) config.Host {
	h := config.Host{Serve: config.ServePublic, Bucket: "media", Purge: config.Purge{Secret: "s3cret"}}
	if change != nil {
		change(&h)
	}
	return h
}

// startReloading is a rig between two guarded stores, with hosts.
func startReloading(t *testing.T, change ...func(*config.Config)) (*rig, *file, [2]*guarded) {
	t.Helper()
	stores := [2]*guarded{guardedStore(t, "bucket"), guardedStore(t, "bucket")}
	c := settings(t, stores[0].store("first"), stores[1].store("first"))
	c.Hosts = map[string]config.Host{"127.0.0.1": {Serve: config.ServeS3}, "files.test": host(nil)}
	for _, f := range change {
		f(&c)
	}
	r := startRig(t, c)
	return r, r.reloads(), stores
}
