// Package bench measures the gateway beside what people would use instead, in one
// run, and prints ratios:
//
//	go test ./test/bench -run - -bench Figures -benchtime 1x
package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/minio-go/v7/pkg/signer"

	"sluice/backends"
	"sluice/backends/s3"
	"sluice/test/process"
	"sluice/test/servers"
)

const (
	rounds  = 3 // each comparison is made so often, in turns
	length  = 3 * time.Second
	clients = 16
)

// BenchmarkFigures prints the table of docs/benchmarks.md.
func BenchmarkFigures(b *testing.B) {
	old, new := servers.MinIO(b), servers.MinIO(b)
	oldStore, newStore := old.Store(b, "old", "old-media"), new.Store(b, "new", "new-media")
	cached := process.Start(b, process.Of(old, "old-media"), process.Of(new, "new-media"), "")
	uncached := process.Start(b, process.Of(old, "old-media"), process.Of(new, "new-media"), "cache: { memory: 0B }")
	gateway := uncached.Client(b)

	for _, size := range []int{64 << 10, 8 << 20} {
		data := bytes.Repeat([]byte("0123456789abcdef"), size/16)
		name := fmt.Sprintf("%d KiB", size>>10)
		compare(b, "PUT "+name, "two direct PUTs in parallel",
			func(ctx context.Context, i int) error { return put(ctx, gateway, i, data) },
			func(ctx context.Context, i int) error {
				other := make(chan error, 1)
				go func() { other <- put(ctx, newStore, i, data) }()
				err := put(ctx, oldStore, i, data)
				return cmpErr(err, <-other)
			})
		if err := put(b.Context(), gateway, 0, data); err != nil {
			b.Fatal(err)
		}
		compare(b, "GET "+name+", not cached", "direct GET",
			func(ctx context.Context, _ int) error { return get(ctx, gateway, size) },
			func(ctx context.Context, _ int) error { return get(ctx, newStore, size) })
	}
	for _, size := range []int{1 << 10, 64 << 10, 1 << 20} {
		if err := put(b.Context(), cached.Client(b), 0, bytes.Repeat([]byte("x"), size)); err != nil {
			b.Fatal(err)
		}
		fronted := nginx(b, fmt.Sprintf(`
    location / { proxy_pass %s; proxy_set_header Host %s; proxy_cache media; proxy_cache_key $uri; proxy_cache_valid 200 1h; proxy_ignore_headers Cache-Control Expires Vary; }
  }`, old.Endpoint, strings.TrimPrefix(old.Endpoint, "http://")))
		ours := presign(b, cached.Endpoint, process.Bucket, process.AccessKey, process.SecretKey, "")
		theirs := presign(b, old.Endpoint, "old-media", old.AccessKey, old.SecretKey, fronted)
		compareWrk(b, fmt.Sprintf("GET %d KiB, cached", size>>10), ours, theirs)
	}
}

func cmpErr(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func put(ctx context.Context, s *s3.Store, i int, data []byte) error {
	_, err := s.Put(ctx, backends.PutRequest{Key: fmt.Sprintf("bench/%d", i), Body: bytes.NewReader(data), Size: int64(len(data))})
	return err
}

func get(ctx context.Context, s *s3.Store, size int) error {
	o, err := s.Get(ctx, backends.GetRequest{Key: "bench/0"})
	if err != nil {
		return err
	}
	defer o.Body.Close()
	if n, err := io.Copy(io.Discard, o.Body); err != nil || n != int64(size) {
		return fmt.Errorf("%d bytes, %w", n, err)
	}
	return nil
}

// compare runs two ways to do the same in turns and prints their rates.
func compare(b *testing.B, name, other string, ours, theirs func(ctx context.Context, i int) error) {
	var rates [2]float64
	for range rounds {
		for i, run := range []func(context.Context, int) error{ours, theirs} {
			rates[i] += rate(b, run) / rounds
		}
	}
	report(b, name, other, rates)
}

func report(b *testing.B, name, other string, rates [2]float64) {
	b.Logf("| %s | %.0f /s | %s | %.0f /s | %.2f |", name, rates[0], other, rates[1], rates[0]/rates[1])
}

// rate is how often a second clients running in parallel get it done.
func rate(b *testing.B, run func(ctx context.Context, i int) error) float64 {
	end := time.Now().Add(length)
	var done atomic.Int64
	var group sync.WaitGroup
	for c := range clients {
		group.Go(func() {
			for time.Now().Before(end) {
				if err := run(b.Context(), 1+c); err != nil {
					b.Error(err)
					return
				}
				done.Add(1)
			}
		})
	}
	group.Wait()
	return float64(done.Load()) / length.Seconds()
}

// presign makes a URL for bench/0; via is the address to send it to instead.
func presign(b *testing.B, endpoint, bucket, access, secret, via string) string {
	req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, endpoint+"/"+bucket+"/bench/0", nil)
	if err != nil {
		b.Fatal(err)
	}
	signed := signer.PreSignV4(*req, access, secret, "", "us-east-1", 3600)
	if via != "" {
		return "http://" + via + signed.URL.RequestURI()
	}
	return signed.URL.String()
}

var requests = regexp.MustCompile(`Requests/sec:\s+([0-9.]+)`)

func compareWrk(b *testing.B, name, ours, theirs string) {
	var rates [2]float64
	for range rounds {
		for i, url := range []string{ours, theirs} {
			rate, _ := wrk(b, length, url)
			rates[i] += rate / rounds
		}
	}
	report(b, name, "nginx proxy_cache", rates)
}

// nginx runs with a server of these settings, and what follows it, and answers its address.
func nginx(b *testing.B, server string) string {
	binary, err := exec.LookPath("nginx")
	if err != nil {
		b.Skip("nginx is missing: apt-get install nginx-light wrk")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	dir := b.TempDir()
	listen := address
	if strings.Contains(server, "ssl_certificate ") {
		listen += " ssl"
	}
	config := fmt.Sprintf(`
daemon off; worker_processes 2; pid %[1]s/pid; error_log %[1]s/error.log;
events { worker_connections 1024; }
http {
  access_log off; sendfile on; keepalive_requests 1000000;
  client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
  proxy_cache_path %[1]s/cache keys_zone=media:10m;
  server {
    listen %[2]s;
%[3]s
}`, dir, listen, server)
	path := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		b.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(binary, "-c", path, "-e", filepath.Join(dir, "error.log"), "-g", "user root;")
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	process.Eventually(b, 10*time.Second, func(context.Context) error {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err
	})
	return address
}
