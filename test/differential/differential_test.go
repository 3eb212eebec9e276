// Package differential asks a store and the gateway in front of such a store the
// same things, thousands of them, and compares the answers: an application must
// not see that the gateway is there.
package differential

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/test/process"
	"sluice/test/servers"
)

var (
	requests = flag.Int("requests", 1000, "how many requests to generate")
	seed     = flag.Uint64("seed", 1, "what the requests follow from")
	features = flag.String("features", "tagging,acl,sse", "what else to generate, with commas: acl, dates, sse, tagging")
	verbose  = flag.Bool("show-known", false, "show an example of each known difference")
	shrinks  = flag.Bool("shrink", true, "look for short reproductions")
	most     = flag.Int("differences", 5, "how many different differences to find before the test gives up")
)

// stage is where the two sides are: one MinIO holds the bucket that is asked
// directly and the one behind the gateway, so that both are the same software
// with the same settings.
type stage struct {
	old, new *servers.Server
	scenes   int
}

// scene is a pair of sides on fresh buckets.
type scene struct {
	direct, gateway *side
	process         *process.Gateway
}

func newStage(t *testing.T) *stage {
	t.Helper()
	return &stage{old: servers.MinIO(t), new: servers.MinIO(t)}
}

func (s *stage) scene(t *testing.T) *scene {
	t.Helper()
	s.scenes++
	direct, old, new := fmt.Sprintf("asked-%04d", s.scenes), fmt.Sprintf("old-%04d", s.scenes), fmt.Sprintf("new-%04d", s.scenes)
	s.old.Store(t, "direct", direct)
	s.old.Store(t, "old", old)
	s.new.Store(t, "new", new)
	g := process.Start(t,
		process.Of(s.old, old),
		process.Of(s.new, new), "")
	return &scene{
		direct:  newSide("direct", s.old.Endpoint, direct, s.old.AccessKey, s.old.SecretKey),
		gateway: newSide("gateway", g.Endpoint, process.Bucket, process.AccessKey, process.SecretKey),
		process: g,
	}
}

// ask sends a step to both sides.
func (s *scene) ask(t *testing.T, st *step) (d, g *answer, all []difference) {
	t.Helper()
	d, g = s.direct.send(t, st), s.gateway.send(t, st)
	return d, g, compare(st, s.direct, s.gateway, d, g)
}

// run is a test's course: what was asked, and what was found.
type run struct {
	*scene
	history []*step
	counts  map[string]int // by difference
	known   map[string]int // by cause
	asked   map[string]int // by operation
}

func TestDifferential(t *testing.T) {
	s := newStage(t)
	r := &run{scene: s.scene(t), counts: map[string]int{}, known: map[string]int{}, asked: map[string]int{}}
	g := newGenerator(*seed, enabled())
	began := time.Now()
	for len(r.history) < *requests && len(r.counts) < *most {
		r.step(t, s, g)
	}
	t.Logf("seed %d: %d requests in %v: %v", *seed, len(r.history), time.Since(began).Round(time.Millisecond), r.asked)
	for _, cause := range sorted(r.known) {
		t.Logf("known, %d times: %s", r.known[cause], cause)
	}
	for _, what := range sorted(r.counts) {
		t.Logf("new, %d times: %s", r.counts[what], what)
	}
}

// step asks the next request and judges the answers.
func (r *run) step(t *testing.T, s *stage, g *generator) {
	t.Helper()
	st := g.next()
	r.history = append(r.history, st)
	d, gw, all := r.ask(t, st)
	g.m.observe(st, d)
	r.asked[fmt.Sprintf("%s %d", st.op, d.status/100*100)]++
	for _, one := range all {
		r.judge(t, s, st, d, gw, one)
	}
	if st.mutates() && (len(all) > 0 || d.verdict() != gw.verdict()) {
		r.level(t, g, st)
	}
}

// judge reports a difference that is neither allowed nor known, once a kind.
func (r *run) judge(t *testing.T, s *stage, st *step, d, g *answer, one difference) {
	t.Helper()
	if k := knownDefect(st, one, d, g); k != "" {
		if r.known[k]++; *verbose && r.known[k] == 1 {
			t.Logf("known: %s\n%s", k, report(st, d, g, one))
		}
		return
	}
	name := kind(st, one)
	if r.counts[name]++; r.counts[name] > 1 {
		return
	}
	t.Errorf("request %d (seed %d):\n%s", len(r.history), *seed, report(st, d, g, one))
	if *shrinks {
		t.Logf("reproduction:\n%s", s.shrink(t, r.history, name))
	}
}

// kind names a difference so that those of one cause have one name.
func kind(st *step, one difference) string {
	name := st.op + ": " + one.what
	if one.what == "status" {
		name += " " + one.text
	}
	return name
}

// level makes the sides equal again after they answered otherwise, so that the next difference is not its consequence.
func (r *run) level(t *testing.T, g *generator, st *step) {
	t.Helper()
	keys := []string{st.key}
	if st.op == "delete many" {
		keys = st.named()
	}
	for _, key := range keys {
		if key != "" && key != largeKey {
			r.also(t, g, newStep("delete", "DELETE", key))
		}
	}
	u := g.m.upload(st.uploadID)
	if u != nil {
		abort := newStep("abort", "DELETE", u.key).with("uploadId", fmt.Sprintf("{{upload %d}}", u.id))
		abort.uploadID = u.id
		r.also(t, g, abort)
		u.done = true
	}
}

// also asks what was not generated, and does not compare.
func (r *run) also(t *testing.T, g *generator, st *step) {
	t.Helper()
	r.history = append(r.history, st)
	d, _, _ := r.ask(t, st)
	g.m.observe(st, d)
}

func enabled() map[string]bool {
	m := make(map[string]bool)
	for name := range strings.SplitSeq(*features, ",") {
		m[name] = true
	}
	return m
}

func report(st *step, d, g *answer, one difference) string {
	return fmt.Sprintf("%s\n  differs in %s: %s\n  direct:  %s\n  gateway: %s", st, one.what, one.text, d, g)
}

func (a *answer) String() string {
	if a.err != nil {
		return a.err.Error()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d", a.status)
	for _, name := range sorted(a.header) {
		if noise[name] == "" {
			fmt.Fprintf(&b, "\n    %s: %s", name, abridged(strings.Join(a.header[name], "\\n")))
		}
	}
	if len(a.body) > 0 {
		fmt.Fprintf(&b, "\n    %s", abridged(string(a.body)))
	}
	return b.String()
}
