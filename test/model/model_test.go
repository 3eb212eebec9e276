package model

import (
	"flag"
	"strings"
	"testing"
)

var (
	full   = flag.Bool("full", false, "search every configuration to its end, for liveness too")
	states = flag.Int("states", 60_000, "states to search of each configuration, unless -full")
	off    = flag.String("off", "", "rules to leave out, separated by commas")
	only   = flag.String("config", "", "the configurations whose name begins so")
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
