package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sluice/gateway/admin"
	"sluice/gateway/migrate"
)

func TestRefusalsHaveExitCodes(t *testing.T) {
	for kind, code := range map[admin.Kind]int{
		admin.Refused: 3, admin.WrongPhase: 9, admin.NoBucket: 1, admin.Invalid: 2, admin.Unavailable: 5, admin.Failed: 1, "unheard-of": 1,
	} {
		f := newFake(t, map[string][]any{"POST /v1/buckets/media/cancel": {&admin.Error{Kind: kind, Message: "because"}}})
		f.run(t, 0, "cancel", "media").expect(t, code, "", "sluice: because\n")
	}
}

func TestUsageHasItsExitCode(t *testing.T) {
	f := newFake(t, map[string][]any{buckets: {[]migrate.Status{quiet(), media()}}})
	for _, line := range []string{
		"bogus", "status a b", "status --bogus", "status -o yaml", "switch", "switch a b", "verify findings a b",
		"verify media --level all", "verify media --sample 101 --level content", "verify media --sample 5", "verify media --fix --delete-extra",
		"verify media --delete-extra --max-delete 5", "verify media --max-delete 5", "throttle media", "throttle --bandwidth much",
	} {
		if o := f.run(t, 0, strings.Fields(line)...); o.code != exitUsage || o.stdout != "" || len(o.requests) != 0 {
			t.Errorf("%s: %+v", line, o)
		}
	}
	f.run(t, 0, "switch").expect(t, exitUsage, "", "sluice: name a bucket; 2 are open: backups, media\n")
}

func TestGatewayUnreachable(t *testing.T) {
	dir := t.TempDir()
	left := filepath.Join(dir, "left.sock") // by a gateway that was killed
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", left)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	for _, socket := range []string{left, filepath.Join(dir, "none.sock")} {
		if o := execute(t, 0, "status", "--socket", socket); o.code != exitUnreachable {
			t.Errorf("%+v", o)
		}
	}
}

func TestSocketOfConfiguration(t *testing.T) {
	f := newFake(t, map[string][]any{buckets: {[]migrate.Status{}}})
	dir := t.TempDir()
	for _, c := range []struct {
		name, content string
		code          int
	}{
		{"good.yaml", "state_dir: " + filepath.Dir(f.socket) + "\ncredentials: [ { secret_access_key: \"${NOT_SET_HERE}\" } ]\n", 0},
		{"bad.yaml", "state_dir: [\n", exitConfigInvalid},
	} {
		file := filepath.Join(dir, c.name)
		if err := os.WriteFile(file, []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		if o := execute(t, 0, "status", "-c", file); o.code != c.code {
			t.Errorf("%s: %+v", c.name, o)
		}
	}
	if o := execute(t, 0, "status", "-c", filepath.Join(dir, "none.yaml")); o.code != exitConfigInvalid {
		t.Errorf("%+v", o)
	}
}

func TestNotPermitted(t *testing.T) {
	// Not tried with a socket: root is permitted everything.
	denied := &net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", syscall.EACCES)}
	if code := exitCode(t.Context(), fmt.Errorf("%w: %w", admin.ErrUnreachable, denied)); code != exitNotPermitted {
		t.Errorf("exit code %d", code)
	}
}

func TestInterruptedCommand(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout, stderr strings.Builder
	p := program{stdout: &stdout, stderr: &stderr}
	if code := p.run(ctx, []string{"switch", "media", "--socket", filepath.Join(t.TempDir(), "s")}); code != exitInterrupted {
		t.Errorf("exit code %d", code)
	}
	same(t, "stderr", stderr.String(), "whether it was done is not known: sluice status media\nsluice: interrupted\n")
}
