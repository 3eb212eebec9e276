package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/minio/minio-go/v7/pkg/signer"

	"sluice/backends"
	"sluice/gateway/admin"
	"sluice/test/process"
)

// slowUpload is a PUT whose client takes its time.
type slowUpload struct {
	rest   []byte // that is not sent yet
	body   *io.PipeWriter
	answer chan string
}

// beginUpload sends the first half of an object, and waits until the gateway is at it.
func beginUpload(t *testing.T, g *process.Gateway, content []byte) *slowUpload {
	t.Helper()
	body, w := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, g.Endpoint+"/media/slow", body)
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = int64(len(content))
	req.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
	req = signer.SignV4(*req, process.AccessKey, process.SecretKey, "", "us-east-1")
	u := &slowUpload{rest: content[len(content)/2:], body: w, answer: make(chan string, 1)}
	go func() {
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			u.answer <- err.Error()
			return
		}
		resp.Body.Close()
		u.answer <- fmt.Sprintf("%d, closed %t", resp.StatusCode, resp.Close)
	}()
	t.Cleanup(func() { w.Close() })
	if _, err := w.Write(content[:len(content)/2]); err != nil {
		t.Fatal(err)
	}
	eventually(t, func(ctx context.Context) error {
		if _, metrics := desk(ctx, g, "/metrics"); !strings.Contains(metrics, "\nsluice_requests_in_flight 1\n") {
			return errors.New("the upload is not in flight")
		}
		return nil
	})
	return u
}

// finish sends what is left, and answers what the gateway says.
func (u *slowUpload) finish(t *testing.T) string {
	t.Helper()
	if _, err := u.body.Write(u.rest); err != nil {
		t.Fatal(err)
	}
	u.body.Close()
	return <-u.answer
}

// desk asks at the operators' socket.
func desk(ctx context.Context, g *process.Gateway, path string) (int, string) {
	c := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(g.State(), admin.SocketName))
		},
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://gateway"+path, nil)
	if err != nil {
		return 0, err.Error()
	}
	resp, err := c.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(text)
}

// idle opens a connection, has one request answered on it, and keeps it.
func idle(t *testing.T, g *process.Gateway) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(g.Endpoint, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_, err = io.WriteString(conn, "GET /media/absent HTTP/1.1\r\nHost: gateway\r\n\r\n")
	if err == nil {
		err = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	}
	if err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	if resp.Close {
		t.Fatal("the connection is closed after its first request")
	}
	return conn, r
}

// TestUploadsOutliveTheirGateway: told to end, it finishes the upload under way, takes nothing
// new, gives up what is idle, and says that it is not ready.
func TestUploadsOutliveTheirGateway(t *testing.T) {
	_, oldStore, oldUp := process.Embedded(t, "old")
	_, newStore, newUp := process.Embedded(t, "new")
	g := process.Start(t, oldUp, newUp, "")
	want := body("slow", 1, 4<<20)
	u := beginUpload(t, g, want)
	_, kept := idle(t, g)
	g.Signal(t, syscall.SIGTERM)
	eventually(t, func(ctx context.Context) error {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", strings.TrimPrefix(g.Endpoint, "http://"))
		switch {
		case errors.Is(err, syscall.ECONNREFUSED):
			return nil
		case err == nil:
			conn.Close()
		}
		return fmt.Errorf("a new connection is not refused: %v", err)
	})
	if status, text := desk(t.Context(), g, "/readyz"); status != 503 || !strings.Contains(text, "ending") {
		t.Errorf("/readyz: %d %s", status, text)
	}
	if _, err := kept.ReadByte(); err != io.EOF {
		t.Errorf("an idle connection: %v", err)
	}
	if got := u.finish(t); got != "200, closed true" {
		t.Errorf("the upload: %s", got)
	}
	if state := g.Ended(t, time.Minute); state.ExitCode() != 0 {
		t.Errorf("it ended with %v", state)
	}
	for _, s := range []backends.Store{oldStore, newStore} {
		all, err := content(t.Context(), s)
		if err != nil || !strings.HasSuffix(all["slow"], "\x00"+string(want)) {
			t.Errorf("a store holds %d keys, %v", len(all), err)
		}
	}
}

// TestEndIsBounded: an upload that does not finish holds the end up for no longer than the
// configuration says, and leaves nothing on the stores.
func TestEndIsBounded(t *testing.T) {
	_, oldStore, oldUp := process.Embedded(t, "old")
	_, newStore, newUp := process.Embedded(t, "new")
	g := process.Start(t, oldUp, newUp, "limits: { drain: 500ms }")
	beginUpload(t, g, body("slow", 1, 4<<20))
	g.Signal(t, syscall.SIGTERM)
	if state := g.Ended(t, 30*time.Second); state.ExitCode() != 1 {
		t.Errorf("it ended with %v", state)
	}
	if log := g.Log(t); !strings.Contains(log, "sluice: requests that did not end within limits.drain, 500ms, were broken off\n") {
		t.Errorf("it does not say why:\n%s", log)
	}
	for _, s := range []backends.Store{oldStore, newStore} {
		if all, err := content(t.Context(), s); err != nil || len(all) > 0 {
			t.Errorf("a store holds %d keys, %v", len(all), err)
		}
	}
}

// TestSecondSignal: who can not wait for the uploads ends the gateway at once.
func TestSecondSignal(t *testing.T) {
	_, _, oldUp := process.Embedded(t, "old")
	_, _, newUp := process.Embedded(t, "new")
	g := process.Start(t, oldUp, newUp, "")
	beginUpload(t, g, body("slow", 1, 4<<20))
	pid := g.PID()
	g.Signal(t, syscall.SIGTERM)
	eventually(t, func(context.Context) error {
		if !strings.Contains(g.Log(t), "a second signal breaks them off") {
			return errors.New("the end has not begun")
		}
		return nil
	})
	ended := make(chan syscall.WaitStatus, 1)
	go func() { ended <- g.Ended(t, 20*time.Second).Sys().(syscall.WaitStatus) }()
	eventually(t, func(context.Context) error {
		select {
		case how := <-ended:
			if !how.Signaled() || how.Signal() != syscall.SIGTERM {
				t.Errorf("it ended with %v", how)
			}
			return nil
		default: // the first signal may only just have been taken
			return fmt.Errorf("it goes on: %v", syscall.Kill(pid, syscall.SIGTERM))
		}
	})
}

// TestServiceManagerIsTold: the program says that it is ready when it answers, that it lives,
// and that it ends, before it has ended.
func TestServiceManagerIsTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	hears := func() string {
		text := make([]byte, 256)
		err := manager.SetReadDeadline(time.Now().Add(20 * time.Second))
		if err != nil {
			t.Fatal(err)
		}
		n, err := manager.Read(text)
		if err != nil {
			t.Fatal(err)
		}
		return string(text[:n])
	}
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "400000")
	_, _, oldUp := process.Embedded(t, "old")
	_, _, newUp := process.Embedded(t, "new")
	g := process.Start(t, oldUp, newUp, "")
	for i, want := range []string{"READY=1", "WATCHDOG=1", "WATCHDOG=1"} {
		if got := hears(); got != want {
			t.Errorf("message %d is %q, not %q", i, got, want)
		}
	}
	u := beginUpload(t, g, body("slow", 1, 4<<20))
	g.Signal(t, syscall.SIGTERM)
	for got := ""; got != "STOPPING=1"; {
		if got = hears(); got != "STOPPING=1" && got != "WATCHDOG=1" {
			t.Fatalf("it says %q", got)
		}
	}
	if got := hears(); got != "WATCHDOG=1" {
		t.Errorf("while the upload goes on it says %q", got)
	}
	if got := u.finish(t); !strings.HasPrefix(got, "200") {
		t.Errorf("the upload: %s", got)
	}
	if state := g.Ended(t, time.Minute); state.ExitCode() != 0 {
		t.Errorf("it ended with %v", state)
	}
}
