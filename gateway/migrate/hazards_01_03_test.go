package migrate_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"sluice/backends"
	"sluice/backends/faulty"
	"sluice/gateway/journal"
	"sluice/gateway/mirror"
)

// TestHazard01CrashBetweenWriteAndRecord: one store took a mutation, the other did not,
// and the gateway dies before it knows. With a restart that forgets the log's records
// (journal.New) the stores stay different and reads show the secondary's state.
func TestHazard01CrashBetweenWriteAndRecord(t *testing.T) {
	put := func(r *rig) error { return r.put("k", "two") }
	for name, c := range map[string]struct {
		run   func(*rig) error
		op    string
		onOld bool // old is the store that never gets the request
		want  string
	}{
		"put, new took it":        {put, "PutObject", true, "one"},
		"put, old took it":        {put, "PutObject", false, "two"},
		"delete, old took it":     {func(r *rig) error { return r.delete("k") }, "DeleteObject", false, absent},
		"completion, old took it": {func(r *rig) error { return r.upload2("k", "two") }, "CompleteMultipartUpload", false, "two"},
	} {
		t.Run(name, func(t *testing.T) {
			hazard(t, func(t *testing.T, r *rig) {
				r.mustPut("k", "one")
				lacking := r.new
				if c.onOld {
					lacking = r.old
				}
				g := loseAnswer(lacking, c.op, "k")
				done := background(func() error { return c.run(r) })
				r.await(g)
				r.crash(g, done)
				r.want("read after the restart", r.read("k"), c.want)
				r.settled("k", c.want)
			})
		})
	}
}

// upload2 uploads an object in two parts.
func (r *rig) upload2(key, content string) error {
	p := r.open(key)
	p.add(content[:1])
	p.add(content[1:])
	return p.complete()
}

// TestHazard02StaleCopyAfterNewerWrite: a copy of the former state is on its way to new
// when the object is replaced.
func TestHazard02StaleCopyAfterNewerWrite(t *testing.T) {
	// Without the IfNoneMatch of copies (copyWhole) new holds the stale state.
	t.Run("conditional create", func(t *testing.T) {
		hazard(t, func(t *testing.T, r *rig) {
			r.overtakeCopy(func() { r.want("new, before any repair", r.on(r.new, "k"), "two") })
		})
	})
	// Without the overlap marks that open sets (journal) the key counts as clean, and
	// reads show the stale state.
	t.Run("fenced by the journal alone", func(t *testing.T) {
		hazard(t, func(t *testing.T, r *rig) {
			r.overtakeCopy(func() { r.want("new, before any repair", r.on(r.new, "k"), "one") })
		}, unconditional)
	})
	// With a BeginCopy that ignores the stamp, and without the IfNoneMatch of tee.start,
	// the copy lands behind the write.
	t.Run("copy made from a read", func(t *testing.T) {
		hazard(t, func(t *testing.T, r *rig) {
			r.direct(r.old, "k", "one")
			o, _, err := r.bucket.Get(t.Context(), backends.GetRequest{Key: "k"})
			r.ok(err)
			r.mustPut("k", "two")
			r.want("the read that began before", content(t, o, nil), "one")
			synctest.Wait()
			r.want("read", r.read("k"), "two")
			r.settled("k", "two")
		}, teeing)
	})
	// Without the mark that open sets on a write under a repair (journal) the write
	// settles everything, and reads show what the repair wrote after it.
	t.Run("copy made by a repair", func(t *testing.T) {
		hazard(t, func(t *testing.T, r *rig) {
			r.new.SetDown(true)
			r.mustPut("k", "one")
			g := hold(r.new, "PutObject", "k")
			r.new.SetDown(false)
			r.await(g) // the repair brings "one"
			r.mustPut("k", "two")
			compare := hold(r.old, "HeadObject", "k")
			close(g.open)
			r.await(compare)
			r.want("new", r.on(r.new, "k"), "one")
			r.want("read before the repair compares", r.read("k"), "two")
			close(compare.open)
			r.settled("k", "two")
		})
	})
}

// overtakeCopy replaces an object while its copy is on its way to new, where no repair
// comes through until after.
func (r *rig) overtakeCopy(after func()) {
	r.direct(r.old, "k", "one")
	g := hold(r.new, "PutObject", "k")
	done := background(func() error { return r.backfill("k") })
	r.await(g)
	r.mustPut("k", "two")
	refuse(r.new, "HeadObject", backends.ErrDenied)
	close(g.open)
	<-done
	synctest.Wait()
	after()
	r.want("read", r.read("k"), "two")
	r.new.Heal()
	r.settled("k", "two")
}

// TestHazard02LateCopyOnAnIncompletePrimary: nobody knows what became of a copy to new,
// which is the primary. It lands after the object was replaced there.
func TestHazard02LateCopyOnAnIncompletePrimary(t *testing.T) {
	play := func(r *rig) {
		r.direct(r.old, "k", "one")
		r.new.Fail(faulty.Fault{Op: "PutObject", Key: "k", Times: 1, Zombie: true})
		r.failed("a copy without an answer", r.backfill("k"))
	}
	// Without the IfNoneMatch of copies (copyWhole) the acknowledged write is lost.
	t.Run("conditional create", func(t *testing.T) {
		hazard(t, func(t *testing.T, r *rig) {
			play(r)
			r.mustPut("k", "two")
			if err := r.new.Land(); !errors.Is(err, backends.ErrPrecondition) {
				t.Errorf("the late copy was answered %v", err)
			}
			r.want("read", r.read("k"), "two")
			r.settled("k", "two")
		}, switched)
	})
	// Without busy (journal) the write is acknowledged, and lost.
	t.Run("without one writes wait", func(t *testing.T) {
		hazard(t, func(t *testing.T, r *rig) {
			play(r)
			if err := r.put("k", "two"); !errors.Is(err, journal.ErrBusy) {
				t.Errorf("a write that the late copy could replace: %v, want ErrBusy", err)
			}
			r.ok(r.new.Land())
			r.quiet()
			r.mustPut("k", "two")
			r.settled("k", "two")
		}, switched, unconditional)
	})
}

// TestHazard03OppositeOrders: two PUTs of one key reach the stores in opposite order.
// Without the overlap marks that open sets (journal) both settle and the stores differ
// for good.
func TestHazard03OppositeOrders(t *testing.T) {
	for name, c := range map[string]struct {
		phase func(*rig, *mirror.Phase)
		slow  func(*rig) *faulty.Store // gets "one" last
		want  string
	}{
		"on the secondary":             {func(*rig, *mirror.Phase) {}, func(r *rig) *faulty.Store { return r.new }, "two"},
		"on the primary":               {func(*rig, *mirror.Phase) {}, func(r *rig) *faulty.Store { return r.old }, "one"},
		"on the secondary, switched":   {complete, func(r *rig) *faulty.Store { return r.old }, "two"},
		"on the primary, switched":     {complete, func(r *rig) *faulty.Store { return r.new }, "one"},
		"on an incomplete one's other": {switched, func(r *rig) *faulty.Store { return r.old }, "two"},
	} {
		t.Run(name, func(t *testing.T) {
			hazard(t, func(t *testing.T, r *rig) {
				g := hold(c.slow(r), "PutObject", "k")
				first := background(func() error { return r.put("k", "one") })
				r.await(g)
				synctest.Wait() // the other store has it
				r.mustPut("k", "two")
				close(g.open)
				r.ok(<-first)
				r.want("read", r.read("k"), c.want)
				r.settled("k", c.want)
			}, c.phase)
		})
	}
}

// complete is a bucket that was switched with the backfill complete.
func complete(_ *rig, p *mirror.Phase) {
	p.Name, p.Epoch, p.Backfilled = mirror.Switched, 2, true
}
