package tls

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

var (
	errNoBucket = errors.New("there is no bucket of this name")
	errBusy     = errors.New("too many handshakes ask for buckets that are not known yet")
)

// bucketOf is the bucket that stands before one of the S3 hosts in a name.
func (p *plan) bucketOf(name string) (string, bool) {
	for _, host := range p.o.S3Hosts {
		if bucket, ok := strings.CutSuffix(name, "."+host); ok && bucket != "" {
			return bucket, true
		}
	}
	return "", false
}

// decide says whether a name gets a certificate when a handshake asks for it. Anybody can
// ask for anything: a name for which there is no bucket is looked for once a minute, and
// few at a time.
func (m *managed) decide(ctx context.Context, name string) error {
	p := m.plan.Load()
	bucket, ok := p.bucketOf(name)
	if !ok || m.refused.Contains(name) {
		return fmt.Errorf("%s: %w", name, errNoBucket)
	}
	select {
	case m.asking <- struct{}{}:
		defer func() { <-m.asking }()
	default:
		return errBusy
	}
	known, err := p.o.Bucket(ctx, bucket)
	switch {
	case err == nil && known:
		return nil
	case err == nil:
		m.refused.Add(name, struct{}{})
		return fmt.Errorf("%s: %w", name, errNoBucket)
	case m.holds(ctx, p, name):
		return nil // a store that is down takes no certificate away
	}
	return err
}

// holds tells whether there is a certificate for a name that is still good.
func (m *managed) holds(ctx context.Context, p *plan, name string) bool {
	for _, cert := range m.cache.AllMatchingCertificates(name) {
		if time.Now().Before(cert.Leaf.NotAfter) {
			return true
		}
	}
	raw, err := p.onDemand.Storage.Load(ctx, siteCert(p.onDemand, name))
	if err != nil {
		return false
	}
	leaf, err := parseLeaf(raw)
	return err == nil && time.Now().Before(leaf.NotAfter)
}
