package tls

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/caddyserver/certmagic"
)

// openStorage is CertMagic's storage in files. What a crash or a sick disk left there that
// can not be read is put aside, so that it is obtained anew: CertMagic would keep failing
// on it.
func openStorage(dir string, log *slog.Logger) (*certmagic.FileStorage, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("certificates: %w", err)
	}
	// The directory is ours alone, so nobody holds a lock in it. A killed process's would
	// have to grow stale first.
	if err := os.RemoveAll(filepath.Join(dir, "locks")); err != nil {
		return nil, fmt.Errorf("certificates: %w", err)
	}
	for _, kept := range []struct {
		pattern string
		check   func(base string) error
	}{
		{"certificates/*/*", checkCertificate}, // CA, name
		{"acme/*/users/*", checkAccount},       // CA, address
	} {
		places, err := filepath.Glob(filepath.Join(dir, kept.pattern))
		if err != nil {
			return nil, err
		}
		for _, place := range places {
			err := kept.check(place)
			if err == nil || errors.Is(err, fs.ErrNotExist) {
				continue // what is not whole is written anew
			}
			aside := filepath.Join(dir, "broken", fmt.Sprintf("%s-%d", filepath.Base(place), time.Now().UnixNano()))
			if err := errors.Join(os.MkdirAll(filepath.Dir(aside), 0o700), os.Rename(place, aside)); err != nil {
				return nil, fmt.Errorf("certificates: putting aside what is broken: %w", err)
			}
			log.Warn("what was kept of a certificate or an account at the CA is broken; it is obtained anew", "was", place, "now", aside, "error", err)
		}
	}
	return &certmagic.FileStorage{Path: dir}, nil
}

// tryStorage tells whether certificates can be written.
func tryStorage(dir string) error {
	f, err := os.CreateTemp(dir, "try-*")
	if err == nil {
		err = errors.Join(f.Close(), os.Remove(f.Name()))
	}
	if err != nil {
		return fmt.Errorf("certificates can not be written: %w", err)
	}
	return nil
}

// checkCertificate reads a name's certificate, its key and what is noted of them.
func checkCertificate(place string) error {
	base := filepath.Join(place, filepath.Base(place))
	note, err := os.ReadFile(base + ".json")
	if err != nil {
		return unlessBroken(err)
	}
	if _, err := tls.LoadX509KeyPair(base+".crt", base+".key"); err != nil {
		return unlessBroken(err)
	}
	return json.Unmarshal(note, new(certmagic.CertificateResource))
}

// checkAccount reads an account and its key.
func checkAccount(place string) error {
	files, err := os.ReadDir(place)
	for _, f := range files {
		raw, readErr := os.ReadFile(filepath.Join(place, f.Name()))
		switch {
		case readErr != nil:
			err = unlessBroken(readErr)
		case strings.HasSuffix(f.Name(), ".json") && !json.Valid(raw):
			err = errors.New(f.Name() + " is no JSON")
		case strings.HasSuffix(f.Name(), ".key"):
			_, err = certmagic.PEMDecodePrivateKey(raw)
		}
		if err != nil {
			return err
		}
	}
	return err
}

// unlessBroken makes of a file that can not be read one that is not there: nothing is put
// aside because of a wrong owner.
func unlessBroken(err error) error {
	if errors.As(err, new(*fs.PathError)) {
		return fs.ErrNotExist
	}
	return err
}

// siteCert is where a name's certificate is kept.
func siteCert(c *certmagic.Config, name string) string {
	return certmagic.StorageKeys.SiteCert(c.Issuers[0].IssuerKey(), name)
}

// parseLeaf reads the first certificate of a chain.
func parseLeaf(chain []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(chain)
	if block == nil {
		return nil, errors.New("no certificate")
	}
	return x509.ParseCertificate(block.Bytes)
}
