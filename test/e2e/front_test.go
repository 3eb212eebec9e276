package e2e

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"sluice/gateway/config"
	"sluice/test/servers"
)

// front stands before a store, counts what the store is asked for, and can tear what it
// answers, or refuse everything.
type front struct {
	reads, heads atomic.Int64 // of objects
	sent         atomic.Int64 // bytes of bodies
	down         atomic.Bool
}

// startFront puts a front before a bucket of a MinIO server. Bodies of keys that end in
// "torn" break off.
func startFront(t *testing.T, server *servers.Server, bucket string) (*front, config.Store) {
	t.Helper()
	target, err := url.Parse(server.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	f := new(front)
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // it is signed
		},
		ModifyResponse: func(r *http.Response) error {
			body := io.Reader(r.Body)
			if r.Request.Method == http.MethodGet && strings.HasSuffix(r.Request.URL.Path, "/torn") {
				body = io.LimitReader(body, 1) // and so does the rest, however often it is asked for
			}
			r.Body = struct {
				io.Reader
				io.Closer
			}{countingReader{body, &f.sent}, r.Body}
			return nil
		},
		ErrorLog: log.New(io.Discard, "", 0),
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f.down.Load() {
			panic(http.ErrAbortHandler)
		}
		if _, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/"); key != "" && !strings.HasPrefix(key, ".sluice") && r.URL.RawQuery == "" {
			switch r.Method {
			case http.MethodGet:
				f.reads.Add(1)
			case http.MethodHead:
				f.heads.Add(1)
			}
		}
		proxy.ServeHTTP(w, r)
	}))
	s.Config.ErrorLog = proxy.ErrorLog
	t.Cleanup(s.Close)
	store := minioStore(t, server, bucket)
	store.Endpoint = s.URL
	return f, store
}

type countingReader struct {
	io.Reader
	n *atomic.Int64
}

func (c countingReader) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n.Add(int64(n))
	return n, err
}
