package network

import (
	"math/rand/v2"
	"testing"
	"time"
)

// both runs a test on each store's network. Old is the primary, new the secondary.
func both(t *testing.T, resets bool, f fault) {
	for _, store := range []string{"old", "new"} {
		t.Run(store, func(t *testing.T) { run(t, store, resets, f) })
	}
}

// direction is one of requests and answers.
func direction(random *rand.Rand) string {
	if random.IntN(2) == 0 {
		return upstream
	}
	return downstream
}

// someBytes is where a connection ends: at once, in the headers, in a small body, in a
// large one.
func someBytes(random *rand.Rand) int {
	return []int{0, 100, 700, 5_000, 60_000, 1_100_000}[random.IntN(6)]
}

// TestConnectionsThatAreResetLoseNothing: RST to both ends, before a request, in the
// middle of a body, or in place of the answer.
func TestConnectionsThatAreResetLoseNothing(t *testing.T) {
	both(t, true, func(_ *testing.T, p *proxy, random *rand.Rand) {
		p.turns(direction(random), weather{end: cut, after: someBytes(random), jitter: 10 * time.Millisecond})
	})
}

// TestConnectionsCutAfterSomeBytesLoseNothing: truncated requests leave no truncated
// objects, and truncated answers are not taken for whole.
func TestConnectionsCutAfterSomeBytesLoseNothing(t *testing.T) {
	both(t, false, func(_ *testing.T, p *proxy, random *rand.Rand) {
		p.turns(direction(random), weather{end: cut, after: someBytes(random)})
	})
}

// TestHalfOpenConnectionsLoseNothing: data stops, the connection stays.
func TestHalfOpenConnectionsLoseNothing(t *testing.T) {
	both(t, false, func(_ *testing.T, p *proxy, random *rand.Rand) {
		p.turns(direction(random), weather{end: stall, after: someBytes(random)})
		if random.IntN(3) == 0 {
			lasts(storeTimeout) // long enough to be given up
		}
	})
}

// TestBlackHolesLoseNothing: connections are cut and refused, or taken and never
// served.
func TestBlackHolesLoseNothing(t *testing.T) {
	both(t, false, func(t *testing.T, p *proxy, random *rand.Rand) {
		if random.IntN(2) == 0 {
			p.power(t, false)
			return
		}
		for _, way := range []string{upstream, downstream} {
			p.turns(way, weather{end: stall})
		}
	})
}

// slow is a network that passes everything, late and in small pieces.
func slow(way string) fault {
	return func(_ *testing.T, p *proxy, random *rand.Rand) {
		switch random.IntN(3) {
		case 0:
			p.turns(way, weather{rate: 20_000 + random.IntN(500_000), slice: 2000})
		case 1:
			p.turns(way, weather{latency: between(random, 10, 400), jitter: 200 * time.Millisecond})
		case 2:
			p.turns(way, weather{slice: 1 + random.IntN(2000), latency: time.Millisecond})
		}
	}
}

// TestSlowAnswersLoseNothing: what the store sends comes late and in pieces.
func TestSlowAnswersLoseNothing(t *testing.T) { both(t, false, slow(downstream)) }

// TestSlowRequestsLoseNothing: what the store is sent comes late and in pieces, some
// of it after the gateway has given up.
func TestSlowRequestsLoseNothing(t *testing.T) { both(t, false, slow(upstream)) }
