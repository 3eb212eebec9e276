package tls

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mholt/acmez/v3/acme"
)

// TestWords: a refusal says what to do, and what the CA said.
func TestWords(t *testing.T) {
	for kind, want := range map[string]string{
		"dns": "the CA finds no address of a.test", "connection": "port 80 or 443 open", "unauthorized": "a proxy or redirect before us",
		"caa": "a CAA record of a.test", "rateLimited": "nothing to do but wait", "rejectedIdentifier": "does not issue for a.test",
		"externalAccountRequired": "set tls.acme.eab", "somethingNew": "the CA refused: DETAIL (somethingNew)",
	} {
		err := fmt.Errorf("[a.test] Obtain: %w", acme.Problem{Type: acme.ProblemTypeNamespace + kind, Detail: "DETAIL"})
		if got := explain("a.test", err); !strings.Contains(got, want) || !strings.Contains(got, "DETAIL") {
			t.Errorf("%s: %q", kind, got)
		}
	}
	redirected := acme.Problem{
		Type: acme.ProblemTypeConnection, Detail: `Fetching https://a.test/.well-known/acme-challenge/x: Connection refused`,
	}
	if got := explain("a.test", redirected); !strings.Contains(got, "a proxy or redirect before us") {
		t.Errorf("a challenge that was redirected: %q", got)
	}
	if got := explain("a.test", errors.New("the disk is full")); got != "the disk is full" {
		t.Errorf("%q", got)
	}
}

// TestBackoff: each failure in a row is followed by a longer pause, an outage of the CA by a
// short one, and no failure is counted twice.
func TestBackoff(t *testing.T) {
	no := acme.Problem{Type: acme.ProblemTypeDNS}
	for _, c := range []struct {
		err            error
		first, longest time.Duration
	}{{no, refusalPause, longestRefusal}, {errors.New("refused"), outagePause, longestOutage}} {
		a := attempts{byName: make(map[string]attempt)}
		for i, want := 0, c.first; i < 40; i, want = i+1, min(2*want, c.longest) {
			next := a.failed("a.test", c.err)
			if got := time.Until(next).Round(time.Second); got != want {
				t.Fatalf("failure %d: a pause of %v, not %v", i, got, want)
			}
			if again := a.failed("a.test", c.err); again != next {
				t.Errorf("counted twice")
			}
			at := a.byName["a.test"]
			at.next = time.Now()
			a.byName["a.test"] = at
		}
		a.succeeded("a.test")
		if at := a.get("a.test"); at.err != "" {
			t.Errorf("%+v", at)
		}
	}
}

// TestDNSSettings: each provider takes its settings and names those that are wrong.
func TestDNSSettings(t *testing.T) {
	for _, c := range []struct {
		settings map[string]string
		want     string
	}{
		{map[string]string{"provider": "cloudflare", "api_token": "t"}, ""},
		{map[string]string{"provider": "hetzner", "api_token": "t", "resolvers": "127.0.0.1:53, 127.0.0.2"}, ""},
		{map[string]string{"provider": "rfc2136", "server": "s", "key_name": "n", "key_alg": "hmac-sha256", "key": "k"}, ""},
		{map[string]string{"provider": "hetzner"}, "api_token: is required by hetzner"},
		{map[string]string{"provider": "bind"}, `provider: "bind" is not one of cloudflare, hetzner, rfc2136`},
		{map[string]string{"provider": "cloudflare", "api_token": "t", "api_key": "k"}, `cloudflare: unknown field "api_key"`},
	} {
		if err := CheckDNS(c.settings); err == nil && c.want != "" || err != nil && err.Error() != c.want {
			t.Errorf("%v: %v, not %q", c.settings, err, c.want)
		}
	}
	s, err := newDNSSolver(map[string]string{"provider": "hetzner", "api_token": "t", "resolvers": "127.0.0.1:53, 127.0.0.2"})
	if err != nil || len(s.Resolvers) != 2 {
		t.Errorf("%v, %v", s, err)
	}
}
