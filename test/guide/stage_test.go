package guide

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"sluice/backends"
	"sluice/backends/s3"
	"sluice/test/process"
)

// stage is the machine that a document speaks of: its paths, addresses and keys are others
// there, and stand for those in the document.
type stage struct {
	t       *testing.T
	dir     string
	pairs   []pair
	gateway *exec.Cmd
	log     bytes.Buffer
}

type pair struct{ shown, real string }

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{t: t, dir: t.TempDir()}
	for _, path := range []string{"/etc/sluice", "/var/lib/sluice", "/home/mastodon/live"} {
		if err := os.MkdirAll(filepath.Join(s.dir, path), 0o700); err != nil {
			t.Fatal(err)
		}
		s.stands(path, filepath.Join(s.dir, path))
	}
	for _, address := range []string{"127.0.0.1:9000", "127.0.0.1:9180"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		s.stands(address, l.Addr().String())
	}
	s.install(process.Program(t))
	t.Cleanup(s.end)
	return s
}

// install puts the program where a shell finds it, with the stage's file as its default for
// the configuration. What init writes there is made to be of the stage, too.
func (s *stage) install(program string) {
	s.t.Helper()
	var mend strings.Builder
	for _, p := range s.pairs {
		fmt.Fprintf(&mend, `s#\([" ]\)%s#\1%s#;`, p.shown, p.real)
	}
	script := fmt.Sprintf("#!/bin/sh\ncase \"$1\" in\ninit) %[1]q \"$@\" -o %[2]q && sed -i '%[3]s' %[2]q ;;\n*) exec %[1]q \"$@\" -c %[2]q ;;\nesac\n",
		program, filepath.Join(s.dir, "etc", "sluice", "sluice.yaml"), mend.String())
	if err := os.WriteFile(filepath.Join(s.dir, "sluice"), []byte(script), 0o700); err != nil {
		s.t.Fatal(err)
	}
}

// stands notes what a word of the document is here.
func (s *stage) stands(shown, real string) {
	s.pairs = append(s.pairs, pair{shown, real})
	slices.SortFunc(s.pairs, func(a, b pair) int { return cmp.Compare(len(b.shown), len(a.shown)) })
}

func (s *stage) real(text string) string {
	var words []string
	for _, p := range s.pairs {
		words = append(words, p.shown, p.real)
	}
	return strings.NewReplacer(words...).Replace(text)
}

func (s *stage) shown(text string) string {
	var words []string
	for _, p := range s.pairs {
		words = append(words, p.real, p.shown)
	}
	return strings.NewReplacer(words...).Replace(text)
}

// run runs a command of the document and answers what it prints. That it fails may be what
// the document wants to show.
func (s *stage) run(ctx context.Context, command string) string {
	out, _ := s.try(ctx, command)
	return out
}

func (s *stage) try(ctx context.Context, command string) (string, error) {
	cmd := exec.CommandContext(ctx, "bash", "-c", "set -o pipefail; "+s.real(command))
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "PATH="+s.dir+":"+os.Getenv("PATH"), "NO_COLOR=1", "HOME="+s.dir,
		"AWS_ACCESS_KEY_ID="+s.real("OLDKEY"), "AWS_SECRET_ACCESS_KEY="+s.real("OLDSECRET"), "AWS_DEFAULT_REGION=us-east-1")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// serve starts the gateway with the configuration that the document has written.
func (s *stage) serve() {
	s.t.Helper()
	s.gateway = exec.Command(filepath.Join(s.dir, "sluice"), "serve")
	s.gateway.Stderr = &s.log
	if err := s.gateway.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.until("sluice status >/dev/null")
}

func (s *stage) end() {
	if s.gateway == nil {
		return
	}
	_ = s.gateway.Process.Signal(syscall.SIGTERM)
	if err := s.gateway.Wait(); err != nil {
		s.t.Errorf("the gateway ended with %v", err)
	}
	if s.t.Failed() {
		s.t.Logf("the gateway's log:\n%s", s.log.String())
	}
}

func key(prefix string, i int) string {
	return fmt.Sprintf("%s000/%03d/original/%03d.png", prefix, i%7, i)
}

func put(t *testing.T, store *s3.Store, key string) {
	t.Helper()
	body := strings.Repeat(key+"\n", 500)
	_, err := store.Put(t.Context(), backends.PutRequest{
		Key: key, Body: strings.NewReader(body), Size: int64(len(body)),
		Header: http.Header{"Content-Type": {"image/png"}, "Cache-Control": {"public, max-age=315576000, immutable"}, "X-Amz-Acl": {"public-read"}},
	})
	if err != nil {
		t.Fatal(err)
	}
}
