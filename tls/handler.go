package tls

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/certmagic"
)

// challengePath is where a CA asks for HTTP-01's answers (RFC 8555, section 8.3).
const challengePath = "/.well-known/acme-challenge/"

// Handler is what stands before next on every listener. A CA's challenge is answered before
// anything else looks at the request. With Redirect, what comes by plain HTTP goes no
// further: browsers are sent to HTTPS; the rest is refused, since a signed request would
// be sent in clear again and again without anybody noticing, and no S3 client follows.
func (k *Keeper) Handler(next http.Handler, refuse http.HandlerFunc) http.Handler {
	if k.source == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.TLS != nil:
			SetHSTS(w.Header(), k.o.Load().HSTS)
			next.ServeHTTP(w, r)
		case strings.HasPrefix(r.URL.Path, challengePath) && reads(r):
			if !k.challenge(w, r) {
				next.ServeHTTP(w, r)
			}
		case !k.o.Load().Redirect:
			next.ServeHTTP(w, r)
		case browses(r):
			http.Redirect(w, r, "https://"+k.secureHost(r.Host)+r.URL.RequestURI(), http.StatusMovedPermanently)
		default:
			refuse(w, r)
		}
	})
}

// SetHSTS has browsers come by HTTPS alone for a time (RFC 6797); not at all if that is 0.
func SetHSTS(h http.Header, life time.Duration) {
	if life > 0 {
		h.Set("Strict-Transport-Security", fmt.Sprintf("max-age=%d", life/time.Second))
	}
}

// Redirects tells whether Handler lets nothing of plain HTTP through but challenges.
func (k *Keeper) Redirects() bool { return k.source != nil && k.o.Load().Redirect }

// challenge answers a CA, or Doctor.
func (k *Keeper) challenge(w http.ResponseWriter, r *http.Request) bool {
	m, ok := k.source.(*managed)
	if !ok || m.ca != nil {
		return false
	}
	if r.URL.Path == challengePath+k.probe {
		w.Header().Set("Cache-Control", "no-store")
		fmt.Fprint(w, k.probe)
		return true
	}
	issuer := m.plan.Load().named.Issuers[0].(acmeIssuer)
	return certmagic.LooksLikeHTTPChallenge(r) && issuer.HandleHTTPChallenge(w, r)
}

func reads(r *http.Request) bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }

// browses tells a browser's read from an S3 client's request, which is signed in a header
// or, by version 4 or 2, in its query.
func browses(r *http.Request) bool {
	q := r.URL.Query()
	return reads(r) && r.Header.Get("Authorization") == "" &&
		!q.Has("X-Amz-Signature") && !q.Has("Signature") && !q.Has("AWSAccessKeyId")
}

// secureHost is where HTTPS is for who came by this Host. The port is ours if they came by
// our own port for HTTP; else something in between maps ports, and HTTPS is where it
// always is.
func (k *Keeper) secureHost(host string) string {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		name, port = strings.Trim(host, "[]"), "80"
	}
	_, ours, _ := net.SplitHostPort(k.o.Load().HTTP)
	_, secure, _ := net.SplitHostPort(k.o.Load().HTTPS)
	switch {
	case port == ours && secure != "443":
		return net.JoinHostPort(name, secure)
	case strings.Contains(name, ":"):
		return "[" + name + "]"
	}
	return name
}
