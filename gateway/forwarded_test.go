package gateway

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

// TestForwarded: what a proxy says is believed, and what anyone else says is not.
func TestForwarded(t *testing.T) {
	known := proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("fd00::/8")}
	for _, c := range []struct {
		name, from           string
		header               map[string]string
		scheme, host, client string
	}{
		{"no proxy", "192.0.2.1:5", map[string]string{
			"X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil",
		}, "http", "here", "192.0.2.1:5"},
		{"a proxy that says nothing", "10.1.1.1:5", nil, "http", "here", "10.1.1.1:5"},
		{"a proxy", "10.1.1.1:5", map[string]string{
			"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "HTTPS", "X-Forwarded-Host": "there",
		}, "https", "there", "192.0.2.1"},
		{"two proxies", "10.1.1.1:5", map[string]string{"X-Forwarded-For": "6.6.6.6, 192.0.2.1, 10.2.2.2"}, "http", "here", "192.0.2.1"},
		{"all are proxies", "10.1.1.1:5", map[string]string{"X-Forwarded-For": "10.3.3.3, 10.2.2.2"}, "http", "here", "10.3.3.3"},
		{"not an address", "10.1.1.1:5", map[string]string{"X-Forwarded-For": "192.0.2.1, unknown"}, "http", "here", "10.1.1.1:5"},
		{"another scheme", "10.1.1.1:5", map[string]string{"X-Forwarded-Proto": "javascript"}, "http", "here", "10.1.1.1:5"},
		{"IPv6", "[fd00::1]:5", map[string]string{"X-Forwarded-For": "2001:db8::1"}, "http", "here", "2001:db8::1"},
		{"mapped", "[::ffff:127.0.0.1]:5", map[string]string{"X-Forwarded-For": "192.0.2.1"}, "http", "here", "192.0.2.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "ftp://here/key", nil)
			r.RemoteAddr = c.from
			for name, value := range c.header {
				r.Header.Set(name, value)
			}
			got := known.believe(r)
			if got.URL.Scheme != c.scheme || got.Host != c.host || got.RemoteAddr != c.client {
				t.Errorf("%s %s from %s", got.URL.Scheme, got.Host, got.RemoteAddr)
			}
		})
	}
}
