package chaos

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"slices"
	"testing/synctest"
	"time"

	"sluice/backends/memory"
	"sluice/gateway/migrate"
	"sluice/gateway/mirror"
)

// action is something the scheduler can do next.
type action struct {
	weight int
	do     func()
}

// play runs the plan to its end: until the clients are done.
func (w *world) play() {
	w.boot()
	for {
		synctest.Wait()
		if !w.step() {
			return
		}
	}
}

// step does one thing that can be done now, and tells whether the clients have more
// to do.
func (w *world) step() bool {
	var actions []action
	add := func(weight int, do func()) { actions = append(actions, action{weight, do}) }
	for _, r := range w.pending() {
		add(20*w.haste(r.name), func() { w.serve(r) })
	}
	if w.log.Held() > 0 {
		add(20*w.haste("journal"), func() { w.log.ReleaseOne() })
	}
	busy := false
	for _, c := range w.clients {
		busy = busy || c.busy.Load() || len(c.ops) > 0
		if !c.busy.Load() && len(c.ops) > 0 {
			add(10*w.haste(fmt.Sprint("client", c.id)), c.begin)
		}
	}
	for _, z := range w.late() {
		add(16, func() { w.land(z) })
	}
	if !w.calm && busy {
		if w.crashes < w.plan.Crashes {
			add(4, w.crash)
		}
		if w.changes < len(w.plan.Changes) && !w.changing.Load() {
			add(8, w.change)
		}
		add(4, w.crawl)
		if w.plan.Outages {
			add(2, func() { w.turn(w.old) })
			add(2, func() { w.turn(w.new) })
		}
	}
	add(2*w.haste("time"), w.wait)
	time.Sleep(time.Microsecond) // so that no two timers are due at the same moment
	w.choose(actions)
	return busy
}

// haste is how readily the scheduler turns to a kind of thing in this history. What is
// always slow, or always quick, meets what a fair schedule hardly ever lets it meet.
func (w *world) haste(what string) int {
	if w.plan.Seed%2 == 0 {
		return 4
	}
	h := fnv.New64a()
	_ = binary.Write(h, binary.LittleEndian, [2]uint64{w.plan.Seed, w.plan.Schedule})
	_, _ = h.Write([]byte(what))
	return []int{1, 4, 4, 40}[h.Sum64()%4]
}

func (w *world) choose(actions []action) {
	total := 0
	for _, a := range actions {
		total += a.weight
	}
	n := w.random.IntN(total)
	for _, a := range actions {
		if n -= a.weight; n < 0 {
			a.do()
			return
		}
	}
}

// wait lets time pass.
func (w *world) wait() {
	pauses := []time.Duration{time.Millisecond, 100 * time.Millisecond, time.Second, syncTimeout, storeTimeout, quarantine}
	time.Sleep(pauses[w.random.IntN(len(pauses))])
}

// serve makes something of a request: usually what the store would.
func (w *world) serve(r *request) {
	fault := !w.calm && w.random.IntN(100) < w.plan.Faults
	kind := w.random.IntN(4)
	if fault {
		w.count(func(f *figures) { f.Faults++ })
	}
	switch {
	case w.down[r.store] && r.effective:
		w.finish(r, lost)
	case w.down[r.store]:
		w.finish(r, refused)
	case r.effective && fault && r.mutating:
		w.finish(r, lost)
	case r.effective:
		w.finish(r, answered)
	case fault && (kind == 0 || !r.mutating):
		w.finish(r, refused)
	case fault && kind == 1:
		w.takeEffect(r)
		w.finish(r, lost)
	case fault && kind == 2:
		w.finish(r, lost)
	case fault:
		w.mu.Lock()
		w.bury(r)
		w.mu.Unlock()
		w.finish(r, lost)
	case w.random.IntN(3) == 0:
		w.takeEffect(r) // the answer comes later
	default:
		w.takeEffect(r)
		w.finish(r, answered)
	}
}

// turn takes a store down, or up again.
func (w *world) turn(s *memory.Store) {
	if w.down[s] = !w.down[s]; w.down[s] {
		w.count(func(f *figures) { f.Outages++ })
	}
	w.note("%s is down: %v", s.Name(), w.down[s])
}

func (w *world) takeEffect(r *request) {
	r.err = r.run()
	r.effective = true
	w.count(func(f *figures) { f.Requests++ })
	if r.err != nil {
		w.note("%s: %v", r.name, r.err)
	} else {
		w.note("%s takes effect", r.name)
	}
}

// finish answers a request.
func (w *world) finish(r *request, v verdict) {
	if v != answered {
		w.note("%s: %s", r.name, map[verdict]string{refused: "refused", lost: "no answer"}[v])
	} else if r.mutating {
		w.note("%s answered", r.name)
	}
	w.mu.Lock()
	w.waiting = slices.DeleteFunc(w.waiting, func(other *request) bool { return other == r })
	w.mu.Unlock()
	r.decision <- v
}

// late drops the late requests whose time is over, and answers the rest, ordered as
// pending does.
func (w *world) late() []zombie {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.zombies = slices.DeleteFunc(w.zombies, func(z zombie) bool { return !time.Now().Before(z.until) })
	slices.SortStableFunc(w.zombies, func(a, b zombie) int { return cmp.Compare(a.name, b.name) })
	return slices.Clone(w.zombies)
}

// land lets a late request take effect, or never.
func (w *world) land(z zombie) {
	w.mu.Lock()
	w.zombies = slices.DeleteFunc(w.zombies, func(other zombie) bool { return other.request == z.request })
	w.mu.Unlock()
	if w.random.IntN(4) == 0 {
		return
	}
	err := z.run()
	w.count(func(f *figures) { f.Late++ })
	w.note("LATE %s lands: %v", z.name, err)
}

// crawl copies a key in the background.
func (w *world) crawl() {
	key := keys[w.random.IntN(len(keys))]
	w.note("backfill of %s", key)
	b := w.gateway.bucket
	w.gateway.rooms.Go(func() {
		_, err := b.Backfill(context.Background(), mirror.Copy{Key: key})
		w.note("backfill of %s: %v", key, err)
		if err == nil {
			w.count(func(f *figures) { f.Backfills++ })
		}
	})
}

// change begins the plan's next phase change.
func (w *world) change() {
	command := w.plan.Changes[w.changes]
	w.changes++
	w.changing.Store(true)
	g := w.gateway
	w.note("%s begins", command)
	g.rooms.Go(func() {
		err := g.bucket.ChangePhase(context.Background(), syncTimeout, func(ctx context.Context, p mirror.Phase) (mirror.Phase, error) {
			return w.decide(g, p, command)
		})
		w.note("%s: %v", command, err)
		if err == nil {
			w.count(func(f *figures) { f.Changes[command]++ })
		}
		if w.alive(g) {
			w.changing.Store(false)
		}
	})
}

// decide is the durable decision of a phase change.
func (w *world) decide(g *gateway, p mirror.Phase, command migrate.Command) (mirror.Phase, error) {
	n, err := p, error(nil)
	if command == backfilled {
		n.Epoch++
		n.Backfilled = true
		err = w.lacking(g, p.Epoch)
	} else {
		n, err = command.Next(p, migrate.Seen{ReadOnly: w.plan.ReadOnly, Empty: len(w.new.Keys()) == 0})
	}
	if err != nil {
		return p, err
	}
	// The record is written in one step: the gateway may crash before or after.
	r := &request{name: fmt.Sprintf("state: %s, epoch %d", n.Name, n.Epoch), life: g.life, decision: make(chan verdict)}
	r.run = func() error { w.phase = n; return nil }
	if !w.enter(r) {
		return p, errDead
	}
	if v := <-r.decision; v != answered {
		return p, errDead
	}
	return n, nil
}

// lacking tells which keys only old has, whatever the deletes say that new is to be
// asked first about.
func (w *world) lacking(g *gateway, epoch uint64) error {
	for _, key := range w.old.Keys() {
		if slices.Contains(w.new.Keys(), key) || g.journal.Stamp(bucketName, key).Deleted(epoch) {
			continue
		}
		return fmt.Errorf("%s: %w: new lacks it", key, migrate.ErrGuard)
	}
	return nil
}
