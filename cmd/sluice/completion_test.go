package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"sluice/gateway/migrate"
)

// each visits every command of ours.
func each(cmd *cobra.Command, visit func(*cobra.Command)) {
	visit(cmd)
	for _, sub := range cmd.Commands() {
		each(sub, visit)
	}
}

// TestEveryCommandHasHelp: what it does at length, how it is called, and what every flag
// is for. An example calls the program, by flags that the command has.
func TestEveryCommandHasHelp(t *testing.T) {
	each(program{}.commands(), func(cmd *cobra.Command) {
		path := cmd.CommandPath()
		if cmd.Short == "" || len(cmd.Long) <= len(cmd.Short) {
			t.Errorf("%s does not say what it does: %q", path, cmd.Long)
		}
		if !strings.Contains(cmd.Example, path) {
			t.Errorf("%s has no example of itself: %q", path, cmd.Example)
		}
		for line := range strings.Lines(cmd.Long + "\n" + cmd.Example) {
			if strings.Contains(line, "\t") || len(line) > 101 {
				t.Errorf("%s: %q", path, line)
			}
		}
		for word := range strings.FieldsSeq(cmd.Example) {
			name, isFlag := strings.CutPrefix(word, "--")
			if isFlag && cmd.Flag(name) == nil && !cmd.HasSubCommands() {
				t.Errorf("%s has no %s", path, word)
			}
		}
	})
}

func TestCompletion(t *testing.T) {
	f := newFake(t, map[string][]any{buckets: {[]migrate.Status{quiet(), media()}}})
	const both = "backups\tpassthrough\nmedia\tmirroring\n:4\n"
	for line, want := range map[string]string{
		"status|": both, "switch|": both, "verify|": both, "verify|findings|": both, "cache|purge|": both, "cache|purge|media|": ":4\n",
		"switch|--override|": "backfilled\nverified\nnot-listable\n:4\n", "status|-o|": "table\njson\n:4\n", "verify|--level|": "list\nmeta\ncontent\n:4\n",
	} {
		words := strings.Split(line, "|")
		args := append([]string{"__complete", words[0], "--socket", f.socket}, words[1:]...)
		if words[0] == "cache" || strings.Contains(line, "findings") {
			args = append([]string{"__complete", words[0], words[1], "--socket", f.socket}, words[2:]...)
		}
		if o := execute(t, 0, args...); o.code != 0 || o.stdout != want {
			t.Errorf("%s: %+v", line, o)
		}
	}
	// Without a gateway there is nothing to offer, and no noise on the line.
	if o := execute(t, 0, "__complete", "status", "--socket", filepath.Join(t.TempDir(), "none"), ""); o.code != 0 || o.stdout != ":4\n" {
		t.Errorf("%+v", o)
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if o := execute(t, 0, "completion", shell); o.code != 0 || !strings.Contains(o.stdout, "__complete") {
			t.Errorf("%s: %d, %s", shell, o.code, o.stderr)
		}
	}
	if o := execute(t, 0, "help"); !strings.Contains(o.stdout, "\n  completion ") {
		t.Errorf("completion is not to be seen:\n%s", o.stdout)
	}
}

// TestManualPages: one for each command that is to be seen.
func TestManualPages(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1767225600")
	dir := t.TempDir()
	execute(t, 0, "man", dir).expect(t, 0, "", "")
	each(program{}.commands(), func(cmd *cobra.Command) {
		raw, err := os.ReadFile(filepath.Join(dir, strings.ReplaceAll(cmd.CommandPath(), " ", "-")+".1"))
		if cmd.Hidden {
			if err == nil {
				t.Errorf("%s has a page", cmd.CommandPath())
			}
			return
		}
		if err != nil || !strings.Contains(string(raw), `.TH "SLUICE`) || !strings.Contains(string(raw), "Jan 2026") || !strings.Contains(string(raw), ".SH EXAMPLE") {
			t.Errorf("%s: %v\n%.300s", cmd.CommandPath(), err, raw)
		}
	})
	if o := execute(t, 0, "man", filepath.Join(dir, "none")); o.code != exitError {
		t.Errorf("%+v", o)
	}
}
