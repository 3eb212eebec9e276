package main

import (
	"slices"
	"testing"

	"sluice/gateway/migrate"
)

const (
	verifyMedia = "POST /v1/buckets/media/verify"
	stopMedia   = "DELETE /v1/buckets/media/verify"
	foundMedia  = "GET /v1/buckets/media/verify/findings"
)

func verifying(p migrate.Progress) any {
	s := media()
	s.Conditions, s.Backfill, s.Verify = nil, nil, &p
	return []migrate.Status{s}
}

func TestVerify(t *testing.T) {
	running := migrate.Progress{State: migrate.Running, Level: migrate.Content, Counted: true, Total: migrate.Amount{Objects: 8}, Done: migrate.Amount{Objects: 2}}
	const first = "media: mirroring, 2 writes pending; verify content running 25 %, 2 of 8 objects, 0 B of 0 B, 0 objects/s, 0 B/s\n"
	const last = "media: mirroring, 2 writes pending; verify content finished\n"
	for _, c := range []struct {
		name             string
		args             []string
		end              migrate.Progress
		findings, stderr string
		code             int
		order            string
	}{
		{
			"same",
			[]string{"--level", "content", "--sample", "25"},
			migrate.Progress{State: migrate.Finished, Level: migrate.Content, Same: 8, Read: migrate.Amount{Objects: 2, Bytes: 3 << 10}},
			"", "media: 8 same, 0 missing, 0 extra, 0 different, 0 failed; the content of 2 objects (3.0 KiB) was read\n",
			0, `{"level":"content","sample":25}`,
		},
		{
			"different",
			[]string{"--prefix", "cache/", "--restart"},
			migrate.Progress{State: migrate.Finished, Level: migrate.Content, Same: 4, Missing: 1, Extra: 1, Different: 1, Failed: 1},
			"+ \"a\"\n- \"b\"\n* \"c\"\n! \"d\": access denied\n", `
media: 4 same, 1 missing, 1 extra, 1 different, 1 failed; no content was read
sluice: media: the stores differ in 3 objects
`, exitDifferences, `{"level":"list","sample":0,"prefix":"cache/","restart":true}`,
		},
		{
			"fixed",
			[]string{"--fix", "--delete-extra", "--max-delete", "5"},
			migrate.Progress{State: migrate.Finished, Level: migrate.Content, Same: 4, Missing: 1, Extra: 1, Fixed: 2},
			"+ \"a\"\n- \"b\"\n", "media: 4 same, 1 missing, 1 extra, 0 different, 0 failed, 2 fixed; no content was read\n",
			0, `{"level":"list","sample":0,"fix":true,"delete_extra":true,"max_delete":5}`,
		},
		{
			"failed", nil,
			migrate.Progress{State: migrate.Finished, Level: migrate.Content, Failed: 1},
			"! \"d\": timeout\n", `
media: 0 same, 0 missing, 0 extra, 0 different, 1 failed; no content was read
sluice: media: 1 object could not be compared
`, exitError, `{"level":"list","sample":0}`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t, map[string][]any{verifyMedia: {nil}, buckets: {verifying(running), verifying(c.end)}, foundMedia: {c.findings}})
			o := f.run(t, 0, append([]string{"verify", "media"}, c.args...)...)
			if c.stderr[0] == '\n' {
				c.stderr = c.stderr[1:]
			}
			o.expect(t, c.code, c.findings, first+last+c.stderr)
			if want := []string{verifyMedia + " " + c.order}; !slices.Equal(o.requests, want) {
				t.Errorf("asked %q, not %q", o.requests, want)
			}
		})
	}
}

func TestVerifyStoppedByAnother(t *testing.T) {
	f := newFake(t, map[string][]any{verifyMedia: {nil}, buckets: {verifying(migrate.Progress{State: migrate.Stopped, Missing: 1})}, foundMedia: {"+ \"a\"\n"}})
	if o := f.run(t, 0, "verify", "media"); o.code != exitError || o.stdout != "+ \"a\"\n" {
		t.Errorf("%+v", o)
	}
}

func TestVerifyInterruptedIsStopped(t *testing.T) {
	f := newFake(t, map[string][]any{verifyMedia: {nil}, stopMedia: {nil}, buckets: {verifying(migrate.Progress{State: migrate.Finished}), verifying(migrate.Progress{State: migrate.Running, Level: migrate.List})}})
	o := f.run(t, 1, "verify") // the first look is for the bucket's name
	o.expect(t, exitInterrupted, "", `
media: mirroring, 2 writes pending; verify list running, 0 of 0 objects, 0 B of 0 B counted so far, 0 objects/s, 0 B/s
the verification was stopped; the next one goes on with it
sluice: interrupted
`)
	if want := []string{verifyMedia + ` {"level":"list","sample":0}`, stopMedia + " "}; !slices.Equal(o.requests, want) {
		t.Errorf("asked %q, not %q", o.requests, want)
	}
}

func TestVerifyInBackground(t *testing.T) {
	f := newFake(t, map[string][]any{verifyMedia: {nil}})
	f.run(t, 0, "verify", "media", "--background").expect(t, 0, "",
		"it runs: sluice status --watch media; what it finds: sluice verify findings media\n")
}

func TestFindings(t *testing.T) {
	f := newFake(t, map[string][]any{foundMedia: {"* \"a\\nb\"\n"}})
	f.run(t, 0, "verify", "findings", "media").expect(t, 0, "* \"a\\nb\"\n", "")
}
