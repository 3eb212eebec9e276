// Package goclients drives the gateway with the S3 clients for Go. It is a module
// of its own to keep Amazon's SDK out of the gateway's go.mod.
package goclients

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/test/interop/stage"
	"sluice/test/process"
)

const (
	mib          = 1 << 20
	cacheControl = "public, max-age=315576000, immutable"
)

// oddNames break what does not encode them right.
var oddNames = []string{
	"a b.txt", "a+b.txt", "a&b=c.txt", "é ü.txt", "日本語/🦈.png", "a%2Fb.txt", "100%.txt", "it's (1)!*~.txt",
	`say "hi".txt`, "<a>&amp;.txt", "semi;colon:at@,$.txt", "hash#question?.txt", `back\slash|{}[]^` + "`.txt", "plus%2B+ .txt",
}

// listedKeys are three directories and a file below prefix, in order.
func listedKeys(prefix string) (all, directories []string) {
	for _, d := range []string{"a/", "b/", "c/"} {
		directories = append(directories, prefix+d)
		for i := range 9 {
			all = append(all, fmt.Sprintf("%s%s%02d", prefix, d, i))
		}
	}
	return append(all, prefix+"top"), directories
}

// doomedKeys are some hundred keys below prefix.
func doomedKeys(prefix string) []string {
	keys := make([]string, 300)
	for i := range keys {
		keys[i] = fmt.Sprintf("%s%03d ü.bin", prefix, i)
	}
	return keys
}

// client makes the same calls with every library, and checks each answer.
type client interface {
	objects(t *testing.T)
	multipart(t *testing.T)
	aborted(t *testing.T)
	deletes(t *testing.T)
	acls(t *testing.T)
	copies(t *testing.T)
	lists(t *testing.T)
	presigned(t *testing.T)
	keys(t *testing.T)
	metadata(t *testing.T)
	conditionalWrites(t *testing.T)
	checksums(t *testing.T)
}

// makeCalls makes every call of c, and waits until both stores of s hold the same.
func makeCalls(t *testing.T, s *stage.Stage, c client) {
	t.Helper()
	for _, call := range []struct {
		name string
		make func(*testing.T)
	}{
		{"objects", c.objects},
		{"multipart", c.multipart},
		{"aborted", c.aborted},
		{"deletes", c.deletes},
		{"acls", c.acls},
		{"copies", c.copies},
		{"lists", c.lists},
		{"presigned", c.presigned},
		{"keys", c.keys},
		{"metadata", c.metadata},
		{"conditional writes", c.conditionalWrites},
		{"checksums", c.checksums},
	} {
		t.Run(call.name, call.make)
	}
	process.Eventually(t, time.Minute, s.Equal)
}

func same[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%s: got %.300q, want %.300q", what, fmt.Sprint(got), fmt.Sprint(want))
	}
}

// sameBytes is same for what is too long to be shown.
func sameBytes(t *testing.T, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Fatalf("%s: %d bytes differ from %d wanted", what, len(got), len(want))
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// must is ok for what answers a value.
func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		ok(t, err)
		return v
	}
}

func sorted(keys []string) []string { return slices.Sorted(slices.Values(keys)) }

// partsOf cuts content as a client does that uploads parts of 5 MiB.
func partsOf(content []byte) [][]byte { return slices.Collect(slices.Chunk(content, 5*mib)) }

// etagOf is the ETag of an object, without quotes; of several parts if there is
// more than one.
func etagOf(parts ...[]byte) string {
	if len(parts) == 1 {
		sum := md5.Sum(parts[0])
		return hex.EncodeToString(sum[:])
	}
	var sums []byte
	for _, part := range parts {
		sum := md5.Sum(part)
		sums = append(sums, sum[:]...)
	}
	return fmt.Sprintf("%s-%d", etagOf(sums), len(parts))
}

// lower has the names of metadata in small letters: they have no case. What is
// not ASCII may come back encoded (RFC 2047): the gateway passes on what the store
// that it read from answers, which MinIO and Amazon encode, and versitygw does not.
func lower(metadata map[string]string) map[string]string {
	var decoder mime.WordDecoder
	out := make(map[string]string, len(metadata))
	for name, value := range metadata {
		if decoded, err := decoder.DecodeHeader(value); err == nil {
			value = decoded
		}
		out[strings.ToLower(name)] = value
	}
	return out
}

// fetch is a plain HTTP client.
func fetch(t *testing.T, method, url string, header http.Header, content []byte) (int, http.Header, []byte) {
	t.Helper()
	req := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(content)))
	for name, values := range header {
		req.Header[name] = values
	}
	resp := must[*http.Response](t)(http.DefaultClient.Do(req))
	defer resp.Body.Close()
	return resp.StatusCode, resp.Header, must[[]byte](t)(io.ReadAll(resp.Body))
}

// recorder remembers the headers of the last request of each method, to see that
// a client sends what a test is about. With expect it adds "Expect: 100-continue"
// to requests with a body, for clients that have no setting for it.
type recorder struct {
	transport *http.Transport
	expect    bool

	mu   sync.Mutex
	last map[string]http.Header
}

func newRecorder(t *testing.T, expect bool) *recorder {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(transport.CloseIdleConnections)
	return &recorder{transport: transport, expect: expect, last: make(map[string]http.Header)}
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	if r.expect && req.ContentLength > 0 {
		req = req.Clone(req.Context())
		req.Header.Set("Expect", "100-continue")
	}
	r.mu.Lock()
	r.last[req.Method] = req.Header.Clone()
	r.mu.Unlock()
	return r.transport.RoundTrip(req)
}

// sent is a header of the last request of the method.
func (r *recorder) sent(method, name string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last[method].Get(name)
}
