package network

import (
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/Shopify/toxiproxy/v2/stream"
	"github.com/Shopify/toxiproxy/v2/toxics"
	"github.com/rs/zerolog"
)

// weather is what a network does to one direction of its connections. The zero value
// passes everything.
type weather struct {
	// Slow: latency and jitter before each piece, pieces of at most slice bytes,
	// rate bytes a second.
	latency, jitter time.Duration
	slice, rate     int

	// end is what happens to a connection that has passed so many bytes.
	end   end
	after int
	// holds: who is at the other end of a connection never learns that it was
	// closed.
	holds bool

	over chan struct{} // closed when the weather turns
}

type end int

const (
	open    end = iota // nothing
	cut                // it is closed
	stall              // it passes nothing, and is closed when the weather turns
	forgot             // it passes nothing for ever, and holds
	pausing = 10 * time.Second
)

// sky is where the weather of one direction comes from.
type sky struct{ now atomic.Pointer[weather] }

func (s *sky) turn(w weather) {
	w.over = make(chan struct{})
	if old := s.now.Swap(&w); old != nil {
		close(old.over)
	}
}

// toxic is all of toxiproxy's toxics that are needed here (latency, bandwidth, slicer,
// timeout, limit_data, reset_peer) in one that stays. Its own are put into and taken
// out of open connections, and wait then 5 s for each piece of data that a connection
// holds whose end is gone: with the gateway at one end, which gives connections up,
// for minutes.
type toxic struct {
	Sky int `json:"sky"`
}

// Pipe passes one direction of a connection on.
func (x *toxic) Pipe(stub *toxics.ToxicStub) {
	skies.mu.Lock()
	s := skies.all[x.Sky]
	skies.mu.Unlock()
	holds := false
	for c := (*connection)(nil); ; {
		if w := s.now.Load(); c == nil || c.over != w.over {
			if c != nil && c.lost && c.end == stall {
				stub.Close()
				drain(stub)
				return
			}
			c = &connection{weather: w, stub: stub, left: w.after, lost: c != nil && c.lost && c.end == forgot}
			if c.lost {
				c.weather = &weather{end: forgot, over: w.over}
			}
			holds = holds || c.holds || c.lost
		}
		select {
		case <-stub.Interrupt: // never: it is not taken out
			return
		case <-c.over:
		case piece := <-stub.Input:
			if piece == nil && (holds || c.lost && c.end == forgot) {
				return
			}
			if piece == nil || !c.pass(piece.Data) {
				stub.Close()
				drain(stub)
				return
			}
		}
	}
}

// drain lets the reading end see that its connection ends, too.
func drain(stub *toxics.ToxicStub) {
	for piece := range stub.Input {
		if piece == nil {
			return
		}
	}
}

// connection is one direction of a connection in one weather.
type connection struct {
	*weather
	stub *toxics.ToxicStub
	left int  // bytes it may pass
	lost bool // bytes were lost
}

// pass answers false when the connection is to be closed.
func (c *connection) pass(data []byte) bool {
	rest := 0
	if c.end != open {
		rest = max(len(data)-c.left, 0)
		data = data[:len(data)-rest]
		c.left -= len(data)
	}
	for len(data) > 0 {
		n := len(data)
		if c.slice > 0 {
			n = min(n, c.slice)
		}
		c.wait(n)
		if c.stub.WriteOutput(&stream.StreamChunk{Data: data[:n], Timestamp: time.Now()}, pausing) != nil {
			return false // who should read it is gone
		}
		data = data[n:]
	}
	if rest == 0 {
		return true
	}
	c.lost = true
	if c.end == cut {
		c.wait(0)
		return false
	}
	return true
}

// wait holds a piece up, as long as the weather stays.
func (c *connection) wait(n int) {
	d := c.latency
	if c.jitter > 0 {
		d += rand.N(c.jitter)
	}
	if c.rate > 0 {
		d += time.Duration(n) * time.Second / time.Duration(c.rate)
	}
	if d == 0 {
		return
	}
	select {
	case <-time.After(d):
	case <-c.over:
	}
}

func init() {
	toxics.Register("weather", new(toxic))
	zerolog.SetGlobalLevel(zerolog.Disabled) // toxiproxy logs much
}
