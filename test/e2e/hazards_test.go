package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/signer"

	"sluice/backends"
	"sluice/backends/quirky"
	"sluice/gateway"
	"sluice/gateway/config"
	"sluice/gateway/migrate"
)

// The hazards of the design's section 10 that are on the wire. Those of the protocol
// are tested in gateway/migrate; keys_test.go has those of keys (18).

// TestHazard15StateOfAnotherTime: a store's marker is of a later phase than the state
// directory. Without the call of CheckMarkers (openBucket) the gateway serves the bucket
// from the wrong store.
func TestHazard15StateOfAnotherTime(t *testing.T) {
	r := startRig(t, settings(t, embeddedStore(t), embeddedStore(t)))
	r.put(t, "/media/k", "content")
	r.quiet(t)
	r.end(t)
	marker := `{"bucket":"media","id":"any","phase":{"phase":"switched","epoch":7,"baseline":true,"backfilled":false}}`
	_, err := r.store(t, "new", "media").Put(t.Context(), backends.PutRequest{
		Key: ".sluice/marker.json", Body: strings.NewReader(marker), Size: int64(len(marker)),
	})
	if err != nil {
		t.Fatal(err)
	}
	g, err := gateway.Open(t.Context(), r.config, slog.New(slog.DiscardHandler))
	if !errors.Is(err, migrate.ErrDisagree) {
		t.Errorf("error %v, want ErrDisagree", err)
	}
	if err == nil {
		err = g.Close()
		t.Log(err)
	}
}

// quirkyStore is a store with quirks, in this process.
func quirkyStore(t *testing.T, q quirky.Quirks) config.Store {
	t.Helper()
	store := quirky.Start(q)
	t.Cleanup(store.Close)
	front := httptest.NewServer(store)
	t.Cleanup(front.Close)
	return config.Store{Endpoint: front.URL, Bucket: "bucket", AccessKeyID: "any", SecretAccessKey: "any"}
}

// TestHazard17ChecksumsThatAStoreRejects: clients send checksums in front of the body
// and behind it; a store rejects the ones or the others. Without noChecksums in header,
// and the judgement of trailer (mirror), the store refuses the write.
func TestHazard17ChecksumsThatAStoreRejects(t *testing.T) {
	for name, q := range map[string]quirky.Quirks{
		"all": {RefuseChecksums: true}, "trailers": {NoTrailers: true}, "forgets them": {ForgetChecksums: true, NoTrailers: true},
	} {
		for _, which := range []string{"old", "new"} {
			t.Run(which+" "+name, func(t *testing.T) {
				old, new := quirky.Quirks{}, q
				if which == "old" {
					old, new = new, old
				}
				r := startRig(t, settings(t, quirkyStore(t, old), quirkyStore(t, new)))
				client, err := minio.New(strings.TrimPrefix(r.url, "http://"), &minio.Options{
					Creds: credentials.NewStaticV4(accessKey, secretKey, ""), MaxRetries: 1, TrailingHeaders: true,
				})
				if err != nil {
					t.Fatal(err)
				}
				want := make(map[string]string)
				for key, content := range map[string]string{"small": "content", "large": strings.Repeat("0123456789abcdef", 200<<10)} {
					_, err := client.PutObject(t.Context(), "media", key, strings.NewReader(content), int64(len(content)),
						minio.PutObjectOptions{Checksum: minio.ChecksumCRC32C, DisableMultipart: true})
					if err != nil {
						t.Fatal(err)
					}
					want[key] = content
				}
				crc := base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte("content"))))
				r.must(t, 200, "", ask{method: "PUT", path: "/media/header", body: "content", header: map[string]string{
					"X-Amz-Checksum-Crc32": crc, "X-Amz-Sdk-Checksum-Algorithm": "CRC32",
				}})
				want["header"] = "content"
				if n := r.gateway.Journal().Pending(); n > 0 {
					t.Errorf("%d writes are left to the repairer", n)
				}
				r.holds(t, "media", want)
			})
		}
	}
}

// streamed is a signed upload in signed chunks, and its body as it is sent.
func (r *rig) streamed(t *testing.T, data string, at time.Time) (*http.Request, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, r.url+"/media/k", strings.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	req = signer.StreamingSignV4(req, accessKey, secretKey, "", "us-east-1", int64(len(data)), at, hasher{sha256.New()})
	raw, err := io.ReadAll(req.Body)
	if err != nil {
		t.Fatal(err)
	}
	return req, raw
}

// hasher is a hash as minio-go wants it.
type hasher struct{ hash.Hash }

func (hasher) Close() {}

// TestHazard21ClockSkew: without checkSkew (sigv4) a request that was recorded an hour
// ago is taken.
func TestHazard21ClockSkew(t *testing.T) {
	r := startRig(t, settings(t, embeddedStore(t), embeddedStore(t)))
	for _, c := range []struct {
		skew   time.Duration
		status int
		code   string
	}{
		{-time.Hour, 403, "RequestTimeTooSkewed"},
		{-16 * time.Minute, 403, "RequestTimeTooSkewed"},
		{16 * time.Minute, 403, "RequestTimeTooSkewed"},
		{-14 * time.Minute, 200, ""},
		{14 * time.Minute, 200, ""},
	} {
		req, raw := r.streamed(t, "content", time.Now().UTC().Add(c.skew))
		req.Body = io.NopCloser(bytes.NewReader(raw))
		if got := read(t, http.DefaultClient, req); got.status != c.status || got.code != c.code {
			t.Errorf("%v: want %d %s, got %v", c.skew, c.status, c.code, got)
		}
	}
}

// TestHazard21ReplayedChunks: chunks with good signatures, in places where they were not
// signed for. Without the comparison of a chunk's signature (sigv4) each is stored.
func TestHazard21ReplayedChunks(t *testing.T) {
	r := startRig(t, settings(t, embeddedStore(t), embeddedStore(t)))
	data := strings.Repeat("a", 64<<10) + strings.Repeat("b", 64<<10) + strings.Repeat("c", 64<<10)
	now := time.Now().UTC()
	_, earlier := r.streamed(t, strings.ToUpper(data), now.Add(-time.Minute))
	chunk := (len(earlier) - len("0;chunk-signature=\r\n\r\n") - 64) / 3
	for name, bend := range map[string]func(raw []byte) [][]byte{
		"one twice":        func(raw []byte) [][]byte { return [][]byte{raw[:chunk], raw[:chunk], raw[2*chunk:]} },
		"order":            func(raw []byte) [][]byte { return [][]byte{raw[chunk : 2*chunk], raw[:chunk], raw[2*chunk:]} },
		"another upload's": func(raw []byte) [][]byte { return [][]byte{raw[:chunk], earlier[chunk : 2*chunk], raw[2*chunk:]} },
		"all of another":   func([]byte) [][]byte { return [][]byte{earlier} },
	} {
		t.Run(name, func(t *testing.T) {
			req, raw := r.streamed(t, data, now)
			body := bytes.Join(bend(raw), nil)
			if len(body) != len(raw) {
				t.Fatal("the chunks were not cut where they end")
			}
			req.Body = io.NopCloser(bytes.NewReader(body))
			if got := read(t, http.DefaultClient, req); got.status != 403 || got.code != "SignatureDoesNotMatch" {
				t.Errorf("got %v", got)
			}
		})
	}
	r.holds(t, "media", map[string]string{})
}

// serve serves a gateway on a listener as the program does.
func serve(t *testing.T, l net.Listener) {
	t.Helper()
	g, err := gateway.Open(t.Context(), settings(t, embeddedStore(t), embeddedStore(t)), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// TestHazard21HeaderFlood: without MaxHeaderBytes (Serve) the headers are read.
func TestHazard21HeaderFlood(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serve(t, l)
	r := &rig{url: "http://" + l.Addr().String()}
	for name, lines := range map[string]string{
		"one long": "X-Amz-Meta-A: " + strings.Repeat("a", 256<<10) + "\r\n",
		"many":     strings.Repeat("X-Amz-Meta-A: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n", 4<<10),
		"long URL": "",
	} {
		t.Run(name, func(t *testing.T) {
			w := r.dial(t)
			path := "/media/k"
			if lines == "" {
				path += "?" + strings.Repeat("a", 256<<10)
			}
			go func() { // the gateway need not read all of it
				_, _ = fmt.Fprintf(w, "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", path, lines)
			}()
			if resp, body := w.answer(t, "GET"); resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
				t.Errorf("%v %s", resp, body)
			}
		})
	}
}

// TestHazard21Slowloris: a client keeps a connection and sends nothing more. Without
// ReadHeaderTimeout, or IdleTimeout (Serve), it may keep it for ever. The connection's
// deadlines come as soon as there is nothing to read.
func TestHazard21Slowloris(t *testing.T) {
	l := &hastyListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	serve(t, l)
	for name, sent := range map[string]string{
		"nothing":             "",
		"half a line":         "GET /media/k HT",
		"headers without end": "GET /media/k HTTP/1.1\r\nHost: localhost\r\nX-A: a\r\n",
		"then idle":           "GET /media/k HTTP/1.1\r\nHost: localhost\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			c := &hastyConn{in: strings.NewReader(sent), closed: make(chan struct{})}
			l.conns <- c
			select {
			case <-c.closed:
			case <-time.After(5 * time.Second):
				t.Error("the connection stays open")
				c.Close()
			}
		})
	}
}

// hastyListener hands out the connections it is given.
type hastyListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *hastyListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *hastyListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *hastyListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// hastyConn is a connection on which no time passes until its reader waits, and then all
// that there is up to the reader's deadline.
type hastyConn struct {
	net.Conn // nil
	closed   chan struct{}
	once     sync.Once

	mu       sync.Mutex
	in       *strings.Reader
	deadline bool
	changed  chan struct{} // closed when the deadline is set
}

func (c *hastyConn) Read(p []byte) (int, error) {
	for {
		c.mu.Lock()
		n, _ := c.in.Read(p)
		deadline := c.deadline
		if c.changed == nil {
			c.changed = make(chan struct{})
		}
		changed := c.changed
		c.mu.Unlock()
		switch {
		case n > 0:
			return n, nil
		case deadline:
			return 0, os.ErrDeadlineExceeded
		}
		select {
		case <-changed:
		case <-c.closed:
			return 0, net.ErrClosed
		}
	}
}

func (c *hastyConn) SetReadDeadline(at time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = !at.IsZero()
	if c.changed != nil {
		close(c.changed)
		c.changed = nil
	}
	return nil
}

func (c *hastyConn) Write(p []byte) (int, error) { return len(p), nil }

func (c *hastyConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}

func (c *hastyConn) SetDeadline(at time.Time) error   { return c.SetReadDeadline(at) }
func (c *hastyConn) SetWriteDeadline(time.Time) error { return nil }
func (c *hastyConn) LocalAddr() net.Addr              { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

func (c *hastyConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }
