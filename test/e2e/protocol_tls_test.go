package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	stdtls "crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// certificate writes a certificate for 127.0.0.1 and its key to files, and answers
// the pool that trusts it.
func certificate(t *testing.T) (certFile, keyFile string, trusted *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, raw []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	certFile, keyFile = write("cert.pem", "CERTIFICATE", cert), write("key.pem", "PRIVATE KEY", private)
	trusted = x509.NewCertPool()
	raw, err := os.ReadFile(certFile)
	if err != nil || !trusted.AppendCertsFromPEM(raw) {
		t.Fatal("the certificate is none", err)
	}
	return certFile, keyFile, trusted
}

// startTLS starts a gateway as the program does, with its listener for HTTPS.
func startTLS(t *testing.T) (*rig, *x509.CertPool) {
	t.Helper()
	c := settings(t, embeddedStore(t), embeddedStore(t))
	var trusted *x509.CertPool
	c.Listen.HTTP, c.Listen.HTTPS, c.TLS.Mode = "", "127.0.0.1:0", "files"
	c.TLS.CertFile, c.TLS.KeyFile, trusted = certificate(t)
	return startRig(t, c), trusted
}

// over is a client that speaks one version of HTTP over TLS.
func over(t *testing.T, trusted *x509.CertPool, http2 bool) *http.Client {
	t.Helper()
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!http2)
	protocols.SetHTTP2(http2)
	transport := &http.Transport{TLSClientConfig: &stdtls.Config{RootCAs: trusted}, Protocols: protocols}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// TestProtocolOverTLS: the gateway offers HTTP/2, and serves it as it serves
// HTTP/1.1.
func TestProtocolOverTLS(t *testing.T) {
	r, trusted := startTLS(t)
	want := make(map[string]string)
	for _, c := range []struct {
		name  string
		major int
	}{{"HTTP 1.1", 1}, {"HTTP 2", 2}} {
		client := over(t, trusted, c.major == 2)
		send := func(t *testing.T, status int, a ask) answer {
			t.Helper()
			got := read(t, client, r.request(t, a))
			if got.status != status {
				t.Fatalf("%s %s: want %d, got %v", a.method, a.path, status, got)
			}
			return got
		}
		path := fmt.Sprintf("/media/over-%d/", c.major)
		keep := func(key, body string) { want[strings.TrimPrefix(path, "/media/")+key] = body }
		t.Run(c.name+" is negotiated", func(t *testing.T) {
			resp, err := client.Do(r.request(t, ask{method: "GET", path: "/media"}))
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.ProtoMajor != c.major || resp.TLS.Version < stdtls.VersionTLS12 {
				t.Errorf("%s over TLS %x", resp.Proto, resp.TLS.Version)
			}
		})
		t.Run(c.name+" PUT and GET", func(t *testing.T) {
			send(t, 200, ask{method: "PUT", path: path + "k", body: "content"})
			if got := send(t, 200, ask{method: "GET", path: path + "k"}); got.body != "content" {
				t.Errorf("got %v", got)
			}
			if got := send(t, 200, ask{method: "HEAD", path: path + "k"}); got.header.Get("Content-Length") != "7" {
				t.Errorf("got %v", got)
			}
			keep("k", "content")
		})
		t.Run(c.name+" large body", func(t *testing.T) {
			large := strings.Repeat("0123456789abcdef", 1<<19) // 8 MiB: many windows of HTTP/2
			send(t, 200, ask{method: "PUT", path: path + "large", body: large})
			if got := send(t, 200, ask{method: "GET", path: path + "large"}); got.body != large {
				t.Errorf("%d bytes came back", len(got.body))
			}
			keep("large", large)
		})
		t.Run(c.name+" multipart", func(t *testing.T) {
			id := uploadID(t, send(t, 200, ask{method: "POST", path: path + "parts?uploads"}))
			first := strings.Repeat("p", 5<<20)
			one := send(t, 200, ask{method: "PUT", path: path + "parts?partNumber=1&uploadId=" + id, body: first})
			two := send(t, 200, ask{method: "PUT", path: path + "parts?partNumber=2&uploadId=" + id, body: "the end"})
			send(t, 200, ask{method: "POST", path: path + "parts?uploadId=" + id, body: completion(one, two)})
			keep("parts", first+"the end")
		})
		t.Run(c.name+" refusals", func(t *testing.T) {
			for _, refused := range []struct {
				a    ask
				code string
			}{
				{ask{method: "PUT", path: path + "w", body: "x", key: accessKey, secret: "wrong"}, "SignatureDoesNotMatch"},
				{ask{method: "PUT", path: path + "w", body: strings.Repeat("x", 128<<10), unsigned: true}, "AccessDenied"},
			} {
				if got := send(t, 403, refused.a); got.code != refused.code {
					t.Errorf("want %s, got %v", refused.code, got)
				}
			}
			if got := send(t, 200, ask{method: "GET", path: path + "k"}); got.body != "content" {
				t.Errorf("after refusals: %v", got)
			}
		})
	}
	r.holds(t, "media", want)
}

// TestProtocolOldTLS: no version of TLS below 1.2 is spoken.
func TestProtocolOldTLS(t *testing.T) {
	r, trusted := startTLS(t)
	conn, err := stdtls.Dial("tcp", strings.TrimPrefix(r.url, "https://"), &stdtls.Config{RootCAs: trusted, MaxVersion: stdtls.VersionTLS11})
	if err == nil {
		conn.Close()
		t.Error("TLS 1.1 is spoken")
	}
}
