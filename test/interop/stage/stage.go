// Package stage is where real clients play: a gateway between two real servers,
// an environment for the client's process, and a comparison of what the stores
// hold afterwards.
package stage

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/backends"
	"sluice/backends/s3"
	"sluice/gateway/mirror"
	"sluice/test/process"
	"sluice/test/servers"
)

// Stage is a gateway between MinIO (old) and versitygw (new).
type Stage struct {
	Gateway  *process.Gateway
	Old, New *s3.Store
	Home     string // the client's, with its configuration
}

// Start starts the servers and the gateway for one test.
func Start(t testing.TB) *Stage {
	t.Helper()
	minio, versity := servers.MinIO(t), servers.Versity(t)
	s := &Stage{Old: minio.Store(t, "old", "old-media"), New: versity.Store(t, "new", "new-media"), Home: t.TempDir()}
	s.Gateway = process.Start(t,
		process.Of(minio, "old-media"),
		process.Of(versity, "new-media"),
		"migration: { mirror: { quarantine: 2s } }")
	Write(t, s.Home, "config", []byte("[default]\ns3 =\n  signature_version = s3v4\n"))
	return s
}

// Run runs a client that is a program and answers what it prints. The client
// sees no environment but the one made here: AWS_CA_BUNDLE breaks some, and
// another configuration of the machine's any.
func (s *Stage) Run(t testing.TB, program string, args ...string) string {
	t.Helper()
	out, err := s.Try(t, program, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Try is Run for a client that may fail.
func (s *Stage) Try(t testing.TB, program string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = s.Env()
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s %s: %w\n%s", filepath.Base(program), strings.Join(args, " "), err, errOut.String())
	}
	return out.String(), nil
}

// Env is the environment of a client's process. Scripts find the gateway in
// S3_ENDPOINT and S3_BUCKET; the rest is what SDKs read.
func (s *Stage) Env() []string {
	env := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + s.Home, "LANG=C.UTF-8", "AWS_CONFIG_FILE=" + filepath.Join(s.Home, "config"),
		"AWS_ACCESS_KEY_ID=" + process.AccessKey, "AWS_SECRET_ACCESS_KEY=" + process.SecretKey,
		"AWS_DEFAULT_REGION=us-east-1", "AWS_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true",
		"S3_ENDPOINT=" + s.Gateway.Endpoint, "S3_BUCKET=" + process.Bucket,
	}
	if root := os.Getenv("PYENV_ROOT"); root != "" { // python3 and aws may be its shims
		env = append(env, "PYENV_ROOT="+root)
	}
	return env
}

// Missing ends a test whose client is not on the machine: it is skipped, or
// fails where nothing may be missing.
func Missing(t testing.TB, client, install string) {
	t.Helper()
	if os.Getenv("SLUICE_REQUIRE_TOOLS") != "" {
		t.Fatalf("%s is missing: %s", client, install)
	}
	t.Skipf("%s is missing: %s", client, install)
}

// Random is content that no client can compress or guess.
func Random(t testing.TB, size int) []byte {
	t.Helper()
	b := make([]byte, size)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return b
}

// Write writes a file below dir, with the directories it needs.
func Write(t testing.TB, dir, name string, content []byte) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Presigned reads a URL that a client signed for an object of the content want,
// with a plain HTTP client; then the URL with its key bent, which must not be
// answered.
func Presigned(t testing.TB, url, key, bentKey string, want []byte) {
	t.Helper()
	for _, c := range []struct {
		url    string
		status int
	}{{url, http.StatusOK}, {strings.Replace(url, key, bentKey, 1), http.StatusForbidden}} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
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

// Equal compares the stores from behind the gateway: keys, ETags, metadata and
// bytes.
func (s *Stage) Equal(ctx context.Context) error {
	old, err := describe(ctx, s.Old)
	if err != nil {
		return err
	}
	new, err := describe(ctx, s.New)
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
		tags, err := backends.Tags(ctx, s, listed.Key)
		if err != nil {
			return nil, err
		}
		all[listed.Key] = fmt.Sprintf("%s %s %s %q %q %q %x", tags.Encode(), listed.ETag, o.ETag, o.Header["Content-Type"], o.Header["Cache-Control"],
			metadata(o.Header), content.Sum(nil))
	}
	return all, nil
}

// metadata is the client's metadata, in order. The origin that a background copy
// carries is Sluice's own. What is not ASCII MinIO answers encoded (RFC 2047), as
// Amazon does, and versitygw as it is.
func metadata(h http.Header) []string {
	var all []string
	var decoder mime.WordDecoder
	for name, values := range h {
		if !strings.HasPrefix(name, "X-Amz-Meta-") || strings.HasPrefix(name, "X-Amz-Meta-Sluice-") {
			continue
		}
		value := strings.Join(values, ",")
		if decoded, err := decoder.DecodeHeader(value); err == nil {
			value = decoded
		}
		all = append(all, name+": "+value)
	}
	slices.Sort(all)
	return all
}
