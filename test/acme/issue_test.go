package acme

import (
	"context"
	stdtls "crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sluice/test/process"
	"sluice/tls"
)

// TestHTTP01: a CA that reaches port 80 alone gives a certificate, although browsers are
// sent from there to HTTPS.
func TestHTTP01(t *testing.T) {
	s := newStand(t, policy{noTLSALPN: true}, nil, "files.sluice.test").start(t)
	s.holds(t, limit, "files.sluice.test")
	status, location, _ := get(t, "http://"+s.options.HTTP+"/a?b=c", "files.sluice.test")
	if status != http.StatusMovedPermanently || location != "https://files.sluice.test/a?b=c" {
		t.Errorf("a browser is answered %d, %q", status, location)
	}
}

// TestTLSALPN01: a CA that reaches port 443 alone gives a certificate. Port 80 may be
// another's.
func TestTLSALPN01(t *testing.T) {
	other, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer other.Close()
	s := newStand(t, policy{noHTTP: true}, func(o *tls.Options) { o.HTTP, o.Email = "", "" }, "files2.sluice.test").start(t)
	s.holds(t, limit, "files2.sluice.test")
}

// TestWildcard: one certificate, proven in the DNS, serves every bucket's name; nothing is
// ordered for a bucket, nothing is left in the DNS.
func TestWildcard(t *testing.T) {
	s := newStand(t, policy{noHTTP: true, noTLSALPN: true}, func(o *tls.Options) {
		o.S3Hosts, o.DNS = []string{"s3.sluice.test"}, resolver(t).settings()
	}).start(t)
	for _, bucket := range []string{"media", "other"} {
		if cert := s.holds(t, 2*limit, bucket+".s3.sluice.test"); cert.DNSNames[0] != "*.s3.sluice.test" {
			t.Errorf("%v is shown", cert.DNSNames)
		}
	}
	s.ordered(t, 1)
	process.Eventually(t, limit, func(context.Context) error {
		if left := resolver(t).records.GetDNSTXTRecords("_acme-challenge.s3.sluice.test."); len(left) > 0 {
			return fmt.Errorf("%q is left in the DNS", left)
		}
		return nil
	})
}

// TestBehindFirewall: with the DNS a name gets its certificate, too, although the CA reaches
// no port of ours.
func TestBehindFirewall(t *testing.T) {
	s := newStand(t, policy{noHTTP: true, noTLSALPN: true}, func(o *tls.Options) { o.DNS = resolver(t).settings() }, "inside.sluice.test").start(t)
	s.holds(t, 4*limit, "inside.sluice.test")
}

// TestOnDemand: the first handshake for a bucket that is there gets a certificate, and no
// other name does, however often it is asked for; nor is anybody asked each time.
func TestOnDemand(t *testing.T) {
	var asked atomic.Int64
	s := newStand(t, policy{}, func(o *tls.Options) {
		o.S3Hosts = []string{"s3b.sluice.test"}
		o.Bucket = func(_ context.Context, name string) (bool, error) {
			asked.Add(1)
			return name == "media", nil
		}
	}, "s3b.sluice.test").start(t)
	s.holds(t, limit, "s3b.sluice.test")
	if cert := s.holds(t, limit, "media.s3b.sluice.test"); cert.DNSNames[0] != "media.s3b.sluice.test" {
		t.Errorf("%v is shown", cert.DNSNames)
	}
	s.ordered(t, 2)
	before := asked.Load()
	for range 20 {
		for _, name := range []string{"nothing.s3b.sluice.test", "elsewhere.test", "s3.other.test"} {
			if cert, err := s.shown(name); err == nil {
				t.Errorf("%s is shown %v", name, cert.DNSNames)
			}
		}
	}
	if more := asked.Load() - before; more != 1 {
		t.Errorf("the gateway was asked %d times for one bucket that is not there", more)
	}
	s.ordered(t, 2)
}

// TestClientLeaves: what a handshake began at the CA is brought to its end although the
// client does not wait for it; else who comes and goes would have orders placed for ever.
func TestClientLeaves(t *testing.T) {
	asked, left := make(chan struct{}), make(chan struct{})
	s := newStand(t, policy{}, func(o *tls.Options) {
		o.S3Hosts = []string{"s3d.sluice.test"}
		o.Bucket = func(context.Context, string) (bool, error) {
			close(asked)
			<-left
			return true, nil
		}
	}, "s3d.sluice.test").start(t)
	s.holds(t, limit, "s3d.sluice.test")
	conn, err := net.Dial("tcp", s.options.HTTPS)
	must(t, err)
	go stdtls.Client(conn, &stdtls.Config{ServerName: "media.s3d.sluice.test", RootCAs: s.ca.roots}).Handshake() //nolint:errcheck // it is cut off
	<-asked
	must(t, conn.Close())
	close(left)
	process.Eventually(t, limit, func(context.Context) error {
		if s.known("media.s3d.sluice.test").NotAfter.IsZero() {
			return errors.New("no certificate")
		}
		return nil
	})
	s.ordered(t, 2)
}

// TestHeldWithoutStore: a bucket's certificate that is held is served while it can not be
// found out whether the bucket is there, after a restart too.
func TestHeldWithoutStore(t *testing.T) {
	var down atomic.Bool
	s := newStand(t, policy{}, func(o *tls.Options) {
		o.S3Hosts = []string{"s3c.sluice.test"}
		o.Bucket = func(context.Context, string) (bool, error) {
			if down.Load() {
				return false, errors.New("the store is down")
			}
			return true, nil
		}
	}, "s3c.sluice.test").start(t)
	s.holds(t, limit, "s3c.sluice.test")
	s.holds(t, limit, "media.s3c.sluice.test")
	s.ordered(t, 2)
	down.Store(true)
	s.restart(t)
	s.holds(t, limit, "media.s3c.sluice.test")
	if cert, err := s.shown("new.s3c.sluice.test"); err == nil {
		t.Errorf("%v is shown for a bucket of which nothing is known", cert.DNSNames)
	}
	s.ordered(t, 2)
}

// TestNonces: a CA that refuses good nonces, as it may, is asked again.
func TestNonces(t *testing.T) {
	s := newStand(t, policy{nonces: "50"}, nil, "nonces.sluice.test").start(t)
	s.holds(t, 4*limit, "nonces.sluice.test") // one in a thousand requests gives up after ten refusals, and is made again
}

// TestExternalAccount: a CA that wants an account of its own gets it, and says so otherwise.
func TestExternalAccount(t *testing.T) {
	p := policy{eab: map[string]string{"kid-1": "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"}}
	s := newStand(t, p, nil, "eab.sluice.test").start(t)
	s.fails(t, "eab.sluice.test", "set tls.acme.eab")
	s.options.EAB = tls.EAB{KeyID: "kid-1", Key: p.eab["kid-1"]}
	s.restart(t)
	s.holds(t, limit, "eab.sluice.test")
}

// TestRefusal: a CA's no is told in words, and it is not asked again at once, neither by us
// nor because clients come. Other names have their certificates.
func TestRefusal(t *testing.T) {
	s := newStand(t, policy{blocked: "blocked.test"}, func(o *tls.Options) {
		o.S3Hosts = []string{"s3.blocked.test"}
		o.Bucket = func(context.Context, string) (bool, error) { return true, nil }
	}, "a.blocked.test", "good.sluice.test").start(t)
	s.holds(t, limit, "good.sluice.test")
	s.fails(t, "a.blocked.test", "the CA does not issue for a.blocked.test")
	if wait := time.Until(s.known("a.blocked.test").Next); wait < 30*time.Second {
		t.Errorf("it is tried again in %v", wait)
	}
	for range 20 {
		for _, name := range []string{"a.blocked.test", "media.s3.blocked.test"} {
			if _, err := s.shown(name); err == nil {
				t.Errorf("%s is shown a certificate", name)
			}
		}
	}
	s.ordered(t, 3)
}

// TestPrivate: keys are for the gateway's user alone.
func TestPrivate(t *testing.T) {
	s := newStand(t, policy{}, nil, "private.sluice.test").start(t)
	s.holds(t, limit, "private.sluice.test")
	keys := 0
	must(t, filepath.WalkDir(s.options.Dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return nil // a lock that is gone
		}
		info, err := d.Info()
		if err != nil {
			return nil
		}
		if strings.HasSuffix(path, ".key") {
			keys++
		}
		if info.IsDir() && info.Mode().Perm() != 0o700 || !info.IsDir() && !strings.Contains(path, "/locks/") && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return nil
	}))
	if keys != 2 {
		t.Errorf("%d keys, not the account's and the certificate's", keys)
	}
}
