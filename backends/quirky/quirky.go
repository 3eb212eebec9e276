// Package quirky is an S3 store in memory behind a real listener, for tests. It has
// what S3 has of objects, and lacks or bends it where it is told to, as one provider
// or another does. It authenticates nobody.
package quirky

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"sluice/backends/s3"
)

// Quirks are the ways in which a store differs from S3. The zero value is S3.
type Quirks struct {
	// RefuseACLs is the code that answers every ACL but "private":
	// "NotImplemented" (R2), "AccessControlListNotSupported" (S3 with the bucket's
	// owner enforced).
	RefuseACLs string
	ForgetACLs bool // they are taken, and read back as private
	NoTags     bool // tags are refused (R2, B2)
	// IgnoreSubresources: the query of a request for an object is not looked at.
	IgnoreSubresources bool

	OneClass bool // storage classes but STANDARD are refused

	RefuseChecksums bool // every header and trailer of theirs is refused
	ForgetChecksums bool // headers are taken and not looked at
	NoTrailers      bool

	EqualParts   bool  // all parts but the last must have one size (R2)
	SmallestPart int   // of all but the last; 0: S3's 5 MiB
	NoPartReads  bool  // GET ignores partNumber
	LargestPut   int64 // of a PUT; 0: no limit

	IgnoreConditions bool // conditional writes replace the object all the same
	RefuseConditions bool // they are not implemented

	V1Only   bool // list-type is ignored
	RefuseV2 bool // list-type is refused

	OddETags bool          // ETags are no MD5 (SSE-KMS)
	OneWrite time.Duration // a key takes one write in this time (GCS: a second)
}

// Server is the store.
type Server struct {
	mu      sync.Mutex
	quirks  Quirks
	objects map[string]*object
	uploads map[string]*upload
	written map[string]time.Time
	calls   map[string]int // by method
	slowed  int
	next    int
	http    *httptest.Server
}

type object struct {
	body     []byte
	header   http.Header // that describes it
	sums     http.Header // X-Amz-Checksum-*
	parts    []part
	acl      string
	tags     url.Values
	etag     string
	modified time.Time
}

type part struct {
	body []byte
	sums http.Header
}

type upload struct {
	key    string
	header http.Header // of the request that opened it
	parts  map[int]part
}

// Start starts a server that ends with Close.
func Start(q Quirks) *Server {
	s := &Server{
		quirks: q, objects: make(map[string]*object), uploads: make(map[string]*upload),
		written: make(map[string]time.Time), calls: make(map[string]int),
	}
	s.http = httptest.NewServer(s)
	return s
}

// Close ends the server.
func (s *Server) Close() { s.http.Close() }

// Store is a store on the server's one bucket.
func (s *Server) Store(ctx context.Context, name string) (*s3.Store, error) {
	return s3.New(ctx, s3.Config{
		Name: name, Endpoint: s.http.URL, Bucket: "bucket", Region: "us-east-1", AccessKeyID: "id", SecretAccessKey: "secret",
	})
}

// Slowed counts the requests that were told to slow down.
func (s *Server) Slowed() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.slowed
}

// Calls counts the requests with a method.
func (s *Server) Calls(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[method]
}

// OpenUploads counts the uploads that are neither complete nor aborted.
func (s *Server) OpenUploads() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.uploads)
}

// refusal is an answer that is an error.
type refusal struct {
	status int
	code   string
}

var (
	notImplemented = &refusal{http.StatusNotImplemented, "NotImplemented"}
	noSuchKey      = &refusal{http.StatusNotFound, "NoSuchKey"}
	noSuchUpload   = &refusal{http.StatusNotFound, "NoSuchUpload"}
)

func invalid(code string) *refusal { return &refusal{http.StatusBadRequest, code} }

// ServeHTTP answers a request, one at a time once its body was read.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := readBody(r)
	if err != nil {
		return // the client went away in the middle of a body: nothing is stored
	}
	a := httptest.NewRecorder() // a client that reads slowly must not hold the others up
	s.serve(a, r, body)
	maps.Copy(w.Header(), a.Header())
	if r.Method != http.MethodHead && a.Code != http.StatusNoContent {
		w.Header().Set("Content-Length", strconv.Itoa(a.Body.Len()))
	}
	w.WriteHeader(a.Code)
	_, _ = w.Write(a.Body.Bytes())
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request, body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[r.Method]++
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if s.quirks.IgnoreSubresources && key != "" {
		r.URL.RawQuery = ""
	}
	no := s.refuses(r, key)
	if no == nil {
		no = s.answer(w, r, key, body)
	}
	if no == nil {
		return
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(no.status)
	_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>as told</Message></Error>", no.code)
}

// refuses is what the quirks have against a request.
func (s *Server) refuses(r *http.Request, key string) *refusal {
	q, h := s.quirks, r.Header
	acl := h.Get("X-Amz-Acl")
	conditional := r.Method != http.MethodGet && r.Method != http.MethodHead && h.Get("If-None-Match")+h.Get("If-Match") != ""
	switch {
	case q.RefuseACLs == "NotImplemented" && (acl != "" && acl != "private" || r.URL.Query().Has("acl")):
		return notImplemented
	case q.RefuseACLs != "" && acl != "" && acl != "private":
		return invalid(q.RefuseACLs)
	case q.NoTags && (h.Get("X-Amz-Tagging") != "" || r.URL.Query().Has("tagging")),
		q.RefuseConditions && conditional,
		q.NoTrailers && h.Get("X-Amz-Trailer") != "",
		q.RefuseV2 && r.URL.Query().Has("list-type"):
		return notImplemented
	case q.OneClass && h.Get("X-Amz-Storage-Class") != "" && h.Get("X-Amz-Storage-Class") != "STANDARD":
		return invalid("InvalidStorageClass")
	case q.RefuseChecksums && hasChecksum(h):
		return invalid("InvalidArgument")
	case r.Method != http.MethodGet && r.Method != http.MethodHead && !r.URL.Query().Has("uploadId") && key != "":
		return s.slow(key)
	}
	return nil
}

// slow tells a client that writes a key too often to come later.
func (s *Server) slow(key string) *refusal {
	if s.quirks.OneWrite == 0 {
		return nil
	}
	if time.Since(s.written[key]) < s.quirks.OneWrite {
		s.slowed++
		return &refusal{http.StatusTooManyRequests, "SlowDown"}
	}
	s.written[key] = time.Now()
	return nil
}

// answer answers a request that nothing speaks against.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, key string, body []byte) *refusal {
	q := r.URL.Query()
	switch {
	case key == "" && r.Method == http.MethodGet && !q.Has("uploads"):
		return s.list(w, q)
	case key == "" && r.Method == http.MethodPost && q.Has("delete"):
		return s.deleteMany(w, body)
	case key == "":
		return notImplemented
	case q.Has("acl"):
		return s.acl(w, r, key)
	case q.Has("tagging"):
		return s.tagging(w, r, key, body)
	case q.Has("uploads"):
		return s.open(w, r, key)
	case q.Has("uploadId"):
		return s.onUpload(w, r, body)
	case r.Method == http.MethodDelete:
		delete(s.objects, key)
		w.WriteHeader(http.StatusNoContent)
		return nil
	case r.Method == http.MethodPut && r.Header.Get("X-Amz-Copy-Source") != "":
		return s.copy(w, r, key)
	case r.Method == http.MethodPut:
		return s.put(w, r, key, body)
	}
	return s.get(w, r, key)
}
