package journal

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
)

// testLog is what every Log must do. Its factory prepares one log and answers a
// function that opens it: first empty, then, after Close, as a restart finds it.
func testLog(t *testing.T, factory func(t *testing.T) (open func() Log)) {
	for name, test := range map[string]func(*testing.T, func() Log){
		"new log is empty":                  testNewLogIsEmpty,
		"records come back whole":           testRecordsComeBackWhole,
		"batches come back, ascending":      testBatchesComeBack,
		"forgotten stays forgotten":         testForgottenStaysForgotten,
		"no id is used twice":               testLastIDSurvives,
		"records are those of the opening":  testRecordsAreThoseOfTheOpening,
		"nothing is durable at once":        testAppendOfNothing,
		"closed log refuses":                testClosedLogRefuses,
		"64 writers lose nothing":           testConcurrentWriters,
		"forgotten before it is acted upon": testForgetBeforeWait,
	} {
		t.Run(name, func(t *testing.T) { test(t, factory(t)) })
	}
}

func TestFileLog(t *testing.T) {
	testLog(t, func(t *testing.T) func() Log {
		dir := t.TempDir()
		return func() Log { return openAt(t, dir) }
	})
}

func TestMemoryLog(t *testing.T) {
	testLog(t, func(*testing.T) func() Log {
		log := NewMemoryLog()
		return func() Log {
			log = log.Crash()
			return log
		}
	})
}

func shut(t *testing.T, l Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func wantIDs(t *testing.T, l Log, last uint64, want ...uint64) {
	t.Helper()
	if got := ids(l.Records()); !slices.Equal(got, want) || l.LastID() != last {
		t.Errorf("records %v, last id %d; want %v and %d", got, l.LastID(), want, last)
	}
}

func testNewLogIsEmpty(t *testing.T, open func() Log) {
	for range 2 {
		l := open()
		wantIDs(t, l, 0)
		shut(t, l)
	}
}

func testRecordsComeBackWhole(t *testing.T, open func() Log) {
	want := []Record{
		{ID: 1, Epoch: 0, Kind: Write, Bucket: "b", Key: ""},
		{ID: 2, Epoch: 1, Kind: Delete, Bucket: "b", Key: "a//../ü \x00\n"},
		{ID: 3, Epoch: 2, Kind: Copy, Bucket: strings.Repeat("b", 63), Key: strings.Repeat("k", 1024)},
		{ID: 1 << 63, Epoch: 1<<64 - 1, Kind: Write, Bucket: "b", Key: "SLJF"},
	}
	l := open()
	for _, r := range want {
		if err := l.Append([]Record{r}).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // the second time out of a log that was opened with them
		shut(t, l)
		l = open()
		if got := l.Records(); !reflect.DeepEqual(got, want) {
			t.Errorf("records %+v, want %+v", got, want)
		}
	}
	shut(t, l)
}

func testBatchesComeBack(t *testing.T, open func() Log) {
	l := open()
	for _, batch := range [][]Record{{record(7), record(5)}, {record(6)}, {record(2), record(9), record(1)}} {
		if err := l.Append(batch).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	shut(t, l)
	l = open()
	wantIDs(t, l, 9, 1, 2, 5, 6, 7, 9)
	shut(t, l)
}

// testForgottenStaysForgotten: Close makes queued forgets durable; an id that is
// unknown, or forgotten already, is nothing to complain about.
func testForgottenStaysForgotten(t *testing.T, open func() Log) {
	l := open()
	appendAll(t, l, 1, 2, 3, 4)
	l.Forget([]uint64{2})
	l.Forget([]uint64{4, 2, 77})
	l.Forget(nil)
	shut(t, l)
	l = open()
	wantIDs(t, l, 4, 1, 3)
	l.Forget([]uint64{1}) // of an earlier run
	shut(t, l)
	l = open()
	wantIDs(t, l, 4, 3)
	shut(t, l)
}

func testLastIDSurvives(t *testing.T, open func() Log) {
	l := open()
	appendAll(t, l, 1, 2, 40)
	if l.LastID() != 40 {
		t.Errorf("last id %d, want 40", l.LastID())
	}
	l.Forget([]uint64{1, 2, 40})
	for range 3 {
		shut(t, l)
		l = open()
		wantIDs(t, l, 40)
	}
	appendAll(t, l, 41)
	shut(t, l)
	l = open()
	wantIDs(t, l, 41, 41)
	shut(t, l)
}

func testRecordsAreThoseOfTheOpening(t *testing.T, open func() Log) {
	l := open()
	appendAll(t, l, 1, 2)
	shut(t, l)
	l = open()
	l.Forget([]uint64{1})
	appendAll(t, l, 3)
	wantIDs(t, l, 3, 1, 2)
	shut(t, l)
}

func testAppendOfNothing(t *testing.T, open func() Log) {
	l := open()
	if err := l.Append(nil).Wait(t.Context()); err != nil {
		t.Error(err)
	}
	shut(t, l)
}

func testClosedLogRefuses(t *testing.T, open func() Log) {
	l := open()
	appendAll(t, l, 1)
	shut(t, l)
	if err := l.Append([]Record{record(2)}).Wait(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("Append after Close answers %v, want ErrClosed", err)
	}
	l.Forget([]uint64{1}) // too late
	l = open()
	if got := ids(l.Records()); slices.Contains(got, 2) {
		t.Errorf("records %v hold one that was refused", got)
	}
	shut(t, l)
}

func testConcurrentWriters(t *testing.T, open func() Log) {
	const writers, each = 64, 20
	l := open()
	var group sync.WaitGroup
	for w := range uint64(writers) {
		group.Go(func() {
			for i := range uint64(each) {
				id := 1 + w*each + i
				if err := l.Append([]Record{record(id)}).Wait(t.Context()); err != nil {
					t.Error(err)
				}
				if id%2 == 0 {
					l.Forget([]uint64{id})
				}
			}
		})
	}
	group.Wait()
	shut(t, l)
	var odd []uint64
	for id := uint64(1); id <= writers*each; id += 2 {
		odd = append(odd, id)
	}
	l = open()
	wantIDs(t, l, writers*each, odd...)
	shut(t, l)
}

// testForgetBeforeWait: an operation that failed before it touched a store
// forgets an intent it never waited for.
func testForgetBeforeWait(t *testing.T, open func() Log) {
	l := open()
	commit := l.Append([]Record{record(1)})
	l.Forget([]uint64{1})
	if err := commit.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	shut(t, l)
	l = open()
	wantIDs(t, l, 1)
	shut(t, l)
}
