package gateway

import (
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"
	"time"
)

// TestHeadInLines: what net/http sends of headers that are lines is those lines, and no type
// that it made up.
func TestHeadInLines(t *testing.T) {
	for _, length := range []int64{6, -1} {
		status := http.StatusOK
		if length < 0 {
			status = http.StatusNotModified
		}
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			p, _ := newPatience(w, r, time.Minute)
			p.Header().Set("Server", "Sluice")
			p.WriteHead(status, length, []byte("X-A: 1\r\nX-B: a: b\r\nX-A: 2\r\nX-C: \r\n"))
			if p.status != status || p.first.IsZero() {
				t.Errorf("status %d, at %v", p.status, p.first)
			}
			if length > 0 {
				_, _ = p.Write([]byte("<html>"))
			}
		}))
		resp, err := server.Client().Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		resp.Header.Del("Date")
		want := http.Header{"Server": {"Sluice"}, "X-A": {"1", "2"}, "X-B": {"a: b"}, "X-C": {""}}
		if length > 0 {
			want["Content-Length"] = []string{"6"}
		}
		if !reflect.DeepEqual(resp.Header, want) || resp.StatusCode != status || resp.ContentLength != max(length, 0) {
			t.Errorf("%d %v, %d bytes; want %v", resp.StatusCode, resp.Header, resp.ContentLength, want)
		}
		server.Close()
	}
}
