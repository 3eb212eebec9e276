package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anishathalye/porcupine"

	"sluice/backends"
	"sluice/backends/memory"
	"sluice/gateway/migrate"
)

var (
	seed      = flag.Uint64("seed", 1, "of the first history")
	histories = flag.Int("histories", 500, "how many histories to play")
	effort    = flag.Duration("shrink", time.Minute, "how long to look for a smaller history that fails")
	replay    = flag.String("plan", "", "play this plan, as a failure printed it, and print every step")
)

// one processor makes goroutines that one event wakes run in a fixed order.
func one(t *testing.T) {
	before := runtime.GOMAXPROCS(1)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
}

// TestHistories plays histories, each from a seed of its own. Of one that fails it
// prints the smallest plan it finds that fails, too.
func TestHistories(t *testing.T) {
	one(t)
	if *replay != "" {
		var p plan
		if err := json.Unmarshal([]byte(*replay), &p); err != nil {
			t.Fatal(err)
		}
		if f := play(t, p, nil); f != nil {
			t.Errorf("%v\n%s", f, strings.Join(f.trace, "\n"))
		}
		return
	}
	all := figures{Changes: make(map[migrate.Command]int)}
	for i := range *histories {
		if f := play(t, newPlan(*seed+uint64(i)), &all); f != nil {
			t.Errorf("%v\nthe smallest found:\n%v", f, shrink(t, f, *effort))
			break
		}
	}
	t.Logf("%+v", all)
}

// failure is what a history showed.
type failure struct {
	plan  plan
	what  string
	ops   []porcupine.Operation
	trace []string
}

func (f *failure) Error() string {
	p, _ := json.Marshal(f.plan)
	return fmt.Sprintf("seed %d: %s\n  go test ./test/chaos -plan '%s'\n%s", f.plan.Seed, f.what, p, describe(f.ops))
}

// play runs a plan in a bubble of its own, and checks what came of it.
func play(t *testing.T, p plan, all *figures) (failed *failure) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(p)
		fail := func(what string, ops []porcupine.Operation) {
			if failed == nil {
				failed = &failure{p, what, ops, w.trace}
			}
		}
		w.run()
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
		if all != nil {
			all.add(w.figures)
		}
	})
	return failed
}

// run plays the plan.
func (w *world) run() {
	w.before()
	for i, ops := range w.plan.Clients {
		w.addClient(i, ops)
	}
	w.play()
}

// before puts what the stores hold there.
func (w *world) before() {
	for i, at := range w.plan.Before {
		if at == nowhere {
			continue
		}
		content := fmt.Appendf(nil, "before%d........", i)
		w.history.content(hash(content), nameIn(content))
		for _, s := range []*memory.Store{w.old, w.new}[:at] {
			_, err := s.Put(context.Background(), backends.PutRequest{
				Key: keys[i], Body: bytes.NewReader(content), Size: int64(len(content)), Header: http.Header{"Content-Type": {"binary/octet-stream"}},
			})
			if err != nil {
				panic(err)
			}
		}
		w.history.ended(99, w.history.began(), input{key: keys[i], kind: write, value: nameIn(content), how: "before"}, output{})
	}
}

// readAll makes one more client read every key, in every way.
func (w *world) readAll() {
	var ops []op
	for i := range keys {
		ops = append(ops, op{Name: "get", Key: i}, op{Name: "head", Key: i}, op{Name: "read tag", Key: i}, op{Name: "read acl", Key: i})
	}
	w.addClient(len(w.clients), append(ops, op{Name: "list"}))
	for w.step() {
		synctest.Wait()
	}
}
