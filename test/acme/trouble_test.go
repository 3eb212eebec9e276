package acme

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"sluice/test/process"
	"sluice/tls"
)

// TestRestart: what is held is served after a restart, without asking the CA.
func TestRestart(t *testing.T) {
	s := newStand(t, policy{}, nil, "again.sluice.test").start(t)
	first := s.holds(t, limit, "again.sluice.test")
	for range 3 {
		s.restart(t)
		if again := s.holds(t, limit, "again.sluice.test"); !again.Equal(first) {
			t.Error("another certificate is shown")
		}
	}
	s.ordered(t, 1)
}

// TestKilledWhileObtaining: locks that a killed process left hold nobody up.
func TestKilledWhileObtaining(t *testing.T) {
	s := newStand(t, policy{}, nil, "killed.sluice.test")
	locks := filepath.Join(s.options.Dir, "locks")
	must(t, os.MkdirAll(locks, 0o700))
	now := time.Now().Format(time.RFC3339Nano)
	must(t, os.WriteFile(filepath.Join(locks, "issue_cert_killed.sluice.test.lock"),
		[]byte(fmt.Sprintf(`{"created":%q,"updated":%q}`, now, now)), 0o600))
	s.start(t)
	s.holds(t, limit, "killed.sluice.test")
}

// TestRenewal: a certificate is renewed before it expires, and there is one at any time.
func TestRenewal(t *testing.T) {
	s := newStand(t, policy{lifetime: 12}, func(o *tls.Options) { o.Check = 100 * time.Millisecond }, "short.sluice.test").start(t)
	first := s.holds(t, limit, "short.sluice.test")
	process.Eventually(t, time.Until(first.NotAfter), func(context.Context) error {
		now, err := s.shown("short.sluice.test")
		switch {
		case err != nil:
			t.Fatalf("no certificate %v before the first expired: %v", time.Until(first.NotAfter), err)
		case now.Equal(first):
			return errors.New("not renewed")
		}
		return nil
	})
}

// TestRenewalWhenCAIsDown: a certificate that can not be renewed is served on; the trouble
// is told, and over when the CA is back.
func TestRenewalWhenCAIsDown(t *testing.T) {
	s := newStand(t, policy{lifetime: 24}, func(o *tls.Options) { o.Check = 100 * time.Millisecond }, "late.sluice.test").start(t)
	first := s.holds(t, limit, "late.sluice.test")
	s.ca.down()
	process.Eventually(t, time.Until(first.NotAfter), func(context.Context) error {
		if s.known("late.sluice.test").Error == "" {
			return errors.New("it is not due")
		}
		return nil
	})
	if now, err := s.shown("late.sluice.test"); err != nil || !now.Equal(first) {
		t.Errorf("the certificate is not served on: %v", err)
	}
}

// TestCADownAtStart: serving does not wait for the CA. What is held is served, what is
// missing is obtained when the CA is back.
func TestCADownAtStart(t *testing.T) {
	s := newStand(t, policy{}, nil, "held.sluice.test").start(t)
	first := s.holds(t, limit, "held.sluice.test")
	s.end()
	s.ca.down()
	s.options.Names = append(s.options.Names, "missing.sluice.test")
	began := time.Now()
	s.start(t)
	if now, err := s.shown("held.sluice.test"); time.Since(began) > time.Second || err == nil && !now.Equal(first) {
		t.Errorf("the start took %v: %v", time.Since(began), err)
	}
	s.holds(t, limit, "held.sluice.test")
	s.fails(t, "missing.sluice.test", "the CA can not be reached: https://"+s.ca.address)
	s.ca.up(t)
	s.holds(t, 4*limit, "missing.sluice.test")
	if h := s.keeper.Health(); !h.OK {
		t.Errorf("health %+v", h)
	}
}

// TestUntrustedCA: a CA whose own certificate nobody signed is not believed.
func TestUntrustedCA(t *testing.T) {
	s := newStand(t, policy{}, func(o *tls.Options) { o.CAFile = "" }, "untrusted.sluice.test").start(t)
	s.fails(t, "untrusted.sluice.test", "set tls.acme.ca_file")
	s.ordered(t, 0)
}

// TestUnreachable: a CA that does not reach us says so, and so do we, in its words. (Pebble
// calls a closed port 443 another server.)
func TestUnreachable(t *testing.T) {
	s := newStand(t, policy{noHTTP: true, noTLSALPN: true}, nil, "closed.sluice.test").start(t)
	s.fails(t, "closed.sluice.test", "onnect")
}

// TestCorruptedStorage: what can not be read any more is put aside and obtained anew.
func TestCorruptedStorage(t *testing.T) {
	for _, c := range []struct {
		name, pattern string
		damage        func(path string) error
	}{
		{"certificate", "certificates/*/*/*.crt", func(path string) error { return os.Truncate(path, 100) }},
		{"key", "certificates/*/*/*.key", func(path string) error { return os.Truncate(path, 0) }},
		{"note", "certificates/*/*/*.json", func(path string) error { return os.Truncate(path, 10) }},
		{"half a site", "certificates/*/*/*.crt", os.Remove},
		{"account", "acme/*/users/*/*.json", func(path string) error { return os.Truncate(path, 10) }},
		{"account's key", "acme/*/users/*/*.key", func(path string) error { return os.Truncate(path, 10) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStand(t, policy{}, nil, "broken.sluice.test").start(t)
			s.holds(t, limit, "broken.sluice.test")
			s.end()
			found, err := filepath.Glob(filepath.Join(s.options.Dir, c.pattern))
			if err != nil || len(found) != 1 {
				t.Fatalf("%v, %v", found, err)
			}
			must(t, c.damage(found[0]))
			s.options.Names = append(s.options.Names, "further.sluice.test")
			s.start(t)
			s.holds(t, limit, "broken.sluice.test")
			s.holds(t, limit, "further.sluice.test")
		})
	}
}

// TestOCSP: the CA's responder is asked, but nobody waits for it: neither the first certificate
// nor the start with one that is held.
func TestOCSP(t *testing.T) {
	var asked atomic.Int64
	free := make(chan struct{})
	responder := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		select {
		case <-free:
		case <-r.Context().Done():
		}
	}))
	defer responder.Close()
	defer close(free)
	s := newStand(t, policy{ocsp: responder.URL}, nil, "ocsp.sluice.test").start(t)
	first := s.holds(t, limit, "ocsp.sluice.test")
	if len(first.OCSPServer) == 0 {
		t.Fatal("the certificate names no responder")
	}
	s.options.Check = 500 * time.Millisecond
	s.restart(t)
	s.holds(t, limit, "ocsp.sluice.test")
	process.Eventually(t, limit, func(context.Context) error {
		if asked.Load() == 0 {
			return errors.New("the responder was not asked")
		}
		return nil
	})
	s.holds(t, limit, "ocsp.sluice.test")
}
