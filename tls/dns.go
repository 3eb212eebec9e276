package tls

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/caddyserver/certmagic"
	"github.com/libdns/cloudflare"
	"github.com/libdns/hetzner/v2"
	"github.com/libdns/rfc2136"
)

// dnsProvider is what libdns's modules are: a struct whose fields are settings by their
// names in JSON.
type dnsProvider struct {
	new      func() certmagic.DNSProvider
	required []string
}

// dnsProviders are those that challenges can be put into the DNS with. A further one of
// https://github.com/libdns is an import and a line here.
var dnsProviders = map[string]dnsProvider{
	"cloudflare": {func() certmagic.DNSProvider { return new(cloudflare.Provider) }, []string{"api_token"}},
	"hetzner":    {func() certmagic.DNSProvider { return new(hetzner.Provider) }, []string{"api_token"}},
	"rfc2136":    {func() certmagic.DNSProvider { return new(rfc2136.Provider) }, []string{"server", "key_name", "key_alg", "key"}},
}

// CheckDNS says what is wrong with the settings of the DNS challenge: "provider" is one of
// dnsProviders, "resolvers" (optional, comma between them) are asked whether a challenge is
// to be seen, and the rest is the provider's.
func CheckDNS(settings map[string]string) error {
	_, err := newDNSProvider(settings)
	return err
}

func newDNSProvider(settings map[string]string) (certmagic.DNSProvider, error) {
	name := settings["provider"]
	row, ok := dnsProviders[name]
	if !ok {
		return nil, fmt.Errorf("provider: %q is not one of %s", name, strings.Join(slices.Sorted(maps.Keys(dnsProviders)), ", "))
	}
	own := maps.Clone(settings)
	delete(own, "provider")
	delete(own, "resolvers")
	var errs []error
	for _, field := range row.required {
		if own[field] == "" {
			errs = append(errs, fmt.Errorf("%s: is required by %s", field, name))
		}
	}
	raw, err := json.Marshal(own)
	if err != nil {
		return nil, err
	}
	provider := row.new()
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(provider); err != nil {
		errs = append(errs, fmt.Errorf("%s: %s", name, strings.TrimPrefix(err.Error(), "json: ")))
	}
	return provider, errors.Join(errs...)
}

func newDNSSolver(settings map[string]string) (*certmagic.DNS01Solver, error) {
	provider, err := newDNSProvider(settings)
	if err != nil {
		return nil, fmt.Errorf("tls.dns: %w", err)
	}
	solver := &certmagic.DNS01Solver{DNSManager: certmagic.DNSManager{DNSProvider: provider}}
	for resolver := range strings.SplitSeq(settings["resolvers"], ",") {
		if resolver = strings.TrimSpace(resolver); resolver != "" {
			solver.Resolvers = append(solver.Resolvers, resolver)
		}
	}
	return solver, nil
}
