package migration

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/test/process"
)

// numbered is an S3 store of keys with numbers, each holding its own name: a million of
// them are a million bits. It has what the gateway asks of a store, and no more.
type numbered struct {
	mu     sync.Mutex
	has    []bool
	others map[string]string // Sluice's own objects
	delay  time.Duration     // of every answer
	front  *httptest.Server
}

func startNumbered(t *testing.T, n int, full bool) *numbered {
	t.Helper()
	s := &numbered{has: make([]bool, n), others: make(map[string]string)}
	for i := range s.has {
		s.has[i] = full
	}
	s.front = httptest.NewServer(s)
	t.Cleanup(s.front.Close)
	return s
}

func (s *numbered) upstream() process.Upstream {
	return process.Upstream{Endpoint: s.front.URL, Bucket: "bucket", AccessKey: "any", SecretKey: "any"}
}

// count is how many of the numbered keys there are.
func (s *numbered) count() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, has := range s.has {
		if has {
			n++
		}
	}
	return n
}

// name spreads the keys over directories, in the order of their numbers.
func (s *numbered) name(i int) string {
	return fmt.Sprintf("media/%03d/%03d/%03d", i/1e6, i/1e3%1e3, i%1e3)
}

// number is the first key's that is not before this text.
func (s *numbered) number(text string) int {
	low, high := 0, len(s.has)
	for low < high {
		if middle := (low + high) / 2; s.name(middle) < text {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low
}

func etagOf(content string) string {
	sum := md5.Sum([]byte(content))
	return hex.EncodeToString(sum[:])
}

func (s *numbered) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	<-time.After(s.delay)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-") {
		body = unchunked(body)
	}
	key := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/bucket"), "/")
	q := r.URL.Query()
	switch {
	case key == "" && q.Has("list-type"):
		s.list(w, q)
	case key == "" && q.Has("location"):
		fmt.Fprint(w, "<LocationConstraint/>")
	case len(q) > 0:
		refuse(w, http.StatusNotImplemented, "NotImplemented")
	default:
		s.object(w, r, key, body)
	}
}

// unchunked takes a body out of its signed chunks, and looks at no signature.
func unchunked(body []byte) (plain []byte) {
	for {
		head, rest, _ := bytes.Cut(body, []byte("\r\n"))
		size, _, _ := strings.Cut(string(head), ";")
		n, err := strconv.ParseInt(size, 16, 32)
		if err != nil || n == 0 || int(n) > len(rest) {
			return plain
		}
		plain = append(plain, rest[:n]...)
		body = bytes.TrimPrefix(rest[n:], []byte("\r\n"))
	}
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code></Error>", code)
}

// object reads or writes one. The content of a numbered one is its key, whatever is sent.
func (s *numbered) object(w http.ResponseWriter, r *http.Request, key string, body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.number(key)
	isNumbered := i < len(s.has) && s.name(i) == key
	content, there := s.others[key]
	if isNumbered {
		content, there = key, s.has[i]
	}
	set := func(there bool) {
		switch {
		case isNumbered:
			s.has[i] = there
		case there:
			s.others[key] = string(body)
		default:
			delete(s.others, key)
		}
	}
	switch {
	case r.Method == http.MethodPut && there && r.Header.Get("If-None-Match") == "*":
		refuse(w, http.StatusPreconditionFailed, "PreconditionFailed")
	case r.Method == http.MethodPut:
		set(true)
		w.Header().Set("ETag", `"`+etagOf(string(body))+`"`)
	case r.Method == http.MethodDelete:
		set(false)
		w.WriteHeader(http.StatusNoContent)
	case !there:
		refuse(w, http.StatusNotFound, "NoSuchKey")
	default:
		w.Header().Set("ETag", `"`+etagOf(content)+`"`)
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Last-Modified", "Wed, 01 Jan 2025 00:00:00 GMT")
		part := content
		if from, to, ok := strings.Cut(strings.TrimPrefix(r.Header.Get("Range"), "bytes="), "-"); ok {
			first, _ := strconv.Atoi(from)
			last, _ := strconv.Atoi(to)
			last = min(last, len(content)-1)
			part = content[first : last+1]
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, last, len(content)))
			w.Header().Set("Content-Length", strconv.Itoa(len(part)))
			w.WriteHeader(http.StatusPartialContent)
		} else {
			w.Header().Set("Content-Length", strconv.Itoa(len(part)))
		}
		if r.Method == http.MethodGet {
			_, _ = io.WriteString(w, part)
		}
	}
}

// list answers a page. A token is the key that the next page starts behind.
func (s *numbered) list(w http.ResponseWriter, q url.Values) {
	s.mu.Lock()
	defer s.mu.Unlock()
	limit, _ := strconv.Atoi(q.Get("max-keys"))
	after := max(q.Get("start-after"), q.Get("continuation-token"))
	prefix := q.Get("prefix")
	var b strings.Builder
	n, last, truncated := 0, "", false
	for i := s.number(max(after, prefix)); i < len(s.has); i++ {
		key := s.name(i)
		if key <= after || !s.has[i] {
			continue
		}
		if !strings.HasPrefix(key, prefix) {
			break
		}
		if n == limit {
			truncated = true
			break
		}
		n, last = n+1, key
		fmt.Fprintf(&b, "<Contents><Key>%s</Key><LastModified>2025-01-01T00:00:00Z</LastModified><ETag>%s</ETag><Size>%d</Size></Contents>",
			key, etagOf(key), len(key))
	}
	token := ""
	if truncated {
		token = "<NextContinuationToken>" + last + "</NextContinuationToken>"
	}
	w.Header().Set("Content-Type", "application/xml")
	fmt.Fprintf(w, "<ListBucketResult><KeyCount>%d</KeyCount><IsTruncated>%v</IsTruncated>%s%s</ListBucketResult>", n, truncated, token, b.String())
}
