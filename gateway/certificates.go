package gateway

import (
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"time"

	"sluice/backends"
	"sluice/gateway/admin"
	"sluice/gateway/config"
	"sluice/gateway/doctor"
	"sluice/gateway/s3api"
	"sluice/tls"
)

// certificateOptions ask for certificates for the hosts' names, and for the buckets' below
// those that serve S3.
func (g *gate) certificateOptions() tls.Options {
	c := g.config.TLS
	names := slices.Clone(c.Names)
	for _, name := range slices.Sorted(maps.Keys(g.config.Hosts)) {
		names = append(names, hostName(name))
	}
	return tls.Options{
		Mode: c.Mode, HTTP: g.config.Listen.HTTP, HTTPS: g.config.Listen.HTTPS,
		Dir: filepath.Join(g.config.StateDir, "certificates"), Names: names, S3Hosts: g.hosts,
		Bucket: func(ctx context.Context, name string) (bool, error) { return g.now.Load().hasBucket(ctx, name) },
		Email:  c.Email, Directory: c.ACME.Directory, CAFile: c.ACME.CAFile,
		EAB: tls.EAB{KeyID: c.ACME.EAB.KeyID, Key: c.ACME.EAB.Key}, DNS: c.DNS,
		CertFile: c.CertFile, KeyFile: c.KeyFile,
		Redirect: c.Redirect && g.config.Listen.HTTPS != "", HSTS: time.Duration(c.HSTS), Log: g.log,
	}
}

// Listen opens the configured addresses, for Serve.
func (g *Gateway) Listen(ctx context.Context) ([]net.Listener, error) {
	at := g.now.Load().config.Listen
	return tls.Listen(ctx, at.HTTP, at.HTTPS, g.certificates.Config())
}

// hasBucket tells whether clients can use a bucket of this name. One of the wildcard is
// not opened for it.
func (g *gate) hasBucket(ctx context.Context, name string) (bool, error) {
	if _, named := g.config.Buckets[name]; named && name != config.Wildcard {
		return true, nil
	}
	any, ok := g.config.Buckets[config.Wildcard]
	if !ok {
		return false, nil
	}
	err := exists(ctx, g.bucket(any.Old, name))
	if errors.Is(err, backends.ErrNoBucket) {
		return false, nil
	}
	return err == nil, err
}

// refusePlain answers who sends by http what belongs to https.
func refusePlain(w http.ResponseWriter, r *http.Request) {
	id := rand.Text()
	w.Header()["Server"] = serverHeader
	w.Header().Set("X-Amz-Request-Id", id)
	s3api.WriteError(w, r, s3api.ErrorFor("InvalidRequest",
		"This endpoint is used by https only: use https:// in the endpoint's URL."), r.URL.Path, id)
}

func (g *Gateway) listCertificates() admin.Certificates {
	return admin.Certificates{Mode: g.certificates.Mode(), CA: g.certificates.LocalCA(), List: g.certificates.Certificates()}
}

// doctor looks at everything that the gateway stands on; one at a time, since it measures.
func (g *Gateway) doctor(ctx context.Context, o doctor.Order, seen func(doctor.Check)) error {
	select {
	case g.examination <- struct{}{}:
		defer func() { <-g.examination }()
	case <-ctx.Done():
		return ctx.Err()
	}
	return doctor.Run(ctx, doctor.Options{Order: o, Config: g.now.Load().config, Names: g.certificates.Doctor}, seen)
}
