package bench

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"sluice/backends"
	"sluice/test/process"
	"sluice/test/servers"
)

// BenchmarkTLS compares the public host over HTTPS with nginx before the same store, with
// the same certificate (ECDSA P-256), in turns: handshakes, and what is cached.
//
//	go test ./test/bench -run - -bench TLS -benchtime 1x
func BenchmarkTLS(b *testing.B) {
	if _, err := exec.LookPath("openssl"); err != nil {
		b.Skip("openssl is missing: apt-get install openssl")
	}
	old, new := servers.MinIO(b), servers.MinIO(b)
	oldStore := old.Store(b, "old", "old-media")
	new.Store(b, "new", "new-media")
	open(b, oldStore)
	cert, key := pair(b)
	gateway := process.StartTLS(b, process.Of(old, "old-media"), process.Of(new, "new-media"), fmt.Sprintf(
		"tls: { mode: files, cert_file: %q, key_file: %q }\nhosts: { files.test: { serve: public, bucket: %s } }\n", cert, key, process.Bucket))
	front := nginx(b, fmt.Sprintf("ssl_certificate %s; ssl_certificate_key %s; ssl_session_cache shared:s:10m; ssl_protocols TLSv1.2 TLSv1.3;",
		cert, key)+publicServer(old.Endpoint, "old-media", true))

	both := func(what, unit string, measure func(address string) float64) {
		var rates [2]float64
		for range rounds {
			for i, address := range []string{gateway.Secure, front} {
				rates[i] += measure(address) / rounds
			}
		}
		b.Logf("| %s | %.0f %s | nginx | %.0f %s | %.2f |", what, rates[0], unit, rates[1], unit, rates[0]/rates[1])
	}
	both("handshakes, TLS 1.3", "/s", func(a string) float64 { return handshakes(b, a, "-tls1_3", "-new") })
	both("handshakes, TLS 1.2", "/s", func(a string) float64 { return handshakes(b, a, "-tls1_2", "-new") })
	both("handshakes, TLS 1.2, resumed", "/s", func(a string) float64 { return handshakes(b, a, "-tls1_2", "-reuse") })
	for _, size := range []int{1 << 10, 64 << 10, 1 << 20} {
		object := fmt.Sprintf("bench/%d", size)
		_, err := oldStore.Put(b.Context(), backends.PutRequest{
			Key: object, Body: bytes.NewReader(bytes.Repeat([]byte("x"), size)), Size: int64(size),
			Header: http.Header{"Content-Type": {"image/jpeg"}, "Cache-Control": {"public, max-age=315576000, immutable"}},
		})
		if err != nil {
			b.Fatal(err)
		}
		both(fmt.Sprintf("GET %d KiB, cached, HTTPS", size>>10), "/s", func(a string) float64 {
			rate, _ := wrk(b, length, "https://"+a+"/"+object)
			return rate
		})
	}
}

var connections = regexp.MustCompile(`(\d+) connections in \d+ real seconds`)

// handshakes is how many a second openssl's clients get done, each one after the other. (It
// resumes no session of TLS 1.3, whose tickets come behind the handshake.)
func handshakes(b *testing.B, address string, flags ...string) float64 {
	b.Helper()
	var group sync.WaitGroup
	counts := make([]float64, 4)
	began := time.Now()
	for i := range counts {
		group.Go(func() {
			args := append([]string{"s_time", "-connect", address, "-time", strconv.Itoa(int(length / time.Second))}, flags...)
			out, err := exec.CommandContext(context.Background(), "openssl", args...).CombinedOutput()
			found := connections.FindSubmatch(out)
			if err != nil || found == nil {
				b.Errorf("openssl s_time: %v\n%s", err, out)
				return
			}
			counts[i], _ = strconv.ParseFloat(string(found[1]), 64)
		})
	}
	group.Wait()
	sum := 0.0
	for _, n := range counts {
		sum += n
	}
	return sum / time.Since(began).Seconds()
}

// pair writes a certificate and its key to files.
func pair(b *testing.B) (certFile, keyFile string) {
	b.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	template := &x509.Certificate{NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"files.test"}}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		b.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		b.Fatal(err)
	}
	write := func(name, kind string, raw []byte) string {
		path := filepath.Join(b.TempDir(), name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw}), 0o600); err != nil {
			b.Fatal(err)
		}
		return path
	}
	return write("cert.pem", "CERTIFICATE", cert), write("key.pem", "PRIVATE KEY", private)
}
