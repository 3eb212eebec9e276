// Package chaos plays random histories against the gateway's rooms and checks that
// every one of them is what a single, correct store could have answered.
//
// In process, the stores, the journal, the clock and the operator's phase changes are
// the scheduler's: each operation on them waits until it is released, with an outcome
// drawn from the seed, so that one goroutine runs at a time and a seed plays the same
// history again. Time is virtual.
package chaos

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing/synctest"
	"time"

	"sluice/backends"
	"sluice/backends/memory"
	"sluice/gateway/cache"
	"sluice/gateway/journal"
	"sluice/gateway/migrate"
	"sluice/gateway/mirror"
)

const (
	bucketName   = "b"
	syncTimeout  = 2 * time.Second
	storeTimeout = 10 * time.Second
	quarantine   = time.Minute
)

// everything is what the stores in memory do.
var everything = backends.Profile{
	ConditionalCreate: true, Checksums: true, Trailers: true, Tags: true, TagCounts: true, Subresources: true, MD5ETags: true,
}

// world is everything there is in a history.
type world struct {
	random   *rand.Rand
	plan     plan
	old, new *memory.Store
	trace    []string
	history  *history

	completed map[string]*backends.PutResult // by store and upload; the scheduler's

	mu      sync.Mutex
	life    int // of the gateway; its requests of an earlier life are dead
	waiting []*request
	zombies []zombie
	calm    bool // no more faults
	down    map[*memory.Store]bool

	gateway *gateway
	log     *journal.MemoryLog
	phase   mirror.Phase // the durable record
	clients []*client

	changing atomic.Bool
	changes  int // phase changes begun
	crashes  int
	figures  figures
}

// figures count what histories were made of.
type figures struct {
	Histories, Operations, Requests, Faults, Late, Outages, Crashes, Backfills int
	Changes                                                                    map[migrate.Command]int // that went through
}

func (f *figures) add(other figures) {
	f.Histories++
	f.Operations += other.Operations
	f.Requests += other.Requests
	f.Faults += other.Faults
	f.Late += other.Late
	f.Outages += other.Outages
	f.Crashes += other.Crashes
	f.Backfills += other.Backfills
	for c, n := range other.Changes {
		f.Changes[c] += n
	}
}

// gateway is one life of the gateway's rooms.
type gateway struct {
	life    int
	journal *journal.Journal
	bucket  *mirror.Bucket
	stop    context.CancelFunc
	rooms   sync.WaitGroup
}

func newWorld(p plan) *world {
	w := &world{
		random: rand.New(rand.NewPCG(p.Seed, p.Schedule)), plan: p, old: memory.New("old"), new: memory.New("new"),
		log: journal.NewMemoryLog(), phase: p.Phase, history: newHistory(), completed: make(map[string]*backends.PutResult), down: make(map[*memory.Store]bool), figures: figures{Changes: make(map[migrate.Command]int)},
	}
	w.log.Hold()
	return w
}

// note adds a line to the trace.
func (w *world) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trace = append(w.trace, fmt.Sprintf("%8s  ", time.Since(start).Round(time.Millisecond))+fmt.Sprintf(format, args...))
}

// count changes the figures.
func (w *world) count(change func(*figures)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(&w.figures)
}

// alive tells whether a gateway is the one that runs.
func (w *world) alive(g *gateway) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return g.life == w.life
}

// start is when a bubble's time begins.
var start = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// boot starts the gateway on what is durable.
func (w *world) boot() {
	w.mu.Lock()
	w.life++
	life := w.life
	w.mu.Unlock()
	g := &gateway{life: life}
	memory := cache.New(cache.Options{MaxBytes: 1 << 20, MaxObject: 1 << 16, TTL: time.Hour})
	g.journal = journal.New(w.log, journal.Options{
		Limit: 10_000, Quarantine: quarantine, Changed: func(k journal.Key) { memory.Remove(cache.Key(k)) },
	})
	profile := everything
	profile.ConditionalCreate = w.plan.Conditional
	old := &mirror.Store{Store: &store{w.old, w, life}, Profile: profile, Circuit: &mirror.Circuit{}, ReadOnly: w.plan.ReadOnly}
	new := &mirror.Store{Store: &store{w.new, w, life}, Profile: profile, Circuit: &mirror.Circuit{}}
	log := slog.New(slog.DiscardHandler)
	settings := &mirror.Settings{
		SyncTimeout: syncTimeout, StoreTimeout: storeTimeout, UploadKeys: [][]byte{[]byte("chaos")}, ReadPrimary: w.plan.ReadPrimary,
	}
	g.bucket = mirror.New(bucketName, old, new, w.phase, g.journal, memory, log, mirror.Options{
		Settings: func() *mirror.Settings { return settings }, CopyWorkers: 1,
	})
	repairer := &migrate.Repairer{
		Journal: g.journal, Log: log, Workers: 1, Timeout: time.Hour,
		Bucket: func(context.Context, string) (*mirror.Bucket, error) { return g.bucket, nil },
	}
	ctx, cancel := context.WithCancel(context.Background())
	g.stop = cancel
	g.rooms.Go(func() { repairer.Run(ctx) })
	g.rooms.Go(func() { g.bucket.Run(ctx) })
	w.gateway = g
}

// crash is kill -9: what the gateway had under way at the stores may still land, its
// clients hear nothing, and only what was durable is left.
func (w *world) crash() {
	w.note("CRASH")
	w.crashes++
	w.count(func(f *figures) { f.Crashes++ })
	w.mu.Lock()
	w.life++
	dead := w.waiting
	w.waiting = nil
	for _, r := range dead {
		w.bury(r)
	}
	w.mu.Unlock()
	log := w.log.Crash()
	w.log.Fail(errDead) // the dead gateway writes no more
	w.log = log
	w.log.Hold()
	for _, r := range dead {
		r.decision <- lost
	}
	w.gateway.stop()
	for _, c := range w.clients {
		c.hangUp()
	}
	w.changing.Store(false)
	w.boot()
}

// enter puts a request before the scheduler, unless its gateway is dead.
func (w *world) enter(r *request) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r.life != w.life {
		return false
	}
	w.waiting = append(w.waiting, r)
	return true
}

// abandon takes back a request whose caller gave up.
func (w *world) abandon(r *request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if i := slices.Index(w.waiting, r); i >= 0 {
		w.waiting = slices.Delete(w.waiting, i, i+1)
		w.bury(r)
	}
}

// bury keeps a request that may still land. w.mu is held.
func (w *world) bury(r *request) {
	if r.mutating && !r.effective {
		w.zombies = append(w.zombies, zombie{r, time.Now().Add(quarantine - time.Millisecond)})
	}
}

// pending are the requests that wait, in an order that does not depend on which
// goroutine was faster.
func (w *world) pending() []*request {
	w.mu.Lock()
	defer w.mu.Unlock()
	slices.SortStableFunc(w.waiting, func(a, b *request) int { return cmp.Compare(a.name, b.name) })
	return slices.Clone(w.waiting)
}

func (w *world) truncates() bool {
	if w.calm || w.random.IntN(100) >= w.plan.Faults/2 {
		return false
	}
	w.count(func(f *figures) { f.Faults++ })
	return true
}

// settle plays on without faults until everything is quiet: the clients are done, the
// journal is empty, no copy is under way.
func (w *world) settle() error {
	w.calm = true
	clear(w.down)
	w.note("calm")
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	quiet := make(chan error, 1)
	go func() {
		quiet <- func() error {
			if err := w.gateway.journal.Quiet(ctx); err != nil {
				return err
			}
			if err := w.backfill(ctx); err != nil {
				return err
			}
			if err := w.gateway.bucket.CopiesDone(ctx); err != nil {
				return err
			}
			return w.gateway.journal.Quiet(ctx)
		}()
	}()
	for {
		synctest.Wait()
		select {
		case err := <-quiet:
			return err
		default:
		}
		w.step()
	}
}

// backfill copies what new lacks, as a crawl does. A key that is in use is tried again
// when it no longer is; behind a tombstone there is nothing to copy.
func (w *world) backfill(ctx context.Context) error {
	for _, key := range keys {
		_, err := w.gateway.bucket.Backfill(ctx, mirror.Copy{Key: key})
		for errors.Is(err, journal.ErrBusy) && !w.plan.ReadOnly {
			if err := w.gateway.journal.Quiet(ctx); err != nil {
				return err
			}
			_, err = w.gateway.bucket.Backfill(ctx, mirror.Copy{Key: key})
		}
		if err != nil && !errors.Is(err, journal.ErrBusy) {
			return fmt.Errorf("backfill of %s: %w", key, err)
		}
	}
	return nil
}

// end stops the gateway and waits for all of it.
func (w *world) end() {
	w.mu.Lock()
	w.life++
	dead := w.waiting
	w.waiting = nil
	w.mu.Unlock()
	w.log.Release()
	for _, r := range dead {
		r.decision <- lost
	}
	w.gateway.stop()
	for _, c := range w.clients {
		c.hangUp()
	}
	w.gateway.rooms.Wait()
}

var errDead = fmt.Errorf("the gateway is dead")

// differences compares the stores by what clients can see of their objects.
func (w *world) differences() []string {
	var wrong []string
	for _, key := range keys {
		old, new := w.snapshot(w.old, key), w.snapshot(w.new, key)
		switch {
		case w.phase.Name == mirror.Passthrough, w.phase.Name == mirror.Completed, w.plan.ReadOnly, !w.phase.Baseline:
		case old != new:
			wrong = append(wrong, fmt.Sprintf("%s: old holds %s, new %s", key, old, new))
		}
	}
	return wrong
}

// snapshot is what a store holds of a key: content, tags and ACL; "" if nothing.
func (w *world) snapshot(s *memory.Store, key string) string {
	ctx := context.Background()
	info, err := s.Head(ctx, backends.GetRequest{Key: key})
	if err != nil {
		return ""
	}
	tags, _ := backends.Tags(ctx, s, key)
	acl, _ := backends.CannedACL(ctx, s, key)
	return strings.Join([]string{w.history.nameOf(info.ETag), info.Header.Get("Content-Type"), tags.Encode(), acl}, " ")
}
