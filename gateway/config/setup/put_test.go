package setup

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWhatDoesNotLoadIsNotPut: what was there stays, and nothing is left beside it.
func TestWhatDoesNotLoadIsNotPut(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sluice.yaml")
	if err := os.WriteFile(file, []byte("# mine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := Answers{
		Bucket: "b", Endpoint: "http://127.0.0.1:9000",
		Old: Store{Endpoint: "nonsense", Bucket: "b", AccessKeyID: "k", Secret: "hush"}, New: Store{Endpoint: "https://n.test", AccessKeyID: "k", Secret: "hush"},
	}
	if _, err := a.Put(file); err == nil || !strings.Contains(err.Error(), "stores.old.endpoint") || strings.Contains(err.Error(), "hush") {
		t.Error(err)
	}
	if raw, err := os.ReadFile(file); err != nil || string(raw) != "# mine\n" {
		t.Errorf("%q, %v", raw, err)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(file), ".*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}

func TestShellWords(t *testing.T) {
	for word, want := range map[string]string{"a/b.yaml": "a/b.yaml", "": "''", "a b": "'a b'", "a'b": `'a'\''b'`, "$(id)": "'$(id)'", "a;b": "'a;b'", "ü": "'ü'"} {
		if got := shell(word); got != want {
			t.Errorf("%q: %s, want %s", word, got, want)
		}
	}
}
