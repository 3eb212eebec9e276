package deploy

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// image is a root directory with what the image has: the program, and a state directory that
// is its user's.
type image struct{ dir string }

func newImage(t *testing.T, config string) image {
	t.Helper()
	if os.Getuid() != 0 {
		if os.Getenv("SLUICE_REQUIRE_TOOLS") != "" {
			t.Fatal("only root can make a root directory of its own")
		}
		t.Skip("only root can make a root directory of its own")
	}
	dir, err := os.MkdirTemp("/tmp", "sluice-container-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	binary, state, etc := filepath.Join(dir, "usr/local/bin/sluice"), filepath.Join(dir, "var/lib/sluice"), filepath.Join(dir, "etc/sluice")
	if err := errors.Join(
		os.Chmod(dir, 0o755), // another user comes
		copyFile(program(t), binary), os.Chmod(binary, 0o755),
		os.MkdirAll(state, 0o755), os.Chown(state, 65532, 65532),
		os.MkdirAll(etc, 0o755), os.WriteFile(filepath.Join(etc, "sluice.yaml"), []byte(config), 0o644),
	); err != nil {
		t.Fatal(err)
	}
	return image{dir}
}

// command is the program as a container starts it: by the image's user, without a privilege,
// in its root directory.
func (i image) command(out *bytes.Buffer, name string) *exec.Cmd {
	cmd := exec.Command("/usr/local/bin/sluice", name, "-c", "/etc/sluice/sluice.yaml")
	cmd.Dir, cmd.Env = "/", []string{"APP_SECRET=secret"}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: i.dir, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
	return cmd
}

// TestContainer: the program needs nothing of a machine, and no rights; it says that it is
// healthy once it serves, although its store is away, and ends when it is told to.
func TestContainer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	i := newImage(t, fmt.Sprintf(`
listen: { http: %q }
stores: { only: { endpoint: "http://127.0.0.1:1", bucket: media, access_key_id: k, secret_access_key: s } }
buckets: { media: { old: only } }
credentials: [ { access_key_id: app, secret_access_key: "${APP_SECRET}" } ]
`, address))

	var log, said bytes.Buffer
	gateway := i.command(&log, "serve")
	if err := gateway.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- gateway.Wait() }()
	for deadline := time.Now().Add(30 * time.Second); i.command(&said, "healthcheck").Run() != nil; <-time.After(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("it does not become healthy:\n%s", &said)
			break
		}
	}
	said.Reset()
	if err := i.command(&said, "status").Run(); err != nil || !strings.Contains(said.String(), "media") {
		t.Errorf("status: %v\n%s", err, &said)
	}
	if err := gateway.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	select {
	case err = <-ended:
	case <-time.After(30 * time.Second):
		_ = gateway.Process.Kill()
		err = errors.Join(errors.New("it does not end"), <-ended)
	}
	if err != nil {
		t.Errorf("%v; its log:\n%s", err, &log)
	}
}
