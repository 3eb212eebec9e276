package journal

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"
)

// FileLog is a Log in one append-only file. A single goroutine writes: whatever
// was appended while it was syncing goes into the next frame, under one fsync.
// When the file has grown past what is live, the live records are written to a
// new file that takes its place in one rename.
type FileLog struct {
	dir     string
	open    func(path string) (logFile, error)
	lock    *os.File
	records []Record
	closed  chan struct{} // closed when the writer has ended

	mu      sync.Mutex
	queue   batch
	wake    chan struct{} // there is something to write, or the log is closing
	armed   bool          // a timer will see to the queued forgets
	closing bool
	lastID  uint64
	failure error // the first failed write or fsync; final

	// The writer's own:
	file    logFile
	salt    uint64 // of the file
	seq     uint64 // of the last frame
	size    int64
	live    map[uint64]Record
	compact int64 // size at which the file is written anew
}

// batch is what goes into one frame.
type batch struct {
	records []Record
	forget  []uint64
	commits []*Commit
}

// logFile is what the log needs of a file. Tests put a failing one in its place.
type logFile interface {
	io.Writer
	Sync() error
	Close() error
}

const (
	logName = "journal.log"
	newName = "journal.new"
	// forgetDelay is how long a Forget may wait for an Append to share its
	// fsync. A crash before that costs one needless comparison.
	forgetDelay = 200 * time.Millisecond
	compactSize = 16 << 20
)

// OpenLog opens the log in a directory, and holds the directory's lock until
// Close.
func OpenLog(dir string) (*FileLog, error) {
	return openLog(dir, func(path string) (logFile, error) {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return nil, err
		}
		// A file that has its size already costs a sync less than one that
		// grows. What is behind the last frame reads as zeros.
		if err := f.Truncate(compactSize); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		return dataFile{f}, nil
	})
}

// dataFile syncs its data, and of its metadata only what reading it takes.
type dataFile struct{ *os.File }

func (f dataFile) Sync() error { return syncData(f.File) }

func openLog(dir string, open func(string) (logFile, error)) (*FileLog, error) {
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	l := &FileLog{
		dir: dir, open: open, lock: lock,
		wake: make(chan struct{}, 1), closed: make(chan struct{}),
	}
	if err := l.load(); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	// Writing the file anew drops a torn tail and what is settled.
	if err := l.rewrite(); err != nil {
		return nil, errors.Join(fmt.Errorf("journal in %s: %w", dir, err), lock.Close())
	}
	go l.write()
	return l, nil
}

// lockDir makes sure that one process at a time uses the directory (I13).
func lockDir(dir string) (*os.File, error) {
	path := filepath.Join(dir, "lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		owner, _ := io.ReadAll(io.LimitReader(f, 32))
		f.Close()
		return nil, fmt.Errorf("state directory %s is in use by another gateway (process %s): stop it first, or give this one its own state_dir", dir, owner)
	}
	if err := errors.Join(f.Truncate(0), func() error { _, err := fmt.Fprint(f, os.Getpid()); return err }()); err != nil {
		f.Close()
		return nil, fmt.Errorf("state directory: %w", err)
	}
	return f, nil
}

// load reads the file. Only one that is not there is a new log.
func (l *FileLog) load() error {
	path := filepath.Join(l.dir, logName)
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		l.live = make(map[uint64]Record)
		return nil
	}
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	l.live, l.lastID, err = replay(raw)
	if err != nil {
		return fmt.Errorf("journal %s: %w", path, err)
	}
	l.records = slices.SortedFunc(maps.Values(l.live), func(a, b Record) int { return cmp.Compare(a.ID, b.ID) })
	return nil
}

// Records is what the log held when it was opened.
func (l *FileLog) Records() []Record { return l.records }

// LastID is the highest id the log has ever held.
func (l *FileLog) LastID() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lastID
}

// ErrClosed is Append's failure after Close.
var ErrClosed = errors.New("journal is closed")

// Append queues records.
func (l *FileLog) Append(records []Record) *Commit {
	c := &Commit{done: make(chan struct{})}
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.failure
	if err == nil && l.closing {
		err = ErrClosed
	}
	if err != nil {
		c.err = err
		close(c.done)
		return c
	}
	for _, r := range records {
		l.lastID = max(l.lastID, r.ID)
	}
	l.queue.records = append(l.queue.records, records...)
	l.queue.commits = append(l.queue.commits, c)
	l.nudge()
	return c
}

// Forget queues settled ids. The next Append takes them along; if none comes, a
// timer does, so that an idle log has nothing running.
func (l *FileLog) Forget(ids []uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closing || l.failure != nil {
		return // they come back when the log is next opened
	}
	l.queue.forget = append(l.queue.forget, ids...)
	if !l.armed {
		l.armed = true
		time.AfterFunc(forgetDelay, l.forgetNow)
	}
}

func (l *FileLog) forgetNow() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.armed = false
	l.nudge()
}

// Close writes what is queued and closes the file.
func (l *FileLog) Close() error {
	l.mu.Lock()
	l.closing = true
	l.nudge()
	l.mu.Unlock()
	<-l.closed
	return errors.Join(l.failure, l.file.Close(), l.lock.Close())
}

func (l *FileLog) nudge() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// write is the writer goroutine: it ends when the log is closing and the queue
// is empty.
func (l *FileLog) write() {
	defer close(l.closed)
	for range l.wake {
		l.mu.Lock()
		b, closing := l.queue, l.closing
		l.queue = batch{}
		failure := l.failure
		l.mu.Unlock()
		if failure == nil && len(b.records)+len(b.forget) > 0 {
			failure = l.commit(b)
		}
		if failure != nil {
			l.fail(failure)
		}
		for _, c := range b.commits {
			c.err = failure
			close(c.done)
		}
		if closing {
			return
		}
	}
}

// commit makes a batch durable.
func (l *FileLog) commit(b batch) error {
	for _, r := range b.records {
		l.live[r.ID] = r
	}
	for _, id := range b.forget {
		delete(l.live, id)
	}
	if l.size > l.compact {
		return l.rewrite() // holds the batch too
	}
	l.seq++
	frame := appendFrame(nil, l.salt, l.seq, b.records, b.forget)
	if _, err := l.file.Write(frame); err != nil {
		return fmt.Errorf("writing the journal: %w", err)
	}
	l.size += int64(len(frame))
	if err := l.file.Sync(); err != nil {
		return fmt.Errorf("syncing the journal: %w", err)
	}
	return nil
}

// fail stops the log for good: after a failed write or fsync nobody knows what is
// on disk, and an fsync that is tried again may succeed without having written
// anything.
func (l *FileLog) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failure == nil {
		l.failure = fmt.Errorf("journal stopped: %w; writes are refused until the disk is mended and the gateway restarted", err)
	}
}

// rewrite puts a file with the live records alone in the log's place.
func (l *FileLog) rewrite() error {
	path, aside := filepath.Join(l.dir, logName), filepath.Join(l.dir, newName)
	file, err := l.open(aside)
	if err != nil {
		return err
	}
	records := slices.SortedFunc(maps.Values(l.live), func(a, b Record) int { return cmp.Compare(a.ID, b.ID) })
	l.seq++
	salt := rand.Uint64() // seeded by the system, hidden from clients
	content := appendHeader(nil, l.LastID(), salt)
	content = appendFrame(content, salt, l.seq, records, nil)
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	if err == nil {
		err = os.Rename(aside, path)
	}
	if err == nil {
		err = syncDir(l.dir)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("writing the journal anew: %w", err), file.Close())
	}
	if l.file != nil {
		_ = l.file.Close() // nobody will read it again
	}
	l.file, l.salt, l.size = file, salt, int64(len(content))
	l.compact = compactSize + 2*l.size
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
