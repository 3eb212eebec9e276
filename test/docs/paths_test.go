package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDocumentsNameWhatThereIs: every file or folder that a document names is there.
func TestDocumentsNameWhatThereIs(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile("`((?:cmd|gateway|backends|tls|test|docs|deploy|mirror|journal|migrate|\\.ci)/[A-Za-z0-9_./-]+)`")
	pages = append(pages, filepath.Join(root, "README.md"), filepath.Join(root, "deploy", "README.md"),
		filepath.Join(root, "SECURITY.md"), filepath.Join(root, "CHANGELOG.md"))
	for _, page := range pages {
		raw, err := os.ReadFile(page)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, m := range names.FindAllStringSubmatch(string(raw), -1) {
			if !exists(m[1]) && !exists("gateway/"+m[1]) {
				t.Errorf("%s names %s, which is not there", filepath.Base(page), m[1])
			}
		}
	}
}

func exists(name string) bool {
	_, err := os.Stat(filepath.Join(root, name))
	return err == nil
}

// TestArchitectureNamesEveryRoom: docs/architecture.md has a line for every package of the
// program.
func TestArchitectureNamesEveryRoom(t *testing.T) {
	page := read(t, "docs/architecture.md")
	for _, parent := range []string{"gateway", "backends", "test"} {
		entries, err := os.ReadDir(filepath.Join(root, parent))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			word := e.Name() + "/"
			if parent == "test" {
				word = "`test/" + e.Name() + "`"
			}
			if e.IsDir() && !strings.Contains(page, word) {
				t.Errorf("it says nothing of %s/%s", parent, e.Name())
			}
		}
	}
}
