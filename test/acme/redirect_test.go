package acme

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"sluice/test/process"
)

// TestPain3RedirectSwallowsChallenge: before Sluice, certificates failed because a web server
// sent the CA's challenge to HTTPS with everything else. Where one stands in front and does
// so, the operator is told in the CA's words; as soon as it lets the challenge through, there
// is a certificate. With Sluice itself at port 80 there is nothing to let through
// (TestHTTP01).
func TestPain3RedirectSwallowsChallenge(t *testing.T) {
	const name = "swallowed.sluice.test"
	var ours atomic.Pointer[url.URL] // where the challenge is answered; nil: it is redirected
	s := newStand(t, policy{noTLSALPN: true}, nil, name)
	front := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		to := ours.Load()
		if to == nil || !strings.HasPrefix(r.URL.Path, "/.well-known/acme-challenge/") {
			http.Redirect(w, r, "https://"+r.Host+r.URL.Path, http.StatusMovedPermanently)
			return
		}
		proxy := httputil.NewSingleHostReverseProxy(to)
		proxy.ServeHTTP(w, r) // with the Host as it came
	})}
	var l net.Listener
	process.Eventually(t, limit, func(context.Context) (err error) {
		l, err = net.Listen("tcp", s.options.HTTP)
		return err
	})
	go func() { _ = front.Serve(l) }()
	defer front.Close()
	s.options.HTTP = fmt.Sprintf("127.0.0.1:%d", freePort(t))

	s.start(t)
	s.fails(t, name, "for a proxy or redirect before us")
	if s.known(name).Next.IsZero() {
		t.Error("the operator is not told when it is tried again")
	}
	ours.Store(&url.URL{Scheme: "http", Host: s.options.HTTP})
	s.restart(t) // an operator who has mended it need not wait for the next attempt
	s.holds(t, limit, name)
}
