package tls

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// reloadEvery is how often the operator's files are read. Their content is compared, not
// their times: Kubernetes and others exchange a symbolic link further up.
const reloadEvery = 2 * time.Second

// pair is the operator's certificate with its key.
type pair struct {
	loading sync.Mutex // one at a time; before mu

	mu        sync.RWMutex
	o         Options
	cert, key []byte // as read last, good or not
	served    *tls.Certificate
	err       error // of what was read last; the one before it is served
}

func openPair(o Options) (*pair, error) {
	p := &pair{o: o}
	if p.load(); p.err != nil {
		return nil, fmt.Errorf("certificate for https: %w", p.err)
	}
	return p, nil
}

// load reads the files. A pair that is broken, such as one of which only the first file
// was exchanged so far, leaves the old one in place.
func (p *pair) load() {
	p.loading.Lock()
	defer p.loading.Unlock()
	cert, err := os.ReadFile(p.o.CertFile)
	key, keyErr := os.ReadFile(p.o.KeyFile)
	err = errors.Join(err, keyErr)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil && p.err == nil && bytes.Equal(cert, p.cert) && bytes.Equal(key, p.key) {
		return
	}
	var loaded tls.Certificate
	if err == nil {
		loaded, err = tls.X509KeyPair(cert, key)
	}
	switch {
	case err == nil:
		if p.served != nil {
			p.o.Log.Info("certificate loaded anew", "file", p.o.CertFile, "until", loaded.Leaf.NotAfter)
		}
		p.served, p.cert, p.key = &loaded, cert, key
	case p.err == nil && p.served != nil:
		p.o.Log.Warn("the certificate's files are broken; the one before is served on", "file", p.o.CertFile, "error", err)
	}
	p.err = err
}

// change goes over to other files, if they hold a certificate with its key.
func (p *pair) change(o Options) (apply func(), err error) {
	other, err := openPair(o)
	if err != nil {
		return nil, err
	}
	return func() {
		p.loading.Lock()
		defer p.loading.Unlock()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.o, p.cert, p.key, p.served, p.err = o, other.cert, other.key, other.served, nil
	}, nil
}

func (p *pair) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.served, nil
}

func (p *pair) run(ctx context.Context) {
	for pause(ctx, reloadEvery) == nil {
		p.load()
	}
}

// list tells of the names that the certificate has, and of those that it lacks.
func (p *pair) list() []Certificate {
	p.mu.RLock()
	defer p.mu.RUnlock()
	leaf := p.served.Leaf
	names := append([]string(nil), leaf.DNSNames...)
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		names = []string{leaf.Subject.CommonName}
	}
	var list []Certificate
	for _, name := range names {
		c := describe(name, leaf)
		if p.err != nil {
			c.Error = fmt.Sprintf("%s is broken, the certificate before it is served: %v", p.o.CertFile, p.err)
		}
		list = append(list, c)
	}
	for _, name := range p.o.Names {
		if err := leaf.VerifyHostname(strings.Replace(name, "*.", "any.", 1)); err != nil {
			list = append(list, Certificate{Name: name, Error: "the certificate in " + p.o.CertFile + " is not for this name"})
		}
	}
	return list
}

func (p *pair) close() {}

// describe tells of a name's certificate.
func describe(name string, leaf *x509.Certificate) Certificate {
	issuer := leaf.Issuer.CommonName
	if organization := strings.Join(leaf.Issuer.Organization, " "); organization != issuer {
		issuer = strings.TrimSpace(organization + " " + issuer)
	}
	return Certificate{Name: name, Issuer: cmp.Or(issuer, "nobody by name"), NotAfter: leaf.NotAfter, DaysLeft: days(leaf.NotAfter), leaf: leaf}
}
