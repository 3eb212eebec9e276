package tls

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3/acme"
)

// acmeTemplates say how a CA is asked: to reach us by HTTP-01 and TLS-ALPN-01, and, if there
// is a provider for it, to look into the DNS. CertMagic opens listeners for challenges where
// there are none; ours are at these addresses.
func acmeTemplates(o Options) (direct certmagic.ACMEIssuer, byDNS *certmagic.ACMEIssuer, err error) {
	direct = certmagic.ACMEIssuer{
		CA: o.Directory, Email: o.Email, Agreed: true, Logger: newZap(o.Log), DisableHTTPChallenge: o.HTTP == "",
	}
	if o.EAB.KeyID != "" {
		direct.ExternalAccount = &acme.EAB{KeyID: o.EAB.KeyID, MACKey: o.EAB.Key}
	}
	if direct.TrustedRoots, err = roots(o.CAFile); err != nil {
		return direct, nil, err
	}
	direct.ListenHost, direct.AltHTTPPort = hostPort(o.HTTP)
	_, direct.AltTLSALPNPort = hostPort(o.HTTPS)
	if direct.ListenHost == "" {
		direct.ListenHost, _ = hostPort(o.HTTPS)
	}
	if o.Mode != Auto || len(o.DNS) == 0 {
		return direct, nil, nil
	}
	solver, err := newDNSSolver(o.DNS)
	if err != nil {
		return direct, nil, err
	}
	solver.Logger = newZap(o.Log)
	withDNS := direct
	withDNS.DNS01Solver = solver
	return direct, &withDNS, nil
}

// roots are the system's and those of a file; nil without a file.
func roots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("tls.acme.ca_file: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(raw) {
		return nil, fmt.Errorf("tls.acme.ca_file: there is no certificate in %s", file)
	}
	return pool, nil
}

func hostPort(address string) (host string, port int) {
	host, word, _ := net.SplitHostPort(address)
	port, _ = strconv.Atoi(word)
	return host, port
}

// acmeIssuer is CertMagic's, with attempts counted and spaced here.
type acmeIssuer struct {
	*certmagic.ACMEIssuer
	second   *certmagic.ACMEIssuer // asked where the CA does not reach us for the first; or nil
	attempts *attempts
}

// PreCheck is ACMEIssuer's, which must never ask the terminal.
func (i acmeIssuer) PreCheck(ctx context.Context, names []string, _ bool) error {
	return i.ACMEIssuer.PreCheck(ctx, names, false)
}

// Issue asks the CA once. CertMagic would go on asking, and hold a handshake meanwhile.
func (i acmeIssuer) Issue(ctx context.Context, csr *x509.CertificateRequest) (*certmagic.IssuedCertificate, error) {
	name := nameOf(csr)
	before := i.attempts.get(name)
	if wait := time.Until(before.next); wait > 0 {
		return nil, certmagic.ErrNoRetry{Err: fmt.Errorf("%s (the next attempt is in %v)", before.err, wait.Round(time.Second))}
	}
	// After a failure Let's Encrypt's staging environment is asked first.
	ctx = context.WithValue(ctx, certmagic.AttemptsCtxKey, &before.failures)
	issued, err := i.ACMEIssuer.Issue(ctx, csr)
	if refused(err) && i.second != nil && ctx.Err() == nil {
		issued, err = i.second.Issue(ctx, csr)
	}
	switch {
	case err == nil:
		i.attempts.succeeded(name)
		return issued, nil
	case ctx.Err() == nil:
		i.attempts.failed(name, err)
	}
	return nil, certmagic.ErrNoRetry{Err: err}
}

func nameOf(csr *x509.CertificateRequest) string {
	if len(csr.DNSNames) > 0 {
		return csr.DNSNames[0]
	}
	if len(csr.IPAddresses) > 0 {
		return csr.IPAddresses[0].String()
	}
	return csr.Subject.CommonName
}
