package e2e

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/backends"
	"sluice/backends/s3"
	"sluice/test/process"
)

// TestReloadOfTheProgram: SIGHUP and `sluice config reload`, with files that are good and bad.
func TestReloadOfTheProgram(t *testing.T) {
	_, _, old := process.Embedded(t, "old")
	_, _, new := process.Embedded(t, "new")
	g := process.StartBefore(t, old, new, "log: { level: info }\n")
	signed := func(secret string) error {
		c, err := s3.New(t.Context(), s3.Config{
			Name: "gateway", Endpoint: g.Endpoint, Bucket: process.Bucket, Region: "us-east-1",
			AccessKeyID: process.AccessKey, SecretAccessKey: secret,
		})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, err = c.List(t.Context(), backends.ListRequest{MaxKeys: 1})
		return err
	}
	hangUp := func() {
		if err := syscall.Kill(g.PID(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(code int, inStdout, inStderr string, words ...string) {
		t.Helper()
		stdout, stderr, got := g.Sluice(t, words...)
		if got != code || !strings.Contains(stdout, inStdout) || !strings.Contains(stderr, inStderr) || strings.Contains(stdout+stderr, "rotated") {
			t.Errorf("%s: %d\n%s\n%s", words, got, stdout, stderr)
		}
	}

	g.Rewrite(t, "secret_access_key: "+process.SecretKey, "secret_access_key: rotated-once")
	expect(0, "SETTING      TAKES EFFECT\ncredentials  at once\n", "", "config", "reload", "--dry-run")
	if err := signed(process.SecretKey); err != nil {
		t.Errorf("a dry run changed the key: %v", err)
	}
	hangUp()
	eventually(t, func(context.Context) error { return signed("rotated-once") })
	if err := signed(process.SecretKey); !errors.Is(err, backends.ErrDenied) {
		t.Errorf("the former secret: %v", err)
	}

	g.Rewrite(t, "rotated-once", "rotated-twice")
	g.Rewrite(t, "level: info", "level: loud")
	expect(7, "", `log.level: "loud" is not one of`, "config", "reload")
	expect(0, "configuration", "", "status")
	if err := signed("rotated-once"); err != nil {
		t.Error(err)
	}
	g.Rewrite(t, "level: loud", "format: json")
	g.Rewrite(t, "listen: {", "listen: { admin: '127.0.0.1:0',")
	expect(7, "listen.admin  with a restart\n", "listen.admin can only change with a restart", "config", "reload", "--dry-run")
	expect(7, "", "listen.admin can only change with a restart of the gateway; nothing was changed", "config", "reload")
	g.Rewrite(t, "listen: { admin: '127.0.0.1:0',", "listen: {")
	expect(0, `"log.format"`, "", "config", "reload", "-o", "json")
	expect(0, "nothing differs", "", "config", "reload")
	if err := signed("rotated-twice"); err != nil {
		t.Error(err)
	}
	if stdout, _, _ := g.Sluice(t, "status"); strings.Contains(stdout, "configuration") {
		t.Error(stdout)
	}
	if log := g.Log(t); !strings.Contains(log, `level=ERROR msg="the configuration could not be reloaded; the one before stays in force"`) ||
		!strings.Contains(log, `"level":"INFO","msg":"configuration reloaded"`) || strings.Contains(log, "rotated") {
		t.Error(log)
	}
}

// TestSIGHUPIsHarmless while the program starts, and while it ends with a request under way.
func TestSIGHUPIsHarmless(t *testing.T) {
	_, _, old := process.Embedded(t, "old")
	_, _, new := process.Embedded(t, "new")
	g := process.StartBefore(t, old, new, "")
	for range 5 {
		g.Kill(t)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		before := len(g.Log(t))
		g.Begin(t)
		eventually(t, func(context.Context) error {
			if !strings.Contains(g.Log(t)[before:], "store tried") {
				return errors.New("it does not start")
			}
			return nil
		})
		pid := g.PID()
		go func() {
			defer close(ended)
			for tick := time.Tick(time.Millisecond); ctx.Err() == nil; <-tick {
				_ = syscall.Kill(pid, syscall.SIGHUP)
			}
		}()
		g.Await(t)
		stop()
		<-ended
	}

	body, sending := io.Pipe()
	send := func(text string) {
		if _, err := io.WriteString(sending, text); err != nil {
			t.Error(err)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, g.Endpoint+"/media/slow", body)
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = 10
	r := &rig{url: g.Endpoint}
	signedReq := r.request(t, ask{method: "PUT", path: "/media/slow", header: map[string]string{"X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD"}, key: process.AccessKey, secret: process.SecretKey})
	req.Header = signedReq.Header
	answered := make(chan answer, 1)
	// The body is read from here only once the gateway asks for it.
	req.Header.Set("Expect", "100-continue")
	patient := &http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Minute}}
	defer patient.CloseIdleConnections()
	go func() { defer close(answered); answered <- read(t, patient, req) }()
	send("01234")
	pid := g.PID()
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if err := syscall.Kill(pid, syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	send("56789")
	sending.Close()
	if a := <-answered; a.status != 200 {
		t.Error(a)
	}
	if ended := g.Ended(t, time.Minute); ended.ExitCode() != 0 {
		t.Errorf("the program ended with %v:\n%s", ended, g.Log(t))
	}
}
