package conformance

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/test/servers"
)

// versitygw's suite is in its program: each case is a command of its own.

// byChance is a case that passes or fails on versitygw itself by the order in which
// random upload ids come out.
const byChance = "ListMultipartUploads_keyMarker_not_from_list"

// elsewhere are cases of what is no S3: versitygw's own accounts, its website
// server and its file systems.
var elsewhere = regexp.MustCompile(`^(IAM|S3IAM|STS|[Ss]coutfs)`)

// versityCases lists the cases, in order.
func versityCases(t *testing.T, tool string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), tool, "test", "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(string(out)) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if strings.HasSuffix(rest, " integration test") && !elsewhere.MatchString(name) && name != byChance {
			names = append(names, name)
		}
	}
	if len(names) < 500 {
		t.Fatalf("versitygw lists %d cases: the list is not understood", len(names))
	}
	slices.Sort(names)
	return names
}

// runVersitySuite runs the cases against the store; those that it passes are run
// against the gateway meanwhile. Servers that a case made useless are replaced
// here, on the test's own goroutine: only that one may end the test.
func runVersitySuite(t *testing.T, at stand, exceptions map[string]string) {
	tool := servers.Tool(t, "versitygw")
	cases := selected(versityCases(t, tool), sampled)
	began := time.Now()
	direct, gateway := newCourse(t, at.direct), newCourse(t, at.gateway)
	toGateway := make(chan string, len(cases))
	toDirect := make(chan string, len(cases))
	for _, name := range cases {
		toDirect <- name
	}
	close(toDirect)
	replace, done := make(chan *course), make(chan bool)
	go func() {
		defer close(toGateway)
		direct.run(t.Context(), tool, toDirect, replace, func(o outcome) {
			if o.passed || *only != "" {
				toGateway <- o.name
			}
		})
	}()
	go func() {
		defer close(done)
		gateway.run(t.Context(), tool, toGateway, replace, func(outcome) {})
	}()
	for running := true; running; {
		select {
		case c := <-replace:
			t.Logf("after %s the servers are started anew", c.outcomes[len(c.outcomes)-1].name)
			c.replace(t)
			c.replaced <- true
		case <-done:
			running = false
		}
	}
	t.Logf("%v", time.Since(began).Round(time.Second))
	slow(t, "direct", direct.outcomes)
	slow(t, "gateway", gateway.outcomes)
	judge(t, direct.outcomes, gateway.outcomes, exceptions)
}

// course is one side's way through the cases.
type course struct {
	start    func(*testing.T) *side
	on       *side
	replaced chan bool
	outcomes []outcome
}

func newCourse(t *testing.T, start func(*testing.T) *side) *course {
	t.Helper()
	return &course{start: start, on: start(t), replaced: make(chan bool)}
}

// replace starts the servers anew.
func (c *course) replace(t *testing.T) {
	t.Helper()
	c.on.stop()
	c.on = c.start(t)
}

// run runs the cases that come, one after the other.
func (c *course) run(ctx context.Context, tool string, cases <-chan string, replace chan<- *course, after func(outcome)) {
	for name := range cases {
		o := versityCase(ctx, tool, c.on, name)
		c.outcomes = append(c.outcomes, o)
		after(o)
		if c.on.clean(ctx) == nil {
			continue
		}
		select {
		case replace <- c:
			<-c.replaced
		case <-ctx.Done():
			return
		}
	}
}

// colours are a terminal's.
var colours = regexp.MustCompile("\x1b\\[[0-9;]*m")

// versityCase runs one case. It passed when it says so, and nothing else.
func versityCase(ctx context.Context, tool string, on *side, name string) outcome {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, tool, "test", "-a", on.accessKey, "-s", on.secretKey, "-e", on.endpoint, name)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "AWS_") // they would change what the suite's SDK does
	})
	began := time.Now()
	out, err := cmd.CombinedOutput()
	text := colours.ReplaceAllString(string(out), "")
	return outcome{
		name: name, output: text, took: time.Since(began),
		passed: err == nil && strings.Contains(text, "PASS ") && !strings.Contains(text, "FAIL ") && !strings.Contains(text, "panic: "),
	}
}
