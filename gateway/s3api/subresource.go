package s3api

import (
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"sluice/backends"
)

// maxDocument bounds what a client may send for a sub-resource, in bytes. The
// largest are lifecycles of 1,000 rules.
const maxDocument = 1 << 20

// ownHeaders are the x-amz-* headers that are about this request's signature and
// body, or name an account of ours: they end at the gateway.
var ownHeaders = headerSet{
	exact: []string{
		"X-Amz-Date", "X-Amz-Content-Sha256", "X-Amz-Security-Token", "X-Amz-Decoded-Content-Length", "X-Amz-Trailer",
		"X-Amz-User-Agent", "X-Amz-Cf-Id", "X-Amz-Expected-Bucket-Owner", "X-Amz-Request-Payer",
	},
	prefixes: []string{"X-Amz-Sdk-", "X-Amz-Checksum-"},
}

// Subresource reads an operation on what hangs on a bucket or an object. method is
// the HTTP request's.
func (r *Request) Subresource(method string, body io.Reader) (backends.SubresourceRequest, error) {
	s := backends.SubresourceRequest{
		Op: string(r.Op), Method: method, Key: r.Key, Query: make(url.Values), Header: make(http.Header),
	}
	if _, err := r.versionID(); err != nil {
		return s, err
	}
	for name, values := range r.Query {
		if !strings.HasPrefix(strings.ToLower(name), "x-amz-") && name != "x-id" {
			s.Query[name] = values
		}
	}
	for name, values := range r.Header {
		if name == "Content-Type" || strings.HasPrefix(name, "X-Amz-") && !ownHeaders.has(name) {
			s.Header[name] = values
		}
	}
	document, err := io.ReadAll(io.LimitReader(body, maxDocument+1))
	if err != nil {
		return s, err
	}
	if len(document) > maxDocument {
		return s, ErrorFor("MaxMessageLengthExceeded", "")
	}
	s.Body = document
	return s, nil
}

// WriteSelect begins the answer to SelectObjectContent; the caller copies the events
// behind it.
func WriteSelect(w http.ResponseWriter, s *backends.SelectResult) {
	setAll(w.Header(), s.Header)
	w.WriteHeader(http.StatusOK)
}

// WriteSubresource passes a store's answer on.
func WriteSubresource(w http.ResponseWriter, s *backends.SubresourceResult) {
	setAll(w.Header(), s.Header)
	if s.Status != http.StatusNoContent {
		w.Header().Set("Content-Length", strconv.Itoa(len(s.Body)))
	}
	w.WriteHeader(s.Status)
	_, _ = w.Write(s.Body) // there is nothing left to tell a client that is gone
}
