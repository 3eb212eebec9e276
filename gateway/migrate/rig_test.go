package migrate_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"sluice/backends"
	"sluice/backends/acl"
	"sluice/backends/faulty"
	"sluice/gateway/cache"
	"sluice/gateway/journal"
	"sluice/gateway/migrate"
	"sluice/gateway/mirror"
	"sluice/test/process"
)

// rig is a mirrored bucket whose stores and journal fail as told.
type rig struct {
	t        *testing.T
	old, new *faulty.Store
	log      *journal.MemoryLog
	journal  *journal.Journal
	cache    *cache.Cache
	bucket   *mirror.Bucket
	settings mirror.Settings
	stop     func()

	oldProfile, newProfile backends.Profile
	readOnly               bool // old
	partSize               int  // of uploads; 0: 5 MiB

	limit      int // of the journal
	quarantine time.Duration
	patience   time.Duration // of settled
}

const quarantine = 300 * time.Millisecond

// standard is what the embedded store does.
var standard = backends.Profile{ConditionalCreate: true, MD5ETags: true}

func newRig(t *testing.T, change ...func(*rig, *mirror.Phase)) *rig {
	t.Helper()
	r := &rig{t: t, log: journal.NewMemoryLog(), oldProfile: standard, newProfile: standard, limit: 1000, quarantine: quarantine, patience: 15 * time.Second, settings: mirror.Settings{
		SyncTimeout: 2 * time.Second, StoreTimeout: 5 * time.Second, UploadKeys: [][]byte{[]byte("test")},
	}}
	phase := mirror.Phase{Name: mirror.Mirroring, Epoch: 1, Baseline: true}
	for _, c := range change {
		c(r, &phase)
	}
	for name, store := range map[string]**faulty.Store{"old": &r.old, "new": &r.new} {
		if *store == nil {
			*store = embeddedStore(t, name)
		}
	}
	r.start(phase)
	t.Cleanup(func() { r.stop() })
	return r
}

func embeddedStore(t *testing.T, name string) *faulty.Store {
	t.Helper()
	_, store, _ := process.Embedded(t, name)
	return faulty.Wrap(kept(t, store))
}

// kept is a store whose ACLs are kept for it.
func kept(t *testing.T, s backends.Store) backends.Store {
	t.Helper()
	acls, err := acl.OpenRecords(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { acls.Close() })
	return acl.Keep(s, acls, "b")
}

// start runs a gateway's rooms on the rig's stores and log.
func (r *rig) start(phase mirror.Phase) {
	r.cache = cache.New(cache.Options{MaxBytes: 16 << 20, MaxObject: 1 << 20, TTL: time.Hour})
	r.journal = journal.New(r.log, journal.Options{
		Limit: r.limit, Quarantine: r.quarantine, Changed: func(k journal.Key) { r.cache.Remove(cache.Key(k)) },
	})
	log := slog.New(slog.DiscardHandler)
	old := &mirror.Store{Store: r.old, Profile: r.oldProfile, Circuit: &mirror.Circuit{}, ReadOnly: r.readOnly}
	new := &mirror.Store{Store: r.new, Profile: r.newProfile, Circuit: &mirror.Circuit{}}
	r.bucket = mirror.New("b", old, new, phase, r.journal, r.cache, log, mirror.Options{
		Settings: func() *mirror.Settings { return &r.settings }, CopyWorkers: 2,
	})
	repairer := &migrate.Repairer{
		Journal: r.journal, Bucket: func(context.Context, string) (*mirror.Bucket, error) { return r.bucket, nil }, Log: log, Workers: 2, Timeout: time.Minute,
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{}, 2)
	go func() { repairer.Run(ctx); ended <- struct{}{} }()
	go func() { r.bucket.Run(ctx); ended <- struct{}{} }()
	r.stop = func() {
		cancel()
		<-ended
		<-ended
	}
}

// restart is kill -9 and a new start: only what the log holds survives.
func (r *rig) restart() {
	r.stop()
	r.log = r.log.Crash()
	r.start(r.bucket.Phase())
}

func (r *rig) put(key, content string) error {
	_, err := r.bucket.Put(r.t.Context(), backends.PutRequest{Key: key, Body: strings.NewReader(content), Size: int64(len(content))})
	return err
}

func (r *rig) mustPut(key, content string) {
	r.t.Helper()
	if err := r.put(key, content); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) delete(key string) error {
	_, err := r.bucket.Delete(r.t.Context(), backends.DeleteRequest{Key: key})
	return err
}

// absent is what read answers for a key that is proven absent.
const absent = "<absent>"

// read is what a client sees of a key.
func (r *rig) read(key string) string {
	r.t.Helper()
	o, _, err := r.bucket.Get(r.t.Context(), backends.GetRequest{Key: key})
	return content(r.t, o, err)
}

func content(t *testing.T, o *backends.Object, err error) string {
	t.Helper()
	if errors.Is(err, backends.ErrNotFound) {
		return absent
	}
	if err != nil {
		return "error: " + err.Error()
	}
	defer o.Body.Close()
	raw, err := io.ReadAll(o.Body)
	if err != nil {
		return "error: " + err.Error()
	}
	return string(raw)
}

// on is what a store holds of a key, behind its faults.
func (r *rig) on(s *faulty.Store, key string) string {
	r.t.Helper()
	o, err := s.Store.Get(r.t.Context(), backends.GetRequest{Key: key})
	return content(r.t, o, err)
}

func (r *rig) want(what, got, want string) {
	r.t.Helper()
	if got != want {
		r.t.Errorf("%s: %.200q, want %.200q", what, got, want)
	}
}

// settled waits until every intent is settled and every copy done, and compares
// the stores on a key.
func (r *rig) settled(key, want string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), r.patience)
	defer cancel()
	if err := errors.Join(r.bucket.CopiesDone(ctx), r.journal.Quiet(ctx)); err != nil {
		r.t.Fatal(err)
	}
	r.want("old", r.on(r.old, key), want)
	r.want("new", r.on(r.new, key), want)
	r.want("a client", r.read(key), want)
}

// direct puts an object on a store behind the gateway's back.
func (r *rig) direct(s *faulty.Store, key, content string) {
	r.t.Helper()
	_, err := s.Store.Put(r.t.Context(), backends.PutRequest{Key: key, Body: bytes.NewReader([]byte(content)), Size: int64(len(content))})
	if err != nil {
		r.t.Fatal(err)
	}
}

// gate blocks an operation until it is opened, and tells when one arrived.
type gate struct{ arrived, open chan struct{} }

func newGate() gate { return gate{make(chan struct{}, 100), make(chan struct{})} }

func (g gate) wait(ctx context.Context) error {
	g.arrived <- struct{}{}
	select {
	case <-g.open:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
