package interop

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/test/interop/stage"
	"sluice/test/process"
	"sluice/test/servers"
)

const rcloneRemote = "gateway:" + process.Bucket + "/rclone"

// rclone runs rclone against the gateway.
type rclone struct {
	*stage.Stage
	binary, config string
}

func newRclone(t *testing.T) *rclone {
	t.Helper()
	binary := servers.Tool(t, "rclone")
	s := &rclone{Stage: stage.Start(t), binary: binary}
	stage.Write(t, s.Home, "rclone.conf", fmt.Appendf(nil, `[gateway]
type = s3
provider = Other
access_key_id = %s
secret_access_key = %s
endpoint = %s
region = us-east-1
force_path_style = true
acl = public-read
storage_class = STANDARD
chunk_size = 5Mi
upload_cutoff = 5Mi
upload_concurrency = 4
list_chunk = 20
`, process.AccessKey, process.SecretKey, s.Gateway.Endpoint))
	s.config = filepath.Join(s.Home, "rclone.conf")
	return s
}

// args are rclone's, without the retries that would hide a wrong answer.
func (s *rclone) args(args ...string) []string {
	return append([]string{"--config", s.config, "--retries", "1", "--low-level-retries", "1"}, args...)
}

func (s *rclone) run(t *testing.T, args ...string) string {
	t.Helper()
	return s.Run(t, s.binary, s.args(args...)...)
}

// fails runs what must not succeed.
func (s *rclone) fails(t *testing.T, args ...string) {
	t.Helper()
	if _, err := s.Try(t, s.binary, s.args(args...)...); err == nil {
		t.Errorf("rclone %s succeeded", strings.Join(args, " "))
	}
}

// lists compares the files below a directory of the bucket.
func (s *rclone) lists(t *testing.T, dir string, want []string) {
	t.Helper()
	got := strings.Split(strings.TrimSpace(s.run(t, "lsf", "--recursive", "--files-only", rcloneRemote+dir)), "\n")
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("listed below %q: %q, want %q", dir, got, want)
	}
}

// tree writes files and answers their names.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	files := map[string][]byte{
		"empty": {}, "text.txt": []byte("hello\n"), "d/é ü/a+b & c=d.txt": []byte("odd name\n"), "d/日本語/🦈.png": stage.Random(t, 3000),
		"d/literal %2F.txt": []byte("percent\n"), "large/video.mp4": stage.Random(t, 17<<20),
	}
	for i := range 60 {
		files[fmt.Sprintf("small/%02d.bin", i)] = stage.Random(t, 500+i*100)
	}
	names := make([]string, 0, len(files))
	for name, content := range files {
		stage.Write(t, dir, name, content)
		names = append(names, name)
	}
	return names
}

// TestRclone: copy, check, lsf, sync, copies on the server, moveto, link, cat of a
// range, delete and a mount by rclone; then both stores hold the same.
func TestRclone(t *testing.T) {
	s := newRclone(t)
	dir := t.TempDir()
	names := tree(t, dir)
	s.run(t, "copy", dir, rcloneRemote+"/up", "--header-upload", "Cache-Control: public, max-age=31536000",
		"--metadata", "--metadata-set", "colour=blue")
	s.lists(t, "/up", slices.Clone(names))
	s.run(t, "check", "--download", dir, rcloneRemote+"/up")
	s.run(t, "check", dir, rcloneRemote+"/up") // by ETag; of the multipart object by rclone's own MD5 in the metadata
	t.Run("sync", func(t *testing.T) { s.sync(t, dir, names) })
	t.Run("on the server", func(t *testing.T) { s.onTheServer(t, dir) })
	t.Run("delete", func(t *testing.T) { s.deletes(t) })
	t.Run("mount", func(t *testing.T) { s.mount(t) })
	process.Eventually(t, time.Minute, s.Equal)
}

// sync goes down to another directory, and up again after changes, of which
// check knows before and nothing after.
func (s *rclone) sync(t *testing.T, dir string, names []string) {
	back := t.TempDir()
	s.run(t, "sync", rcloneRemote+"/up", back)
	for _, name := range names {
		want, _ := os.ReadFile(filepath.Join(dir, name))
		if got, err := os.ReadFile(filepath.Join(back, name)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s came back different: %v", name, err)
		}
	}
	stage.Write(t, dir, "text.txt", []byte("changed\n"))
	stage.Write(t, dir, "new.txt", []byte("new\n"))
	if err := os.Remove(filepath.Join(dir, "small", "00.bin")); err != nil {
		t.Fatal(err)
	}
	s.fails(t, "check", dir, rcloneRemote+"/up")
	s.run(t, "sync", dir, rcloneRemote+"/up")
	s.run(t, "check", "--download", dir, rcloneRemote+"/up")
	now := append(slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == "small/00.bin" }), "new.txt")
	s.lists(t, "/up", now)
}

// onTheServer copies and moves without a download, reads ranges and a presigned
// URL.
func (s *rclone) onTheServer(t *testing.T, dir string) {
	video, err := os.ReadFile(filepath.Join(dir, "large", "video.mp4"))
	if err != nil {
		t.Fatal(err)
	}
	s.run(t, "copyto", rcloneRemote+"/up/large/video.mp4", rcloneRemote+"/copied/a b+ü.mp4")
	if got := s.run(t, "cat", rcloneRemote+"/copied/a b+ü.mp4"); got != string(video) {
		t.Error("the copy on the server holds other bytes")
	}
	border := 5 << 20
	got := s.run(t, "cat", "--offset", fmt.Sprint(border-10), "--count", "20", rcloneRemote+"/up/large/video.mp4")
	if got != string(video[border-10:border+10]) {
		t.Error("a range over the border of two parts holds other bytes")
	}
	s.run(t, "moveto", rcloneRemote+"/up/text.txt", rcloneRemote+"/copied/moved & renamed.txt")
	s.lists(t, "/copied", []string{"a b+ü.mp4", "moved & renamed.txt"})
	stage.Presigned(t, strings.TrimSpace(s.run(t, "link", "--expire", "1m", rcloneRemote+"/up/new.txt")),
		"new.txt", "neu.txt", []byte("new\n"))
}

// deletes takes away a directory, and one file.
func (s *rclone) deletes(t *testing.T) {
	s.run(t, "delete", rcloneRemote+"/up/small")
	if got := s.run(t, "lsf", rcloneRemote+"/up/"); got != "d/\nempty\nlarge/\nnew.txt\n" {
		t.Errorf("after delete: %q", got)
	}
	s.run(t, "deletefile", rcloneRemote+"/up/d/literal %2F.txt")
	s.fails(t, "deletefile", rcloneRemote+"/up/d/literal %2F.txt") // rclone looks first
}

// mount reads and writes through the kernel, where it lets us: what a container
// can not have is no skip.
func (s *rclone) mount(t *testing.T) {
	for _, need := range []string{"/dev/fuse", "/bin/fusermount3"} {
		if _, err := os.Stat(need); err != nil {
			t.Logf("not tried: %v", err)
			return
		}
	}
	dir := t.TempDir()
	read := filepath.Join(dir, "up", "new.txt")
	ended, output := s.startMount(t, dir)
	process.Eventually(t, 20*time.Second, func(context.Context) error {
		if _, err := os.Stat(read); ended.Err() == nil {
			return err
		}
		return nil
	})
	if ended.Err() != nil {
		if out := output.String(); !strings.Contains(out, "not permitted") && !strings.Contains(out, "ermission denied") {
			t.Errorf("rclone mount ended: %v\n%s", context.Cause(ended), out)
		}
		t.Log("not tried: the kernel does not let us mount")
		return
	}
	if got, err := os.ReadFile(read); err != nil || string(got) != "new\n" {
		t.Errorf("read through the mount: %q, %v", got, err)
	}
	stage.Write(t, dir, "mounted/written.txt", []byte("through the kernel\n"))
	process.Eventually(t, 20*time.Second, func(context.Context) error {
		got, err := s.Try(t, s.binary, s.args("cat", rcloneRemote+"/mounted/written.txt")...)
		if err == nil && got != "through the kernel\n" {
			err = fmt.Errorf("the bucket holds %q", got)
		}
		return err
	})
}

// startMount mounts the remote on dir until the test ends. The context is done
// when rclone ended, with what it printed then.
func (s *rclone) startMount(t *testing.T, dir string) (ended context.Context, output *bytes.Buffer) {
	t.Helper()
	running, stop := context.WithCancel(context.Background())
	ended, end := context.WithCancelCause(context.Background())
	output = new(bytes.Buffer)
	cmd := exec.CommandContext(running, s.binary, s.args("mount", rcloneRemote, dir, "--vfs-cache-mode", "writes", "--vfs-write-back", "0s")...)
	cmd.Env = s.Env()
	cmd.Stdout, cmd.Stderr = output, output
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it unmounts
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { end(cmd.Wait()) }()
	t.Cleanup(func() { stop(); <-ended.Done() })
	return ended, output
}
