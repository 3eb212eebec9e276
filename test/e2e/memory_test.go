package e2e

import (
	"crypto/md5"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"sluice/backends"
	"sluice/test/process"
)

// sink is an S3 server that takes objects and forgets them: what is measured is
// the gateway.
func sink(t *testing.T) process.Upstream {
	t.Helper()
	return upstream(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodPut:
			n, err := io.Copy(io.Discard, r.Body)
			if err != nil || n != r.ContentLength {
				return
			}
			w.Header().Set("ETag", `"`+hex.EncodeToString(md5.New().Sum(nil))+`"`)
		case http.MethodGet:
			if strings.Contains(r.URL.Path, "/fill/") {
				w.Header().Set("ETag", `"00000000000000000000000000000000"`)
				w.Header().Set("Content-Length", strconv.Itoa(1<<20))
				_, _ = io.CopyN(w, zeros{}, 1<<20)
				return
			}
			if r.URL.Query().Has("list-type") {
				_, _ = io.WriteString(w, "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")
				return
			}
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, "<Error><Code>NoSuchKey</Code></Error>")
		case http.MethodDelete:
			w.WriteHeader(http.StatusNoContent)
		}
	})
}

// upstream is a store of a test's own.
func upstream(t *testing.T, answer http.HandlerFunc) process.Upstream {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	return process.Upstream{Endpoint: s.URL, Bucket: "bucket", AccessKey: "any", SecretKey: "any"}
}

var uploadSize = flag.Int64("upload-size", 48<<20, "of each of the 64 uploads at once")

// TestMemoryUnderLargeUploads: 64 large uploads at once in less than 300 MiB of memory,
// with a full cache of 64 MiB.
func TestMemoryUnderLargeUploads(t *testing.T) {
	size := *uploadSize
	g := process.Start(t, sink(t), sink(t), "cache: { memory: 64MiB }")
	client := g.Client(t)
	for i := range 100 { // fills the cache
		o, err := client.Get(t.Context(), backends.GetRequest{Key: fmt.Sprint("fill/", i)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, o.Body); err != nil {
			t.Fatal(err)
		}
		o.Body.Close()
	}
	var group sync.WaitGroup
	for i := range 64 {
		group.Go(func() {
			_, err := client.Put(t.Context(), backends.PutRequest{
				Key: string(rune('A' + i)), Body: io.LimitReader(zeros{}, size), Size: size,
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	const limit = 300 << 20
	if peak := g.PeakMemory(t); peak > limit {
		t.Errorf("the gateway used %d MiB, more than %d", peak>>20, limit>>20)
	} else {
		t.Logf("64 uploads of %d MiB at once: %d MiB resident at most", size>>20, peak>>20)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
