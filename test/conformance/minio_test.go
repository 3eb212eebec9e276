package conformance

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// MinIO's suite is the functional tests of its client library: a program that
// calls one test after the other and ends with the first that fails. It is built
// from the module that this one requires, changed so that it runs the tests that
// its arguments name, and says of each where its output begins and how it ended.

const minioModule = "github.com/minio/minio-go/v7"

// wrapper runs a test so that its failure is not the end of the others.
const wrapper = `
func conformanceCase(name string, test func()) {
	wanted := len(os.Args) == 1
	for _, arg := range os.Args[1:] {
		wanted = wanted || arg == name
	}
	if !wanted {
		return
	}
	fmt.Printf("\nCASE BEGINS %s\n", name)
	defer func() {
		failure := recover()
		if failure != nil {
			fmt.Printf("\npanic: %v\n", failure)
		}
		fmt.Printf("\nCASE ENDS %s %v\n", name, failure == nil)
	}()
	test()
}
`

var (
	call       = regexp.MustCompile(`(?m)^(\t+)(test\w+)\(\)$`)
	caseOutput = regexp.MustCompile(`(?s)\nCASE BEGINS (\w+)\n(.*?)\nCASE ENDS (\w+) (true|false)\n`)
)

// clientSampled are the tests that run without -conformance.
const clientSampled = 4

// minioSuite builds the suite, and lists its tests in their order.
func minioSuite(t *testing.T) (program string, cases []string) {
	t.Helper()
	dir := t.TempDir()
	source := strings.TrimSpace(command(t, "", "go", "list", "-m", "-f", "{{.Dir}}", minioModule))
	text := strings.Replace(read(t, source, "functional_tests.go"), "//go:build mint\n", "", 1)
	before, main, found := strings.Cut(text, "\nfunc main() {\n")
	if !found {
		t.Fatal("the suite has no main function of the form expected")
	}
	for _, match := range call.FindAllStringSubmatch(main, -1) {
		cases = append(cases, match[2])
	}
	main = call.ReplaceAllString(main, `${1}conformanceCase("$2", $2)`)
	write(t, dir, "main.go", before+wrapper+"\nfunc main() {\n"+main)
	root := filepath.Dir(strings.TrimSpace(command(t, "", "go", "env", "GOMOD")))
	module := regexp.MustCompile(`(?m)^module .*$`).ReplaceAllString(read(t, root, "go.mod"), "module conformance")
	write(t, dir, "go.mod", module) // with it the versions of everything are this module's
	write(t, dir, "go.sum", read(t, root, "go.sum"))
	program = filepath.Join(dir, "suite")
	command(t, dir, "go", "build", "-o", program, ".")
	return program, cases
}

// runMinIOSuite runs the suite on both sides at once.
func runMinIOSuite(t *testing.T, at stand, exceptions map[string]string) {
	program, cases := minioSuite(t)
	cases = selected(cases, clientSampled)
	if len(cases) == 0 {
		return
	}
	direct, gateway := at.direct(t), at.gateway(t)
	began := time.Now()
	through := make(chan []outcome, 1)
	tmp := t.TempDir() // the suite leaves its files behind
	go func() { through <- minioRun(t.Context(), program, gateway, tmp, cases) }()
	directly := minioRun(t.Context(), program, direct, tmp, cases)
	after := <-through
	t.Logf("%v", time.Since(began).Round(time.Second))
	judge(t, directly, after, exceptions)
}

// minioRun runs the tests on one side. What the program says of none of them
// stands at the end of the last one's output, or it is what made it end.
func minioRun(ctx context.Context, program string, on *side, tmp string, cases []string) []outcome {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, cases...)
	cmd.Env = append(os.Environ(), "SERVER_ENDPOINT="+strings.TrimPrefix(on.endpoint, "http://"),
		"ACCESS_KEY="+on.accessKey, "SECRET_KEY="+on.secretKey, "ENABLE_HTTPS=0", "ENABLE_KMS=0", "MINT_MODE=full", "TMPDIR="+tmp)
	out, err := cmd.CombinedOutput()
	found := make(map[string]outcome)
	for _, match := range caseOutput.FindAllStringSubmatch(string(out), -1) {
		text := match[2]
		found[match[1]] = outcome{
			name: match[1], output: text,
			passed: match[4] == "true" && strings.Contains(text, `"status":"PASS"`) &&
				!strings.Contains(text, `"status":"FAIL"`) && !strings.Contains(text, `"status":"NA"`),
		}
	}
	outcomes := make([]outcome, len(cases))
	for i, name := range cases {
		o, ok := found[name]
		if !ok {
			o = outcome{name: name, output: fmt.Sprintf("it did not end; the suite: %v\n%s", err, out[max(0, len(out)-4<<10):])}
		}
		outcomes[i] = o
	}
	return outcomes
}

// command runs a program in dir and answers what it prints.
func command(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, complaint.String())
	}
	return string(out)
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func write(t *testing.T, dir, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
