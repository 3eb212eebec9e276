// Package tls keeps the gateway's certificates, opens its listeners, and stands before it
// where plain HTTP comes in.
package tls

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// The modes.
const (
	Auto     = "auto"     // certificates come from a CA that speaks ACME (RFC 8555)
	Files    = "files"    // a certificate and its key are the operator's
	Internal = "internal" // a CA of our own, for trying things out
	Off      = "off"      // another proxy speaks TLS, or nobody does
)

// Options say where certificates come from, and for which names.
type Options struct {
	Mode        string // "" is Off
	HTTP, HTTPS string // where the gateway listens; "" where it does not

	// Of Auto and Internal:

	// Dir is theirs alone: keys, certificates, accounts. One process at a time has it.
	Dir   string
	Names []string // certificates are kept for these at all times
	// S3Hosts are names below which each bucket has a name of its own. With DNS, or a CA
	// of our own, one wildcard certificate serves them; otherwise each gets one when it is
	// first asked for, if Bucket knows the bucket. An error of Bucket means that it can
	// not tell: what is held is served all the same.
	S3Hosts []string
	Bucket  func(ctx context.Context, name string) (bool, error)

	// Of Auto:

	Email     string
	Directory string            // the CA's; "" is Let's Encrypt
	CAFile    string            // further roots to trust the CA itself by, PEM
	EAB       EAB               // the account at a CA that wants one
	DNS       map[string]string // see CheckDNS; empty: no DNS challenge

	CertFile, KeyFile string // of Files: PEM, with the chain

	// Redirect sends browsers from plain HTTP to HTTPS, and refuses everything else there.
	Redirect bool
	HSTS     time.Duration // 0: none

	Log *slog.Logger

	// What tests change:

	Check    time.Duration // how often it is looked whether a certificate is due; 0: CertMagic's 10 min
	Resolver Resolver      // of Doctor; nil: the system's
	Ports    struct{ HTTP, HTTPS uint16 }
}

// EAB is an External Account Binding (RFC 8555, section 7.3.4).
type EAB struct{ KeyID, Key string }

// Resolver finds a name's addresses, as a *net.Resolver does.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Certificate is what is known of a name's certificate.
type Certificate struct {
	Name     string    `json:"name"`
	Issuer   string    `json:"issuer,omitempty"` // "" before the first
	NotAfter time.Time `json:"not_after,omitzero"`
	DaysLeft int       `json:"days_left"`
	// Error is why the last attempt to have or renew it failed; "" after one that went well.
	Error string    `json:"error,omitempty"`
	Next  time.Time `json:"next,omitzero"` // when it is tried again, at the earliest

	leaf *x509.Certificate
}

// source is where a mode's certificates come from.
type source interface {
	certificate(*tls.ClientHelloInfo) (*tls.Certificate, error)
	run(ctx context.Context) // until ctx is done
	list() []Certificate
	close()
	// change takes other options of the same mode, names and files among them. Nothing
	// happens before apply, which does not fail.
	change(o Options) (apply func(), err error)
}

// Keeper keeps the certificates of one gateway.
type Keeper struct {
	o      atomic.Pointer[Options]
	source source // nil when Off
	probe  string // answers Doctor's own question on the challenge's path

	mu     sync.Mutex
	health Health
}

func (o *Options) complete() {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Resolver == nil {
		o.Resolver = net.DefaultResolver
	}
	if o.Ports.HTTP == 0 {
		o.Ports.HTTP, o.Ports.HTTPS = 80, 443
	}
}

// Open reads what is there already. It asks no CA: Run does.
func Open(o Options) (*Keeper, error) {
	o.complete()
	k := &Keeper{probe: "sluice-" + rand.Text()}
	k.o.Store(&o)
	var err error
	switch o.Mode {
	case Auto, Internal:
		k.source, err = openManaged(o)
	case Files:
		k.source, err = openPair(o)
	case Off, "":
	default:
		err = fmt.Errorf("tls.mode: %q is not one of auto, files, internal, off", o.Mode)
	}
	if err != nil {
		return nil, err
	}
	return k, nil
}

// Change prepares to go over to other options, in which Mode, HTTP, HTTPS, Dir and Directory
// are the same. Nothing happens before apply is called, which does not fail. Certificates
// that are held and still wanted are served on; names that are new get theirs.
func (k *Keeper) Change(o Options) (apply func(), err error) {
	o.complete()
	source := func() {}
	if k.source != nil {
		if source, err = k.source.change(o); err != nil {
			return nil, err
		}
	}
	return func() {
		source()
		k.o.Store(&o)
	}, nil
}

// Run obtains and renews certificates until ctx is done, and waits for what is under way.
// Connections are taken at once; a name whose certificate is not there yet is refused.
func (k *Keeper) Run(ctx context.Context) {
	if k.source == nil {
		return
	}
	var work sync.WaitGroup
	work.Go(func() { k.source.run(ctx) })
	work.Go(func() {
		for pause(ctx, lookEvery) == nil {
			k.Health() // so that it is dated when nobody asks
		}
	})
	work.Wait()
}

// Close lets go of what Open took.
func (k *Keeper) Close() {
	if k.source != nil {
		k.source.close()
	}
}

// Config is for the listeners; nil when Off.
func (k *Keeper) Config() *tls.Config {
	if k.source == nil {
		return nil
	}
	c := &tls.Config{
		GetCertificate: k.source.certificate,
		MinVersion:     tls.VersionTLS12,
		// Of version 1.2 what Mozilla's "intermediate" has; those of 1.3 are all good.
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		NextProtos: []string{"h2", "http/1.1"},
	}
	if k.o.Load().Mode == Auto {
		c.NextProtos = append(c.NextProtos, "acme-tls/1")
	}
	return c
}

// Mode is where certificates come from.
func (k *Keeper) Mode() string {
	if k.source == nil {
		return Off
	}
	return k.o.Load().Mode
}

// Certificates tells of every name that has a certificate, or should.
func (k *Keeper) Certificates() []Certificate {
	if k.source == nil {
		return []Certificate{}
	}
	return k.source.list()
}

// Health says in one sentence how it is with the certificates.
type Health struct {
	OK      bool
	Message string
	Since   time.Time // when OK was first seen as it is, by this process
}

// lookEvery is how exactly it is known since when something is wrong.
const lookEvery = 5 * time.Second

// Health looks at all certificates.
func (k *Keeper) Health() Health {
	bad, first := 0, ""
	for _, c := range k.Certificates() {
		trouble := c.Error
		switch {
		case trouble == "" && c.NotAfter.IsZero():
			trouble = "there is no certificate yet"
		case trouble == "" && time.Now().After(c.NotAfter):
			trouble = "it has expired"
		}
		if trouble == "" {
			continue
		}
		if bad++; bad == 1 {
			first = c.Name + ": " + trouble
		}
	}
	now := Health{OK: bad == 0, Message: first}
	if bad > 1 {
		now.Message += fmt.Sprintf("; and %d more (sluice certs)", bad-1)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if now.Since = k.health.Since; now.OK != k.health.OK || now.Since.IsZero() {
		now.Since = time.Now()
	}
	k.health = now
	return now
}

// pause waits, or ends early with the context's error.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// days are whole days until t.
func days(t time.Time) int { return int(time.Until(t).Hours() / 24) }

// LocalCA is the file with the local CA's certificate, which clients are to trust; "" in
// other modes than Internal.
func (k *Keeper) LocalCA() string {
	if m, ok := k.source.(*managed); ok && m.ca != nil {
		return m.ca.file
	}
	return ""
}
