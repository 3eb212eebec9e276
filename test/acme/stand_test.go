package acme

import (
	"bytes"
	"context"
	stdtls "crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/test/process"
	"sluice/tls"
)

// limit is how long a certificate may take: the promise, against Pebble.
const limit = 5 * time.Second

// stand is a server with certificates and the CA that they come from, which reaches it at
// its ports.
type stand struct {
	ca      *authority
	options tls.Options
	log     *bytes.Buffer

	keeper *tls.Keeper
	stop   func()
}

// newStand prepares a stand for names below the zone; change may change what it is like.
func newStand(t *testing.T, p policy, change func(*tls.Options), names ...string) *stand {
	t.Helper()
	httpPort, tlsPort := freePort(t), freePort(t)
	s := &stand{ca: newCA(t, httpPort, tlsPort, p), log: new(bytes.Buffer)}
	s.options = tls.Options{
		Mode: tls.Auto, Dir: filepath.Join(t.TempDir(), "certificates"), Names: names, Email: "admin@" + strings.Trim(zone, "."),
		HTTP: fmt.Sprintf("127.0.0.1:%d", httpPort), HTTPS: fmt.Sprintf("127.0.0.1:%d", tlsPort),
		Directory: s.ca.directory, CAFile: s.ca.trust, Redirect: true,
		Log: slog.New(slog.NewTextHandler(&lockedWriter{w: s.log}, nil)),
	}
	if change != nil {
		change(&s.options)
	}
	t.Cleanup(func() {
		s.end()
		if t.Failed() {
			t.Logf("the keeper's log:\n%s", s.log)
		}
	})
	return s
}

// start opens what is held and serves at once.
func (s *stand) start(t *testing.T) *stand {
	t.Helper()
	var err error
	s.keeper, err = tls.Open(s.options)
	must(t, err)
	var listeners []net.Listener
	process.Eventually(t, limit, func(context.Context) (err error) { // a connection of others may have the port
		listeners, err = tls.Listen(t.Context(), s.options.HTTP, s.options.HTTPS, s.keeper.Config())
		return err
	})
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "hello by ", r.Proto) })
	refuse := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) }
	server := &http.Server{Handler: s.keeper.Handler(hello, refuse), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.keeper.Run(ctx) })
	for _, l := range listeners {
		running.Go(func() { _ = server.Serve(l) })
	}
	s.stop = func() {
		cancel()
		_ = server.Close()
		running.Wait()
		s.keeper.Close()
	}
	return s
}

// end stops serving.
func (s *stand) end() {
	if s.stop != nil {
		s.stop()
		s.stop = nil
	}
}

func (s *stand) restart(t *testing.T) {
	t.Helper()
	s.end()
	s.start(t)
}

// shown is the certificate that clients of a name are shown and trust.
func (s *stand) shown(name string) (*x509.Certificate, error) {
	d := &stdtls.Dialer{
		NetDialer: &net.Dialer{Timeout: 10 * time.Second}, Config: &stdtls.Config{ServerName: name, RootCAs: s.ca.roots},
	}
	conn, err := d.Dial("tcp", s.options.HTTPS)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.(*stdtls.Conn).ConnectionState().PeerCertificates[0], nil
}

// holds waits for a name's certificate.
func (s *stand) holds(t *testing.T, within time.Duration, name string) (cert *x509.Certificate) {
	t.Helper()
	process.Eventually(t, within, func(context.Context) (err error) {
		cert, err = s.shown(name)
		return err
	})
	return cert
}

// known is what the keeper tells of a name.
func (s *stand) known(name string) tls.Certificate {
	for _, c := range s.keeper.Certificates() {
		if c.Name == name {
			return c
		}
	}
	return tls.Certificate{}
}

// fails waits for a name's attempt to go wrong, in these words.
func (s *stand) fails(t *testing.T, name, words string) {
	t.Helper()
	process.Eventually(t, limit, func(context.Context) error {
		switch c := s.known(name); {
		case c.Error == "":
			return errors.New("no error yet")
		case !strings.Contains(c.Error, words):
			return fmt.Errorf("%q does not say %q", c.Error, words)
		}
		return nil
	})
	if h := s.keeper.Health(); h.OK || !strings.Contains(h.Message, name) || h.Since.IsZero() {
		t.Errorf("health %+v", h)
	}
}

func (s *stand) ordered(t *testing.T, want int64) {
	t.Helper()
	if got := s.ca.orders.Load(); got != want {
		t.Errorf("%d orders were placed, not %d", got, want)
	}
}

// get asks by plain HTTP or, with a name, HTTPS.
func get(t *testing.T, url, host string) (status int, location, body string) {
	t.Helper()
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	must(t, err)
	r.Host = host
	resp, err := client.Do(r)
	must(t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp.StatusCode, resp.Header.Get("Location"), string(raw)
}

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}
