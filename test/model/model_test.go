package model

import (
	"flag"
	"strings"
	"testing"
)

var (
	full    = flag.Bool("full", false, "search every configuration to its end, for liveness too")
	states  = flag.Int("states", 100_000, "states to search of each configuration, unless -full")
	off     = flag.String("off", "", "rules to leave out, separated by commas")
	faults  = flag.Int("faults", -1, "at most so many faults, instead of each configuration's own number")
	crashes = flag.Int("crashes", -1, "so many crashes")
	reads   = flag.Int("reads", -1, "so many reads")
	slow    = flag.Bool("slow", false, "a slow disk and streamed bodies in every configuration")
	only    = flag.String("config", "", "the configurations whose name begins so")
)

func TestModel(t *testing.T) {
	var rules RuleSet
	for name := range strings.SplitSeq(*off, ",") {
		if name == "" {
			continue
		}
		r, err := ParseRule(name)
		if err != nil {
			t.Fatal(err)
		}
		rules = rules.With(r)
	}
	limits := Limits{States: *states, Live: *full}
	if *full {
		limits.States = 0
	}
	total := 0
	for _, c := range Configs() {
		if !strings.HasPrefix(c.Name, *only) {
			continue
		}
		override(&c.Faults, *faults)
		override(&c.Crashes, *crashes)
		override(&c.Reads, *reads)
		c.SlowDisk, c.Streams = c.SlowDisk || *slow, c.Streams || *slow
		t.Run(c.Name, func(t *testing.T) {
			r := NewModel(c, rules).Search(limits)
			total += r.States
			switch {
			case r.Violation != "":
				t.Errorf("%s after %d states:\n  %s", r.Violation, r.States, strings.Join(r.Trace, "\n  "))
			case r.Bounded:
				t.Logf("%d states, bounded", r.States)
			default:
				t.Logf("%d states, all", r.States)
			}
		})
	}
	t.Logf("%d states", total)
}

func override(n *uint8, flag int) {
	if flag >= 0 {
		*n = uint8(flag)
	}
}

// TestCompleteWithOldDown: once the primary is complete, the migration may be
// completed though intents are pending, because old is gone for good, say. They
// are kept until their quarantine is over. An incomplete primary does not allow
// it (NoPendingAtChange, F11): there a read may have seen a DELETE that has yet to
// take effect, and others must go on waiting for it.
func TestCompleteWithOldDown(t *testing.T) {
	c, _ := ConfigNamed("F1")
	limits := Limits{States: *states, Live: *full}
	if *full {
		limits.States = 0
	}
	r := NewModel(c, RuleSet{}.With(NoPendingAtChange)).Search(limits)
	if r.Violation != "" {
		t.Errorf("%s:\n  %s", r.Violation, strings.Join(r.Trace, "\n  "))
	}
}
