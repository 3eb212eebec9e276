package tls

import (
	"context"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLocalCA: whoever trusts the CA's file trusts every name of the gateway, and the CA is
// the same after a restart. Names of others have no certificate.
func TestLocalCA(t *testing.T) {
	o := Options{
		Mode: Internal, Dir: filepath.Join(t.TempDir(), "certificates"), Names: []string{"s3.test", "files.test"}, S3Hosts: []string{"s3.test"},
		Bucket: func(_ context.Context, name string) (bool, error) { return name == "a.b", nil },
	}
	var roots *x509.CertPool
	for range 2 {
		k, _, https := serve(t, o)
		raw, err := os.ReadFile(k.LocalCA())
		must(t, err)
		if roots == nil {
			roots = x509.NewCertPool()
			roots.AppendCertsFromPEM(raw)
		}
		for _, name := range []string{"s3.test", "files.test", "bucket.s3.test", "a.b.s3.test", "localhost", "127.0.0.1"} {
			eventually(t, func() error {
				state, err := shake(https, name, roots)
				if err == nil && state.NegotiatedProtocol != "h2" {
					t.Errorf("%s: %q is spoken", name, state.NegotiatedProtocol)
				}
				return err
			})
		}
		for _, name := range []string{"elsewhere.test", "a.c.s3.test"} {
			if _, err := shake(https, name, nil); err == nil {
				t.Errorf("%s has a certificate", name)
			}
		}
		if h := k.Health(); !h.OK {
			t.Errorf("%+v", h)
		}
	}
	info, err := os.Stat(filepath.Join(o.Dir, "internal", "ca.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the CA's key: %v, %v", info.Mode(), err)
	}
}

// TestBrokenLocalCA: clients trust it; it is not replaced behind their backs.
func TestBrokenLocalCA(t *testing.T) {
	o := Options{Mode: Internal, Dir: t.TempDir()}
	k, err := Open(o)
	must(t, err)
	k.Close()
	must(t, os.Truncate(filepath.Join(o.Dir, "internal", "ca.key"), 10))
	if _, err := Open(o); err == nil || !strings.Contains(err.Error(), "remove the directory for a new one") {
		t.Error(err)
	}
}
