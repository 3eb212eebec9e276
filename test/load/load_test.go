package load

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"sluice/backends"
	"sluice/test/process"
)

var long = flag.Duration("load", 0, "how long to load the gateway; 0 is 10 s")

const short = 10 * time.Second

// TestUseStaysFlatUnderLoad: 64 clients ask for everything as fast as the machine
// allows while the new store comes and goes. They see results, 404 and SlowDown, and
// nothing else; the gateway's memory and files do not grow once it is warm; in the end
// nothing is pending and the stores are equal.
func TestUseStaysFlatUnderLoad(t *testing.T) {
	length := *long
	if length == 0 {
		length = short
	}
	r := newRig(t, "cache: { memory: 32MiB }\nmigration: { mirror: { sync_timeout: 500ms, quarantine: 2s } }")
	idle := r.use()
	c := newTraffic(r)
	began := time.Now()
	c.start(64, c.mixed)
	flaps := make(chan int)
	go func() { flaps <- r.flap(began.Add(length)) }()

	// The first quarter warms up. What the second needs the rest may need.
	var first, rest use
	for at := time.Since(began); at < length; at = time.Since(began) {
		switch u := r.use(); {
		case at < length/4:
		case at < length/2:
			first = most(first, u)
		default:
			rest = most(rest, u)
		}
		<-time.After(length / 200)
	}
	n := <-flaps
	c.stop()
	took := time.Since(began)
	quiet := time.Now()
	process.Eventually(t, 2*time.Minute, r.equal)
	t.Logf("%v in %v, %d flaps of the new store; the stores are equal %v later",
		c, took.Round(time.Second), n, time.Since(quiet).Round(time.Millisecond))
	r.client.Close()
	t.Logf("idle: %v; at most in the second quarter: %v; in the second half: %v; in the end: %v", idle, first, rest, r.use())

	if limit := first.rss + first.rss/4 + 32<<20; rest.rss > limit {
		t.Errorf("memory grew from %d to %d MiB", first.rss>>20, rest.rss>>20)
	}
	const bound = 300 << 20 // the cache, 64 uploads in their windows, and as much garbage
	if peak := r.gateway.PeakMemory(t); peak > bound {
		t.Errorf("the gateway used %d MiB, more than %d", peak>>20, bound>>20)
	}
	if rest.fds > first.fds+128 {
		t.Errorf("open files grew from %d to %d", first.fds, rest.fds)
	}
	if rest.threads > first.threads+32 {
		t.Errorf("threads grew from %d to %d", first.threads, rest.threads)
	}
	if c.ok.Load() == 0 || c.missing.Load() == 0 || n == 0 {
		t.Error("nothing was tested")
	}
	r.settled()
}

// flap stops the new store and starts it again until end.
func (r *rig) flap(end time.Time) (flaps int) {
	for time.Now().Before(end) {
		<-time.After(time.Duration(500+rand.IntN(2000)) * time.Millisecond)
		if err := r.new.Stop(); err != nil {
			r.t.Error(err)
		}
		<-time.After(time.Duration(200+rand.IntN(1500)) * time.Millisecond)
		if err := r.new.Restart(r.t.Context()); err != nil {
			r.t.Error(err)
		}
		flaps++
	}
	return flaps
}

// TestTooManyRequestsAreSlowedDown: past limits.requests clients are asked to slow
// down, some are served all the time, and with the crowd the refusals go.
func TestTooManyRequestsAreSlowedDown(t *testing.T) {
	r := newRig(t, "limits: { requests: 4 }")
	c := newTraffic(r)
	c.start(64, c.mixed)
	process.Eventually(t, 2*time.Minute, func(context.Context) error {
		if c.slowed.Load() < 1000 || c.ok.Load() < 1000 {
			return fmt.Errorf("%v", c)
		}
		return nil
	})
	c.stop()
	t.Logf("64 clients, 4 requests at once: %v", c)
	slowed := c.slowed.Load()
	for range 100 {
		c.mixed(0)
	}
	if c.slowed.Load() > slowed {
		t.Error("a single client is slowed down")
	}
	process.Eventually(t, time.Minute, r.equal)
}

// TestTooManyPendingWritesAreSlowedDown: with the new store gone and
// migration.mirror.max_pending writes waiting for it no further write is taken; reads
// are. When the store is back so are the writes, and nothing is lost.
func TestTooManyPendingWritesAreSlowedDown(t *testing.T) {
	const pending = 1000
	r := newRig(t, fmt.Sprintf("migration: { mirror: { max_pending: %d, sync_timeout: 500ms, quarantine: 2s } }", pending))
	c := newTraffic(r)
	if err := r.new.Stop(); err != nil {
		t.Fatal(err)
	}
	var next atomic.Int64
	write := func(int) { c.count(c.put(fmt.Sprint("key/", next.Add(1)), 1000)) }
	c.start(16, write)
	process.Eventually(t, time.Minute, func(context.Context) error {
		if c.slowed.Load() < 100 {
			return fmt.Errorf("%v", c)
		}
		return nil
	})
	c.stop()
	t.Logf("at most %d pending: %v; %v", pending, c, r.use())
	if n := c.ok.Load(); n < pending/2 || n > pending {
		t.Errorf("%d writes were taken, not about %d", n, pending)
	}
	if err := c.get("key/1"); err != nil {
		t.Errorf("a read while the journal is full: %v", err)
	}
	if err := c.put("key/1", 10); !errors.Is(err, backends.ErrSlowDown) {
		t.Errorf("a write while the journal is full: %v", err)
	}
	if err := r.new.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	process.Eventually(t, time.Minute, func(context.Context) error { return c.put("key/1", 10) })
	process.Eventually(t, time.Minute, r.equal)
	r.settled()
}
