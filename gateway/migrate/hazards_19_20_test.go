package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/backends"
	"sluice/backends/faulty"
	"sluice/gateway/migrate"
	"sluice/gateway/mirror"
)

const markerKey = ".sluice/marker.json"

// TestHazard19HalfFailedChange: a switch or a rollback that does not come to its end.
func TestHazard19HalfFailedChange(t *testing.T) {
	changes := map[string]struct {
		phase   func(*rig, *mirror.Phase)
		command migrate.Command
	}{"switch": {mirroring, migrate.Switch}, "rollback": {complete, migrate.Rollback}}
	for name, c := range changes {
		// With a change that ignores the error of SetPhase the bucket changes its phase,
		// and its markers, without a record.
		t.Run(name+", the record can not be written", func(t *testing.T) {
			hazard(t, func(t *testing.T, r *rig) {
				m, dir := r.operator()
				before := r.bucket.Phase()
				r.ok(os.RemoveAll(dir))
				r.failed(name, m.Do(t.Context(), c.command))
				if got := r.bucket.Phase(); got != before {
					t.Errorf("phase %+v, want %+v", got, before)
				}
				r.want("marker", r.on(r.old, markerKey), absent)
				r.mustPut("k", "one")
				r.settled("k", "one")
			}, c.phase)
		})
		// Without lagging (CheckMarkers) the markers go on telling of the phase before.
		t.Run(name+", crash behind the record", func(t *testing.T) {
			hazard(t, func(t *testing.T, r *rig) {
				m, dir := r.operator()
				r.mustPut("k", "one")
				next, err := c.command.Next(r.bucket.Phase(), migrate.Seen{})
				r.ok(err)
				r.ok(m.State.SetPhase("b", next))
				r.log = r.log.Crash()
				r.reopen(&m, dir)
				r.ok(migrate.CheckMarkers(t.Context(), r.bucket, m.State.ID(), true))
				r.want("phase", string(r.bucket.Phase().Name), string(next.Name))
				r.want("markers", r.on(r.old, markerKey), r.on(r.new, markerKey))
				if r.on(r.old, markerKey) == absent {
					t.Error("no marker was written")
				}
				r.settled("k", "one")
			}, c.phase)
		})
		// As above; with a change that fails with its markers the record would be of
		// another phase than the bucket.
		t.Run(name+", a marker can not be written", func(t *testing.T) {
			for _, which := range []string{"old", "new"} {
				hazard(t, func(t *testing.T, r *rig) {
					m, dir := r.operator()
					s := map[string]*faulty.Store{"old": r.old, "new": r.new}[which]
					s.Fail(faulty.Fault{Op: "PutObject", Key: markerKey, Before: denied})
					r.do(m, c.command)
					s.Heal()
					r.reopen(&m, dir)
					r.ok(migrate.CheckMarkers(t.Context(), r.bucket, m.State.ID(), true))
					r.want("markers", r.on(r.old, markerKey), r.on(r.new, markerKey))
				}, c.phase)
			}
		})
		// Without the gate's whole width (ChangePhase) the change does not wait for the
		// write.
		t.Run(name+", writes under way", func(t *testing.T) {
			hazard(t, func(t *testing.T, r *rig) {
				m, _ := r.operator()
				r.mustPut("k", "one")
				g := newGate()
				for _, s := range []*faulty.Store{r.old, r.new} {
					s.Fail(faulty.Fault{Op: "PutObject", Key: "k", Times: 1, Before: g.wait})
				}
				put := background(func() error { return r.put("k", "two") })
				r.await(g)
				r.await(g)
				changed := background(func() error { return m.Do(t.Context(), c.command) })
				synctest.Wait()
				held := background(func() error { return r.put("held", "one") })
				synctest.Wait()
				close(g.open)
				r.ok(<-put)
				r.ok(<-changed)
				r.ok(<-held)
				r.settled("k", "two")
				r.settled("held", "one")
			}, c.phase)
		})
		// With a gate that is not given back at the end of hold no write comes through
		// again.
		t.Run(name+", writes that do not end", func(t *testing.T) {
			hazard(t, func(t *testing.T, r *rig) {
				m, _ := r.operator()
				before := r.bucket.Phase()
				g := newGate()
				for _, s := range []*faulty.Store{r.old, r.new} {
					s.Fail(faulty.Fault{Op: "PutObject", Key: "k", Times: 1, Before: g.wait})
				}
				put := background(func() error { return r.put("k", "two") })
				r.await(g)
				r.within(name, m.Hold(), func() { r.failed(name, m.Do(t.Context(), c.command)) })
				if got := r.bucket.Phase(); got != before {
					t.Errorf("phase %+v, want %+v", got, before)
				}
				r.mustPut("other", "one")
				close(g.open)
				r.ok(<-put)
				r.settled("k", "two")
			}, c.phase)
		})
	}
	// Without stopAll (ChangePhase) the change waits for a copy that goes on and on.
	t.Run("switch, a copy under way", func(t *testing.T) {
		hazard(t, func(t *testing.T, r *rig) {
			m, _ := r.operator()
			r.direct(r.old, "k", "one")
			g := hold(r.old, "GetObject", "k")
			done := background(func() error { return r.backfill("k") })
			r.await(g)
			r.do(m, migrate.Switch)
			r.failed("copy", <-done)
			r.want("read", r.read("k"), "one")
		})
	})
}

// reopen starts the gateway anew on the state in a directory.
func (r *rig) reopen(m **migrate.Migration, dir string) {
	r.t.Helper()
	state := r.operatorIn(dir).State
	p, _ := state.Phase("b")
	r.stop()
	r.start(p)
	*m = r.operatorIn(dir)
}

// TestHazard19RollbackAfterNewOnlyWrites: since the switch old missed writes.
func TestHazard19RollbackAfterNewOnlyWrites(t *testing.T) {
	// Without the question for pending intents (ChangePhase) they are lost.
	t.Run("pending", func(t *testing.T) {
		hazard(t, func(t *testing.T, r *rig) {
			m, _ := r.operator()
			r.mustPut("k", "one")
			r.mustPut("gone", "one")
			r.do(m, migrate.Switch)
			r.old.SetDown(true)
			r.mustPut("k", "two")
			r.mustPut("created", "two")
			r.ok(r.delete("gone"))
			var pending *mirror.PendingError
			if err := m.Do(t.Context(), migrate.Rollback); !errors.As(err, &pending) || pending.Pending != 3 {
				t.Errorf("rollback: %v", err)
			}
			r.want("read", r.read("k"), "two")
			r.old.SetDown(false)
			r.quiet()
			r.do(m, migrate.Rollback)
			r.settled("k", "two")
			r.settled("created", "two")
			r.settled("gone", absent)
		})
	})
	// Without the guard of Next old is the primary again and lacks what was written.
	t.Run("old is read-only", func(t *testing.T) {
		hazard(t, func(t *testing.T, r *rig) {
			m, _ := r.operator()
			r.mustPut("k", "one")
			if err := m.Do(t.Context(), migrate.Rollback); !errors.Is(err, migrate.ErrGuard) {
				t.Errorf("rollback: %v", err)
			}
			r.want("read", r.read("k"), "one")
		}, switched, readOnly)
	})
}

// TestHazard19CancelStorm: an operator starts and cancels again and again, while clients
// write. With a Start that takes the new store for a mirror although it is not empty
// (Next) reads show what it held when it was one.
func TestHazard19CancelStorm(t *testing.T) {
	hazard(t, func(t *testing.T, r *rig) {
		m, _ := r.operator()
		ctx, stop := context.WithCancel(t.Context())
		var clients sync.WaitGroup
		for i := range 4 {
			key := fmt.Sprint("k", i)
			clients.Go(func() {
				for n := 0; ctx.Err() == nil; n++ {
					r.mustPut(key, fmt.Sprint(n))
					r.want("read", r.read(key), fmt.Sprint(n))
					time.Sleep(time.Duration(10+i) * time.Millisecond) // of the bubble
				}
			})
		}
		for range 20 {
			for _, c := range []migrate.Command{migrate.Start, migrate.Cancel} {
				var err error
				for range 1000 { // writes are pending for a moment
					if err = m.Do(t.Context(), c); err == nil {
						break
					}
					time.Sleep(time.Millisecond) // of the bubble
				}
				r.ok(err)
				r.mustPut("fixed", string(c))
				time.Sleep(25 * time.Millisecond) // of the bubble
			}
		}
		stop()
		clients.Wait()
		r.do(m, migrate.Start)
		r.want("read", r.read("fixed"), string(migrate.Cancel))
		if err := m.Do(t.Context(), migrate.Switch); !errors.Is(err, migrate.ErrGuard) {
			t.Errorf("switch to a store that is no mirror: %v", err)
		}
	}, passthrough)
}

// TestHazard19CancelledClients: many clients go away while they wait. Without leave in
// enter the gate is never whole again, and the phase can not change.
func TestHazard19CancelledClients(t *testing.T) {
	hazard(t, func(t *testing.T, r *rig) {
		m, _ := r.operator()
		r.mustPut("k", "one")
		g := hold(r.new, "PutObject", "k")
		put := background(func() error { return r.put("k", "two") })
		r.await(g)
		ctx, leave := context.WithCancel(t.Context())
		var clients sync.WaitGroup
		for range 100 {
			clients.Go(func() { _, _ = r.bucket.Delete(ctx, backends.DeleteRequest{Key: "k"}) })
		}
		synctest.Wait()
		leave()
		clients.Wait()
		close(g.open)
		r.ok(<-put)
		r.settled("k", "two")
		r.do(m, migrate.Rollback)
		r.settled("k", "two")
	}, switched)
}

// TestHazard20PrematureDone: what is not done is not taken for done. (The crawl, its
// failed keys, and the guards of complete are not there yet.)
func TestHazard20PrematureDone(t *testing.T) {
	// Without the question for pending intents (ChangePhase) old is given up while new
	// lacks a write.
	t.Run("retries pending", func(t *testing.T) {
		hazard(t, func(t *testing.T, r *rig) {
			m, _ := r.operator()
			refuse(r.old, "PutObject", backends.ErrDenied)
			r.mustPut("k", "one")
			var pending *mirror.PendingError
			if err := m.Do(t.Context(), migrate.Complete); !errors.As(err, &pending) {
				t.Errorf("complete: %v", err)
			}
		}, complete)
		hazard(t, func(t *testing.T, r *rig) {
			m, _ := r.operator()
			refuse(r.old, "PutObject", backends.ErrDenied)
			r.mustPut("k", "one")
			var pending *mirror.PendingError
			if err := m.Crawled(t.Context(), true, true); !errors.As(err, &pending) {
				t.Errorf("backfilled: %v", err)
			}
		}, switched)
	})
	// Without the guard of Next objects that only old has are gone.
	t.Run("backfill not complete", func(t *testing.T) {
		hazard(t, func(t *testing.T, r *rig) {
			m, _ := r.operator()
			r.direct(r.old, "k", "one")
			if err := m.Do(t.Context(), migrate.Complete); !errors.Is(err, migrate.ErrGuard) {
				t.Errorf("complete: %v", err)
			}
			r.want("read", r.read("k"), "one")
		}, switched)
	})
	// With a copy that is not queued before it is made (copyQueue) it counts as done
	// while it is under way.
	t.Run("copies under way", func(t *testing.T) {
		hazard(t, func(t *testing.T, r *rig) {
			r.direct(r.old, "k", "one")
			g := hold(r.new, "PutObject", "k")
			r.want("read", r.read("k"), "one")
			r.await(g)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			r.failed("copies done", r.bucket.CopiesDone(ctx))
			close(g.open)
			r.settled("k", "one")
		})
	})
}

// TestHazard20ReplacedSourceIsNotDone: the object is replaced on old, behind the
// gateway's back, while it is copied. The copy fails on the If-Match of its source.
// Where Backfill took every failed precondition for that of new ("somebody was faster")
// it answered success: who counted on it believed that new had the key.
func TestHazard20ReplacedSourceIsNotDone(t *testing.T) {
	hazard(t, func(t *testing.T, r *rig) {
		r.direct(r.old, "k", "one")
		g := hold(r.old, "GetObject", "k")
		done := background(func() error { return r.backfill("k") })
		r.await(g)
		r.direct(r.old, "k", "two")
		close(g.open)
		if err := <-done; err == nil && r.on(r.new, "k") == absent {
			t.Error("the copy is done, and new has nothing")
		}
	})
}
