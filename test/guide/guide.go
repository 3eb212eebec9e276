// Package guide runs what a document tells its reader to type, and holds what the document
// shows of the output against what the program really prints.
//
// A block that is marked as console is run: each line after "$ " is a command, the lines
// below it are its output. Comments of the form
//
//	<!-- guide: until COMMAND -->
//	<!-- guide: run COMMAND -->
//	<!-- guide: NAME -->
//
// between blocks wait until a command succeeds, run one whose output is not shown, and run
// a hook of the test's.
package guide

import (
	"regexp"
	"strings"
)

// step is a command with what the document shows of it, or a comment's order.
type step struct {
	order   string // "console", "until", "run", or a hook's name
	command string
	shown   string
	line    int // of the document, from 1
	// from and to are the shown output's lines: document[from:to].
	from, to int
}

var comment = regexp.MustCompile(`^<!-- guide: (\S+) ?(.*) -->$`)

// steps reads a document's lines.
func steps(lines []string) (list []step) {
	inside := false
	for i, line := range lines {
		switch {
		case !inside && line == "```console":
			inside = true
		case inside && strings.HasPrefix(line, "```"):
			inside = false
		case inside && strings.HasPrefix(line, "$ "):
			list = append(list, step{order: "console", command: line[2:], line: i + 1, from: i + 1, to: i + 1})
		case inside && len(list) > 0:
			last := &list[len(list)-1]
			last.to = i + 1
			last.shown += line + "\n"
		default:
			if m := comment.FindStringSubmatch(line); m != nil {
				list = append(list, step{order: m[1], command: m[2], line: i + 1})
			}
		}
	}
	return list
}

// replaced puts what commands really printed in place of what the document shows.
func replaced(lines []string, list []step, printed []string) []string {
	for i := len(list) - 1; i >= 0; i-- { // from the end, so that line numbers stay
		if s := list[i]; s.order == "console" {
			var out []string
			if text := strings.TrimRight(printed[i], "\n"); text != "" {
				out = strings.Split(text, "\n")
			}
			lines = append(lines[:s.from:s.from], append(out, lines[s.to:]...)...)
		}
	}
	return lines
}

// changing is what differs each time: moments, durations, rates, sizes on this machine,
// and the width of columns.
var changing = []struct {
	pattern *regexp.Regexp
	word    string
}{
	{regexp.MustCompile(`(?m)^.*(running|waiting), .*\n`), ""}, // how far something is at a moment
	{regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?(Z| UTC)?`), "TIME"},
	{regexp.MustCompile(`\b(\d+(\.\d+)?(h|m|s|ms|µs|ns))+\b`), "DURATION"},
	{regexp.MustCompile(`\b\d[\d,]*(\.\d+)? (objects|B|KiB|MiB|GiB)/s`), "RATE"},
	{regexp.MustCompile(`\b\d+(\.\d+)? (KiB|MiB|GiB|TiB)\b`), "SIZE"},
	{regexp.MustCompile(`\d+ may be (open|needed)`), "FILES"},
	{regexp.MustCompile(`[ \t]+`), " "},
}

// steady is a text without what differs each time.
func steady(text string) string {
	for _, c := range changing {
		text = c.pattern.ReplaceAllString(text, c.word)
	}
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, strings.TrimSpace(line))
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}
