package interop

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/backends"
	"sluice/test/interop/stage"
	"sluice/test/process"
)

// s3cmd runs s3cmd against the gateway.
type s3cmd struct {
	*stage.Stage
	config string
}

func newS3cmd(t *testing.T) *s3cmd {
	t.Helper()
	if _, err := exec.LookPath("s3cmd"); err != nil {
		stage.Missing(t, "s3cmd", "apt-get install s3cmd")
	}
	s := &s3cmd{Stage: stage.Start(t)}
	host := strings.TrimPrefix(s.Gateway.Endpoint, "http://")
	stage.Write(t, s.Home, "s3cfg", fmt.Appendf(nil, `[default]
access_key = %s
secret_key = %s
host_base = %s
host_bucket = %s
use_https = False
multipart_chunk_size_mb = 5
max_retries = 1
`, process.AccessKey, process.SecretKey, host, host))
	s.config = filepath.Join(s.Home, "s3cfg")
	return s
}

func (s *s3cmd) run(t *testing.T, args ...string) string {
	t.Helper()
	return s.Run(t, "s3cmd", append([]string{"--config", s.config, "--no-progress"}, args...)...)
}

// fails runs what must not succeed: s3cmd's status tells why.
func (s *s3cmd) fails(t *testing.T, status int, args ...string) {
	t.Helper()
	_, err := s.Try(t, "s3cmd", append([]string{"--config", s.config, "--no-progress"}, args...)...)
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("exit status %d\n", status)) {
		t.Errorf("s3cmd %s: %v, want exit status %d", strings.Join(args, " "), err, status)
	}
}

// downloads reads an object and compares it.
func (s *s3cmd) downloads(t *testing.T, key string, want []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	s.run(t, "get", bucketURL+"/"+key, path)
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s came back different: %v", key, err)
	}
}

// contains looks for every line of want in what a client printed.
func contains(t *testing.T, printed string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(printed, w) {
			t.Errorf("%q is not in\n%s", w, printed)
		}
	}
}

// The exit statuses of s3cmd: for a 404, and for a download of what is not there.
const (
	s3cmdNotFound = 12
	s3cmdUsage    = 64
)

// TestS3cmd: put, multipart put, get, sync, cp, mv, modify, setacl, ls, du, del
// and the abort of an upload by s3cmd; then both stores hold the same.
func TestS3cmd(t *testing.T) {
	s := newS3cmd(t)
	dir := t.TempDir()
	t.Run("objects", func(t *testing.T) { s.objects(t, dir) })
	t.Run("multipart", func(t *testing.T) { s.multipart(t, dir) })
	t.Run("copies", func(t *testing.T) { s.copies(t, dir) })
	t.Run("sync", func(t *testing.T) { s.sync(t) })
	process.Eventually(t, time.Minute, s.Equal)
}

func (s *s3cmd) objects(t *testing.T, dir string) {
	content := stage.Random(t, 100_000)
	stage.Write(t, dir, "file.png", content)
	s.run(t, "put", filepath.Join(dir, "file.png"), bucketURL+"/s3cmd/file.png", "--acl-public", "--storage-class=STANDARD",
		"--mime-type=image/png", "--add-header=Cache-Control: public, max-age=31536000", "--add-header=x-amz-meta-colour: blue")
	s.downloads(t, "s3cmd/file.png", content)
	contains(t, s.run(t, "info", bucketURL+"/s3cmd/file.png"), "File size: 100000", "MIME type: image/png",
		"x-amz-meta-colour: blue", "Storage:   STANDARD")
	s.fails(t, s3cmdNotFound, "info", bucketURL+"/s3cmd/never-was")
	s.fails(t, s3cmdUsage, "get", bucketURL+"/s3cmd/never-was", filepath.Join(t.TempDir(), "file"))
	// s3cmd signs URLs by Signature Version 2 alone.
	link := strings.TrimSpace(s.run(t, "signurl", bucketURL+"/s3cmd/file.png", "+600"))
	stage.Presigned(t, link, "file.png", "other.png", content)

	s.run(t, "del", bucketURL+"/s3cmd/file.png")
	s.run(t, "del", bucketURL+"/s3cmd/file.png") // finds nothing, which is success
	s.fails(t, s3cmdNotFound, "info", bucketURL+"/s3cmd/file.png")
	// A canned ACL is not implemented, or set: Mastodon takes both.
	s.run(t, "put", filepath.Join(dir, "file.png"), bucketURL+"/s3cmd/acl.png")
	if _, err := s.Try(t, "s3cmd", "--config", s.config, "setacl", "--acl-public", bucketURL+"/s3cmd/acl.png"); err != nil {
		contains(t, err.Error(), "501")
	}
}

// multipart uploads 17 MiB in parts of 5 MiB, and gives up an upload that was
// begun.
func (s *s3cmd) multipart(t *testing.T, dir string) {
	content := stage.Random(t, 17<<20)
	stage.Write(t, dir, "video.mp4", content)
	s.run(t, "put", filepath.Join(dir, "video.mp4"), bucketURL+"/s3cmd/video.mp4", "--acl-public",
		"--mime-type=video/mp4", "--add-header=Cache-Control: no-cache")
	client := s.Gateway.Client(t)
	info, err := client.Head(t.Context(), backends.GetRequest{Key: "s3cmd/video.mp4"})
	if err != nil || !strings.HasSuffix(info.ETag, "-4") || info.Header.Get("Cache-Control") != "no-cache" {
		t.Errorf("the multipart object: %+v, %v", info, err)
	}
	s.downloads(t, "s3cmd/video.mp4", content)
	contains(t, s.run(t, "info", bucketURL+"/s3cmd/video.mp4"), "MIME type: video/mp4", "File size: 17825792")

	begun, err := client.CreateUpload(t.Context(), backends.CreateUploadRequest{Key: "s3cmd/aborted"})
	if err != nil {
		t.Fatal(err)
	}
	id := begun.UploadID
	// The id is not compared: a listing names the upload by another one, which knows the old store's alone.
	contains(t, s.run(t, "multipart", bucketURL), "s3://"+process.Bucket+"/s3cmd/aborted")
	s.run(t, "abortmp", bucketURL+"/s3cmd/aborted", id)
	if got := s.run(t, "multipart", bucketURL); strings.Contains(got, "s3cmd/aborted") {
		t.Errorf("the upload is there after its abort:\n%s", got)
	}
}

func (s *s3cmd) copies(t *testing.T, dir string) {
	content := []byte("copied\n")
	stage.Write(t, dir, "text.txt", content)
	s.run(t, "put", filepath.Join(dir, "text.txt"), bucketURL+"/s3cmd/a b+c&ü.txt", "--mime-type=text/x-source")
	s.run(t, "cp", bucketURL+"/s3cmd/a b+c&ü.txt", bucketURL+"/s3cmd/copied/日本.txt")
	s.run(t, "mv", bucketURL+"/s3cmd/a b+c&ü.txt", bucketURL+"/s3cmd/copied/moved %2F.txt")
	s.fails(t, s3cmdNotFound, "info", bucketURL+"/s3cmd/a b+c&ü.txt")
	s.downloads(t, "s3cmd/copied/日本.txt", content)
	s.downloads(t, "s3cmd/copied/moved %2F.txt", content)
	// A copy onto itself, with other headers.
	s.run(t, "modify", bucketURL+"/s3cmd/copied/日本.txt", "--add-header=Cache-Control: private", "--mime-type=text/x-other")
	contains(t, s.run(t, "info", bucketURL+"/s3cmd/copied/日本.txt"), "MIME type: text/x-other")
}

// sync takes a tree up and down again, and deletes it in one request per
// thousand.
func (s *s3cmd) sync(t *testing.T) {
	up, down := t.TempDir(), t.TempDir()
	files := map[string][]byte{"empty": {}, "d/é ü/a+b & c=d.txt": []byte("odd name\n"), "d/日本語/🦈.png": stage.Random(t, 3000)}
	for i := range 150 {
		files[fmt.Sprintf("small/%03d.bin", i)] = stage.Random(t, 100+i)
	}
	for name, content := range files {
		stage.Write(t, up, name, content)
	}
	s.run(t, "sync", up+"/", bucketURL+"/s3cmd/sync/")
	s.run(t, "sync", bucketURL+"/s3cmd/sync/", down+"/")
	for name, want := range files {
		if got, err := os.ReadFile(filepath.Join(down, name)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s came back different: %v", name, err)
		}
	}
	if got := strings.Count(s.run(t, "ls", "--recursive", bucketURL+"/s3cmd/sync/"), "\n"); got != len(files) {
		t.Errorf("%d objects listed, want %d", got, len(files))
	}
	contains(t, s.run(t, "ls", bucketURL+"/s3cmd/sync/"), "DIR  "+bucketURL+"/s3cmd/sync/d/\n", "DIR  "+bucketURL+"/s3cmd/sync/small/\n",
		bucketURL+"/s3cmd/sync/empty\n")
	contains(t, s.run(t, "du", bucketURL+"/s3cmd/sync/small/"), " 150 objects ")
	s.run(t, "del", "--recursive", "--force", bucketURL+"/s3cmd/sync/small/")
	if got := s.run(t, "ls", bucketURL+"/s3cmd/sync/small/"); got != "" {
		t.Errorf("after del --recursive:\n%s", got)
	}
}
