package journal

import (
	"cmp"
	"errors"
	"slices"
	"sync"
)

// MemoryLog is a Log for tests: it keeps records in memory, and its commits can
// be held back and failed. While they are held what is forgotten is, too: a crash
// brings it back.
type MemoryLog struct {
	mu      sync.Mutex
	opened  []Record
	records map[uint64]Record
	lastID  uint64
	held    bool
	closed  bool
	waiting []heldCommit
	forgot  []uint64 // while held
	failure error
}

type heldCommit struct {
	commit  *Commit
	records []Record
}

// NewMemoryLog makes an empty log.
func NewMemoryLog() *MemoryLog { return &MemoryLog{records: make(map[uint64]Record)} }

// Hold keeps every Append from now on waiting until Release.
func (l *MemoryLog) Hold() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = true
}

// Release ends Hold: what waits becomes durable.
func (l *MemoryLog) Release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = false
	for _, w := range l.waiting {
		l.finish(w)
	}
	l.waiting = nil
	l.flush()
}

// Held counts the commits that are kept waiting.
func (l *MemoryLog) Held() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.waiting)
}

// ReleaseOne makes the oldest commit that waits durable, and what was forgotten
// before.
func (l *MemoryLog) ReleaseOne() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flush()
	if len(l.waiting) > 0 {
		l.finish(l.waiting[0])
		l.waiting = l.waiting[1:]
	}
}

// flush forgets what was to be forgotten. l.mu is held.
func (l *MemoryLog) flush() {
	for _, id := range l.forgot {
		delete(l.records, id)
	}
	l.forgot = nil
}

// Fail makes every Append fail from now on, those that are held included.
func (l *MemoryLog) Fail(err error) {
	l.mu.Lock()
	l.failure = errors.Join(errors.New("journal stopped"), err)
	l.mu.Unlock()
	l.Release()
}

// Crash is the log as a restart finds it.
func (l *MemoryLog) Crash() *MemoryLog {
	l.mu.Lock()
	defer l.mu.Unlock()
	next := NewMemoryLog()
	next.lastID = l.lastID
	for id, r := range l.records {
		next.records[id] = r
		next.opened = append(next.opened, r)
	}
	slices.SortFunc(next.opened, func(a, b Record) int { return cmp.Compare(a.ID, b.ID) })
	return next
}

func (l *MemoryLog) finish(w heldCommit) {
	if w.commit.err = l.failure; l.failure == nil {
		for _, r := range w.records {
			l.records[r.ID] = r
			l.lastID = max(l.lastID, r.ID)
		}
	}
	close(w.commit.done)
}

// Append makes the records durable, unless the log is held, failed or closed.
func (l *MemoryLog) Append(records []Record) *Commit {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := heldCommit{&Commit{done: make(chan struct{})}, records}
	if l.closed {
		w.commit.err = ErrClosed
		close(w.commit.done)
	} else if l.held {
		l.waiting = append(l.waiting, w)
	} else {
		l.finish(w)
	}
	return w.commit
}

// Forget drops settled records.
func (l *MemoryLog) Forget(ids []uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.forgot = append(l.forgot, ids...); !l.held {
		l.flush()
	}
}

// Records is what the log held when it was opened.
func (l *MemoryLog) Records() []Record { return l.opened }

// LastID is the highest id the log has held.
func (l *MemoryLog) LastID() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lastID
}

// Close refuses every Append from now on.
func (l *MemoryLog) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	return nil
}
