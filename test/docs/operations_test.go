// Package docs holds what is written for operators against the program.
package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const root = "../.."

// TestOperationsIsComplete: docs/operations.md names every condition, guard, alert and line
// of the log at warn and error, and no line, guard or alert that is not there any more.
func TestOperationsIsComplete(t *testing.T) {
	named := headsOfRows(t, read(t, "docs/operations.md"))
	source := productSource(t)
	for heading, there := range map[string][]string{
		"Of a bucket":  conditions(t, source),
		"Guards":       guards(t),
		"Alerts":       matches(t, `- alert: (\w+)`, read(t, "deploy/alerts.yaml")),
		"The log":      logLines(source),
		"Of the gatew": matches(t, `(?m)^\t\tcondition: "([a-z-]+)"`, read(t, "gateway/notify/trouble.go")),
	} {
		if len(there) == 0 {
			t.Errorf("%s: the program has none of it: this test looks in the wrong place", heading)
		}
		for _, one := range there {
			if !slices.Contains(named, one) {
				t.Errorf("%s: nothing is said of %q", heading, one)
			}
		}
	}
	everything := strings.Join(source.text, "\n") + read(t, "deploy/alerts.yaml")
	for _, one := range named {
		if !strings.Contains(everything, one) && !strings.Contains(one, "…") && !strings.Contains(one, "NAME") && !strings.Contains(one, "PHASE") {
			t.Errorf("%q is not in the program", one)
		}
	}
}

// headsOfRows are the words in back quotes that the tables' rows begin with, of the tables
// that tell of conditions, guards, alerts and log lines.
func headsOfRows(t *testing.T, page string) (heads []string) {
	t.Helper()
	quoted := regexp.MustCompile("`([^`]+)`")
	for _, section := range regexp.MustCompile(`(?m)^## `).Split(page, -1) {
		title, body, _ := strings.Cut(section, "\n")
		if !slices.Contains([]string{"Conditions", "Guards", "Alerts", "The log"}, title) {
			continue
		}
		for line := range strings.Lines(body) {
			if !strings.HasPrefix(line, "| `") {
				continue
			}
			cell, _, _ := strings.Cut(line[2:], " | ")
			for _, m := range quoted.FindAllStringSubmatch(cell, -1) {
				heads = append(heads, m[1])
			}
		}
	}
	if len(heads) == 0 {
		t.Fatal("the page has no rows")
	}
	return heads
}

// product is the program's source, without tests.
type product struct {
	files []*ast.File
	text  []string
}

func productSource(t *testing.T) (p product) {
	t.Helper()
	set := token.NewFileSet()
	for _, dir := range []string{"cmd", "gateway", "backends", "tls"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "storetest") {
				return err
			}
			file, err := parser.ParseFile(set, path, nil, 0)
			if err != nil {
				return err
			}
			raw, err := os.ReadFile(path)
			p.files, p.text = append(p.files, file), append(p.text, string(raw))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// logLines are the messages of all calls of Warn and Error.
func logLines(p product) (lines []string) {
	for _, file := range p.files {
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			to, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || to.Sel.Name != "Warn" && to.Sel.Name != "Error" || len(call.Args) == 0 {
				return true
			}
			if text, ok := call.Args[0].(*ast.BasicLit); ok && text.Kind == token.STRING {
				if line, err := strconv.Unquote(text.Value); err == nil {
					lines = append(lines, line)
				}
			}
			return true
		})
	}
	return lines
}

func guards(t *testing.T) []string {
	return append(matches(t, `(?m)^\tguard\w+ += "([a-z-]+)"`, read(t, "gateway/migrate/guards.go")), "old-readable")
}

// conditions are those that a bucket's status has beside its guards.
func conditions(t *testing.T, p product) []string {
	return matches(t, `condition\("([a-z-]+)"|Type: "([a-z-]+)", Status`, strings.Join(p.text, "\n"))
}

func matches(t *testing.T, pattern, text string) (found []string) {
	t.Helper()
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		found = append(found, strings.Join(m[1:], ""))
	}
	if len(found) == 0 {
		t.Fatalf("nothing is like %s", pattern)
	}
	return found
}

func read(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
