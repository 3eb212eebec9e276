package migrate_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"sluice/backends"
	"sluice/backends/faulty"
	"sluice/gateway/journal"
	"sluice/gateway/migrate"
	"sluice/gateway/mirror"
)

// TestReadsAreTeed: the tests of copies made from reads are about such copies.
func TestReadsAreTeed(t *testing.T) {
	hazard(t, func(t *testing.T, r *rig) {
		r.direct(r.old, "k", "one")
		before := r.old.Calls("GetObject")
		r.want("read", r.read("k"), "one")
		synctest.Wait()
		if n := r.old.Calls("GetObject") - before; n != 1 {
			t.Errorf("old was read %d times", n)
		}
		r.want("new", r.on(r.new, "k"), "one")
	}, teeing)
}

// TestHazard05DeletePassesCopyInFlight: a copy is on its way to new when the object is
// deleted.
func TestHazard05DeletePassesCopyInFlight(t *testing.T) {
	// With a BeginCopy that ignores the stamp the copy lands after the delete, and the
	// object is back.
	t.Run("made from a read", func(t *testing.T) {
		hazard(t, func(t *testing.T, r *rig) {
			r.direct(r.old, "k", "one")
			g := hold(r.new, "PutObject", "k")
			o, _, err := r.bucket.Get(t.Context(), backends.GetRequest{Key: "k"})
			if err != nil {
				t.Fatal(err)
			}
			r.await(g)
			r.ok(r.delete("k"))
			r.want("the read that began before", content(t, o, nil), "one")
			close(g.open)
			r.settled("k", absent)
		}, teeing)
	})
	// Without the overlap marks that open sets (journal) the delete settles, and reads
	// show what the copy created after it.
	t.Run("made in the background", func(t *testing.T) {
		hazard(t, func(t *testing.T, r *rig) {
			r.direct(r.old, "k", "one")
			g := hold(r.new, "PutObject", "k")
			done := background(func() error { return r.backfill("k") })
			r.await(g)
			r.ok(r.delete("k"))
			refuse(r.old, "HeadObject", backends.ErrDenied) // no repair comes through yet
			close(g.open)
			<-done
			r.want("new", r.on(r.new, "k"), "one")
			r.want("read", r.read("k"), absent)
			r.old.Heal()
			r.settled("k", absent)
		})
	})
	// Without lockKeys the delete is acknowledged while the copy is under way, which then
	// puts the object on the primary.
	t.Run("to an incomplete primary", func(t *testing.T) {
		hazard(t, func(t *testing.T, r *rig) {
			r.direct(r.old, "k", "one")
			g := hold(r.new, "PutObject", "k")
			done := background(func() error { return r.backfill("k") })
			r.await(g)
			deleted := background(func() error { return r.delete("k") })
			synctest.Wait()
			close(g.open)
			<-done
			r.ok(<-deleted)
			r.want("read", r.read("k"), absent)
			r.settled("k", absent)
		}, switched)
	})
}

// TestHazard05DeleteThenLazyRead: an object is deleted that old still holds.
func TestHazard05DeleteThenLazyRead(t *testing.T) {
	// Without the question for Deleted in ofKey the read finds the object on old.
	gone := func(r *rig) {
		r.t.Helper()
		r.want("read", r.read("k"), absent)
		copied, err := r.bucket.Backfill(r.t.Context(), mirror.Copy{Key: "k"})
		if !errors.Is(err, journal.ErrBusy) && copied != mirror.Tombstoned {
			r.t.Errorf("backfill: %v, %v", copied, err)
		}
		r.want("new", r.on(r.new, "k"), absent)
		for _, q := range []backends.ListRequest{{}, {Prefix: "k"}} {
			keys, err := r.listed(q)
			r.ok(err)
			r.want("listed", strings.Join(keys, " "), "")
		}
	}
	t.Run("old refuses the delete", func(t *testing.T) {
		hazard(t, func(t *testing.T, r *rig) {
			r.direct(r.old, "k", "one")
			refuse(r.old, "DeleteObject", backends.ErrDenied)
			r.ok(r.delete("k"))
			gone(r)
			r.old.Heal()
			r.settled("k", absent)
		}, switched)
	})
	// With a deleted that asks for tombstone alone (journal) the object is back after
	// the restart.
	t.Run("and the gateway dies", func(t *testing.T) {
		hazard(t, func(t *testing.T, r *rig) {
			r.direct(r.old, "k", "one")
			refuse(r.old, "DeleteObject", backends.ErrDenied)
			r.ok(r.delete("k"))
			r.restart()
			gone(r)
			r.old.Heal()
			r.settled("k", absent)
		}, switched)
	})
	// Without keep in Intent.End the object is back when the delete is done.
	t.Run("old is read-only", func(t *testing.T) {
		hazard(t, func(t *testing.T, r *rig) {
			r.direct(r.old, "k", "one")
			r.ok(r.delete("k"))
			gone(r)
			r.quiet()
			gone(r)
			r.restart()
			gone(r)
			r.quiet() // the quarantine is over
			gone(r)
		}, switched, readOnly)
	})
	// With an End that settles a delete that neither store did, the object is back: a
	// delete that was read as done rolls forward.
	t.Run("new refuses the delete", func(t *testing.T) {
		hazard(t, func(t *testing.T, r *rig) {
			r.direct(r.old, "k", "one")
			r.new.Fail(faulty.Fault{Op: "DeleteObject", Key: "k", Times: 1, Before: denied})
			refuse(r.old, "HeadObject", backends.ErrDenied) // no repair comes through yet
			r.failed("delete", r.delete("k"))
			gone(r)
			r.old.Heal()
			r.settled("k", absent)
		}, switched)
	})
	// Without the snapshot's deletes in onlyOld the key is listed.
	t.Run("listed by its prefix", func(t *testing.T) {
		hazard(t, func(t *testing.T, r *rig) {
			r.direct(r.old, "dir/k", "one")
			refuse(r.old, "DeleteObject", backends.ErrDenied)
			r.ok(r.delete("dir/k"))
			page, err := r.bucket.List(t.Context(), backends.ListRequest{Delimiter: "/", MaxKeys: 10})
			r.ok(err)
			r.want("prefixes", strings.Join(page.Prefixes, " "), "")
		}, switched)
	})
}

// TestHazard05DeleteAcrossARollback: what was deleted while new was the primary stays
// deleted when old is the primary again. With an End that settles it although old
// refused, it is back.
func TestHazard05DeleteAcrossARollback(t *testing.T) {
	hazard(t, func(t *testing.T, r *rig) {
		m, _ := r.operator()
		r.mustPut("k", "one")
		r.do(m, migrate.Switch)
		r.old.Fail(faulty.Fault{Op: "DeleteObject", Key: "k", Times: 1, Before: denied})
		r.ok(r.delete("k"))
		r.quiet()
		r.do(m, migrate.Rollback)
		r.settled("k", absent)
	})
}
