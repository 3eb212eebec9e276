package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
)

func record(id uint64) Record {
	return Record{ID: id, Epoch: 1, Kind: Write, Bucket: "bucket", Key: fmt.Sprintf("key/%d", id)}
}

func openAt(t *testing.T, dir string) *FileLog {
	t.Helper()
	l, err := OpenLog(dir)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func appendAll(t *testing.T, l Log, ids ...uint64) {
	t.Helper()
	for _, id := range ids {
		if err := l.Append([]Record{record(id)}).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func ids(records []Record) []uint64 {
	list := []uint64{}
	for _, r := range records {
		list = append(list, r.ID)
	}
	return list
}

func TestLogKeepsWhatIsNotForgotten(t *testing.T) {
	dir := t.TempDir()
	l := openAt(t, dir)
	appendAll(t, l, 1, 2, 3, 4)
	l.Forget([]uint64{2, 4})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = openAt(t, dir)
	if got := ids(l.Records()); !reflect.DeepEqual(got, []uint64{1, 3}) {
		t.Errorf("records %v, want 1 and 3", got)
	}
	if got := l.Records()[0]; got != record(1) {
		t.Errorf("record %+v, want %+v", got, record(1))
	}
	l.Forget([]uint64{1, 3})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = openAt(t, dir)
	defer l.Close()
	if len(l.Records()) != 0 || l.LastID() != 4 {
		t.Errorf("records %v, last id %d; want none and 4: an id must never be used twice", l.Records(), l.LastID())
	}
}

// growing is a file that is as long as what was written.
func growing(path string) (logFile, error) { return os.Create(path) }

// written is a log's file, and after how many bytes each record was durable.
func written(t *testing.T) (raw []byte, durable map[uint64]int) {
	t.Helper()
	dir := t.TempDir()
	l, err := openLog(dir, growing)
	if err != nil {
		t.Fatal(err)
	}
	durable = make(map[uint64]int)
	for id := uint64(1); id <= 8; id++ {
		appendAll(t, l, id)
		info, err := os.Stat(filepath.Join(dir, logName))
		if err != nil {
			t.Fatal(err)
		}
		durable[id] = int(info.Size())
	}
	raw, err = os.ReadFile(filepath.Join(dir, logName))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return raw, durable
}

// TestLogCutAtEveryByte: wherever a crash cuts the file, every record that was
// durable before comes back, and none is invented.
func TestLogCutAtEveryByte(t *testing.T) {
	raw, durable := written(t)
	first := durable[1] - (durable[2] - durable[1]) // the file as it is created, in one rename
	for cut := first; cut <= len(raw); cut++ {
		live, _, err := replay(raw[:cut])
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		for id, at := range durable {
			if _, ok := live[id]; ok != (at <= cut) {
				t.Fatalf("cut at %d: record %d there: %v, durable at %d", cut, id, ok, at)
			}
		}
	}
}

// TestLogNeverSilentlyShorter: a byte that changed anywhere is an error, or loses
// the last frame alone, which can not be told from one a crash tore.
func TestLogNeverSilentlyShorter(t *testing.T) {
	raw, durable := written(t)
	for at := range raw {
		bent := append([]byte(nil), raw...)
		bent[at] ^= 0x41
		live, _, err := replay(bent)
		if err == nil && at < durable[7] {
			t.Fatalf("byte %d of %d changed, and the log answers %d records without an error", at, len(raw), len(live))
		}
		if err == nil && len(live) != 7 {
			t.Fatalf("byte %d of the last frame changed: %d records, want 7", at, len(live))
		}
	}
}

// failingFile fails as told.
type failingFile struct {
	logFile
	write, sync error
}

func (f *failingFile) Write(p []byte) (int, error) {
	if f.write != nil {
		n, _ := f.logFile.Write(p[:len(p)/2])
		return n, f.write
	}
	return f.logFile.Write(p)
}

func (f *failingFile) Sync() error {
	if f.sync != nil {
		return f.sync
	}
	return f.logFile.Sync()
}

// TestLogRefusesAfterAFailure: after a failed write or fsync every Append is
// refused, even if the disk works again; what was durable before stays.
func TestLogRefusesAfterAFailure(t *testing.T) {
	for name, fail := range map[string]func(*failingFile, error){
		"write": func(f *failingFile, err error) { f.write = err },
		"fsync": func(f *failingFile, err error) { f.sync = err },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			var file *failingFile
			l, err := openLog(dir, func(path string) (logFile, error) {
				f, err := os.Create(path)
				file = &failingFile{logFile: f}
				return file, err
			})
			if err != nil {
				t.Fatal(err)
			}
			appendAll(t, l, 1)
			fail(file, syscall.ENOSPC)
			err = l.Append([]Record{record(2)}).Wait(t.Context())
			if !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("error %v, want ENOSPC", err)
			}
			fail(file, nil)
			if err := l.Append([]Record{record(3)}).Wait(t.Context()); !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "writes are refused") {
				t.Errorf("after a failure Append answers %v", err)
			}
			if err := l.Close(); !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("Close answers %v", err)
			}
			l = openAt(t, dir)
			defer l.Close()
			if got := l.Records(); len(got) == 0 || got[0] != record(1) {
				t.Errorf("records %v after the failure, want the first at least", got)
			}
		})
	}
}

func TestLogHasOneOwner(t *testing.T) {
	dir := t.TempDir()
	l := openAt(t, dir)
	defer l.Close()
	if _, err := OpenLog(dir); err == nil || !strings.Contains(err.Error(), "in use by another gateway") {
		t.Errorf("a second opener is answered %v", err)
	}
}

// TestLogStaysSmall: the file is written anew when it has grown, also with a
// record in it that nobody forgets.
func TestLogStaysSmall(t *testing.T) {
	dir := t.TempDir()
	l, err := openLog(dir, growing)
	if err != nil {
		t.Fatal(err)
	}
	l.compact = 4 << 10 // no writer is at work yet
	appendAll(t, l, 1)
	for id := uint64(2); id < 400; id++ {
		appendAll(t, l, id)
		l.Forget([]uint64{id})
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, logName))
	if err != nil {
		t.Fatal(err)
	}
	l = openAt(t, dir)
	defer l.Close()
	if got := ids(l.Records()); !reflect.DeepEqual(got, []uint64{1}) || l.LastID() != 399 {
		t.Errorf("records %v, last id %d; want 1 and 399", got, l.LastID())
	}
	if info.Size() > 30<<10 {
		t.Errorf("the file has %d bytes", info.Size())
	}
}

// TestLogConcurrentWriters: everything acknowledged is there, and writers share
// fsyncs.
func TestLogConcurrentWriters(t *testing.T) {
	dir := t.TempDir()
	var syncs int
	l, err := openLog(dir, func(path string) (logFile, error) {
		f, err := os.Create(path)
		return &countingFile{logFile: f, syncs: &syncs}, err
	})
	if err != nil {
		t.Fatal(err)
	}
	const writers, each = 64, 50
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
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if syncs >= writers*each {
		t.Errorf("%d fsyncs for %d appends", syncs, writers*each)
	}
	l = openAt(t, dir)
	defer l.Close()
	if got := len(l.Records()); got != writers*each/2 {
		t.Errorf("%d records, want %d", got, writers*each/2)
	}
}

type countingFile struct {
	logFile
	syncs *int
}

func (f *countingFile) Sync() error {
	*f.syncs++
	return f.logFile.Sync()
}

func FuzzReplay(f *testing.F) {
	frame := appendFrame(appendHeader(nil, 9), 1, []Record{record(7), record(9)}, []uint64{7})
	f.Add(frame)
	f.Add(frame[:len(frame)-3])
	f.Add([]byte("SLJ1"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		live, last, err := replay(raw)
		if err != nil {
			return
		}
		for id := range live {
			if id > last {
				t.Errorf("record %d above the last id %d", id, last)
			}
		}
	})
}
