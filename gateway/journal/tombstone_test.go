package journal

import (
	"errors"
	"testing"
)

// TestGivenUpBeforeItIsDurable: an intent that never became durable touched nothing.
// It is settled whatever overlapped it, and its delete is no tombstone: after a crash
// it might not be there. Without that (intent.go, End) the delete below is one.
func TestGivenUpBeforeItIsDurable(t *testing.T) {
	log := NewMemoryLog()
	j := newJournal(t, log)
	log.Hold()
	intents, err := j.Begin(Opening{Kind: Delete, Epoch: 1, Incomplete: true}, "b", "k")
	if err != nil {
		t.Fatal(err)
	}
	other, err := j.Begin(Opening{Kind: Write, Epoch: 1}, "b", "k")
	if err != nil {
		t.Fatal(err)
	}
	if j.Stamp("b", "k").Deleted(1) {
		t.Error("a delete is a tombstone before it is durable")
	}
	if !intents[0].End(Untouched, Untouched) || j.Stamp("b", "k").Deleted(1) {
		t.Error("a delete that was given up is still there")
	}
	log.Release()
	if err := other[0].Durable(t.Context()); err != nil {
		t.Fatal(err)
	}
	if other[0].End(Applied, Applied) {
		t.Error("what overlapped it settled by itself")
	}
}

// TestTombstone: a delete on an incomplete primary is one from the moment it is
// durable, and the key's counter moves then; it rolls forward whatever became of it;
// it is one of its own epoch only.
func TestTombstone(t *testing.T) {
	log := NewMemoryLog()
	j := newJournal(t, log)
	intents, err := j.Begin(Opening{Kind: Delete, Epoch: 2, Incomplete: true}, "b", "k")
	if err != nil {
		t.Fatal(err)
	}
	before := j.Stamp("b", "k")
	if err := intents[0].Durable(t.Context()); err != nil {
		t.Fatal(err)
	}
	st := j.Stamp("b", "k")
	if before.Still() || before.Deleted(2) || !st.Deleted(2) || st.Deleted(3) {
		t.Errorf("before: still %v, deleted %v; then deleted %v", before.Still(), before.Deleted(2), st.Deleted(2))
	}
	if intents[0].End(Untouched, Untouched) || !next(t, j).Deleted(2) {
		t.Error("a delete that failed is not rolled forward")
	}
	if after := New(log.Crash(), Options{Limit: 10, Quarantine: minute}); !after.Stamp("b", "k").Deleted(2) {
		t.Error("the tombstone is gone after a crash")
	}
}

// TestTombstonesOfAReadOnlyOld stay, one for each key, and neither count as pending
// nor are repaired, until they are released.
func TestTombstonesOfAReadOnlyOld(t *testing.T) {
	j := newJournal(t, NewMemoryLog())
	for range 3 {
		intents, err := j.Begin(Opening{Kind: Delete, Epoch: 2, Incomplete: true}, "b", "k")
		if err != nil {
			t.Fatal(err)
		}
		if err := intents[0].Durable(t.Context()); err != nil {
			t.Fatal(err)
		}
		if intents[0].End(Applied, NoStore) {
			t.Error("a tombstone settled")
		}
	}
	noneDue(t, j)
	if j.Pending() != 0 || j.PendingIn("b") != 0 || j.live.Load() != 1 || j.Quiet(t.Context()) != nil {
		t.Errorf("%d pending, %d in all", j.Pending(), j.live.Load())
	}
	if snapshot := j.Snapshot("b", 2); !snapshot.Deleted("k") || !snapshot.DeletedBelow("") || snapshot.DeletedBelow("l") || snapshot.Moved("k") {
		t.Error("a listing does not see the tombstone as it is")
	}
	if j.BeginCopy(j.Stamp("b", "k"), 2) != nil {
		t.Error("a copy began behind a tombstone")
	}
	j.Release("b")
	if !clean(j, "k") || j.live.Load() != 0 {
		t.Error("the released tombstone is still there")
	}
}

// TestBusy: on an incomplete primary a delete does not begin beside a write that may
// still land, nor a write beside such a delete, nor either beside such a copy, unless
// the copy can not replace what is written.
func TestBusy(t *testing.T) {
	for _, c := range []struct {
		unknown Kind
		opening Opening
		busy    bool
	}{
		{Write, Opening{Kind: Delete}, true},
		{Write, Opening{Kind: Write}, false},
		{Delete, Opening{Kind: Write}, true},
		{Delete, Opening{Kind: Delete}, false},
		{Delete, Opening{Kind: Change}, true},
		{Copy, Opening{Kind: Write}, true},
		{Copy, Opening{Kind: Write, Fenced: true}, false},
		{Copy, Opening{Kind: Delete}, true},
	} {
		j := newJournal(t, NewMemoryLog())
		begin(t, j, c.unknown, "k").End(Unknown, Unknown)
		for _, incomplete := range []bool{true, false} {
			o := c.opening
			o.Epoch, o.Incomplete = 1, incomplete
			_, err := j.Begin(o, "b", "other", "k")
			if got := errors.Is(err, ErrBusy); got != (c.busy && incomplete) {
				t.Errorf("kind %d after kind %d of unknown outcome, incomplete %v: %v", o.Kind, c.unknown, incomplete, err)
			}
		}
	}
}

// TestUrgentRepairsGoFirst: a pending delete or change of rights may still show what
// nobody must see.
func TestUrgentRepairsGoFirst(t *testing.T) {
	j := newJournal(t, NewMemoryLog())
	for _, key := range []string{"w1", "w2"} {
		begin(t, j, Write, key).End(Applied, Untouched)
	}
	begin(t, j, Delete, "d").End(Applied, Untouched)
	begin(t, j, Change, "c").End(Applied, Untouched)
	var order []string
	for range 4 {
		order = append(order, next(t, j).Key)
	}
	if order[0] != "d" || order[1] != "c" {
		t.Errorf("repaired in the order %v", order)
	}
}
