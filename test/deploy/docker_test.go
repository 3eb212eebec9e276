package deploy

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
	"github.com/opencontainers/go-digest"
)

// baseImages answers for every base image as a registry would, with next to nothing.
type baseImages struct{}

func (baseImages) ResolveImageConfig(_ context.Context, ref string, _ sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	config := fmt.Sprintf(`{"architecture":%q,"os":"linux","config":{"Env":["PATH=/usr/local/bin:/usr/bin:/bin"]},"rootfs":{"type":"layers"}}`, runtime.GOARCH)
	return ref, digest.FromString(config), []byte(config), nil
}

// TestDockerfile: BuildKit's own checks find no fault, and the image is what it is to be.
func TestDockerfile(t *testing.T) {
	raw := read(t, "Dockerfile")
	var o dockerfile2llb.ConvertOpt
	o.MetaResolver = baseImages{}
	o.SourceMap = &llb.SourceMap{Definition: new(llb.Definition), Filename: "Dockerfile", Language: "Dockerfile", Data: raw}
	found, err := dockerfile2llb.DockerfileLint(t.Context(), raw, o)
	if err != nil {
		t.Fatal(err)
	}
	if found.Error != nil {
		t.Fatal(found.Error.Message)
	}
	for _, w := range found.Warnings {
		t.Errorf("line %v: %s: %s", w.Location, w.RuleName, w.Detail)
	}
	built, err := dockerfile2llb.Dockerfile2LLB(t.Context(), raw, o)
	if err != nil {
		t.Fatal(err)
	}
	image := built.Image.Config
	if image.User != "65532:65532" {
		t.Errorf("it runs as %q", image.User)
	}
	if _, kept := image.Volumes["/var/lib/sluice"]; !kept {
		t.Errorf("the volumes are %v", image.Volumes)
	}
	if h := image.Healthcheck; h == nil || !slices.Equal(h.Test[:3], []string{"CMD", "/usr/local/bin/sluice", "healthcheck"}) {
		t.Errorf("its health is %v", h)
	}
	for _, label := range []string{"title", "description", "licenses", "version"} {
		if image.Labels["org.opencontainers.image."+label] == "" {
			t.Errorf("there is no label %s in %v", label, image.Labels)
		}
	}
}

// buildCommand is what the Dockerfile runs to build the program.
func buildCommand() (string, error) {
	raw, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		return "", err
	}
	file, err := parser.Parse(bytes.NewReader(raw))
	if err != nil {
		return "", err
	}
	stages, _, err := instructions.Parse(file.AST, nil)
	if err != nil {
		return "", err
	}
	for _, c := range stages[0].Commands {
		if r, ok := c.(*instructions.RunCommand); ok && strings.Contains(r.CmdLine[0], "go build") {
			return r.CmdLine[0], nil
		}
	}
	return "", errors.New("the Dockerfile's first stage builds nothing")
}

// buildAsImage copies what an image's build is given into dir/src, builds the program by the
// Dockerfile's command, and answers where it is.
func buildAsImage(dir string) (string, error) {
	command, err := buildCommand()
	if err != nil {
		return "", err
	}
	src, out := filepath.Join(dir, "src"), filepath.Join(dir, "out")
	if err := copyContext(src); err != nil {
		return "", err
	}
	cmd := exec.Command("sh", "-ec", strings.ReplaceAll(command, "/out", out))
	cmd.Dir = src
	cmd.Env = append(os.Environ(), "TARGETOS=linux", "TARGETARCH="+runtime.GOARCH, "VERSION=1.2.3", "GOFLAGS=")
	if said, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", command, err, said)
	}
	return filepath.Join(out, "sluice"), nil
}

// copyContext copies what .dockerignore leaves of the repository.
func copyContext(to string) error {
	f, err := os.Open(filepath.Join(root, ".dockerignore"))
	if err != nil {
		return err
	}
	defer f.Close()
	patterns, err := ignorefile.ReadAll(f)
	if err != nil {
		return err
	}
	ignored, err := patternmatcher.New(patterns)
	if err != nil {
		return err
	}
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if out, err := ignored.MatchesOrParentMatches(name); err != nil || out {
			return err
		}
		return copyFile(path, filepath.Join(to, name))
	})
}

var built struct {
	once sync.Once
	dir  string
	path string
	err  error
}

// TestMain removes the program that tests built.
func TestMain(m *testing.M) {
	code := m.Run()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

// program is the program as the image has it.
func program(t *testing.T) string {
	t.Helper()
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "sluice-image-"); built.err == nil {
			built.path, built.err = buildAsImage(built.dir)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.path
}

// TestImageIsReproducible: the image's build needs nothing that .dockerignore keeps away, makes a
// static program that knows its version, and makes the same one in another place.
func TestImageIsReproducible(t *testing.T) {
	first := program(t)
	second, err := buildAsImage(filepath.Join(t.TempDir(), "elsewhere"))
	if err != nil {
		t.Fatal(err)
	}
	var sums [2][sha256.Size]byte
	for i, path := range []string{first, second} {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		sums[i] = sha256.Sum256(raw)
	}
	if sums[0] != sums[1] {
		t.Error("two builds of one source differ")
	}
	file, err := elf.Open(first)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, part := range file.Progs {
		if part.Type == elf.PT_INTERP {
			t.Error("the program needs a dynamic linker, and the image has none")
		}
	}
	if out, err := run(t, nil, first, "version"); err != nil || !strings.HasPrefix(out, "sluice 1.2.3 ") {
		t.Errorf("%s, %v", out, err)
	}
}
