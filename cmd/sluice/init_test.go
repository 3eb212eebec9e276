package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// initLine are the words that leave nothing to be asked; stdin is empty in tests.
func initLine(t *testing.T, dir string, more ...string) []string {
	t.Helper()
	for name, content := range map[string]string{
		"env": "LOCAL_DOMAIN=example.social\nS3_ENABLED=true\nS3_BUCKET=media\nS3_REGION=r\nS3_ENDPOINT=https://minio.test\n" +
			"AWS_ACCESS_KEY_ID=OLDKEY\nAWS_SECRET_ACCESS_KEY='hush#1'\nS3_ALIAS_HOST=files.test\n",
		"secret": "hush#2\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return append([]string{
		"init", "--mastodon", filepath.Join(dir, "env"), "--new-endpoint", "https://new.test", "--new-bucket", "media-new",
		"--new-access-key-id", "NEWKEY", "--new-secret-file", filepath.Join(dir, "secret"),
	}, more...)
}

// TestInit: what is written loads, is whole, its secrets are for their owner alone, and it replaces
// nothing without being told to.
func TestInit(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "etc", "my sluice.yaml")
	line := slices.Clip(initLine(t, dir, "-o", file))
	o := execute(t, 0, line...)
	if o.code != 0 || o.stdout != "" || strings.Contains(o.stderr, "hush") || !strings.Contains(o.stderr, "change  S3_ENDPOINT=https://minio.test  →  S3_ENDPOINT=http://127.0.0.1:9000\n") {
		t.Fatalf("%+v", o)
	}
	execute(t, 0, "config", "validate", "-c", file).expect(t, 0, file+" is good: 1 bucket, 2 stores, 1 host\n", "")
	etc := filepath.Dir(file)
	modes := make(map[string]fs.FileMode)
	err := filepath.WalkDir(etc, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		modes[strings.TrimPrefix(path, etc)] = info.Mode().Perm()
		return err
	})
	want := map[string]fs.FileMode{
		"": 0o755, "/my sluice.yaml": 0o644, "/secrets": 0o700,
		"/secrets/application": 0o600, "/secrets/new": 0o600, "/secrets/old": 0o600,
	}
	if err != nil || !maps.Equal(modes, want) {
		t.Errorf("written: %v, %v", modes, err)
	}
	const mine = "# mine\n"
	for _, there := range []string{file, filepath.Join(dir, "etc", "secrets", "old")} {
		if err := os.WriteFile(there, []byte(mine), 0o600); err != nil {
			t.Fatal(err)
		}
		o := execute(t, 0, line...)
		if raw, _ := os.ReadFile(there); o.code != exitError || string(raw) != mine {
			t.Errorf("%s: %+v, %q", there, o, raw)
		}
		if o := execute(t, 0, append(line, "--force")...); o.code != 0 {
			t.Errorf("%+v", o)
		}
		if raw, _ := os.ReadFile(there); string(raw) == mine {
			t.Errorf("--force left %s", there)
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
}

func TestInitPrints(t *testing.T) {
	o := execute(t, 0, initLine(t, t.TempDir(), "-o", "-")...)
	if o.code != 0 || strings.Contains(o.stdout+o.stderr, "hush") || !strings.Contains(o.stdout, `secret_access_key: "${SLUICE_NEW_SECRET}"`) ||
		!strings.Contains(o.stderr, "set SLUICE_NEW_SECRET to the new secret\n") {
		t.Fatalf("%+v", o)
	}
	for _, name := range []string{"SLUICE_OLD_SECRET", "SLUICE_NEW_SECRET", "SLUICE_APPLICATION_SECRET"} {
		t.Setenv(name, "x")
	}
	file := filepath.Join(t.TempDir(), "printed.yaml")
	if err := os.WriteFile(file, []byte(o.stdout), 0o600); err != nil {
		t.Fatal(err)
	}
	execute(t, 0, "config", "validate", "-c", file).expect(t, 0, file+" is good: 1 bucket, 2 stores, 1 host\n", "")
}

func TestInitRefusals(t *testing.T) {
	dir := t.TempDir()
	local := filepath.Join(dir, "local")
	if err := os.WriteFile(local, []byte("LOCAL_DOMAIN=example.social\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := slices.Clip(initLine(t, dir, "-o", filepath.Join(dir, "c.yaml")))
	for _, c := range []struct {
		line []string
		code int
		want string
	}{
		{[]string{"init", "-o", "-"}, exitUsage, "there is no answer to a question: --old-endpoint"},
		{[]string{"init", "-o", "-", "--mastodon", local}, exitConfigInvalid, "has no store over a directory yet"},
		{[]string{"init", "-o", "-", "--mastodon", filepath.Join(dir, "none")}, exitError, "no such file"},
		{append(good, "--tls", "auto"), exitUsage, "--tls auto: with certificates of its own Sluice takes S3 by https alone"},
		{append(good, "--endpoint", "http://:x"), exitUsage, "--endpoint: it is not a URL"},
		{append(good, "--new-secret-file", filepath.Join(dir, "none")), exitUsage, "--new-secret-file: open"},
		{append(good, "--endpoint", "https://FILES.test"), exitUsage, "files.test serves either S3 or the public"},
	} {
		if o := execute(t, 0, c.line...); o.code != c.code || o.stdout != "" || !strings.Contains(o.stderr, c.want) {
			t.Errorf("%v: %+v", c.line, o)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "c.yaml")); err == nil {
		t.Error("a configuration was written all the same")
	}
}

// TestInterruptedQuestion: nobody has to answer before the program may end.
func TestInterruptedQuestion(t *testing.T) {
	in, out := io.Pipe()
	defer out.Close() // and the reader ends
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := terminal(in, io.Discard).Line(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
