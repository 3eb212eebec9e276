package tls

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/caddyserver/certmagic"
)

const (
	localCALife   = 10 * 365 * 24 * time.Hour
	localLeafLife = 7 * 24 * time.Hour
)

// localCA is a CA of our own, a certmagic.Issuer. Whoever is to trust it is given its
// certificate.
type localCA struct {
	file string // its certificate, PEM
	cert *x509.Certificate
	key  crypto.Signer
}

// openLocalCA opens the CA in dir, or makes it. One that is damaged is not replaced:
// clients trust it.
func openLocalCA(dir string) (*localCA, error) {
	ca := &localCA{file: filepath.Join(dir, "ca.pem")}
	keyFile := filepath.Join(dir, "ca.key")
	if _, err := os.Stat(ca.file); errors.Is(err, fs.ErrNotExist) {
		if err := newLocalCA(dir, ca.file, keyFile); err != nil {
			return nil, fmt.Errorf("making a local CA: %w", err)
		}
	}
	loaded, err := tls.LoadX509KeyPair(ca.file, keyFile)
	if err != nil {
		return nil, fmt.Errorf("the local CA in %s can not be used; remove the directory for a new one, and trust that: %w", dir, err)
	}
	ca.cert, ca.key = loaded.Leaf, loaded.PrivateKey.(crypto.Signer)
	return ca, nil
}

func newLocalCA(dir, certFile, keyFile string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		Subject:   pkix.Name{CommonName: "Sluice local CA " + rand.Text()[:6]},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(localCALife),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	// The certificate last: it is what says that the CA is there.
	if err := writePEM(keyFile, "PRIVATE KEY", private); err != nil {
		return err
	}
	return writePEM(certFile, "CERTIFICATE", cert)
}

// writePEM writes a file whole or not at all.
func writePEM(path, kind string, raw []byte) error {
	if err := os.WriteFile(path+".new", pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw}), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// Issue signs a certificate.
func (ca *localCA) Issue(_ context.Context, csr *x509.CertificateRequest) (*certmagic.IssuedCertificate, error) {
	cert, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(localLeafLife),
		DNSNames: csr.DNSNames, IPAddresses: csr.IPAddresses,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, ca.cert, csr.PublicKey, ca.key)
	if err != nil {
		return nil, err
	}
	var chain bytes.Buffer
	for _, der := range [][]byte{cert, ca.cert.Raw} {
		if err := pem.Encode(&chain, &pem.Block{Type: "CERTIFICATE", Bytes: der}); err != nil {
			return nil, err
		}
	}
	return &certmagic.IssuedCertificate{Certificate: chain.Bytes()}, nil
}

// IssuerKey tells the CA from others. A new one's certificates are not mixed with the old
// one's.
func (ca *localCA) IssuerKey() string {
	return fmt.Sprintf("local-%x", ca.cert.SerialNumber.Bytes()[:6])
}
