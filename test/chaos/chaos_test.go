package chaos

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/anishathalye/porcupine"

	"sluice/backends"
)

var (
	seed      = flag.Uint64("seed", 1, "of the first history")
	histories = flag.Int("histories", 300, "how many histories to play")
	verbose   = flag.Bool("steps", false, "print every step of a history that fails")
)

// TestHistories plays histories, each from a seed of its own.
func TestHistories(t *testing.T) {
	for i := range *histories {
		p := newPlan(*seed + uint64(i))
		if f := play(t, p); f != nil {
			t.Errorf("%v", f)
			if *verbose {
				t.Log(strings.Join(f.trace, "\n"))
			}
			return
		}
	}
}

// failure is what a history showed.
type failure struct {
	plan  plan
	what  string
	ops   []porcupine.Operation
	trace []string
}

func (f *failure) Error() string {
	return fmt.Sprintf("seed %d: %s\n%+v\n%s", f.plan.Seed, f.what, f.plan, describe(f.ops))
}

// play runs a plan in a bubble of its own, and checks what came of it.
func play(t *testing.T, p plan) (failed *failure) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(p)
		fail := func(what string, ops []porcupine.Operation) {
			if failed == nil {
				failed = &failure{p, what, ops, w.trace}
			}
		}
		w.before()
		for i, ops := range p.Clients {
			w.addClient(i, ops)
		}
		w.play()
		if err := w.settle(); err != nil {
			fail("it never settled: "+err.Error(), nil)
		} else {
			w.readAll()
			if wrong := w.differences(); wrong != nil {
				fail("the stores differ: "+strings.Join(wrong, "; "), nil)
			}
		}
		if key, ops := w.history.check(); key != "" {
			fail(key+" was never so", ops)
		}
		w.end()
	})
	return failed
}

// before puts what old holds there.
func (w *world) before() {
	for i, there := range w.plan.Before {
		if !there {
			continue
		}
		content := []byte(fmt.Sprintf("before%d........", i))
		w.history.content(hash(content), nameIn(content))
		_, err := w.old.Put(context.Background(), backends.PutRequest{
			Key: keys[i], Body: bytes.NewReader(content), Size: int64(len(content)), Header: map[string][]string{"Content-Type": {"binary/octet-stream"}},
		})
		if err != nil {
			panic(err)
		}
		w.history.ended(99, w.history.began(), input{key: keys[i], kind: write, value: nameIn(content), how: "before"}, output{})
	}
}

// readAll makes one more client read every key, in every way.
func (w *world) readAll() {
	var ops []op
	for i := range keys {
		ops = append(ops, op{Name: "get", Key: i}, op{Name: "head", Key: i}, op{Name: "read tag", Key: i})
	}
	w.addClient(len(w.clients), append(ops, op{Name: "list"}))
	for w.step() {
		synctest.Wait()
	}
}
