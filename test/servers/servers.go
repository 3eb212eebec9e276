// Package servers starts real S3 servers for tests: on 127.0.0.1, on ports of the
// kernel's choice, with data of their own, ended with the test.
package servers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"sluice/backends/s3"
)

// Server is a running S3 server.
type Server struct {
	Endpoint, AccessKey, SecretKey string

	name    string
	command func() *exec.Cmd
	running *exec.Cmd
}

// MinIO starts a MinIO server.
func MinIO(t testing.TB) *Server {
	binary, address, data := Tool(t, "minio"), freeAddress(t), t.TempDir()
	s := &Server{Endpoint: "http://" + address, AccessKey: "minio-access", SecretKey: "minio-secret", name: "minio"}
	s.command = func() *exec.Cmd {
		cmd := exec.Command(binary, "server", "--quiet", "--address", address, data)
		cmd.Env = append(os.Environ(), "MINIO_ROOT_USER="+s.AccessKey, "MINIO_ROOT_PASSWORD="+s.SecretKey,
			"MINIO_BROWSER=off", "MINIO_CI_CD=1", "MINIO_UPDATE=off")
		return cmd
	}
	s.begin(t)
	return s
}

// Versity starts a versitygw server over a directory.
func Versity(t testing.TB) *Server {
	return versity(t)
}

// VersityVersioned starts a versitygw server that can version its buckets.
func VersityVersioned(t testing.TB) *Server {
	return versity(t, "--versioning-dir", t.TempDir())
}

func versity(t testing.TB, flags ...string) *Server {
	binary, address, data := Tool(t, "versitygw"), freeAddress(t), t.TempDir()
	s := &Server{Endpoint: "http://" + address, AccessKey: "versity-access", SecretKey: "versity-secret", name: "versitygw"}
	s.command = func() *exec.Cmd {
		args := []string{"--keep-alive", "--access", s.AccessKey, "--secret", s.SecretKey, "--port", address, "--quiet", "posix"}
		return exec.Command(binary, append(append(args, flags...), data)...)
	}
	s.begin(t)
	return s
}

// Tool finds a program that test/tools.sh installs.
func Tool(t testing.TB, name string) string {
	dir := os.Getenv("SLUICE_TOOLS")
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			t.Fatal(err)
		}
		dir = filepath.Join(home, ".cache", "sluice-tools")
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("SLUICE_REQUIRE_TOOLS") != "" {
			t.Fatalf("%s is not in %s: run test/tools.sh", name, dir)
		}
		t.Skipf("%s is not in %s: test/tools.sh installs it", name, dir)
	}
	return path
}

// freeAddress is a port that was free a moment ago.
func freeAddress(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (s *Server) begin(t testing.TB) {
	s.Restart(t)
	t.Cleanup(func() { s.Stop(t) })
}

// Restart starts the server with the data and the address it had.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.running = s.command()
	if err := s.running.Start(); err != nil {
		t.Fatalf("starting %s: %v", s.name, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := s.answers(ctx); err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
}

// answers waits until the server answers a request as S3 does.
func (s *Server) answers(ctx context.Context) error {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	var last error
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Endpoint+"/", nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusForbidden {
				return nil
			}
			err = fmt.Errorf("status %d", resp.StatusCode)
		}
		last = err
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), last)
		case <-ticker.C:
		}
	}
}

// Stop kills the server.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	if s.running == nil {
		return
	}
	if err := s.running.Process.Kill(); err != nil {
		t.Errorf("ending %s: %v", s.name, err)
	}
	_ = s.running.Wait() // "signal: killed"
	s.running = nil
}

// Store is a store on a bucket of the server, which it creates.
func (s *Server) Store(t testing.TB, name, bucket string) *s3.Store {
	t.Helper()
	store, err := s3.New(t.Context(), s3.Config{
		Name: name, Endpoint: s.Endpoint, Bucket: bucket, Region: "us-east-1",
		AccessKeyID: s.AccessKey, SecretAccessKey: s.SecretKey,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.CreateBucket(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	return store
}
