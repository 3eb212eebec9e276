package gateway

import (
	"crypto/subtle"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"sluice/gateway/cache"
	"sluice/gateway/express"
	"sluice/gateway/mirror"
)

// find answers what a GET without conditions is answered from the cache, as show would, or
// who answers it.
func (g *gate) find(host, path string, secure bool) (express.Hit, express.Found) {
	h := g.public[hostName(host)]
	if h == nil || !secure && g.certificates.Redirects() {
		return express.Hit{}, express.Elsewhere
	}
	if secure {
		h = h.secure
	}
	hit, ok := h.held(host, path)
	if !ok {
		return express.Hit{}, express.Missing
	}
	g.metrics.held.Inc()
	return hit, express.Held
}

// held answers what the cache holds of a path.
func (h *publicHost) held(host, path string) (express.Hit, bool) {
	name, key, ok := h.find(path)
	if !ok {
		return express.Hit{}, false
	}
	bucket := h.g.buckets.known(name)
	if bucket == nil {
		return express.Hit{}, false
	}
	e, body, ok := mirror.Public{Bucket: bucket}.Held(key)
	if !ok {
		return express.Hit{}, false
	}
	memo := e.Memo.Load()
	if memo == nil || memo.By != h.mark {
		memo = &cache.Memo{By: h.mark, Head: h.head(e)}
		e.Memo.Store(memo)
	}
	if g := h.g; g.traces.Active() {
		g.expressed(host, path, name, key, e.Info.Size)
	}
	return express.Hit{Head: memo.Head, Body: body, Age: e.Age()}, true
}

// head is the head of an answer from the cache, but for what changes from one to the next.
func (h *publicHost) head(e *cache.Entry) []byte {
	header := http.Header{"Content-Length": {strconv.FormatInt(e.Info.Size, 10)}}
	h.setServed(header, mirror.Served{Cache: true})
	header.Del("Age")
	return h.describe(append([]byte("HTTP/1.1 200 OK\r\n"), inLines(header)...), &e.Info)
}

// others are the headers that make a request one for ServeHTTP.
func (g *gate) others() []string {
	others := []string{forwardedHost}
	for _, h := range g.public {
		if h.purge.Secret != "" {
			others = append(others, h.purge.Header)
		}
	}
	return others
}

// mayPurge tells whether a request is one to drop what is cached, from who may.
func (h *publicHost) mayPurge(r *http.Request) bool {
	if h.purge.Secret == "" || r.Method != http.MethodGet && r.Method != "PURGE" {
		return false
	}
	return subtle.ConstantTimeCompare([]byte(r.Header.Get(h.purge.Header)), []byte(h.purge.Secret)) == 1
}

// drop drops what is cached of a path, or, where that ends in "*", of all that begin so.
func (h *publicHost) drop(w http.ResponseWriter, path string) {
	purged := 0
	if prefix, all := strings.CutSuffix(path, "*"); all {
		for _, p := range h.paths {
			if below, ok := strings.CutPrefix(prefix, p.prefix); ok {
				purged += h.g.cache.PurgePrefix(p.bucket, below)
			} else if strings.HasPrefix(p.prefix, prefix) {
				purged += h.g.cache.PurgePrefix(p.bucket, "")
			}
		}
	} else if bucket, key, ok := h.find(path); ok && h.g.cache.Purge(cache.Key{Bucket: bucket, Name: key}) {
		purged = 1
	}
	h.setPlain(w.Header())
	_, _ = fmt.Fprintf(w, "purged: %d\n", purged)
}
