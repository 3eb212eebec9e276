package model

import (
	"flag"
	"math/rand/v2"
	"strings"
	"testing"
)

var (
	worlds = flag.Int("worlds", 15, "random configurations to search")
	seed   = flag.Uint64("seed", 1, "of the first of them; 0: any")
)

// TestRandomConfigs searches configurations nobody thought of.
func TestRandomConfigs(t *testing.T) {
	start := *seed
	if start == 0 {
		start = rand.Uint64()
	}
	for i := range uint64(*worlds) {
		c := randomConfig(start + i)
		r := NewModel(c, RuleSet{}).Search(Limits{States: *states})
		if r.Violation != "" {
			t.Errorf("-seed %d -worlds 1: %+v: %s:\n  %s", start+i, c, r.Violation, strings.Join(r.Trace, "\n  "))
		}
	}
}

func randomConfig(seed uint64) Config {
	r := rand.New(rand.NewPCG(seed, 0))
	coin := func() bool { return r.IntN(2) == 0 }
	c := Config{
		Phase: Phase(r.IntN(3)), Incomplete: true, Reads: uint8(1 + r.IntN(2)),
		Faults: uint8(r.IntN(3)), Crashes: uint8(r.IntN(2)), Copies: uint8(r.IntN(2)),
		Tee: coin(), StaleListing: coin(), PrimaryDown: coin(), Conditional: coin(),
		Idempotent: coin(), LosesUpload: coin(), Strict: coin(), Eager: coin(),
	}
	if coin() {
		c.Old = First
	}
	if coin() {
		c.New = c.Old
	}
	c.ReadOnlyOld = c.Phase == Switched && coin()
	c.List = c.Phase == Switched && r.IntN(4) == 0
	c.Path = randomPath(r, c)
	c.Ops = randomOps(r)
	for _, op := range c.Ops {
		if op.Kind == CopyOp {
			c.HasSource, c.SourceOld, c.SourceWrites = true, SourceFirst, coin()
			if coin() {
				c.SourceNew = SourceFirst
			}
			if coin() {
				c.SourceOp = Delete
			}
		}
	}
	c.SlowDisk, c.Streams = coin(), coin()
	return c
}

// randomPath walks the phases from the configuration's own.
func randomPath(r *rand.Rand, c Config) []Change {
	var path []Change
	phase, done := c.Phase, false
	for range r.IntN(4) {
		choices := map[Phase][]Change{
			Passthrough: {Start}, Mirroring: {Cancel, Switch, Switch}, Switched: {Rollback, CompleteMigration},
		}[phase]
		if c.ReadOnlyOld {
			choices = []Change{CompleteMigration}
		}
		if !done && (phase == Mirroring || phase == Switched) {
			choices = append(choices, BackfillDone)
		}
		if phase == Completed {
			break
		}
		change := choices[r.IntN(len(choices))]
		path = append(path, change)
		if change == BackfillDone {
			done = true
		} else {
			phase = change.to()
			done = done && change != Cancel
		}
	}
	return path
}

// randomOps is one to three operations, at most one of them of an upload and at
// most one a copy.
func randomOps(r *rand.Rand) []Op {
	kinds := []Kind{Put, PutIfAbsent, Delete, Delete, CopySelf, Tag, Complete, CopyOp}
	var ops []Op
	used := make(map[Kind]bool)
	for i := range 1 + r.IntN(3) {
		k := kinds[r.IntN(len(kinds))]
		if (k == Complete || k == CopyOp) && used[k] {
			k = Put
		}
		used[k] = true
		after := none
		if i > 0 && r.IntN(2) == 0 {
			after = r.IntN(i)
		}
		ops = append(ops, Op{k, after})
	}
	for i, op := range ops {
		if op.Kind == Complete && i+1 < len(ops) && r.IntN(2) == 0 {
			ops[len(ops)-1] = Op{CompleteAgain, i}
		}
	}
	return ops
}
