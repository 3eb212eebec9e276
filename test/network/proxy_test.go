package network

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// The two directions of a connection, as toxiproxy names them.
const (
	upstream   = "upstream"   // requests
	downstream = "downstream" // answers
)

// proxy is the network before one store.
type proxy struct {
	*toxiproxy.Proxy
	skies  map[string]*sky
	faults atomic.Int64 // times the weather turned bad, or the network was switched off
}

// skies are all there are, by the number that a toxic's attributes can carry.
var skies struct {
	mu  sync.Mutex
	all []*sky
}

// newProxy puts a network on 127.0.0.1 before an address. With resets, what is cut is
// reset (RST).
func newProxy(t *testing.T, name, address string, resets bool) *proxy {
	t.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	p := &proxy{
		Proxy: toxiproxy.NewProxy(server, name, "127.0.0.1:0", strings.TrimPrefix(address, "http://")),
		skies: make(map[string]*sky),
	}
	for _, way := range []string{upstream, downstream} {
		s := new(sky)
		s.turn(weather{})
		skies.mu.Lock()
		skies.all = append(skies.all, s)
		p.skies[way] = s
		toxic := fmt.Sprintf(`{"type": "weather", "stream": %q, "attributes": {"sky": %d}}`, way, len(skies.all)-1)
		skies.mu.Unlock()
		if _, err := p.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
			t.Fatal(err)
		}
	}
	if resets { // where this toxic is, toxiproxy closes connections so, even if it never strikes
		_, err := p.Toxics.AddToxicJson(strings.NewReader(`{"type": "reset_peer", "stream": "upstream", "toxicity": 0}`))
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	return p
}

func (p *proxy) endpoint() string { return "http://" + p.Listen }

// turns makes the weather of a direction bad, for connections open and new.
func (p *proxy) turns(direction string, w weather) {
	p.skies[direction].turn(w)
	p.faults.Add(1)
}

// heal makes the weather fine, and switches the network on.
func (p *proxy) heal(t *testing.T) {
	for _, s := range p.skies {
		s.turn(weather{})
	}
	p.power(t, true)
}

// power switches the network on or off: off, it refuses connections and cuts those
// that are open.
func (p *proxy) power(t *testing.T, on bool) {
	was := p.Enabled
	if err := p.Update(&toxiproxy.Proxy{Listen: p.Listen, Upstream: p.Upstream, Enabled: on}); err != nil {
		t.Error(err)
	}
	if was && !on {
		p.faults.Add(1)
	}
}
