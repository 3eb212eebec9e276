package process

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

var built struct {
	once sync.Once
	path string
	err  error
}

// Program compiles the program once a test binary, as it is shipped: without the
// race detector, and with the modules of its own go.mod, whatever module the
// test is part of.
func Program(t testing.TB) string {
	t.Helper()
	built.once.Do(func() {
		dir, err := os.MkdirTemp("", "sluice-test-")
		if err != nil {
			built.err = err
			return
		}
		root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "sluice").Output()
		if err != nil {
			built.err = fmt.Errorf("finding the program's module: %w", err)
			return
		}
		built.path = filepath.Join(dir, "sluice")
		cmd := exec.Command("go", "build", "-o", built.path, "./cmd/sluice")
		cmd.Dir = strings.TrimSpace(string(root))
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("building the program: %w\n%s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.path
}
