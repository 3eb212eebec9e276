package migrate_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/backends"
	"sluice/backends/faulty"
)

var (
	seed      = flag.Uint64("seed", 1, "of the first random history")
	histories = flag.Int("histories", 3, "how many random histories to play")
)

// TestRandomFaults plays random histories: each key has one writer, several
// readers, and stores that fail in every way they can; new also keeps requests
// back and lets them land later. No read may answer anything but the key's last
// acknowledged state, or that of a write whose outcome its client does not know.
// When all is quiet the stores are equal and the journal is empty.
func TestRandomFaults(t *testing.T) {
	for i := range *histories {
		s := *seed + uint64(i)
		t.Run(fmt.Sprint("seed ", s), func(t *testing.T) { history(t, s) })
	}
}

// truth is what a key may hold, and may have held.
type truth struct {
	mu      sync.Mutex
	clock   int // counts the acknowledged writes
	allowed map[string]bool
	until   map[string]int // the clock when a value was last superseded
}

// now is the clock at a read's start.
func (k *truth) now() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.clock
}

// right tells whether a read that began at a clock may answer a value.
func (k *truth) right(value string, began int) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	until, past := k.until[value]
	return k.allowed[value] || past && until > began
}

// begin allows what a write will leave. An acknowledgement leaves nothing else;
// after any other answer the write may have happened or not.
func (k *truth) begin(value string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.allowed[value] = true
}

func (k *truth) acknowledged(value string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.clock++
	for other := range k.allowed {
		k.until[other] = k.clock
	}
	k.allowed = map[string]bool{value: true}
}

func history(t *testing.T, seed uint64) {
	r := newRig(t, impatient)
	const keys, turns = 4, 60
	truths := make([]*truth, keys)
	stop := make(chan struct{})
	var writers, others sync.WaitGroup
	for i := range keys {
		key := fmt.Sprint("key", i)
		k := &truth{allowed: map[string]bool{absent: true}, until: make(map[string]int)}
		truths[i] = k
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		writers.Go(func() {
			for turn := range turns {
				r.write(k, key, fmt.Sprint(key, " turn ", turn), random.IntN(10))
			}
		})
		for range 2 {
			others.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						r.check(k, key)
					}
				}
			})
		}
	}
	others.Go(func() { r.torment(stop, rand.New(rand.NewPCG(seed, 99))) })
	writers.Wait()
	close(stop)
	others.Wait()

	r.old.Heal()
	r.new.Heal()
	if err := r.new.Land(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := errors.Join(r.journal.Quiet(ctx), r.bucket.CopiesDone(ctx), r.journal.Quiet(ctx)); err != nil {
		t.Fatal(err)
	}
	for i, k := range truths {
		key := fmt.Sprint("key", i)
		old, new := r.on(r.old, key), r.on(r.new, key)
		if old != new && new != absent || !k.allowed[old] {
			t.Errorf("%s: old holds %q, new %q, allowed %v", key, old, new, k.allowed)
		}
	}
}

// write puts or deletes the key's next value.
func (r *rig) write(k *truth, key, value string, dice int) {
	run := func() error { return r.put(key, value) }
	if dice < 3 {
		value, run = absent, func() error { return r.delete(key) }
	}
	k.begin(value)
	if run() == nil {
		k.acknowledged(value)
	}
}

// check reads the key; the answer must have been right at some moment of the
// read. An error is always right: it promises nothing.
func (r *rig) check(k *truth, key string) {
	began := k.now()
	if got := r.read(key); !strings.HasPrefix(got, "error:") && !k.right(got, began) {
		r.t.Errorf("%s: read %q, which was superseded before the read began", key, got)
	}
}

// torment makes the stores fail, heals them, and lets requests that new kept back
// land.
func (r *rig) torment(stop chan struct{}, random *rand.Rand) {
	refused := func(context.Context) error { return &backends.Error{Kind: backends.ErrUnavailable} }
	slow := func(ctx context.Context) error {
		select {
		case <-time.After(2 * shortWait):
			return nil
		case <-ctx.Done():
			return &backends.Error{Kind: backends.ErrUnavailable, Err: ctx.Err(), MaybeApplied: true}
		}
	}
	ops := []string{"PutObject", "DeleteObject", "GetObject", "HeadObject"}
	for {
		select {
		case <-stop:
			return
		case <-time.After(3 * time.Millisecond):
		}
		f := faulty.Fault{Op: ops[random.IntN(len(ops))], Times: 1 + random.IntN(3)}
		store := r.new
		switch random.IntN(8) {
		case 0, 1:
			f.Before = refused
		case 2, 3:
			f.After = store.Unknown(f.Op, "")
		case 4:
			f.Zombie = true
		case 5:
			f.Before, f.Times = slow, 1
		case 6:
			store = r.old
			f.Before = refused
			if random.IntN(2) == 0 {
				f.Before, f.After = nil, store.Unknown(f.Op, "")
			}
		case 7:
			if err := r.new.Land(); err != nil {
				r.t.Error(err)
			}
			r.old.Heal()
			r.new.Heal()
			continue
		}
		store.Fail(f)
	}
}
