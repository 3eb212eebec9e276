// Package deploy holds what comes with the program against the tools that will read it: the
// Dockerfile, the compose file, the systemd unit, the chart, the alerts and the dashboard.
package deploy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// root is the repository's, as seen from this package.
const root = "../.."

func read(t *testing.T, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// tool finds a program that test/tools.sh installs, or that the machine has.
func tool(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("SLUICE_TOOLS")
	if home, err := os.UserHomeDir(); dir == "" && err == nil {
		dir = filepath.Join(home, ".cache", "sluice-tools")
	}
	path, err := exec.LookPath(filepath.Join(dir, name))
	if err != nil {
		path, err = exec.LookPath(name)
	}
	switch {
	case err == nil:
	case os.Getenv("SLUICE_REQUIRE_TOOLS") != "":
		t.Fatalf("%s is not there: test/tools.sh installs it, or Debian has it", name)
	default:
		t.Skipf("%s is not there: test/tools.sh installs it, or Debian has it", name)
	}
	return path
}

// run runs a program with nothing of our environment but PATH and what is given, and answers
// what it said.
func run(t *testing.T, env map[string]string, name string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	for k, v := range env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), err
}

// effective has the program check a configuration in an environment, and answers it with
// every default.
func effective(t *testing.T, file string, env map[string]string) (c struct {
	StateDir string `json:"state_dir"`
	Listen   map[string]string
	Limits   struct{ Drain string }
},
) {
	t.Helper()
	for _, what := range []string{"validate", "show"} {
		out, err := run(t, env, program(t), "config", what, "-c", file)
		if err != nil {
			t.Fatalf("config %s of %s: %v\n%s", what, file, err, out)
		}
		if what == "show" {
			if err := yaml.Unmarshal([]byte(out), &c); err != nil {
				t.Fatal(err)
			}
		}
	}
	return c
}

var reference = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// references are the variables that a configuration asks the environment for.
func references(text string) (names []string) {
	for _, m := range reference.FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// values are made-up ones for a configuration's variables.
func values(names []string) map[string]string {
	env := make(map[string]string)
	for _, name := range names {
		env[name] = "value-of-" + strings.ToLower(name)
	}
	return env
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		err = os.WriteFile(path, content, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("copying %s: %w", from, err)
	}
	return nil
}
