package bench

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7/pkg/signer"

	"sluice/backends"
	"sluice/test/process"
	"sluice/test/servers"
)

// The public host and nginx have short turns, and many: within a few seconds the same
// gateway was seen 15 % faster and slower.
const (
	turns = 12
	turn  = time.Second
)

// BenchmarkPublic compares the public host with nginx before the same store, with the same
// headers, in turns: what is cached, and what is not. What is not cached nginx asks for twice:
// as a stranger, of a bucket that is open to everyone, and with the headers of a signature, as
// Sluice sends them, which its clients give it.
//
//	go test ./test/bench -run - -bench Public -benchtime 1x
func BenchmarkPublic(b *testing.B) {
	old, new := servers.MinIO(b), servers.MinIO(b)
	oldStore := old.Store(b, "old", "old-media")
	new.Store(b, "new", "new-media")
	open(b, oldStore)
	hosts := "hosts: { files.test: { serve: public, bucket: " + process.Bucket + " } }\n"
	gateway := process.StartBefore(b, process.Of(old, "old-media"), process.Of(new, "new-media"), hosts)
	passing := process.StartBefore(b, process.Of(old, "old-media"), process.Of(new, "new-media"), hosts+"cache: { memory: 0B }")
	front := nginx(b, publicServer(old.Endpoint, "old-media", true))
	through := nginx(b, publicServer(old.Endpoint, "old-media", false))
	for _, size := range []int{1 << 10, 64 << 10, 1 << 20} {
		key := fmt.Sprintf("bench/%d", size)
		_, err := oldStore.Put(b.Context(), backends.PutRequest{
			Key: key, Body: bytes.NewReader(bytes.Repeat([]byte("x"), size)), Size: int64(size),
			Header: http.Header{"Content-Type": {"image/jpeg"}, "Cache-Control": {"public, max-age=315576000, immutable"}},
		})
		if err != nil {
			b.Fatal(err)
		}
		both := func(what, other string, ours, theirs string, sign bool) {
			var rates, slowest [2]float64
			for range turns {
				for i, url := range []string{ours + "/" + key, theirs + "/" + key} {
					var headers []string
					if sign && i == 1 {
						headers = signed(b, old, "old-media", key)
					}
					rate, p99 := wrk(b, turn, url, headers...)
					rates[i] += rate / turns
					slowest[i] += p99 / turns
				}
			}
			b.Logf("| GET %d KiB, %s | %.0f /s, p99 %.2f ms | %s | %.0f /s, p99 %.2f ms | %.2f |",
				size>>10, what, rates[0], slowest[0], other, rates[1], slowest[1], rates[0]/rates[1])
		}
		both("cached", "nginx `proxy_cache`", gateway.Endpoint, "http://"+front, false)
		both("not cached", "nginx `proxy_pass`, unsigned", passing.Endpoint, "http://"+through, false)
		both("not cached", "nginx `proxy_pass`, signed", passing.Endpoint, "http://"+through, true)
	}
}

// signed are the headers that sign a read of an object, as Sluice signs its own. They are
// good for a quarter of an hour.
func signed(b *testing.B, s *servers.Server, bucket, key string) (headers []string) {
	req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, s.Endpoint+"/"+bucket+"/"+key, nil)
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("X-Amz-Content-Sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
	for name, values := range signer.SignV4(*req, s.AccessKey, s.SecretKey, "", "us-east-1").Header {
		headers = append(headers, name+": "+values[0])
	}
	return headers
}

// open lets everyone read a bucket's objects, as nginx asks for them.
func open(b *testing.B, s backends.Store) {
	b.Helper()
	_, err := s.ChangeSubresource(b.Context(), backends.SubresourceRequest{
		Op: "PutBucketPolicy", Method: http.MethodPut, Query: url.Values{"policy": {""}},
		Body: []byte(`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": ["s3:GetObject"],
			"Resource": ["arn:aws:s3:::old-media/*"]}]}`),
	})
	if err != nil {
		b.Fatal(err)
	}
}

// publicServer is Mastodon's recommended nginx server for media, with our headers.
func publicServer(upstream, bucket string, cached bool) string {
	cache := ""
	if cached {
		cache = "proxy_set_header Authorization ''; proxy_cache media; proxy_cache_valid 200 48h; proxy_cache_use_stale error timeout updating http_500 http_502 http_503 http_504; proxy_cache_lock on;"
	}
	return fmt.Sprintf(`
    location / {
      limit_except GET HEAD { deny all; }
      proxy_set_header Host %[2]s;
      proxy_set_header Connection '';
      proxy_hide_header Set-Cookie;
      proxy_hide_header x-amz-id-2;
      proxy_hide_header x-amz-request-id;
      proxy_hide_header x-amz-meta-server-side-encryption;
      proxy_hide_header x-amz-bucket-region;
      proxy_ignore_headers Set-Cookie;
      proxy_http_version 1.1;
      proxy_pass http://store/%[1]s$uri$is_args$args;
      proxy_intercept_errors off;
      %[3]s
      add_header Access-Control-Allow-Origin '*';
      add_header X-Cache-Status $upstream_cache_status;
      add_header X-Content-Type-Options nosniff;
      add_header Content-Security-Policy "default-src 'none'; form-action 'none'";
    }
  }
  upstream store { server %[2]s; keepalive 64; }
`, bucket, strings.TrimPrefix(upstream, "http://"), cache)
}

var latency99 = regexp.MustCompile(`99%\s+([0-9.]+)(us|ms|s)`)

// wrk asks a public host for a URL as fast as it can for some time, and answers the rate, a
// second, and the slowest hundredth's time, in milliseconds.
func wrk(b *testing.B, length time.Duration, address string, headers ...string) (rate, p99 float64) {
	b.Helper()
	args := []string{"-t2", "-c32", fmt.Sprintf("-d%ds", int(length/time.Second)), "--latency"}
	for _, h := range append(headers, "Host: files.test") {
		args = append(args, "-H", h)
	}
	out, err := exec.CommandContext(context.Background(), "wrk", append(args, address)...).CombinedOutput()
	r, l := requests.FindSubmatch(out), latency99.FindSubmatch(out)
	if err != nil || r == nil || l == nil || strings.Contains(string(out), "Non-2xx") {
		b.Fatalf("wrk: %v\n%s", err, out)
	}
	rate, err = strconv.ParseFloat(string(r[1]), 64)
	if err != nil {
		b.Fatal(err)
	}
	if p99, err = strconv.ParseFloat(string(l[1]), 64); err != nil {
		b.Fatal(err)
	}
	return rate, p99 * map[string]float64{"us": 1e-3, "ms": 1, "s": 1e3}[string(l[2])]
}
