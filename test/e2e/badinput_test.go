package e2e

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7/pkg/signer"

	"sluice/backends"
	"sluice/backends/embedded"
	"sluice/gateway"
	"sluice/gateway/config"
	"sluice/test/process"
)

const (
	accessKey = process.AccessKey
	secretKey = process.SecretKey
)

// inProcess is a gateway in this process between two embedded stores.
type inProcess struct {
	url      string
	old, new backends.Store
	gateway  *gateway.Gateway
}

func startInProcess(t *testing.T) *inProcess {
	t.Helper()
	var stores [2]backends.Store
	c := config.Default()
	c.StateDir = t.TempDir()
	process.Mirroring(t, c.StateDir, "media")
	c.Stores = make(map[string]config.Store)
	for i, name := range []string{"old", "new"} {
		server, err := embedded.Start(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { server.Close() })
		if stores[i], err = server.Store(t.Context(), name, "bucket"); err != nil {
			t.Fatal(err)
		}
		c.Stores[name] = config.Store{Endpoint: server.Endpoint(), Bucket: "bucket", AccessKeyID: "any", SecretAccessKey: "any"}
	}
	c.Buckets = map[string]config.Bucket{"media": {Old: "old", New: "new"}, "other": {Old: "old"}}
	c.Hosts = map[string]config.Host{"s3.test": {Serve: "s3"}}
	c.Credentials = []config.Credential{{AccessKeyID: accessKey, SecretAccessKey: secretKey, Buckets: []string{"media"}}}
	g, err := gateway.Open(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	front := httptest.NewServer(g)
	t.Cleanup(func() {
		front.Close()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return &inProcess{url: front.URL, old: stores[0], new: stores[1], gateway: g}
}

// request makes a signed request; change bends it afterwards.
func (p *inProcess) request(t *testing.T, method, path string, body []byte, header map[string]string, change func(*http.Request)) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, p.url+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(body)
	req.Header.Set("X-Amz-Content-Sha256", hex.EncodeToString(sum[:]))
	for name, value := range header {
		req.Header.Set(name, value)
	}
	if host := header["Host"]; host != "" {
		req.Host = host
	}
	req = signer.SignV4(*req, accessKey, secretKey, "", "us-east-1")
	if change != nil {
		change(req)
	}
	return req
}

// TestHazard21BadInput: each is answered with S3's own code, and nothing reaches a store.
// Without the comparison of signatures (sigv4: Verify, chunkSigner.check) what was
// tampered with is stored; without the end of checkExpiry an expired URL is not told so.
func TestHazard21BadInput(t *testing.T) {
	p := startInProcess(t)
	data := []byte("what the client meant to send")
	wrongMD5 := md5.Sum([]byte("something else"))
	setBody := func(b []byte) func(*http.Request) {
		return func(r *http.Request) {
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
		}
	}
	chunked := map[string]string{
		"X-Amz-Content-Sha256":         "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
		"X-Amz-Decoded-Content-Length": strconv.Itoa(len(data)),
	}
	zeros := strings.Repeat("0", 64)
	for _, c := range []struct {
		name, method, path string
		body               []byte
		header             map[string]string
		change             func(*http.Request)
		status             int
		code               string
	}{
		{name: "wrong signature", change: func(r *http.Request) {
			r.Header.Set("Authorization", r.Header.Get("Authorization")[:len(r.Header.Get("Authorization"))-4]+"beef")
		}, status: 403, code: "SignatureDoesNotMatch"},
		{name: "another key signed", change: func(r *http.Request) { r.URL.Path += "2" }, status: 403, code: "SignatureDoesNotMatch"},
		{name: "unknown access key", change: func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), accessKey, "NOBODY", 1))
		}, status: 403, code: "InvalidAccessKeyId"},
		{name: "no signature", change: func(r *http.Request) { r.Header.Del("Authorization") }, status: 403, code: "AccessDenied"},
		{name: "payload hash", header: map[string]string{"X-Amz-Content-Sha256": zeros}, status: 400, code: "XAmzContentSHA256Mismatch"},
		{name: "payload changed on the way", change: setBody([]byte("something bad of the same leng")), status: 400, code: "XAmzContentSHA256Mismatch"},
		{name: "Content-MD5", header: map[string]string{"Content-MD5": base64.StdEncoding.EncodeToString(wrongMD5[:])}, status: 400, code: "BadDigest"},
		{name: "malformed Content-MD5", header: map[string]string{"Content-MD5": "no hash"}, status: 400, code: "InvalidDigest"},
		{name: "checksum", header: map[string]string{"X-Amz-Checksum-Crc32": "AAAAAA=="}, status: 400, code: "BadDigest"},
		{
			name: "chunk with a wrong signature", header: chunked, status: 403, code: "SignatureDoesNotMatch",
			change: setBody([]byte("1d;chunk-signature=" + zeros + "\r\n" + string(data) + "\r\n0;chunk-signature=" + zeros + "\r\n\r\n")),
		},
		{
			name: "broken chunk", header: chunked, status: 400, code: "IncompleteBody",
			change: setBody([]byte("zz;chunk-signature=" + zeros + "\r\n" + string(data) + "\r\n")),
		},
		{name: "over-long key", path: "/media/" + strings.Repeat("k", 1025), status: 400, code: "KeyTooLongError"},
		{name: "reserved key", path: "/media/.sluice/marker.json", status: 403, code: "AccessDenied"},
		{name: "somebody else's bucket", path: "/other/key", status: 403, code: "AccessDenied"},
		{name: "unknown sub-resource", path: "/media/key?torrents", status: 501, code: "NotImplemented"},
		{name: "malformed XML", method: http.MethodPost, path: "/media/?delete", body: []byte("<Delete><Object>"), status: 400, code: "MalformedXML"},
	} {
		t.Run(c.name, func(t *testing.T) {
			method, path, body := http.MethodPut, "/media/key", data
			if c.method != "" {
				method, body = c.method, c.body
			}
			if c.path != "" {
				path = c.path
			}
			resp, err := http.DefaultClient.Do(p.request(t, method, path, body, c.header, c.change))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			answer, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != c.status || !bytes.Contains(answer, []byte("<Code>"+c.code+"</Code>")) {
				t.Errorf("status %d, want %d %s:\n%s", resp.StatusCode, c.status, c.code, answer)
			}
		})
	}
	t.Run("expired URL", func(t *testing.T) { p.expired(t, data) })

	for _, s := range []backends.Store{p.old, p.new} {
		got, err := content(t.Context(), s)
		if err != nil || len(got) != 0 {
			t.Errorf("store %s holds %v (%v), want nothing", s.Name(), got, err)
		}
	}
	if n := p.gateway.Journal().Pending() + p.gateway.Journal().Open(); n != 0 {
		t.Errorf("%d intents are left", n)
	}
}

func (p *inProcess) expired(t *testing.T, data []byte) {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, p.url+"/media/key", bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	req = signer.PreSignV4(*req, accessKey, secretKey, "", "us-east-1", 60)
	query, err := url.ParseQuery(req.URL.RawQuery)
	if err != nil {
		t.Fatal(err)
	}
	signed := time.Now().UTC().Add(-time.Hour)
	query.Set("X-Amz-Date", signed.Format("20060102T150405Z"))
	scope := strings.Split(query.Get("X-Amz-Credential"), "/")
	scope[1] = signed.Format("20060102") // another day, in the first hour of one
	query.Set("X-Amz-Credential", strings.Join(scope, "/"))
	req.URL.RawQuery = query.Encode()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusForbidden || !bytes.Contains(answer, []byte("Request has expired")) {
		t.Errorf("status %d:\n%s", resp.StatusCode, answer)
	}
}
