package gateway

import (
	"bytes"
	"cmp"
	"errors"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"sluice/backends"
	"sluice/gateway/config"
	"sluice/gateway/mirror"
	"sluice/gateway/s3api"
	"sluice/tls"
)

// publicHost shows objects to everyone under a host name of its own, as the origin of a
// CDN: it answers reads of single objects and nothing else. What a request carries beside
// its path, range and conditions is not looked at and never reaches a store.
type publicHost struct {
	g            *gate
	slots        *slots       // of requests that are being answered
	paths        []publicPath // the longest prefixes first
	cacheControl []string
	headers      http.Header // of every object
	lines        []byte      // the same
	purge        config.Purge
	mark         *mark
	secure       *publicHost // by TLS: with Strict-Transport-Security
}

// mark tells the heads that one host made from those of others, and keeps nothing of a host
// in memory that a reload has replaced.
type mark struct{ _ byte }

// publicPath maps the paths below a prefix to a bucket's keys.
type publicPath struct{ prefix, bucket string }

// newPublicHost is a host of the configuration. before is who had its name in the former
// one, or nil.
func newPublicHost(g *gate, c config.Host, before *publicHost) *publicHost {
	h := &publicHost{
		g: g, slots: new(slots), mark: new(mark), cacheControl: []string{cmp.Or(c.CacheControl, "public, max-age=31536000")},
		headers: http.Header{
			"Accept-Ranges":                 {"bytes"},
			"Access-Control-Allow-Origin":   {"*"},
			"Access-Control-Expose-Headers": {"Accept-Ranges, Content-Range, ETag, Content-Length"},
			"Content-Security-Policy":       {"default-src 'none'; form-action 'none'"},
			"Server":                        serverHeader,
			"X-Content-Type-Options":        {"nosniff"},
		},
	}
	if before != nil {
		h.slots = before.slots
	}
	h.purge = config.Purge{Header: cmp.Or(c.Purge.Header, "Secret-Header"), Secret: c.Purge.Secret}
	for name, value := range c.Headers {
		if h.headers.Del(name); value != "" {
			h.headers.Set(name, value)
		}
	}
	if c.Bucket != "" {
		h.paths = []publicPath{{"/", c.Bucket}}
	}
	for prefix, bucket := range c.Paths {
		h.paths = append(h.paths, publicPath{prefix, bucket})
	}
	slices.SortFunc(h.paths, func(a, b publicPath) int { return cmp.Compare(len(b.prefix), len(a.prefix)) })
	secure := *h
	secure.mark = new(mark)
	secure.headers = make(http.Header)
	tls.SetHSTS(secure.headers, time.Duration(g.config.TLS.HSTS))
	maps.Copy(secure.headers, h.headers)
	h.secure = &secure
	h.lines, secure.lines = inLines(h.headers), inLines(secure.headers)
	return h
}

// inLines are headers as they are sent.
func inLines(h http.Header) []byte {
	var b bytes.Buffer
	_ = h.Write(&b) // a buffer takes everything
	return b.Bytes()
}

// hostName is a Host header without its port, in the form of the configuration.
func hostName(host string) string {
	if strings.LastIndexByte(host, ':') >= 0 {
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
	}
	return strings.ToLower(host)
}

// ServeHTTP answers one request.
func (h *publicHost) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := &asked{host: "public", method: method(r), start: time.Now()}
	p, r := newPatience(w, h.g.watch(a, r), time.Duration(h.g.config.Limits.ClientTimeout))
	defer p.end()
	defer func() { h.g.answered(a, p, r) }()
	if a.calls != nil {
		a.bucket, a.key, _ = h.find(r.URL.Path)
	}
	var err error
	switch {
	case h.mayPurge(r):
		h.drop(p, r.URL.Path)
	case r.Method == http.MethodGet, r.Method == http.MethodHead:
		err = h.slots.admit(h.g.config.Limits.Requests, func() error { return h.show(p, r) })
	case r.Method == http.MethodOptions:
		h.preflight(p)
	default:
		err = s3api.ErrorFor("AccessDenied", "")
	}
	if err != nil {
		h.refuse(p, r, err)
	}
	p.whole = true
}

// method is a request's, or one word for all that are not answered.
func method(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, "PURGE":
		return r.Method
	}
	return "other"
}

// find answers the bucket and the key that a path stands for.
func (h *publicHost) find(path string) (bucket, key string, ok bool) {
	for _, p := range h.paths {
		if key, ok := strings.CutPrefix(path, p.prefix); ok && key != "" {
			return p.bucket, key, true
		}
	}
	return "", "", false
}

// show answers a read of an object.
func (h *publicHost) show(w *patience, r *http.Request) error {
	name, key, ok := h.find(r.URL.Path)
	if !ok {
		return s3api.ErrorFor("NoSuchKey", "")
	}
	read, err := (&s3api.Request{Key: key, Header: r.Header}).Get()
	if err != nil {
		return err
	}
	read.GetRequest = backends.GetRequest{Key: key, Range: read.Range}
	bucket, err := h.g.buckets.get(r.Context(), name)
	if err != nil {
		return h.g.bucketError(name, err)
	}
	return h.answer(w, r, mirror.Public{Bucket: bucket}, read)
}

// heads are buffers for headers.
var heads = sync.Pool{New: func() any { return new([]byte) }}

// answer answers a GET, or a HEAD, which is the same without its body.
func (h *publicHost) answer(w *patience, r *http.Request, from reader, read s3api.GetRequest) error {
	var o *backends.Object
	var served mirror.Served
	var err error
	if r.Method == http.MethodHead {
		o, served, err = describeObject(r.Context(), from, read)
	} else {
		o, served, err = openObject(r.Context(), from, read)
	}
	unchanged := notModified(err)
	if err != nil && !unchanged {
		return err
	}
	head := heads.Get().(*[]byte)
	defer heads.Put(head)
	*head = h.describe((*head)[:0], &o.Info)
	header := w.Header()
	for name := range header {
		if _, other := h.headers[name]; other { // Strict-Transport-Security
			delete(header, name)
		}
	}
	h.setServed(header, served)
	if unchanged {
		w.WriteHead(http.StatusNotModified, -1, *head)
		return nil
	}
	defer o.Body.Close()
	status := http.StatusOK
	if o.ContentRange != "" {
		*head = appendLine(*head, "Content-Range", o.ContentRange)
		status = http.StatusPartialContent
	}
	w.WriteHead(status, o.Length, *head)
	if r.Method == http.MethodGet {
		sendBody(w, r, o)
	}
	return nil
}

// shown are the headers of an object that everyone may see.
var shown = []string{"Content-Type", "Content-Disposition", "Content-Encoding", "Content-Language"}

// describe appends an object's headers, as lines.
func (h *publicHost) describe(b []byte, info *backends.Info) []byte {
	for _, name := range shown {
		b = h.appendLines(b, name, info.Header[name])
	}
	cacheControl := info.Header["Cache-Control"]
	if len(cacheControl) == 0 {
		cacheControl = h.cacheControl
	}
	b = h.appendLines(b, "Cache-Control", cacheControl)
	b = append(append(append(b, "Etag: \""...), plainText(info.ETag)...), "\"\r\n"...)
	b = info.LastModified.UTC().AppendFormat(append(b, "Last-Modified: "...), http.TimeFormat)
	return append(append(b, "\r\n"...), h.lines...)
}

// appendLines appends a header, unless every object has another one.
func (h *publicHost) appendLines(b []byte, name string, values []string) []byte {
	if _, other := h.headers[name]; other {
		return b
	}
	for _, value := range values {
		b = appendLine(b, name, value)
	}
	return b
}

func appendLine(b []byte, name, value string) []byte {
	return append(append(append(append(b, name...), ": "...), plainText(value)...), "\r\n"...)
}

// plainText is a text that can not end a line, as net/http sends it.
func plainText(text string) string {
	if strings.IndexByte(text, '\n') < 0 && strings.IndexByte(text, '\r') < 0 {
		return text
	}
	return strings.NewReplacer("\n", " ", "\r", " ").Replace(text)
}

// setServed says where an answer came from, also in the words of nginx.
func (h *publicHost) setServed(header http.Header, served mirror.Served) {
	setServed(header, served)
	header["X-Cache-Status"] = header["X-Cache"]
}

// preflight answers a browser that asks whether a page of another origin may read.
func (h *publicHost) preflight(w http.ResponseWriter) {
	header := w.Header()
	maps.Copy(header, h.headers)
	header.Set("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS")
	header.Set("Access-Control-Allow-Headers", "Range, If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since, If-Range")
	header.Set("Access-Control-Max-Age", "86400")
	w.WriteHeader(http.StatusNoContent)
}

// refuse answers what can not be shown, in a word: S3's errors name buckets and keys. No
// cache may keep it, since the object may come at any moment.
func (h *publicHost) refuse(w http.ResponseWriter, r *http.Request, err error) {
	e := s3Error(err)
	header := w.Header()
	status := e.Status
	switch {
	case status >= http.StatusInternalServerError:
		status = http.StatusServiceUnavailable
		header.Set("Retry-After", "5")
		h.g.log.Warn("request failed", "host", r.Host, "method", r.Method, "path", r.URL.Path, "client", r.RemoteAddr, "code", e.Code, "error", err)
	case status == http.StatusRequestedRangeNotSatisfiable:
		if size := actualSize(err); size != "" {
			header.Set("Content-Range", "bytes */"+size)
		}
	}
	h.setPlain(header)
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write([]byte(http.StatusText(status) + "\n"))
	}
}

// setPlain sets the headers of what is no object, and for nobody to keep.
func (h *publicHost) setPlain(header http.Header) {
	header["Server"] = h.headers["Server"]
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Type", "text/plain; charset=utf-8")
}

// actualSize is the object's size in the refusal of a range, where it is told.
func actualSize(err error) string {
	var e *backends.Error
	if errors.As(err, &e) {
		for _, d := range e.Details {
			if d.Name == "ActualObjectSize" {
				return d.Value
			}
		}
	}
	return ""
}
