package e2e

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"sluice/gateway/cache"
	"sluice/test/process"
)

var crowd = flag.Int("crowd", 100, "how many clients ask for one cold object at once")

// TestACrowdOfOneColdObject: the store is read once, all get all of it, and the
// gateway does not hold it in memory.
func TestACrowdOfOneColdObject(t *testing.T) {
	const size = 50 << 20
	clients := *crowd
	content := []byte(noise(1 << 20))
	var reads atomic.Int64
	store := largeObject(t, &reads, content, size)
	g := process.StartBefore(t, store, store, "hosts: { files.test: { serve: public, bucket: media, purge: { secret: s } } }\nlimits: { requests: 4096 }")

	ask := func(path string, header map[string]string, take io.Writer) error {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.Endpoint+path, nil)
		if err != nil {
			return err
		}
		req.Host = "files.test"
		for name, value := range header {
			req.Header.Set(name, value)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		n, err := io.Copy(take, resp.Body)
		if err == nil && (resp.StatusCode != http.StatusOK || n != resp.ContentLength) {
			err = fmt.Errorf("%s, %d bytes", resp.Status, n)
		}
		return err
	}
	if err := ask("/small", nil, io.Discard); err != nil {
		t.Fatal(err)
	}
	before, idle := reads.Load(), g.PeakMemory(t)
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			got := &repeated{want: content}
			if err := ask("/large", nil, got); err != nil || got.n != size {
				t.Errorf("%d bytes, %v", got.n, err)
			}
		})
	}
	all.Wait()
	peak := g.PeakMemory(t)
	t.Logf("%d clients, %d read of the store; %d MiB resident before, %d at most", clients, reads.Load()-before, idle>>20, peak>>20)
	if n := reads.Load() - before; n != 1 {
		t.Errorf("the store was read %d times", n)
	}
	if peak-idle > 64<<20 {
		t.Errorf("memory grew by %d MiB", (peak-idle)>>20)
	}
	out, talk, code := g.Sluice(t, "cache", "-o", "json")
	var s cache.Stats
	if err := json.Unmarshal([]byte(out), &s); err != nil || code != 0 || s.Collapsed != int64(clients-1) || s.Items != 1 {
		t.Errorf("%+v, %v, %d %s", s, err, code, talk)
	}
	if out, talk, code := g.Sluice(t, "cache", "purge", process.Bucket, "small"); out != "purged 1 key\n" || code != 0 {
		t.Errorf("%s %s %d", out, talk, code)
	}
}

// repeated takes what is the same as want, again and again.
type repeated struct {
	want []byte
	n    int
}

func (s *repeated) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		want := s.want[s.n%len(s.want):]
		n := min(len(rest), len(want))
		if !bytes.Equal(rest[:n], want[:n]) {
			return 0, fmt.Errorf("another content after %d bytes", s.n)
		}
		s.n += n
		rest = rest[n:]
	}
	return len(p), nil
}

// largeObject is a store with a large object, /large, of pieces that are alike, and small
// ones under every other key.
func largeObject(t *testing.T, reads *atomic.Int64, piece []byte, size int) process.Upstream {
	t.Helper()
	return upstream(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Query().Has("list-type"):
			_, _ = io.WriteString(w, "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")
		case r.Method == http.MethodGet && r.URL.Path == "/bucket/large":
			reads.Add(1)
			w.Header().Set("ETag", `"00000000000000000000000000000000"`)
			w.Header().Set("Content-Length", strconv.Itoa(size))
			for range size / len(piece) {
				if _, err := w.Write(piece); err != nil {
					return
				}
			}
		case r.Method == http.MethodGet && r.URL.Path == "/bucket/small":
			w.Header().Set("ETag", `"00000000000000000000000000000000"`)
			_, _ = io.WriteString(w, "small")
		default:
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, "<Error><Code>NoSuchKey</Code></Error>")
		}
	})
}
