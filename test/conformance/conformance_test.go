// Package conformance runs public S3 conformance suites against a store, and
// against the gateway in front of two such stores. What the store passes, the
// gateway has to pass, but for a written list: see exceptions_test.go.
package conformance

import (
	"flag"
	"regexp"
	"slices"
	"testing"
	"time"
)

var (
	all  = flag.Bool("conformance", false, "run every case, not a sample")
	only = flag.String("case", "", "run the cases of this name alone (a regular expression), and print what they say")
)

// sampled is how many cases of versitygw's suite run at each stand without
// -conformance.
const sampled = 20

// outcome is what became of a case on one side.
type outcome struct {
	name   string
	passed bool
	output string
	took   time.Duration
}

// TestMinIO: MinIO, and the gateway between two of them.
func TestMinIO(t *testing.T) {
	runVersitySuite(t, minIO, exceptionsOnMinIO)
}

// TestVersity: versitygw, and the gateway between a versitygw, which is the truth,
// and a MinIO.
func TestVersity(t *testing.T) {
	runVersitySuite(t, versity, exceptionsOnVersity)
}

// TestMinIOClient: the tests of MinIO's client library, on MinIO.
func TestMinIOClient(t *testing.T) {
	runMinIOSuite(t, minIO, exceptionsOfClient)
}

// selected are the cases to run, of all that there are: a sample takes as many,
// evenly spread.
func selected(cases []string, sample int) []string {
	switch {
	case *only != "":
		name := regexp.MustCompile("^(?:" + *only + ")$")
		return slices.DeleteFunc(slices.Clone(cases), func(c string) bool { return !name.MatchString(c) })
	case *all || len(cases) <= sample:
		return cases
	}
	some := make([]string, sample)
	for i := range some {
		some[i] = cases[i*len(cases)/sample]
	}
	return some
}

// judge holds the gateway's outcomes against those of the store. Each case that
// the store passes becomes a test; the others say nothing of the gateway.
func judge(t *testing.T, direct, gateway []outcome, exceptions map[string]string) {
	t.Helper()
	through := make(map[string]outcome, len(gateway))
	for _, o := range gateway {
		through[o.name] = o
	}
	passedDirectly, passed, excepted := 0, 0, 0
	for _, d := range direct {
		g := through[d.name]
		if *only != "" {
			t.Logf("%s\ndirect, passed: %v\n%s\ngateway, passed: %v\n%s", d.name, d.passed, d.output, g.passed, g.output)
		}
		if !d.passed {
			continue
		}
		passedDirectly++
		reason := exceptions[d.name]
		switch {
		case g.passed:
			passed++
		case reason != "":
			excepted++
		}
		t.Run(d.name, func(t *testing.T) {
			switch {
			case !g.passed && reason == "":
				t.Errorf("passes on the store, and fails through the gateway:\n%s", g.output)
			case g.passed && reason != "":
				t.Errorf("passes: it is no exception any more (%s)", reason)
			}
		})
	}
	t.Logf("%d cases; passed directly: %d; of these passed through the gateway: %d; exceptions: %d",
		len(direct), passedDirectly, passed, excepted)
}

// slow names the cases that took long: there are such that wait for a lock to end.
func slow(t *testing.T, side string, outcomes []outcome) {
	t.Helper()
	for _, o := range outcomes {
		if o.took > 3*time.Second {
			t.Logf("%s: %s took %v", side, o.name, o.took.Round(100*time.Millisecond))
		}
	}
}
