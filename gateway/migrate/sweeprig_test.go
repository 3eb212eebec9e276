package migrate

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/backends"
	"sluice/backends/faulty"
	"sluice/backends/memory"
	"sluice/gateway/cache"
	"sluice/gateway/config"
	"sluice/gateway/journal"
	"sluice/gateway/migrate/throttle"
	"sluice/gateway/mirror"
)

// yard is a bucket with its operator, crawl, verification and repairer, on two stores in
// memory.
type yard struct {
	t *testing.T
	*Operator
	dir       string
	old, new  *faulty.Store
	oldStore  *memory.Store // behind the faults
	newStore  *memory.Store
	journal   *journal.Journal
	log       *journal.MemoryLog
	readOnly  bool // old
	rules     []config.Rule
	lifted    mirror.Phase // the phase it begins in
	noProfile bool         // nothing is known of the stores
	stop      func()
}

// inYard plays a test in a bubble of virtual time.
func inYard(t *testing.T, play func(t *testing.T, y *yard), change ...func(*yard)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		y := &yard{
			t: t, dir: t.TempDir(), oldStore: memory.New("old"), newStore: memory.New("new"), log: journal.NewMemoryLog(),
			lifted: mirror.Phase{Name: mirror.Passthrough, Epoch: 1},
		}
		for _, c := range change {
			c(y)
		}
		y.old, y.new = faulty.Wrap(y.oldStore), faulty.Wrap(y.newStore)
		y.start()
		t.Cleanup(func() { y.stop() })
		play(t, y)
	})
}

func ruled(rules ...config.Rule) func(*yard) { return func(y *yard) { y.rules = rules } }

// frozen is a bucket whose old store is read-only, switched before its backfill.
func frozen(y *yard) {
	y.readOnly, y.lifted = true, mirror.Phase{Name: mirror.Switched, Epoch: 2, Baseline: true}
}

// start runs a gateway's rooms on what the state directory and the log hold.
func (y *yard) start() {
	y.t.Helper()
	state, err := OpenState(y.dir)
	y.ok(err)
	phase, known := state.Phase("b")
	if !known {
		phase = y.lifted
		y.ok(state.SetPhase("b", phase))
	}
	profile := backends.Profile{ConditionalCreate: true, Checksums: true, ACLs: true, Tags: true, MD5ETags: true}
	if y.noProfile {
		profile = backends.Profile{}
	}
	log := slog.New(slog.DiscardHandler)
	y.journal = journal.New(y.log, journal.Options{Limit: 5000, Quarantine: time.Minute})
	bucket := mirror.New("b", &mirror.Store{Store: y.old, Profile: profile, Circuit: &mirror.Circuit{}, ReadOnly: y.readOnly},
		&mirror.Store{Store: y.new, Profile: profile, Circuit: &mirror.Circuit{}},
		phase, y.journal, cache.New(cache.Options{}), log, mirror.Options{
			Settings: func() *mirror.Settings {
				return &mirror.Settings{SyncTimeout: time.Second, StoreTimeout: 5 * time.Second}
			}, CopyWorkers: 8,
		})
	th, err := throttle.New(throttle.Limits{})
	y.ok(err)
	rules := y.rules // a test's change counts from the next start on
	y.Operator, err = NewOperator(&Migration{Bucket: bucket, State: state, Log: log, Hold: func() time.Duration { return 2 * time.Second }, Life: new(sync.Mutex)}, th, func() []config.Rule { return rules }, y.dir)
	y.ok(err)
	repairer := &Repairer{
		Journal: y.journal, Bucket: func(context.Context, string) (*mirror.Bucket, error) { return bucket, nil }, Log: log, Workers: 2, Timeout: time.Minute,
	}
	ctx, cancel := context.WithCancel(context.Background())
	var rooms sync.WaitGroup
	rooms.Go(func() { y.Operator.Run(ctx) })
	rooms.Go(func() { repairer.Run(ctx) })
	rooms.Go(func() { bucket.Run(ctx) })
	y.stop = func() { cancel(); rooms.Wait() }
}

// restart stops the gateway and starts another on what is on disk.
func (y *yard) restart() {
	y.t.Helper()
	y.stop()
	y.log = y.log.Crash()
	y.start()
}

func (y *yard) ok(err error) {
	y.t.Helper()
	if err != nil {
		y.t.Fatal(err)
	}
}

// fill puts objects on a store behind the gateway's back, each with its key as content.
func fill(t *testing.T, s backends.Store, keys ...string) {
	t.Helper()
	for _, key := range keys {
		putOn(t, s, key, key, nil)
	}
}

func putOn(t *testing.T, s backends.Store, key, content string, h http.Header) {
	t.Helper()
	r := backends.PutRequest{Key: key, Body: strings.NewReader(content), Size: int64(len(content)), Header: h}
	if _, err := s.Put(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

func (y *yard) order(c Command, o Order) (Report, error) {
	return y.Command(y.t.Context(), c, o)
}

// must gives commands that are to succeed; the switch is made without a verification.
func (y *yard) must(commands ...Command) {
	y.t.Helper()
	for _, c := range commands {
		o := Order{}
		if c == Switch {
			o.Override = []string{guardVerified, guardBackfilled}
		}
		if _, err := y.order(c, o); err != nil {
			y.t.Fatalf("%s: %v", c, err)
		}
	}
}

// until lets time pass until something holds.
func (y *yard) until(what string, holds func() bool) {
	y.t.Helper()
	for range 2000 {
		synctest.Wait()
		if holds() {
			return
		}
		time.Sleep(time.Second)
	}
	y.t.Fatalf("never: %s; crawl %+v, verify %+v", what, y.Crawl.Progress(), y.Verify.Progress())
}

// crawled waits for the end of the crawl.
func (y *yard) crawled() *Progress {
	y.t.Helper()
	y.until("the crawl has finished", func() bool {
		p := y.Crawl.Progress()
		return p != nil && p.State == Finished && y.Crawl.idle()
	})
	return y.Crawl.Progress()
}

// verify runs a verification to its end.
func (y *yard) verify(o VerifyOrder) *Progress {
	y.t.Helper()
	y.ok(y.Verify.Begin(o))
	return y.verifyEnded()
}

func (y *yard) verifyEnded() *Progress {
	y.t.Helper()
	y.until("the verification has finished", func() bool {
		return y.Verify.Progress().State == Finished && y.Verify.idle()
	})
	return y.Verify.Progress()
}

func (r *runner) idle() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stop == nil
}

// findings are the lines of the verification's report, in order.
func (y *yard) findings() []string {
	y.t.Helper()
	var text bytes.Buffer
	y.ok(y.Verify.Findings(&text))
	return slices.Sorted(strings.Lines(text.String()))
}

// on is what a store holds of a key, behind its faults; "" if it is absent.
func (y *yard) on(s *memory.Store, key string) string {
	y.t.Helper()
	o, err := s.Get(y.t.Context(), backends.GetRequest{Key: key})
	if err != nil {
		return ""
	}
	defer o.Body.Close()
	raw, err := io.ReadAll(o.Body)
	y.ok(err)
	return string(raw)
}

func clients(s *memory.Store) []string {
	return slices.DeleteFunc(s.Keys(), mirror.IsReserved)
}

// same fails the test unless both stores hold the same.
func (y *yard) same() {
	y.t.Helper()
	if o, n := clients(y.oldStore), clients(y.newStore); !slices.Equal(o, n) {
		y.t.Errorf("old holds %q, new %q", o, n)
	}
	for _, key := range clients(y.oldStore) {
		if o, n := y.on(y.oldStore, key), y.on(y.newStore, key); o != n {
			y.t.Errorf("%s: old holds %q, new %q", key, o, n)
		}
	}
}

// write is a client's.
func (y *yard) write(key, content string) error {
	_, err := y.Bucket.Put(y.t.Context(), backends.PutRequest{Key: key, Body: strings.NewReader(content), Size: int64(len(content))})
	return err
}

func (y *yard) delete(key string) error {
	_, err := y.Bucket.Delete(y.t.Context(), backends.DeleteRequest{Key: key})
	return err
}

// audited are the lines of the audit log.
func (y *yard) audited() []string {
	y.t.Helper()
	raw, err := os.ReadFile(y.dir + "/audit.log")
	y.ok(err)
	return slices.Collect(strings.Lines(string(raw)))
}

// fails is a fault that refuses.
func fails(s *faulty.Store, f faulty.Fault) faulty.Fault {
	f.Before = func(context.Context) error {
		return &backends.Error{Store: s.Name(), Op: f.Op, Key: f.Key, Kind: backends.ErrDenied, Message: "refused"}
	}
	return f
}
