package tls

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// Check is one thing that was looked at.
type Check struct {
	Subject string `json:"subject"` // a host name
	Check   string `json:"check"`   // "dns", "port 80", "port 443", "certificate"
	OK      bool   `json:"ok"`
	Message string `json:"message"` // what was seen; what to do about it, if that is not good
}

// doctorTimeout bounds each question that Doctor asks.
const doctorTimeout = 5 * time.Second

// Doctor looks at every name from here: whether it leads to this gateway, at each of its
// addresses, and how it is with its certificate. A firewall may let us through and not the CA.
func (k *Keeper) Doctor(ctx context.Context) []Check {
	all := k.Certificates()
	found := make([][]Check, len(all))
	var names sync.WaitGroup
	for i, c := range all {
		names.Go(func() { found[i] = k.examine(ctx, c) })
	}
	names.Wait()
	return append([]Check{}, slices.Concat(found...)...)
}

func newCheck(subject, check string, err error, good string) Check {
	c := Check{Subject: subject, Check: check, OK: err == nil, Message: good}
	if err != nil {
		c.Message = err.Error()
	}
	return c
}

// Named tells whether a host is to be found in the DNS: it is neither an address nor this
// machine.
func Named(host string) bool {
	_, err := netip.ParseAddr(host)
	return err != nil && host != "localhost"
}

// LookUp looks at a name in the DNS alone, which can be done where no gateway runs.
func LookUp(ctx context.Context, r Resolver, name string) Check {
	addresses, err := resolve(ctx, r, name)
	return newCheck(name, "dns", err, "it points to "+join(addresses))
}

func (k *Keeper) examine(ctx context.Context, c Certificate) (list []Check) {
	add := func(check string, err error, good string) { list = append(list, newCheck(c.Name, check, err, good)) }
	host := strings.Replace(c.Name, "*.", "sluice-doctor.", 1)
	if Named(host) {
		addresses, err := resolve(ctx, k.o.Load().Resolver, host)
		add("dns", err, "it points to "+join(addresses))
		if err == nil && k.o.Load().Mode == Auto && host == c.Name && k.o.Load().HTTP != "" && len(k.o.Load().DNS) == 0 {
			add("port 80", each(addresses, func(a netip.Addr) error { return k.probeHTTP(ctx, host, a) }),
				"a CA's challenge reaches this gateway")
		}
		if err == nil {
			add("port 443", each(addresses, func(a netip.Addr) error { return k.probeHTTPS(ctx, host, c.leaf, a) }),
				"it leads to this gateway")
		}
	}
	add("certificate", c.trouble(), c.words())
	return list
}

func (c Certificate) trouble() error {
	switch {
	case c.Error != "" && c.leaf != nil:
		return fmt.Errorf("%s; the one that is held is good for %d days", c.Error, c.DaysLeft)
	case c.Error != "":
		return errors.New(c.Error)
	case c.leaf == nil:
		return errors.New("there is none yet")
	case time.Now().After(c.NotAfter):
		return fmt.Errorf("it expired on %s", c.NotAfter.Format(time.DateOnly))
	}
	return nil
}

func (c Certificate) words() string {
	return fmt.Sprintf("by %s, good for %d days", c.Issuer, c.DaysLeft)
}

func resolve(ctx context.Context, r Resolver, host string) ([]netip.Addr, error) {
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	addresses, err := r.LookupNetIP(ctx, "ip", host)
	var missing *net.DNSError
	switch {
	case errors.As(err, &missing) && missing.IsNotFound, err == nil && len(addresses) == 0:
		return nil, fmt.Errorf("%s has no address", host)
	case err != nil:
		return nil, fmt.Errorf("the DNS could not be asked: %w", err)
	}
	for i := range addresses {
		addresses[i] = addresses[i].Unmap()
	}
	return addresses, nil
}

func join(addresses []netip.Addr) string {
	words := make([]string, len(addresses))
	for i, a := range addresses {
		words[i] = a.String()
	}
	return strings.Join(words, ", ")
}

// each asks at all of a name's addresses: a CA takes any of them, and IPv6 before IPv4.
func each(addresses []netip.Addr, ask func(netip.Addr) error) error {
	var errs []error
	for _, a := range addresses {
		if err := ask(a); err != nil {
			errs = append(errs, fmt.Errorf("at %s %w", a, err))
		}
	}
	return errors.Join(errs...)
}

// probeHTTP does what a CA does for HTTP-01, but follows no redirect: one to HTTPS would
// need the certificate that is to be had by it.
func (k *Keeper) probeHTTP(ctx context.Context, host string, at netip.Addr) error {
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	client := http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", netip.AddrPortFrom(at, k.o.Load().Ports.HTTP).String())
		}},
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+challengePath+k.probe, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(r)
	if err != nil {
		return fmt.Errorf("nobody answers: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	switch to := resp.Header.Get("Location"); {
	case err != nil:
		return err
	case to != "":
		return fmt.Errorf("a CA's challenge is redirected to %s: let %s through to this gateway", to, challengePath)
	case string(body) != k.probe:
		return fmt.Errorf("something else than this gateway answers (%s): the record is wrong, or a proxy keeps %s for itself", resp.Status, challengePath)
	}
	return nil
}

// probeHTTPS looks whether the certificate that is shown is ours.
func (k *Keeper) probeHTTPS(ctx context.Context, host string, ours *x509.Certificate, at netip.Addr) error {
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	d := tls.Dialer{Config: &tls.Config{ServerName: host, InsecureSkipVerify: true}} // compared with ours, below
	conn, err := d.DialContext(ctx, "tcp", netip.AddrPortFrom(at, k.o.Load().Ports.HTTPS).String())
	var alert *net.OpError
	if errors.As(err, &alert) && alert.Op == "remote error" { // as crypto/tls calls an alert
		return errors.New("TLS is spoken, but there is no certificate for this name")
	}
	if err != nil {
		return fmt.Errorf("nobody answers: %w", err)
	}
	defer conn.Close()
	shown := conn.(*tls.Conn).ConnectionState().PeerCertificates
	if ours == nil || !ours.Equal(shown[0]) {
		return fmt.Errorf("another certificate than this gateway's is shown, by %s: the record is wrong, or a proxy ends TLS", shown[0].Issuer)
	}
	return nil
}
