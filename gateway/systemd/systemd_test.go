package systemd

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// manager hears what is said, as the service manager would.
type manager struct {
	t    *testing.T
	conn *net.UnixConn
}

func listen(t *testing.T, watchdog string) *manager {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", watchdog)
	return &manager{t, conn}
}

// hears answers the next message, or "" if none comes within limit.
func (m *manager) hears(limit time.Duration) string {
	m.t.Helper()
	if err := m.conn.SetReadDeadline(time.Now().Add(limit)); err != nil {
		m.t.Fatal(err)
	}
	text := make([]byte, 256)
	n, err := m.conn.Read(text)
	var timeout net.Error
	if err != nil && (!errors.As(err, &timeout) || !timeout.Timeout()) {
		m.t.Fatal(err)
	}
	return string(text[:n])
}

var quiet = slog.New(slog.DiscardHandler)

// begin supervises a program that ends when it is let go.
func begin(t *testing.T, ask func(context.Context) error) (end, letGo func()) {
	t.Helper()
	ctx, end := context.WithCancel(t.Context())
	drained, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- Supervise(ctx, quiet, ask, func(context.Context) error { <-drained; return nil })
	}()
	return end, func() {
		close(drained)
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// TestWatchdogHearsOfLifeAlone: it is not told that the program is ready before there is an
// answer, nor that it lives while there is none; and is told of life during the end, too.
func TestWatchdogHearsOfLifeAlone(t *testing.T) {
	m := listen(t, "200000")
	var answers atomic.Bool
	end, letGo := begin(t, func(ctx context.Context) error {
		if answers.Load() {
			return nil
		}
		<-ctx.Done() // a lock that is never free
		return ctx.Err()
	})
	if got := m.hears(300 * time.Millisecond); got != "" {
		t.Errorf("without an answer it said %q", got)
	}
	answers.Store(true)
	for i, want := range []string{"READY=1", "WATCHDOG=1", "WATCHDOG=1"} {
		if got := m.hears(10 * time.Second); got != want {
			t.Errorf("message %d is %q, not %q", i, got, want)
		}
	}
	answers.Store(false)
	for m.hears(200*time.Millisecond) != "" { // what was under way
	}
	if got := m.hears(400 * time.Millisecond); got != "" {
		t.Errorf("without an answer it said %q", got)
	}
	answers.Store(true)
	end()
	for got := ""; got != "STOPPING=1"; {
		if got = m.hears(10 * time.Second); got == "" {
			t.Fatal("the end was not told")
		}
	}
	if got := m.hears(10 * time.Second); got != "WATCHDOG=1" {
		t.Errorf("while requests finish it says %q", got)
	}
	letGo()
}

func TestWithoutAWatchdog(t *testing.T) {
	m := listen(t, "")
	end, letGo := begin(t, func(context.Context) error { return nil })
	if got := m.hears(10 * time.Second); got != "READY=1" {
		t.Errorf("said %q", got)
	}
	if got := m.hears(100 * time.Millisecond); got != "" {
		t.Errorf("nobody watches, and it said %q", got)
	}
	end()
	if got := m.hears(10 * time.Second); got != "STOPPING=1" {
		t.Errorf("said %q", got)
	}
	letGo()
}

func TestReload(t *testing.T) {
	m := listen(t, "")
	Reloading(quiet)
	if got := m.hears(10 * time.Second); !strings.HasPrefix(got, "RELOADING=1\nMONOTONIC_USEC=") {
		t.Errorf("said %q", got)
	}
	Reloaded(quiet)
	if got := m.hears(10 * time.Second); got != "READY=1" {
		t.Errorf("said %q", got)
	}
}

func TestWithoutAServiceManager(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	failed := errors.New("failed")
	err := Supervise(t.Context(), quiet, func(context.Context) error { t.Error("asked"); return nil }, func(context.Context) error { return failed })
	if !errors.Is(err, failed) {
		t.Error(err)
	}
}
