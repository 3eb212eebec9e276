package gateway

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// proxies are the addresses whose word about a request is taken.
type proxies []netip.Prefix

// forwardedHost names the host that a client asked a proxy for.
const forwardedHost = "X-Forwarded-Host"

// trusts tells whether an address is one of a proxy.
func (p proxies) trusts(address string) bool {
	a, err := netip.ParseAddrPort(address)
	ip := a.Addr()
	if err != nil {
		if ip, err = netip.ParseAddr(address); err != nil {
			return false
		}
	}
	ip = ip.Unmap()
	return slices.ContainsFunc(p, func(known netip.Prefix) bool { return known.Contains(ip) })
}

// believe is a request as its client sent it: its URL.Scheme, Host and RemoteAddr are those
// of the connection, or, of a connection from a proxy, what that says.
func (p proxies) believe(r *http.Request) *http.Request {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	if !p.trusts(r.RemoteAddr) {
		r.URL.Scheme = scheme // else the client's, of a request to a proxy
		return r
	}
	told := *r
	url := *r.URL
	told.URL = &url
	if said := strings.ToLower(r.Header.Get("X-Forwarded-Proto")); said == "http" || said == "https" {
		scheme = said
	}
	url.Scheme = scheme
	if host := r.Header.Get(forwardedHost); host != "" {
		told.Host = host
	}
	told.RemoteAddr = p.client(r)
	return &told
}

// client is the address from which the first proxy that is trusted was asked: each adds the
// one that it was asked from to the end.
func (p proxies) client(r *http.Request) string {
	client := r.RemoteAddr
	hops := strings.Split(strings.Join(r.Header["X-Forwarded-For"], ","), ",")
	for _, hop := range slices.Backward(hops) {
		hop = strings.TrimSpace(hop)
		if _, err := netip.ParseAddr(hop); err != nil || !p.trusts(client) {
			break
		}
		client = hop
	}
	return client
}
