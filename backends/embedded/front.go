package embedded

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"
)

// front stands before gofakes3 and sets right what a store must do and it does
// not: it keeps the request's own X-Amz headers as the object's, loses
// Cache-Control and its like, ignores If-Match on reads, takes sub-resources
// it does not know for something else, and answers strangers. A signature is asked
// for, whoever's it is.
func front(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" && !r.URL.Query().Has("X-Amz-Signature") {
			refuse(w, http.StatusForbidden, "AccessDenied", "Access Denied.")
			return
		}
		if name, ok := unknownSubresource(r); ok {
			refuse(w, http.StatusNotImplemented, "NotImplemented", name+" is not implemented")
			return
		}
		for _, name := range []string{"Authorization", "X-Amz-Date", "X-Amz-Checksum-Mode", "X-Amz-Acl"} {
			r.Header.Del(name)
		}
		unchunk(r)
		rename(r.Header, "", keptAs)
		a := &answer{ResponseWriter: w}
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			a.ifMatch = r.Header.Get("If-Match")
		}
		next.ServeHTTP(a, r)
		a.WriteHeader(http.StatusOK) // HEAD answers have nothing written
	})
}

const decodedLength = "X-Amz-Decoded-Content-Length"

// unchunk takes aws-chunked framing off a body: it is HTTP's own, but for the
// signatures, which stand where HTTP has extensions.
func unchunk(r *http.Request) {
	if strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-") {
		r.Body = struct {
			io.Reader
			io.Closer
		}{httputil.NewChunkedReader(r.Body), r.Body}
		r.Header.Set("Content-Length", r.Header.Get(decodedLength))
		r.ContentLength, _ = strconv.ParseInt(r.Header.Get(decodedLength), 10, 64)
	}
	r.Header.Del("X-Amz-Content-Sha256")
	r.Header.Del(decodedLength)
}

// subresources are what gofakes3 knows, and the parameters of listings.
var subresources = map[string]bool{
	"uploads": true, "uploadId": true, "partNumber": true, "delete": true, "location": true,
	"list-type": true, "prefix": true, "delimiter": true, "marker": true, "max-keys": true,
	"start-after": true, "continuation-token": true, "encoding-type": true, "fetch-owner": true,
	"key-marker": true, "upload-id-marker": true, "max-uploads": true, "part-number-marker": true, "max-parts": true,
}

func unknownSubresource(r *http.Request) (string, bool) {
	for name := range r.URL.Query() {
		if !subresources[name] && !strings.HasPrefix(name, "X-Amz-") {
			return name, true
		}
	}
	return "", false
}

// keptAs is the prefix under which headers that gofakes3 would lose are kept as
// metadata.
const keptAs = "X-Amz-Meta-Embedded-"

// rename moves the headers it would lose from one prefix to the other.
func rename(h http.Header, from, to string) {
	for _, name := range []string{"Cache-Control", "Content-Language", "Expires", "X-Amz-Website-Redirect-Location"} {
		if values := h[from+name]; len(values) > 0 {
			delete(h, from+name)
			h[to+name] = values
		}
	}
}

// answer sets the answer's headers right before they are sent.
type answer struct {
	http.ResponseWriter
	ifMatch string
	refused bool // the body is dropped
	begun   bool
}

func (a *answer) WriteHeader(status int) {
	if a.begun {
		return
	}
	a.begun = true
	h := a.Header()
	for name := range h {
		if h.Get(name) == "" {
			h.Del(name)
		}
	}
	rename(h, keptAs, "")
	if a.ifMatch != "" && status < 300 && a.ifMatch != h.Get("ETag") {
		a.refused = true
		refuse(a.ResponseWriter, http.StatusPreconditionFailed, "PreconditionFailed", "the ETag is another one")
		return
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(p []byte) (int, error) {
	if !a.begun {
		a.WriteHeader(http.StatusOK)
	}
	if a.refused {
		return len(p), nil
	}
	return a.ResponseWriter.Write(p)
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	body := fmt.Sprintf("<Error><Code>%s</Code><Message>%s</Message></Error>", code, message)
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body))
}
