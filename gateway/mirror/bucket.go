// Package mirror runs one operation on two stores: the dual write, its outcome,
// and the order in which reads ask. It upholds the invariants and the rules R1
// to R13 of the design together with the journal, which remembers, and the
// repairer, which settles what did not go as it should.
package mirror

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/semaphore"

	"sluice/gateway/cache"
	"sluice/gateway/journal"
)

// Reserved is the prefix of Sluice's own objects in the stores. Clients never
// see a key below it.
const Reserved = ".sluice/"

// Options are a bucket's settings.
type Options struct {
	// Settings answers those that may change while the bucket works. It is asked where
	// one is needed.
	Settings func() *Settings
	// Versioned: the old store's bucket is known to keep versions.
	Versioned bool
	// OneServer: one server holds both stores' buckets, and can copy between them.
	OneServer bool
	// CopyWorkers bounds the background copies under way at once.
	CopyWorkers int
	// Span is told when a background copy begins, and answers what is called at its end;
	// nil: nobody wants to know.
	Span func(ctx context.Context, name, bucket, key string) (context.Context, func(error))
}

// Settings are of all buckets alike; see the configuration reference. They are replaced,
// never changed.
type Settings struct {
	// SyncTimeout bounds how long the secondary may make a client wait.
	SyncTimeout time.Duration
	// StoreTimeout bounds the wait for a store's answer to a complete request,
	// and for a store that takes no more of a body.
	StoreTimeout time.Duration
	// FailOnSecondary refuses a write that the secondary did not take
	// (on_secondary_error: fail). The primary keeps it all the same.
	FailOnSecondary bool
	// ReadPrimary asks the primary before new (reads: primary).
	ReadPrimary bool
	// UploadKeys authenticate upload ids: the first signs, all verify.
	UploadKeys [][]byte
}

// Bucket is one bucket as clients see it, on its one or two stores.
type Bucket struct {
	Name     string
	old, new *Store // new is nil for a bucket with one store
	journal  *journal.Journal
	cache    *cache.Cache
	o        Options
	log      *slog.Logger

	phase   atomic.Pointer[Phase]
	halted  atomic.Pointer[error] // a phase change ended in ErrUndecided
	gate    *semaphore.Weighted   // mutations and copies go through; a phase change takes it whole
	locks   keyLocks              // in use while the primary is incomplete
	copies  copyQueue
	copying copying
	missed  missed // by the secondary
	// uploads remembers the ids given out, by the primary's, so that listings
	// name them alike. What it forgets costs nothing else: an upload completed
	// under another id reaches the secondary by the repairer.
	uploads *lru.Cache[string, string]
	// versioned: the primary keeps versions. Their ids are its own, so that
	// reads ask it alone.
	versioned atomic.Bool
	late      chan struct{}  // slots for secondaries that answer after the client was answered
	wg        sync.WaitGroup // everything that outlives its request
}

// lateSlots bounds the operations that wait for a slow secondary behind the
// client's back. When all are taken a slow secondary is cut off instead.
const lateSlots = 256

const rememberedUploads = 10_000

// New puts a bucket on its stores; new may be nil. The bucket works once Run runs.
func New(name string, old, new *Store, p Phase, j *journal.Journal, c *cache.Cache, log *slog.Logger, o Options) *Bucket {
	if o.Span == nil {
		o.Span = func(ctx context.Context, _, _, _ string) (context.Context, func(error)) { return ctx, func(error) {} }
	}
	b := &Bucket{
		Name: name, old: old, new: new, journal: j, cache: c, o: o,
		log: log.With("bucket", name), late: make(chan struct{}, lateSlots), gate: semaphore.NewWeighted(gateWidth),
	}
	b.copies.init()
	b.uploads, _ = lru.New[string, string](rememberedUploads) // fails for a size below 1 only
	b.phase.Store(&p)
	b.versioned.Store(o.Versioned)
	return b
}

// Run copies in the background until ctx is done, then waits for what is under
// way.
func (b *Bucket) Run(ctx context.Context) {
	var workers sync.WaitGroup
	for range max(b.o.CopyWorkers, 1) {
		workers.Go(func() { b.copyWorker(ctx) })
	}
	workers.Wait()
	b.wg.Wait()
}

func (b *Bucket) stamp(key string) journal.Stamp { return b.journal.Stamp(b.Name, key) }

func (b *Bucket) cacheKey(key string) cache.Key { return cache.Key{Bucket: b.Name, Name: key} }

// Primary is the store that is right by definition now.
func (b *Bucket) Primary() *Store { return b.view().primary }

// Secondary is the other store, or nil.
func (b *Bucket) Secondary() *Store { return b.view().secondary }

// Old is the store that the bucket moves from.
func (b *Bucket) Old() *Store { return b.old }

// New is the store that the bucket moves to; nil for a bucket with one store.
func (b *Bucket) New() *Store { return b.new }

// Mirrored tells whether writes go to both stores.
func (b *Bucket) Mirrored() bool { return b.view().mirror() != nil }

// Pending counts the bucket's writes that are open or wait for the repairer.
func (b *Bucket) Pending() int { return b.journal.PendingIn(b.Name) }

// Unsettled counts the bucket's writes that wait for the repairer.
func (b *Bucket) Unsettled() int { return b.journal.UnsettledIn(b.Name) }

// IsReserved tells whether a key is one of Sluice's own.
func IsReserved(key string) bool { return strings.HasPrefix(key, Reserved) }

// ErrSecondary is a write's failure under on_secondary_error: fail: the primary
// took it, the secondary did not.
var ErrSecondary = errors.New("the secondary store did not take the write")
