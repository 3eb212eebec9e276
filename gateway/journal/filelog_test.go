package journal

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
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

// growing is a file that is as long as what was written.
func growing(path string) (logFile, error) { return os.Create(path) }

// disk opens files that fail as told, and counts their fsyncs.
type disk struct {
	open, write, sync error
	syncs             int
	syncing           chan chan struct{} // if set, an fsync hands over what it waits for
}

type diskFile struct {
	*os.File
	d *disk
}

func (d *disk) file(path string) (logFile, error) {
	if d.open != nil {
		return nil, d.open
	}
	f, err := os.Create(path)
	return diskFile{f, d}, err
}

// Write writes half of what it was given before it fails.
func (f diskFile) Write(p []byte) (int, error) {
	if f.d.write != nil {
		n, _ := f.File.Write(p[:len(p)/2])
		return n, f.d.write
	}
	return f.File.Write(p)
}

func (f diskFile) Sync() error {
	f.d.syncs++
	if f.d.syncing != nil {
		wait := make(chan struct{})
		f.d.syncing <- wait
		<-wait
	}
	if f.d.sync != nil {
		return f.d.sync
	}
	return f.File.Sync()
}

func openOn(t *testing.T, dir string, d *disk) *FileLog {
	t.Helper()
	l, err := openLog(dir, d.file)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestHazard15FailureIsFinal: after a failed write or fsync every Append is refused, in
// words that say what to do, even if the disk works again. What was durable
// before comes back. With a fail that remembers nothing the next Append is taken.
func TestHazard15FailureIsFinal(t *testing.T) {
	for name, c := range map[string]struct {
		fail    disk
		rewrite bool // it happens while the file is written anew
	}{
		"disk full":               {fail: disk{write: syscall.ENOSPC}},
		"short write":             {fail: disk{write: io.ErrShortWrite}},
		"fsync":                   {fail: disk{sync: syscall.EIO}},
		"disk full, written anew": {fail: disk{write: syscall.ENOSPC}, rewrite: true},
		"fsync, written anew":     {fail: disk{sync: syscall.EIO}, rewrite: true},
		"open, written anew":      {fail: disk{open: syscall.EMFILE}, rewrite: true},
	} {
		t.Run(name, func(t *testing.T) {
			dir, d := t.TempDir(), &disk{}
			l := openOn(t, dir, d)
			appendAll(t, l, 1, 2)
			if c.rewrite {
				l.compact = 0 // the writer is idle: appendAll has waited for it
			}
			*d = c.fail
			cause := cmp.Or(c.fail.open, c.fail.write, c.fail.sync)
			if err := l.Append([]Record{record(3)}).Wait(t.Context()); !errors.Is(err, cause) {
				t.Fatalf("error %v, want %v", err, cause)
			}
			*d = disk{}
			l.Forget([]uint64{1})
			for id := range uint64(3) {
				err := l.Append([]Record{record(4 + id)}).Wait(t.Context())
				if !errors.Is(err, cause) || !strings.Contains(err.Error(), "writes are refused until the disk is mended and the gateway restarted") {
					t.Errorf("after a failure Append answers %v", err)
				}
			}
			if err := l.Close(); !errors.Is(err, cause) {
				t.Errorf("Close answers %v, want %v", err, cause)
			}
			l = openAt(t, dir)
			defer l.Close()
			// Record 3 may be there: its fsync failed, its write did not.
			if got := l.Records(); len(got) < 2 || len(got) > 3 || got[0] != record(1) || got[1] != record(2) {
				t.Errorf("records %v after the failure, want 1 and 2, perhaps 3", ids(got))
			}
		})
	}
}

// TestFailedOpenLetsGo: an open that failed for whatever reason leaves the file
// as it was and the directory free.
func TestFailedOpenLetsGo(t *testing.T) {
	dir := t.TempDir()
	l := openAt(t, dir)
	appendAll(t, l, 1)
	shut(t, l)
	path := filepath.Join(dir, logName)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, d := range map[string]*disk{
		"open": {open: syscall.EMFILE}, "write": {write: syscall.ENOSPC}, "fsync": {sync: syscall.EIO},
	} {
		if _, err := openLog(dir, d.file); err == nil || !strings.Contains(err.Error(), dir) {
			t.Errorf("a failing %s is answered %v, want an error that names %s", name, err, dir)
		}
	}
	for name, content := range map[string][]byte{
		"empty": {}, "cut in the header": good[:5], "bent": append([]byte("x"), good[1:]...),
	} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenLog(dir); !errors.Is(err, errDamaged) || !strings.Contains(err.Error(), path) {
			t.Errorf("a file that is %s is answered %v, want damage of %s", name, err, path)
		}
		if left, _ := os.ReadFile(path); string(left) != string(content) {
			t.Errorf("a file that is %s was changed by the failed open", name)
		}
	}
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	l = openAt(t, dir)
	wantIDs(t, l, 1, 1)
	shut(t, l)
}

func TestLogHasOneOwner(t *testing.T) {
	dir := t.TempDir()
	l := openAt(t, dir)
	want := fmt.Sprintf("in use by another gateway (process %d): stop it first", os.Getpid())
	if _, err := OpenLog(dir); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("a second opener is answered %v, want %q", err, want)
	}
	appendAll(t, l, 1) // the refused one did no harm
	shut(t, l)
	l = openAt(t, dir)
	wantIDs(t, l, 1, 1)
	shut(t, l)
}

// TestForgottenBeforeALaterRecord: whoever finds a record finds settled what was
// settled before it, or a delete long given up would stand beside a later copy.
func TestForgottenBeforeALaterRecord(t *testing.T) {
	dir := t.TempDir()
	l := openAt(t, dir)
	appendAll(t, l, 1, 2)
	l.Forget([]uint64{1})
	appendAll(t, l, 3)
	raw, err := os.ReadFile(filepath.Join(dir, logName)) // as a crash leaves it
	if err != nil {
		t.Fatal(err)
	}
	live, _, err := replay(raw)
	if err != nil || len(live) != 2 || live[1].ID != 0 {
		t.Errorf("%v, %v", live, err)
	}
	shut(t, l)
}

// TestTornTailLeavesNoTrace: what a crash tore is gone when the log is next
// opened, as is what an interrupted rewriting left.
func TestTornTailLeavesNoTrace(t *testing.T) {
	dir := t.TempDir()
	l := openOn(t, dir, &disk{})
	appendAll(t, l, 1, 2)
	shut(t, l)
	path := filepath.Join(dir, logName)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, raw[:len(raw)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, newName), raw[:7], 0o600); err != nil {
		t.Fatal(err)
	}
	l = openAt(t, dir)
	wantIDs(t, l, 1, 1)
	appendAll(t, l, 3)
	shut(t, l)
	l = openAt(t, dir)
	wantIDs(t, l, 3, 1, 3)
	shut(t, l)
}

// TestLogStaysSmall: the file is written anew whenever it has grown, also with a
// record in it that nobody forgets; ids go on when all the rest is forgotten.
func TestLogStaysSmall(t *testing.T) {
	const batches, each = 48, 1000
	dir := t.TempDir()
	l := openAt(t, dir)
	appendAll(t, l, 1)
	last, largest := uint64(1), int64(0)
	for range batches {
		batch := make([]Record, each)
		settled := make([]uint64, each)
		for i := range batch {
			last++
			batch[i] = Record{ID: last, Epoch: 1, Kind: Write, Bucket: "bucket", Key: strings.Repeat("k", 1024)}
			settled[i] = last
		}
		if err := l.Append(batch).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		l.Forget(settled)
		info, err := os.Stat(filepath.Join(dir, logName))
		if err != nil {
			t.Fatal(err)
		}
		largest = max(largest, info.Size())
	}
	if largest > compactSize+8<<20 {
		t.Errorf("the file had %d bytes, of %d appended and forgotten at once", largest, batches*each*1024)
	}
	shut(t, l)
	l = openAt(t, dir)
	wantIDs(t, l, last, 1)
	l.Forget([]uint64{1})
	shut(t, l)
	for range 2 {
		l = openAt(t, dir)
		wantIDs(t, l, last)
		shut(t, l)
	}
}

// TestWritersShareAnFsync: whatever is appended while an fsync runs becomes
// durable with the next one, and not before.
func TestWritersShareAnFsync(t *testing.T) {
	d := &disk{}
	l := openOn(t, t.TempDir(), d)
	d.syncing = make(chan chan struct{})
	first := l.Append([]Record{record(1)})
	running := <-d.syncing
	var others []*Commit
	for id := uint64(2); id < 66; id++ {
		others = append(others, l.Append([]Record{record(id)}))
	}
	before := d.syncs
	close(running)
	if err := first.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	running = <-d.syncing
	for _, c := range others {
		select {
		case <-c.done:
			t.Fatal("a commit is done while its fsync runs")
		default:
		}
	}
	close(running)
	for _, c := range others {
		if err := c.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	shut(t, l)
	if d.syncs != before+1 {
		t.Errorf("%d fsyncs for 64 writers, want 1", d.syncs-before)
	}
}

// TestIdleLogDoesNothing: settled ids reach the disk without another Append, in
// one fsync; after that nothing runs.
func TestIdleLogDoesNothing(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		d := &disk{}
		l := openOn(t, dir, d)
		appendAll(t, l, 1, 2, 3)
		before := d.syncs
		l.Forget([]uint64{1})
		l.Forget([]uint64{2})
		time.Sleep(forgetDelay)
		synctest.Wait()
		raw, err := os.ReadFile(filepath.Join(dir, logName))
		if err != nil {
			t.Fatal(err)
		}
		if live, _, err := replay(raw); err != nil || len(live) != 1 {
			t.Errorf("%d records on disk, error %v; want record 3", len(live), err)
		}
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if d.syncs != before+1 || l.armed {
			t.Errorf("%d fsyncs for two Forgets and a day, want 1; timer armed: %v", d.syncs-before, l.armed)
		}
		shut(t, l)
	})
}
