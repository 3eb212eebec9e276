package s3

import (
	"bufio"
	"io"
	"maps"
	"net/http"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"sluice/backends"
)

var answers = []string{
	"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nETag: \"a\"\r\nx-amz-meta-a:  b \r\nX-Amz-Meta-A: c\r\n\r\nyesHTTP/1.1 ",
	"HTTP/1.1 201 Created\r\nContent-Length: 0\r\nServer: a\r\ndate: b\r\n\r\n",
	"HTTP/1.1 206 \r\nContent-Length: 12\r\n\r\nhalf",
	"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nyes",
	"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nyes",
	"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n a: b\r\n\r\nyes",
	"HTTP/1.1 200 OK\r\nContent-Length : 3\r\n\r\nyes",
	"HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\nyes",
	"HTTP/1.1 200 OK\r\nContent-Length: 3\nA: b\r\n\r\nyes",
	"HTTP/1.1 200 OK\nContent-Length: 3\r\n\r\nyes",
	"HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n",
	"HTTP/1.1 100 Continue\r\nContent-Length: 3\r\n\r\n",
	"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nyes",
	"HTTP/1.1 200OK\r\nContent-Length: 3\r\n\r\nyes",
}

func TestPlainAnswersAreSeen(t *testing.T) {
	for i, raw := range answers {
		plain := plainAnswer(peeked(raw), &http.Request{Method: http.MethodGet}) != nil
		if plain != (i < 3) {
			t.Errorf("%q is plain: %t", raw, plain)
		}
	}
	if plainAnswer(peeked(answers[0]), &http.Request{Method: http.MethodHead}) != nil {
		t.Error("an answer to HEAD is plain")
	}
}

// peeked is text of which the beginning was read.
func peeked(raw string) *bufio.Reader {
	in := bufio.NewReader(strings.NewReader(raw))
	_, _ = in.Peek(1)
	return in
}

// TestNothingElseIsKept: what is kept of an answer is small, however long its headers are.
// Without newInfo's copies these are 11 MiB.
func TestNothingElseIsKept(t *testing.T) {
	raw := "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nETag: \"a\"\r\nContent-Type: image/png\r\nX-Amz-Meta-A: b\r\nVary: " +
		strings.Repeat("x", 3000) + "\r\n\r\nyes"
	var kept [3000]*backends.Info
	before := heap()
	for i := range kept {
		resp := plainAnswer(peeked(raw), &http.Request{Method: http.MethodGet})
		kept[i] = newInfo("k", resp)
	}
	if grown := heap() - before; grown > 4<<20 {
		t.Errorf("%d KiB are kept", grown>>10)
	}
	runtime.KeepAlive(kept)
}

// heap is how much memory is in use.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// FuzzPlainAnswer holds what is read here against http.ReadResponse.
func FuzzPlainAnswer(f *testing.F) {
	for _, raw := range answers {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		req := &http.Request{Method: http.MethodGet}
		in := peeked(raw)
		got := plainAnswer(in, req)
		if got == nil {
			if rest, _ := io.ReadAll(in); string(rest) != raw {
				t.Fatalf("of %q only %q is left", raw, rest)
			}
			return
		}
		wantIn := bufio.NewReader(strings.NewReader(raw))
		want, err := http.ReadResponse(wantIn, req)
		if err != nil {
			t.Fatalf("%q: %v", raw, err)
		}
		body, err := io.ReadAll(got.Body)
		wantBody, wantErr := io.ReadAll(want.Body)
		if string(body) != string(wantBody) || err != wantErr {
			t.Fatalf("%q: %q, %v; want %q, %v", raw, body, err, wantBody, wantErr)
		}
		rest, _ := io.ReadAll(in)
		if wantRest, _ := io.ReadAll(wantIn); string(rest) != string(wantRest) {
			t.Fatalf("%q: %q is left, want %q", raw, rest, wantRest)
		}
		if (got.Body == http.NoBody) != (want.Body == http.NoBody) {
			t.Fatalf("%q has a body: %t", raw, got.Body != http.NoBody)
		}
		got.Body, want.Body = nil, nil
		for _, h := range []http.Header{got.Header, want.Header} { // got may have those in another case
			maps.DeleteFunc(h, func(name string, _ []string) bool { return nobodyReads(name) })
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: %+v, want %+v", raw, got, want)
		}
	})
}
