package guide

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/backends/s3"
	"sluice/test/servers"
)

var update = flag.Bool("update", false, "write what the commands print into the documents")

// TestMastodonGuide follows docs/mastodon.md from the first command to the last, with MinIO
// as the old store and versitygw as the new one.
func TestMastodonGuide(t *testing.T) {
	s := newStage(t)
	old, new := servers.MinIO(t), servers.Versity(t)
	s.stands("files.example.social", "localhost")
	s.stands("https://minio.example.social", old.Endpoint)
	s.stands("https://fsn1.your-objectstorage.com", new.Endpoint)
	s.stands("OLDKEY", old.AccessKey)
	s.stands("OLDSECRET", old.SecretKey)
	s.stands("NEWKEY", new.AccessKey)
	s.stands("NEWSECRET", new.SecretKey)
	fill(t, old.Store(t, "old", "mastodata"))
	new.Store(t, "new", "mastodon-media")
	s.follow(filepath.Join("..", "..", "docs", "mastodon.md"))
}

// fill puts on a store what a small instance has.
func fill(t *testing.T, store *s3.Store) {
	t.Helper()
	for _, kind := range []string{"accounts/avatars/", "cache/media_attachments/", "custom_emojis/images/", "media_attachments/files/"} {
		for i := range 50 {
			put(t, store, key(kind, i))
		}
	}
}

// TestSteps reads a document and puts other output into it.
func TestSteps(t *testing.T) {
	lines := strings.Split("a\n```console\n$ one\n1\n\n2\n$ two\n```\n<!-- guide: until three 3 -->\n<!-- guide: serve -->\n```sh\n$ none\n```", "\n")
	list := steps(lines)
	var got []string
	for _, s := range list {
		got = append(got, s.order+":"+s.command+":"+s.shown)
	}
	if want := "console:one:1\n\n2\n|console:two:|until:three 3:|serve::"; strings.Join(got, "|") != want {
		t.Fatalf("%q", got)
	}
	got = replaced(lines, list, []string{"x\n", "y\nz\n", "", ""})
	if want := "a\n```console\n$ one\nx\n$ two\ny\nz\n```\n<!-- guide: until three 3 -->\n<!-- guide: serve -->\n```sh\n$ none\n```"; strings.Join(got, "\n") != want {
		t.Fatalf("%q", got)
	}
}

// TestSteady: what differs each time is not compared, all else is.
func TestSteady(t *testing.T) {
	a := "phase   mirroring since 2026-11-22 00:08 UTC\nheld for 12ms, 3.5 KiB/s, 58s left  \n"
	b := "phase  mirroring since 2027-01-01 10:08 UTC\nheld for 1m2s, 1,500 KiB/s, 1s left\n"
	if steady(a) != steady(b) {
		t.Errorf("%q, %q", steady(a), steady(b))
	}
	for _, other := range []string{"60 objects", "mirroring", "0 failed"} {
		if steady(other) != other {
			t.Errorf("%q is not compared", other)
		}
	}
}

// follow runs a document's commands, and compares or writes what they print.
func (s *stage) follow(page string) {
	t := s.t
	t.Helper()
	raw, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(raw), "\n")
	list := steps(lines)
	printed := make([]string, len(list))
	for i, step := range list {
		if t.Context().Err() != nil {
			t.Fatal(t.Context().Err())
		}
		switch step.order {
		case "console":
			printed[i] = s.shown(s.run(t.Context(), step.command))
			if !*update && steady(printed[i]) != steady(step.shown) {
				t.Fatalf("%s:%d: $ %s\nprints\n%s\nand not\n%s", page, step.line, step.command, printed[i], step.shown)
			}
		case "until":
			s.until(step.command)
		case "run":
			if out, err := s.try(t.Context(), step.command); err != nil {
				t.Fatalf("%s:%d: %s: %v\n%s", page, step.line, step.command, err, out)
			}
		case "serve":
			s.serve()
		default:
			t.Fatalf("%s:%d: no hook is called %q", page, step.line, step.order)
		}
	}
	if len(list) == 0 {
		t.Fatalf("%s has nothing to run", page)
	}
	if *update {
		if err := os.WriteFile(page, []byte(strings.Join(replaced(lines, list, printed), "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// until runs a command again until it succeeds.
func (s *stage) until(command string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*time.Minute)
	defer cancel()
	for {
		out, err := s.try(ctx, command)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			s.t.Fatalf("%s: %v\n%s", command, err, out)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
