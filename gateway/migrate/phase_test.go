package migrate

import (
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"sluice/backends"
	"sluice/backends/faulty"
	"sluice/backends/memory"
	"sluice/gateway/cache"
	"sluice/gateway/journal"
	"sluice/gateway/mirror"
)

// bench is a bucket on two stores with a state directory.
type bench struct {
	*Migration
	dir      string
	old, new *faulty.Store
}

func newBench(t *testing.T) *bench {
	b := &bench{dir: t.TempDir(), old: faulty.Wrap(memory.New("old")), new: faulty.Wrap(memory.New("new"))}
	b.open(t)
	return b
}

// open starts on what the state directory holds; a bucket without a record starts in
// passthrough here.
func (b *bench) open(t *testing.T) error {
	t.Helper()
	state, err := OpenState(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	phase, known := state.Phase("b")
	if !known {
		phase = mirror.Phase{Name: mirror.Passthrough, Epoch: 1}
	}
	log := slog.New(slog.DiscardHandler)
	j := journal.New(journal.NewMemoryLog(), journal.Options{Limit: 100, Quarantine: time.Minute})
	bucket := mirror.New("b", &mirror.Store{Store: b.old, Circuit: &mirror.Circuit{}}, &mirror.Store{Store: b.new, Circuit: &mirror.Circuit{}},
		phase, j, cache.New(cache.Options{}), log, mirror.Options{Settings: func() *mirror.Settings {
			return &mirror.Settings{SyncTimeout: time.Second, StoreTimeout: time.Second}
		}})
	b.Migration = &Migration{Bucket: bucket, State: state, Log: log, Hold: func() time.Duration { return time.Second }}
	return CheckMarkers(t.Context(), bucket, state.ID(), known)
}

func (b *bench) put(t *testing.T) error {
	_, err := b.Bucket.Put(t.Context(), backends.PutRequest{Key: "k", Body: strings.NewReader("v"), Size: 1})
	return err
}

func (b *bench) must(t *testing.T, commands ...Command) {
	t.Helper()
	for _, c := range commands {
		if err := b.Do(t.Context(), c); err != nil {
			t.Fatalf("%s: %v", c, err)
		}
	}
}

// TestCommands: each leads out of one phase into one other, whose epoch is the next,
// and the record and both markers say so.
func TestCommands(t *testing.T) {
	b := newBench(t)
	for i, step := range []struct {
		command Command
		refused error
		phase   mirror.PhaseName
	}{
		{Switch, ErrWrongPhase, ""},
		{Rollback, ErrWrongPhase, ""},
		{Start, nil, mirror.Mirroring},
		{Start, ErrWrongPhase, ""},
		{Complete, ErrWrongPhase, ""},
		{Switch, nil, mirror.Switched},
		{Cancel, ErrWrongPhase, ""},
		{Complete, ErrGuard, ""}, // the backfill is not complete
		{Rollback, nil, mirror.Mirroring},
		{Cancel, nil, mirror.Passthrough},
		{"dance", ErrWrongPhase, ""},
	} {
		before := b.Bucket.Phase()
		err := b.Do(t.Context(), step.command)
		now := b.Bucket.Phase()
		if step.refused != nil {
			if !errors.Is(err, step.refused) || now != before {
				t.Errorf("step %d, %s: %v, then %+v", i, step.command, err, now)
			}
			continue
		}
		if err != nil || now.Name != step.phase || now.Epoch != before.Epoch+1 {
			t.Fatalf("step %d, %s: %v, then %+v", i, step.command, err, now)
		}
		recorded, _ := b.State.Phase("b")
		for _, s := range []*mirror.Store{b.Bucket.Old(), b.Bucket.New()} {
			m, err := readMarker(t.Context(), s)
			if err != nil || m == nil || m.Phase != now || recorded != now || m.ID != b.State.ID() {
				t.Errorf("step %d: the marker in %s says %+v (%v), the record %+v", i, s.Name(), m, err, recorded)
			}
		}
	}
}

// TestCompleteAfterTheBackfill: new alone is left, and old is asked no more.
func TestCompleteAfterTheBackfill(t *testing.T) {
	b := newBench(t)
	b.must(t, Start, Switch)
	if err := b.Crawled(t.Context(), true, true); err != nil {
		t.Fatal(err)
	}
	b.must(t, Complete)
	b.old.SetDown(true)
	if err := b.put(t); err != nil || b.Bucket.Phase().Name != mirror.Completed {
		t.Errorf("%v in %+v", err, b.Bucket.Phase())
	}
}

// TestStartNeedsAnEmptyNewStore for a baseline: what else it holds may be anything
// (R11), and a switch to it is refused.
func TestStartNeedsAnEmptyNewStore(t *testing.T) {
	b := newBench(t)
	if _, err := b.new.Put(t.Context(), backends.PutRequest{Key: "foreign", Body: strings.NewReader("x"), Size: 1}); err != nil {
		t.Fatal(err)
	}
	b.must(t, Start)
	if err := b.Do(t.Context(), Switch); b.Bucket.Phase().Baseline || !errors.Is(err, ErrGuard) {
		t.Errorf("%+v, %v", b.Bucket.Phase(), err)
	}
	b.must(t, Cancel)
}

// TestPendingWritesHoldThePhase: what is not settled would be judged by another
// primary.
func TestPendingWritesHoldThePhase(t *testing.T) {
	b := newBench(t)
	b.must(t, Start)
	b.new.SetDown(true)
	if err := b.put(t); err != nil {
		t.Fatal(err)
	}
	b.new.SetDown(false)
	var pending *mirror.PendingError
	if err := b.Do(t.Context(), Switch); !errors.As(err, &pending) || pending.Pending != 1 || b.Bucket.Phase().Name != mirror.Mirroring {
		t.Errorf("%v in %+v", err, b.Bucket.Phase())
	}
}

// TestFailedDecision: while the record can not be written nothing changes; when it may
// or may not have been, no write is taken in either phase until a restart finds out.
func TestFailedDecision(t *testing.T) {
	b := newBench(t)
	b.must(t, Start)
	dir := b.State.path
	b.State.path = b.dir + "/gone/state.json"
	if err := b.Do(t.Context(), Switch); err == nil || errors.Is(err, mirror.ErrUndecided) || b.Bucket.Phase().Name != mirror.Mirroring {
		t.Errorf("%v in %+v", err, b.Bucket.Phase())
	}
	if err := b.put(t); err != nil {
		t.Errorf("a write after a refused change: %v", err)
	}

	b.State.path, b.State.sync = dir, func(string) error { return errors.New("input/output error") }
	if err := b.Do(t.Context(), Switch); !errors.Is(err, mirror.ErrUndecided) {
		t.Fatal(err)
	}
	if err := b.put(t); !errors.Is(err, mirror.ErrUndecided) {
		t.Errorf("a write in an unknown phase: %v", err)
	}
	if _, _, err := b.Bucket.Head(t.Context(), backends.GetRequest{Key: "k"}); err != nil {
		t.Errorf("a read: %v", err)
	}
	if err := b.open(t); err != nil || b.put(t) != nil {
		t.Errorf("after a restart: %v", err)
	}
}

// TestMarkers: a state that does not fit the stores is refused, in words that say what
// to do; one whose markers lag, as a crash behind the decision leaves them, goes on
// and mends them (I12).
func TestMarkers(t *testing.T) {
	for _, c := range []struct {
		name    string
		damage  func(*testing.T, *bench)
		refused string // "": it is served
	}{
		{"as it was", func(*testing.T, *bench) {}, ""},
		{"state lost", func(t *testing.T, b *bench) {
			b.removeState(t)
		}, "Put the state directory back"},
		{"older backup", func(t *testing.T, b *bench) {
			backup, err := os.ReadFile(b.State.path)
			if err != nil {
				t.Fatal(err)
			}
			b.must(t, Rollback)
			if err := os.WriteFile(b.State.path, backup, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "it is older"},
		{"another gateway's", func(t *testing.T, b *bench) {
			b.removeState(t)
			other, err := OpenState(b.dir)
			if err != nil {
				t.Fatal(err)
			}
			if err := other.SetPhase("b", b.Bucket.Phase()); err != nil {
				t.Fatal(err)
			}
		}, "another gateway"},
		{"crash behind the decision", func(t *testing.T, b *bench) {
			p := b.Bucket.Phase()
			p.Name, p.Epoch = mirror.Mirroring, p.Epoch+1
			if err := b.State.SetPhase("b", p); err != nil {
				t.Fatal(err)
			}
		}, ""},
		{"marker of one store missing", func(t *testing.T, b *bench) {
			if err := Unmark(t.Context(), b.Bucket.New()); err != nil {
				t.Fatal(err)
			}
		}, ""},
		{"one store down", func(_ *testing.T, b *bench) { b.old.SetDown(true) }, ""},
		{"both stores down", func(_ *testing.T, b *bench) { b.old.SetDown(true); b.new.SetDown(true) }, "neither store can be asked"},
		{"older backup and one store down", func(t *testing.T, b *bench) {
			p := b.Bucket.Phase()
			b.must(t, Rollback)
			if err := b.State.SetPhase("b", p); err != nil {
				t.Fatal(err)
			}
			b.old.SetDown(true)
		}, "it is older"},
		{"no marker but something else", func(t *testing.T, b *bench) {
			_, err := b.old.Put(t.Context(), backends.PutRequest{Key: markerKey, Body: strings.NewReader("{"), Size: 1})
			if err != nil {
				t.Fatal(err)
			}
			b.new.SetDown(true)
		}, "is no marker"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			b.must(t, Start, Switch)
			c.damage(t, b)
			err := b.open(t)
			if c.refused != "" {
				if err == nil || !strings.Contains(err.Error(), c.refused) {
					t.Errorf("served: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			b.old.Heal()
			b.new.Heal()
			if err := b.open(t); err != nil {
				t.Fatal(err)
			}
			for _, s := range []*mirror.Store{b.Bucket.Old(), b.Bucket.New()} {
				if m, err := readMarker(t.Context(), s); err != nil || m == nil || m.Phase != b.Bucket.Phase() {
					t.Errorf("%s is marked %+v (%v), the phase is %+v", s.Name(), m, err, b.Bucket.Phase())
				}
			}
		})
	}
}

func (b *bench) removeState(t *testing.T) {
	t.Helper()
	if err := os.Remove(b.State.path); err != nil {
		t.Fatal(err)
	}
}
