// Package interop drives the gateway with real clients, between real servers.
package interop

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/test/interop/stage"
	"sluice/test/process"
)

// aws runs the AWS CLI against the gateway.
func aws(t *testing.T, s *stage.Stage, args ...string) string {
	t.Helper()
	return s.Run(t, "aws", append([]string{"--endpoint-url", s.Gateway.Endpoint}, args...)...)
}

func requireAWS(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("aws"); err != nil {
		stage.Missing(t, "the aws CLI", "apt-get install awscli")
	}
}

const bucketURL = "s3://" + process.Bucket

// TestAWSCommandLine: cp, sync, ls, rm, presign and a multipart upload of 100 MiB
// by the AWS CLI; then both stores hold the same bytes, metadata and ETags.
func TestAWSCommandLine(t *testing.T) {
	requireAWS(t)
	s := stage.Start(t)
	dir := t.TempDir()
	files := map[string][]byte{
		"empty":                  {},
		"text.txt":               []byte("hello\n"),
		"d/é ü/a+b & c=d.txt":    []byte("odd name\n"),
		"d/日本語/🦈.png":            stage.Random(t, 3000),
		"large/video.mp4":        stage.Random(t, 100<<20),
		"medium/eight-megabytes": stage.Random(t, 8<<20),
	}
	for i := range 40 {
		files[fmt.Sprintf("small/%02d.bin", i)] = stage.Random(t, 500+i*3000)
	}
	for name, content := range files {
		stage.Write(t, dir, name, content)
	}

	aws(t, s, "s3", "sync", dir, bucketURL+"/up", "--quiet")
	aws(t, s, "s3", "cp", filepath.Join(dir, "text.txt"), bucketURL+"/copied/text.txt", "--quiet",
		"--content-type", "text/x-test", "--cache-control", "public, max-age=31536000, immutable",
		"--metadata", "colour=blue,name=value")
	aws(t, s, "s3", "cp", bucketURL+"/up/small/01.bin", bucketURL+"/copied/on-the-server.bin", "--quiet")
	aws(t, s, "s3", "rm", bucketURL+"/up/small/00.bin", "--quiet")
	aws(t, s, "s3", "rm", bucketURL+"/up/d/", "--recursive", "--quiet")

	back := t.TempDir()
	aws(t, s, "s3", "sync", bucketURL+"/up", back, "--quiet")
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(back, name))
		gone := strings.HasPrefix(name, "d/") || name == "small/00.bin"
		switch {
		case gone && !errors.Is(err, os.ErrNotExist):
			t.Errorf("%s was removed and came back: %v", name, err)
		case !gone && (err != nil || !bytes.Equal(got, want)):
			t.Errorf("%s came back different: %v", name, err)
		}
	}
	if got := strings.Count(aws(t, s, "s3", "ls", bucketURL+"/up/", "--recursive"), "\n"); got != len(files)-3 {
		t.Errorf("%d objects listed, want %d", got, len(files)-3)
	}
	stage.Presigned(t, strings.TrimSpace(aws(t, s, "s3", "presign", bucketURL+"/up/small/02.bin")),
		"02.bin", "03.bin", files["small/02.bin"])

	process.Eventually(t, time.Minute, s.Equal)
}
