package tls

import (
	"cmp"
	"context"
	"crypto/tls"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/hashicorp/golang-lru/v2/expirable"
)

// managed are the certificates that CertMagic keeps, from a CA or from our own: in memory
// those in use, in files all of them.
type managed struct {
	log      *slog.Logger
	ca       *localCA // nil in Auto
	cache    *certmagic.Cache
	storage  certmagic.Storage
	attempts attempts
	plan     atomic.Pointer[plan]
	changed  chan struct{} // the plan, since run looked

	refused *expirable.LRU[string, struct{}] // names on demand for which there is no bucket
	asking  chan struct{}                    // a slot for each question to Options.Bucket

	life context.Context // ends with close
	end  context.CancelFunc

	mu   sync.Mutex
	seen map[string]bool // names of certificates that were in use
}

// plan is what the options ask for. Its configurations share memory and files, and differ in
// how a name is proven to be ours.
type plan struct {
	o     Options
	names []string // for which certificates are kept at all times

	named    *certmagic.Config // by HTTP-01 and TLS-ALPN-01, or by the local CA
	wildcard *certmagic.Config // by DNS-01; the same as named where none is needed
	onDemand *certmagic.Config // as named, when a handshake asks for it
}

const (
	onDemandTimeout = 60 * time.Second // as long as a handshake waits for its certificate
	refusedFor      = time.Minute
	maxRefused      = 4096
	maxAsking       = 4
	ocspCheck       = 5 * time.Minute // an hour would leave a new certificate without a staple as long
)

func openManaged(o Options) (*managed, error) {
	m := &managed{
		log: o.Log, changed: make(chan struct{}, 1), attempts: attempts{byName: make(map[string]attempt)}, seen: make(map[string]bool),
		refused: expirable.NewLRU[string, struct{}](maxRefused, nil, refusedFor), asking: make(chan struct{}, maxAsking),
	}
	var err error
	if m.storage, err = openStorage(o.Dir, o.Log); err != nil {
		return nil, err
	}
	if o.Mode == Internal {
		if m.ca, err = openLocalCA(filepath.Join(o.Dir, "internal")); err != nil {
			return nil, err
		}
	}
	m.life, m.end = context.WithCancel(context.Background())
	m.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert: m.upkeep, Logger: newZap(o.Log),
		RenewCheckInterval: o.Check, OCSPCheckInterval: cmp.Or(o.Check, ocspCheck),
	})
	p, err := m.newPlan(o)
	if err != nil {
		m.close()
		return nil, err
	}
	m.plan.Store(p)
	return m, nil
}

func (m *managed) newPlan(o Options) (*plan, error) {
	direct, byDNS, err := acmeTemplates(o)
	if err != nil {
		return nil, err
	}
	p := &plan{o: o, names: m.wanted(o), named: m.config(o, nil, &direct, byDNS)}
	p.onDemand = m.config(o, &certmagic.OnDemandConfig{DecisionFunc: m.decide}, &direct, nil)
	if p.wildcard = p.named; byDNS != nil {
		p.wildcard = m.config(o, nil, byDNS, nil)
	}
	return p, nil
}

// change goes over to another plan. Attempts at names that failed are spaced on.
func (m *managed) change(o Options) (apply func(), err error) {
	next, err := m.newPlan(o)
	if err == nil {
		err = tryStorage(o.Dir)
	}
	if err != nil {
		return nil, err
	}
	return func() {
		m.forget(m.plan.Swap(next))
		m.refused.Purge() // a bucket may be new
		select {
		case m.changed <- struct{}{}:
		default:
		}
	}, nil
}

// forget drops the certificates for names of a former plan that are wanted no more. In the
// files they stay.
func (m *managed) forget(former *plan) {
	for _, name := range former.names {
		if !m.plan.Load().keeps(name) {
			m.cache.RemoveManaged([]certmagic.SubjectIssuer{{Subject: name}})
			m.attempts.succeeded(name)
		}
	}
}

// keeps tells whether a certificate of its own is kept for a name.
func (p *plan) keeps(name string) bool {
	_, kept := slices.BinarySearch(p.names, name)
	return kept
}

// wanted are the names for which certificates are kept at all times, in order.
func (m *managed) wanted(o Options) []string {
	names := slices.Clone(o.Names)
	if m.ca != nil {
		names = append(names, "localhost", "127.0.0.1", "::1")
	}
	for _, host := range o.S3Hosts {
		if net.ParseIP(host) == nil && (m.ca != nil || len(o.DNS) > 0) {
			names = append(names, "*."+host)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// config is how CertMagic gets certificates: from our CA, or one that is asked by the first
// template and, if its challenges do not reach us, by the second.
func (m *managed) config(o Options, demand *certmagic.OnDemandConfig, first, second *certmagic.ACMEIssuer) *certmagic.Config {
	template := certmagic.Config{
		Storage: m.storage, Logger: newZap(o.Log), OnEvent: m.event, ShouldEmitFunc: heeded, OnDemand: demand,
		OCSP: certmagic.OCSPConfig{DisableStapling: true}, // but see upkeep
	}
	if len(o.Names) > 0 {
		template.DefaultServerName = o.Names[0] // for who names none
	}
	c := certmagic.New(m.cache, template)
	if m.ca != nil {
		c.Issuers = []certmagic.Issuer{m.ca}
		return c
	}
	issuer := acmeIssuer{ACMEIssuer: certmagic.NewACMEIssuer(c, *first), attempts: &m.attempts}
	if second != nil {
		issuer.second = certmagic.NewACMEIssuer(c, *second)
	}
	c.Issuers = []certmagic.Issuer{issuer}
	return c
}

// configFor is how a name's certificate is kept.
func (p *plan) configFor(name string) *certmagic.Config {
	switch kept := p.keeps(name); {
	case kept && strings.HasPrefix(name, "*."):
		return p.wildcard
	case kept:
		return p.named
	}
	return p.onDemand
}

// upkeep is how a certificate that is in use is looked after. Here, and not where one is
// loaded or obtained, OCSP responders are asked: no certificate waits to be served for one
// that does not answer. With a proxy function, be it the usual one, CertMagic's client has a
// time limit; without, it would wait for ever, and nothing would be renewed.
func (m *managed) upkeep(c certmagic.Certificate) (*certmagic.Config, error) {
	config := *m.plan.Load().configFor(c.Names[0])
	config.OCSP = certmagic.OCSPConfig{HTTPProxy: http.ProxyFromEnvironment}
	return &config, nil
}

// certificate answers a handshake: a certificate that is held, a CA's challenge (TLS-ALPN-01),
// or, for a bucket's name, one that is obtained while the client waits.
func (m *managed) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := strings.ToLower(strings.TrimSuffix(hello.ServerName, "."))
	p := m.plan.Load()
	if !p.below(name) {
		return p.named.GetCertificate(hello)
	}
	ctx, cancel := context.WithTimeout(hello.Context(), onDemandTimeout)
	defer cancel()
	defer context.AfterFunc(m.life, cancel)()
	return p.onDemand.GetCertificateWithContext(ctx, hello)
}

// below tells whether a name is a bucket's, without a certificate of those that are kept.
func (p *plan) below(name string) bool {
	if _, parent, ok := strings.Cut(name, "."); p.keeps(name) || ok && p.keeps("*."+parent) {
		return false
	}
	_, ok := p.bucketOf(name)
	return ok
}

// run sees to it that there is a certificate for each name of the plan. From then on CertMagic
// renews.
func (m *managed) run(ctx context.Context) {
	if m.ca != nil {
		m.log.Info("certificates are signed by a CA of our own: have clients trust it", "ca", m.ca.file)
	}
	for ctx.Err() == nil {
		p := m.plan.Load()
		round, end := context.WithCancel(ctx)
		var names sync.WaitGroup
		for _, name := range p.names {
			names.Go(func() { m.hold(round, p.configFor(name), name) })
		}
		select {
		case <-ctx.Done():
		case <-m.changed:
		}
		end()
		names.Wait()
		m.forget(p) // what came in meanwhile
	}
}

// hold loads a name's certificate, or obtains it, however long that takes.
func (m *managed) hold(ctx context.Context, by *certmagic.Config, name string) {
	for {
		err := by.ManageSync(ctx, []string{name})
		if err == nil || ctx.Err() != nil {
			return
		}
		next := m.attempts.failed(name, err)
		m.log.Warn("no certificate", "name", name, "error", m.attempts.get(name).err, "next", next)
		if pause(ctx, time.Until(next)) != nil {
			return
		}
	}
}

// heeded are the events that event makes something of. There are others at each handshake.
func heeded(event string) bool { return event == "cert_obtained" || event == "cached_managed_cert" }

// event is told by CertMagic what happens.
func (m *managed) event(_ context.Context, event string, data map[string]any) error {
	switch event {
	case "cert_obtained":
		m.log.Info("certificate obtained", "name", data["identifier"], "issuer", data["issuer"], "renewal", data["renewal"])
	case "cached_managed_cert":
		names, _ := data["sans"].([]string)
		m.mu.Lock()
		defer m.mu.Unlock()
		for _, name := range names {
			m.seen[name] = true
		}
	}
	return nil
}

// list tells of the names that are kept, and of those on demand that were asked for.
func (m *managed) list() []Certificate {
	p := m.plan.Load()
	all := make(map[string]bool)
	for _, name := range p.names {
		all[name] = true
	}
	m.mu.Lock()
	maps.Copy(all, m.seen)
	m.mu.Unlock()
	m.attempts.mu.Lock()
	for name := range m.attempts.byName {
		all[name] = true
	}
	m.attempts.mu.Unlock()
	list := make([]Certificate, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		c := Certificate{Name: name}
		for _, cert := range m.cache.AllMatchingCertificates(name) {
			if cert.Names[0] == name && cert.Leaf.NotAfter.After(c.NotAfter) {
				c = describe(name, cert.Leaf)
			}
		}
		at := m.attempts.get(name)
		c.Error, c.Next = at.err, at.next
		if p.keeps(name) || c.Error != "" || time.Now().Before(c.NotAfter) { // else nobody asks for it any more
			list = append(list, c)
		}
	}
	return list
}

func (m *managed) close() {
	m.end()
	m.cache.Stop()
}
