// Package acme tries the gateway's certificates against Pebble, Let's Encrypt's test
// server. Its module is its own, so that nothing of it reaches the program.
package acme

import (
	"crypto/x509"
	"encoding/pem"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
)

func TestMain(m *testing.M) {
	os.Setenv("PEBBLE_VA_NOSLEEP", "1")
	os.Setenv("PEBBLE_AUTHZREUSE", "0")
	os.Setenv("PEBBLE_WFE_NONCEREJECT", "0")
	os.Exit(m.Run())
}

// policy is what a CA is like.
type policy struct {
	lifetime  uint64 // of certificates, in seconds; 0: 90 days
	blocked   string // a name that it does not issue for
	nonces    string // percent of good nonces that are refused
	eab       map[string]string
	ocsp      string // the responder that its certificates name
	noTLSALPN bool   // it does not reach port 443
	noHTTP    bool   // it does not reach port 80
}

// authority is a CA that looks for the names at this machine.
type authority struct {
	directory string
	trust     string // file with the root of its own HTTPS
	roots     *x509.CertPool
	rootFile  string
	orders    atomic.Int64

	address string
	handler http.Handler
	server  *httptest.Server
}

// newCA starts a CA that asks for challenges at these ports.
func newCA(t *testing.T, httpPort, tlsPort int, p policy) *authority {
	t.Helper()
	nowhere := freePort(t)
	if p.noTLSALPN {
		tlsPort = nowhere
	}
	if p.noHTTP {
		httpPort = nowhere
	}
	if p.nonces != "" {
		t.Setenv("PEBBLE_WFE_NONCEREJECT", p.nonces)
	}
	logger := log.New(testLog{t}, "pebble ", 0)
	store := db.NewMemoryStore()
	if p.blocked != "" {
		must(t, store.AddBlockedDomain(p.blocked))
	}
	for id, key := range p.eab {
		must(t, store.AddExternalAccountKeyByID(id, key))
	}
	issuer := ca.New(logger, store, p.ocsp, "ecdsa", 0, 1, map[string]ca.Profile{"default": {ValidityPeriod: p.lifetime}})
	validator := va.New(logger, httpPort, tlsPort, true, resolver(t).address, store)
	front := wfe.New(logger, store, validator, issuer, []string{"pebble.letsencrypt.org"}, true, len(p.eab) > 0, 0, 0)
	a := &authority{handler: front.Handler(), roots: x509.NewCertPool()}
	root := issuer.GetRootCert(0).PEM()
	a.roots.AppendCertsFromPEM(root)
	a.rootFile = write(t, "root.pem", root)
	a.up(t)
	a.trust = write(t, "ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.server.Certificate().Raw}))
	a.directory = a.server.URL + wfe.DirectoryPath
	t.Cleanup(func() { a.down() })
	return a
}

// up starts it, at the address it had.
func (a *authority) up(t *testing.T) {
	t.Helper()
	address := a.address
	if address == "" {
		address = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", address)
	must(t, err)
	a.address = l.Addr().String()
	a.server = &httptest.Server{Listener: l, Config: &http.Server{
		ErrorLog: log.New(testLog{t}, "pebble ", 0),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/order-plz") {
				a.orders.Add(1)
			}
			a.handler.ServeHTTP(w, r)
		}),
	}}
	a.server.StartTLS()
}

// down ends it.
func (a *authority) down() {
	if a.server != nil {
		a.server.CloseClientConnections()
		a.server.Close()
		a.server = nil
	}
}

// testLog is the test's log, for as long as it runs: Pebble has goroutines that do not end.
type testLog struct{ t *testing.T }

func (l testLog) Write(line []byte) (int, error) {
	if testing.Verbose() && l.t.Context().Err() == nil {
		l.t.Logf("%s", line)
	}
	return len(line), nil
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t testing.TB, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	must(t, os.WriteFile(path, content, 0o600))
	return path
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
