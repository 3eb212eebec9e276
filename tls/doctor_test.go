package tls

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
)

// fakeDNS is a resolver that knows some names.
type fakeDNS map[string][]string

func (f fakeDNS) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	if host == "sick.test" {
		return nil, errors.New("server misbehaving")
	}
	var list []netip.Addr
	for _, a := range f[host] {
		list = append(list, netip.MustParseAddr(a))
	}
	if len(list) == 0 {
		return nil, &net.DNSError{Name: host, IsNotFound: true}
	}
	return list, nil
}

// TestDoctor: for each name, what is good and what is wrong, and what to do.
func TestDoctor(t *testing.T) {
	redirecting := httptest.NewServer(http.RedirectHandler("https://elsewhere.test/", http.StatusMovedPermanently))
	defer redirecting.Close()
	foreign := httptest.NewTLSServer(http.NotFoundHandler())
	defer foreign.Close()
	deaf := freeAddress(t)

	o := Options{
		Mode: Auto, Dir: filepath.Join(t.TempDir(), "certificates"), HTTP: freeAddress(t), HTTPS: freeAddress(t), Redirect: true,
		Names: []string{"good.test", "sick.test", "nowhere.test"}, Directory: "https://" + deaf + "/dir",
		Resolver: fakeDNS{"good.test": {"127.0.0.1", "::ffff:127.0.0.1"}},
	}
	k, err := Open(o)
	must(t, err)
	serveWith(t, k)
	port := func(address string) uint16 {
		return netip.MustParseAddrPort(strings.TrimPrefix(strings.TrimPrefix(address, "https://"), "http://")).Port()
	}
	for _, c := range []struct {
		what, http, https string
		subject, check    string
		ok                bool
		says              string
	}{
		{"ours", o.HTTP, o.HTTPS, "good.test", "dns", true, "127.0.0.1"},
		{"ours", o.HTTP, o.HTTPS, "good.test", "port 80", true, "challenge reaches this gateway"},
		{"ours", o.HTTP, o.HTTPS, "good.test", "port 443", false, "no certificate for this name"},
		{"ours", o.HTTP, o.HTTPS, "good.test", "certificate", false, "the CA can not be reached"},
		{"ours", o.HTTP, o.HTTPS, "nowhere.test", "dns", false, "nowhere.test has no address"},
		{"ours", o.HTTP, o.HTTPS, "sick.test", "dns", false, "the DNS could not be asked"},
		{"a redirect", redirecting.URL, foreign.URL, "good.test", "port 80", false, "is redirected to https://elsewhere.test/"},
		{"another", foreign.URL, foreign.URL, "good.test", "port 443", false, "another certificate than this gateway's"},
		{"another", o.HTTPS, o.HTTPS, "good.test", "port 80", false, "something else than this gateway answers"},
		{"nobody", deaf, deaf, "good.test", "port 80", false, "at 127.0.0.1 nobody answers"},
		{"nobody", deaf, deaf, "good.test", "port 443", false, "nobody answers"},
	} {
		t.Run(c.what+" "+c.subject+" "+c.check, func(t *testing.T) {
			k.o.Load().Ports.HTTP, k.o.Load().Ports.HTTPS = port(c.http), port(c.https)
			eventually(t, func() error { // the CA was tried
				if k.Certificates()[0].Error == "" {
					return errors.New("nothing was tried")
				}
				return nil
			})
			for _, found := range k.Doctor(t.Context()) {
				if found.Subject == c.subject && found.Check == c.check {
					if found.OK != c.ok || !strings.Contains(found.Message, c.says) {
						t.Errorf("%+v", found)
					}
					return
				}
			}
			t.Error("it was not looked at")
		})
	}
}

// TestDoctorContent: what the gateway holds is shown at port 443.
func TestDoctorContent(t *testing.T) {
	o := filesOptions(t)
	writePair(t, o, "one.test")
	o.Resolver = fakeDNS{"one.test": {"127.0.0.1"}}
	k, _, https := serve(t, o)
	k.o.Load().Ports.HTTPS = netip.MustParseAddrPort(https).Port()
	checks := k.Doctor(t.Context())
	if len(checks) != 3 {
		t.Errorf("%+v", checks)
	}
	for _, c := range checks {
		if !c.OK {
			t.Errorf("%+v", c)
		}
	}
}
