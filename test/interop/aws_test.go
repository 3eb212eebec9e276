// Package interop drives the gateway with real clients, between real servers.
package interop

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/backends"
	"sluice/backends/s3"
	"sluice/gateway/mirror"
	"sluice/test/process"
	"sluice/test/servers"
)

// stage is a gateway between MinIO (old) and versitygw (new).
type stage struct {
	gateway  *process.Gateway
	old, new *s3.Store
	home     string // the client's, with its configuration
}

func start(t *testing.T) *stage {
	t.Helper()
	minio, versity := servers.MinIO(t), servers.Versity(t)
	s := &stage{old: minio.Store(t, "old", "old-media"), new: versity.Store(t, "new", "new-media"), home: t.TempDir()}
	s.gateway = process.Start(t,
		process.Upstream{Endpoint: minio.Endpoint, Bucket: "old-media", AccessKey: minio.AccessKey, SecretKey: minio.SecretKey},
		process.Upstream{Endpoint: versity.Endpoint, Bucket: "new-media", AccessKey: versity.AccessKey, SecretKey: versity.SecretKey},
		"migration: { mirror: { quarantine: 2s } }")
	if err := os.WriteFile(filepath.Join(s.home, "config"), []byte("[default]\ns3 =\n  signature_version = s3v4\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// aws runs the AWS CLI against the gateway.
func (s *stage) aws(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "aws", append([]string{"--endpoint-url", s.gateway.Endpoint}, args...)...)
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + s.home, "AWS_CONFIG_FILE=" + filepath.Join(s.home, "config"),
		"AWS_ACCESS_KEY_ID=" + process.AccessKey, "AWS_SECRET_ACCESS_KEY=" + process.SecretKey,
		"AWS_DEFAULT_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true",
	}
	if root := os.Getenv("PYENV_ROOT"); root != "" {
		cmd.Env = append(cmd.Env, "PYENV_ROOT="+root)
	}
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		t.Fatalf("aws %s: %v\n%s", strings.Join(args, " "), err, errOut.String())
	}
	return out.String()
}

func requireAWS(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("aws"); err != nil {
		if os.Getenv("SLUICE_REQUIRE_TOOLS") != "" {
			t.Fatal("the aws CLI is missing")
		}
		t.Skip("the aws CLI is missing: apt-get install awscli")
	}
}

func random(t *testing.T, size int) []byte {
	t.Helper()
	b := make([]byte, size)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t *testing.T, dir, name string, content []byte) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

const bucketURL = "s3://" + process.Bucket

// TestAWSCommandLine: cp, sync, ls, rm, presign and a multipart upload of 100 MiB
// by the AWS CLI; then both stores hold the same bytes, metadata and ETags.
func TestAWSCommandLine(t *testing.T) {
	requireAWS(t)
	s := start(t)
	dir := t.TempDir()
	files := map[string][]byte{
		"empty":                  {},
		"text.txt":               []byte("hello\n"),
		"d/é ü/a+b & c=d.txt":    []byte("odd name\n"),
		"d/日本語/🦈.png":            random(t, 3000),
		"large/video.mp4":        random(t, 100<<20),
		"medium/eight-megabytes": random(t, 8<<20),
	}
	for i := range 40 {
		files[fmt.Sprintf("small/%02d.bin", i)] = random(t, 500+i*3000)
	}
	for name, content := range files {
		write(t, dir, name, content)
	}

	s.aws(t, "s3", "sync", dir, bucketURL+"/up", "--quiet")
	s.aws(t, "s3", "cp", filepath.Join(dir, "text.txt"), bucketURL+"/copied/text.txt", "--quiet",
		"--content-type", "text/x-test", "--cache-control", "public, max-age=31536000, immutable",
		"--metadata", "colour=blue,name=value")
	s.aws(t, "s3", "cp", bucketURL+"/up/small/01.bin", bucketURL+"/copied/on-the-server.bin", "--quiet")
	s.aws(t, "s3", "rm", bucketURL+"/up/small/00.bin", "--quiet")
	s.aws(t, "s3", "rm", bucketURL+"/up/d/", "--recursive", "--quiet")

	back := t.TempDir()
	s.aws(t, "s3", "sync", bucketURL+"/up", back, "--quiet")
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
	if got := strings.Count(s.aws(t, "s3", "ls", bucketURL+"/up/", "--recursive"), "\n"); got != len(files)-3 {
		t.Errorf("%d objects listed, want %d", got, len(files)-3)
	}
	presigned(t, strings.TrimSpace(s.aws(t, "s3", "presign", bucketURL+"/up/small/02.bin")), files["small/02.bin"])

	process.Eventually(t, time.Minute, s.equal)
}

// presigned reads a presigned URL, and that URL bent.
func presigned(t *testing.T, url string, want []byte) {
	t.Helper()
	for _, c := range []struct {
		url    string
		status int
	}{{url, http.StatusOK}, {strings.Replace(url, "02.bin", "03.bin", 1), http.StatusForbidden}} {
		resp, err := http.Get(c.url)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != c.status {
			t.Errorf("status %d, want %d (%v): %s", resp.StatusCode, c.status, err, c.url)
		} else if c.status == http.StatusOK && !bytes.Equal(got, want) {
			t.Error("the presigned URL answers other bytes")
		}
	}
}

// equal compares the stores from behind the gateway: keys, ETags, metadata and
// bytes.
func (s *stage) equal(ctx context.Context) error {
	old, err := describe(ctx, s.old)
	if err != nil {
		return err
	}
	new, err := describe(ctx, s.new)
	if err != nil {
		return err
	}
	if len(old) == 0 {
		return errors.New("the old store is empty")
	}
	for key := range old {
		if old[key] != new[key] {
			return fmt.Errorf("%q\n  on old: %.300s\n  on new: %.300s", key, old[key], new[key])
		}
	}
	if !maps.Equal(old, new) {
		return errors.New("new holds more than old")
	}
	return nil
}

func describe(ctx context.Context, s backends.Store) (map[string]string, error) {
	all := make(map[string]string)
	for listed, err := range backends.Walk(ctx, s, backends.ListRequest{}) {
		if err != nil {
			return nil, err
		}
		if mirror.IsReserved(listed.Key) {
			continue
		}
		o, err := s.Get(ctx, backends.GetRequest{Key: listed.Key})
		if err != nil {
			return nil, err
		}
		content := sha256.New()
		_, err = io.Copy(content, o.Body)
		o.Body.Close()
		if err != nil {
			return nil, err
		}
		all[listed.Key] = fmt.Sprintf("%s %s %q %q %q %x", listed.ETag, o.ETag, o.Header["Content-Type"], o.Header["Cache-Control"],
			[]string{o.Header.Get("X-Amz-Meta-Colour"), o.Header.Get("X-Amz-Meta-Name")}, content.Sum(nil))
	}
	return all, nil
}
