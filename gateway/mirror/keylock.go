package mirror

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/semaphore"

	"sluice/gateway/journal"
)

// keyLocks keep the operations on one key apart on an incomplete primary (R8): a
// delete, and a background copy, are alone with their key.
type keyLocks struct {
	mu    sync.Mutex
	locks map[string]*keyLock // only keys in use
}

type keyLock struct {
	*semaphore.Weighted
	users int // holders and waiters; guarded by keyLocks.mu
}

const (
	shared = 1
	alone  = 1 << 40
)

// use answers a key's lock; done gives it back.
func (l *keyLocks) use(key string) *keyLock {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.locks == nil {
		l.locks = make(map[string]*keyLock)
	}
	k := l.locks[key]
	if k == nil {
		k = &keyLock{Weighted: semaphore.NewWeighted(alone)}
		l.locks[key] = k
	}
	k.users++
	return k
}

func (l *keyLocks) done(key string, k *keyLock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if k.users--; k.users == 0 {
		delete(l.locks, key)
	}
}

// lock waits for a key.
func (l *keyLocks) lock(ctx context.Context, key string, width int64) (unlock func(), err error) {
	k := l.use(key)
	if err := k.Acquire(ctx, width); err != nil {
		l.done(key, k)
		return nil, err
	}
	return func() { k.Release(width); l.done(key, k) }, nil
}

// tryAlone takes a key that nobody uses.
func (l *keyLocks) tryAlone(key string) (unlock func(), ok bool) {
	k := l.use(key)
	if !k.TryAcquire(alone) {
		l.done(key, k)
		return nil, false
	}
	return func() { k.Release(alone); l.done(key, k) }, true
}

// lockKeys locks a mutation's keys, in their order, so that two mutations of several
// keys never wait for each other. A background copy of one is stopped. It waits as
// long as a client may be made to; then the answer is journal.ErrBusy.
func (b *Bucket) lockKeys(ctx context.Context, m *mutation) (unlock func(), err error) {
	width := int64(shared)
	if m.kind == journal.Delete {
		width = alone
	}
	wait, cancel := context.WithTimeout(ctx, b.o.Settings().SyncTimeout)
	defer cancel()
	var held []func()
	unlock = func() {
		for _, u := range held {
			u()
		}
	}
	for _, key := range slices.Sorted(slices.Values(m.keys)) {
		b.copying.stop(key)
		u, err := b.locks.lock(wait, key, width)
		if err != nil {
			unlock()
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return nil, fmt.Errorf("%q is in use by another operation: %w", key, journal.ErrBusy)
		}
		held = append(held, u)
	}
	return unlock, nil
}
