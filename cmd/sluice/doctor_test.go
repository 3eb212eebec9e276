package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/gateway/doctor"
)

// lines are checks as the gateway answers them.
func lines(t *testing.T, checks ...doctor.Check) any {
	t.Helper()
	var b strings.Builder
	for _, c := range checks {
		if err := json.NewEncoder(&b).Encode(c); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

func TestDoctor(t *testing.T) {
	var (
		dns      = doctor.Check{Kind: doctor.Host, Subject: "s3.test", Name: "dns", Result: doctor.OK, Seen: "it points to 192.0.2.1"}
		port     = doctor.Check{Kind: doctor.Host, Subject: "s3.test", Name: "port 80", Result: doctor.Failed, Seen: "nobody answers", Todo: "let it through"}
		disk     = doctor.Check{Kind: doctor.Machine, Subject: "state directory /s", Name: "disk", Result: doctor.Warning, Seen: "it is on NFS", Todo: "use a local disk"}
		away     = doctor.Check{Kind: doctor.Store, Subject: "minio", Name: "endpoint", Result: doctor.Failed, Cause: doctor.Unreachable, Seen: "nobody listens", Todo: "correct it"}
		forbad   = doctor.Check{Kind: doctor.Bucket, Subject: "media on new (new)", Name: "put", Result: doctor.Failed, Cause: doctor.Denied, Seen: "s3:PutObject is missing", Todo: "give it"}
		granting = forbad
	)
	granting.Name = "rights"
	granting.Policy = &doctor.Policy{Version: "2012-10-17", Statement: []doctor.Statement{{Effect: "Allow", Action: []string{"s3:PutObject"}, Resource: "arn:aws:s3:::b/*"}}}
	for _, c := range []struct {
		what   string
		checks []doctor.Check
		code   int
		stdout string
		stderr string
	}{
		{"all is well", []doctor.Check{dns}, 0, `
host s3.test
  dns  ok  it points to 192.0.2.1
`, ""},
		{"a warning, and subjects in their order", []doctor.Check{dns, disk}, 0, `
state directory /s
  disk  warning  it is on NFS
                 -> use a local disk

host s3.test
  dns  ok  it points to 192.0.2.1
`, ""},
		{"a failure", []doctor.Check{dns, port}, exitError, `
host s3.test
  dns      ok      it points to 192.0.2.1
  port 80  failed  nobody answers
                   -> let it through
`, "sluice: 1 of 2 checks failed\n"},
		{"a refusal", []doctor.Check{port, granting}, exitNotPermitted, `
bucket media on new (new)
  rights  failed  s3:PutObject is missing
                  -> give it

host s3.test
  port 80  failed  nobody answers
                   -> let it through

the policy for media on new (new):
{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": [
        "s3:PutObject"
      ],
      "Resource": "arn:aws:s3:::b/*"
    }
  ]
}
`, "sluice: 2 of 2 checks failed\n"},
		{"a store that is away", []doctor.Check{away, forbad}, exitStoreUnreachable, `
store minio
  endpoint  failed  nobody listens
                    -> correct it

bucket media on new (new)
  put  failed  s3:PutObject is missing
               -> give it
`, "sluice: 2 of 2 checks failed\n"},
	} {
		t.Run(c.what, func(t *testing.T) {
			f := newFake(t, map[string][]any{doctored: {lines(t, c.checks...)}})
			f.run(t, 0, "doctor").expect(t, c.code, c.stdout, c.stderr)
		})
	}
	f := newFake(t, map[string][]any{doctored: {lines(t, port)}})
	o := f.run(t, 0, "doctor", "-o", "json", "--estimate", "30s")
	if o.code != exitError || !strings.Contains(o.stdout, `"check": "port 80"`) || len(o.requests) != 1 || !strings.Contains(o.requests[0], `{"estimate":30000000000}`) {
		t.Errorf("%+v", o)
	}
	f = newFake(t, map[string][]any{doctored: {lines(t, port).(string) + `{"kind":`}})
	if o := f.run(t, 0, "doctor"); o.code != exitError || o.stdout != "" || !strings.Contains(o.stderr, "the gateway broke off") {
		t.Errorf("%+v", o)
	}
}

// TestDoctorWithoutGateway: the command looks itself where no gateway runs, unless it was
// told which one to ask.
func TestDoctorWithoutGateway(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "sluice.yaml")
	err := os.WriteFile(file, []byte(`
state_dir: `+filepath.Join(dir, "state")+`
listen: { http: "127.0.0.1:0" }
stores: { old: { endpoint: "http://127.0.0.1:1", bucket: b, access_key_id: ID, secret_access_key: "the-stores-secret" } }
buckets: { media: { old: old } }
credentials: [ { access_key_id: CLIENT, secret_access_key: "${MASTODON_SECRET}" } ]
`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if o := execute(t, 0, "doctor", "-c", file); o.code != exitConfigInvalid || !strings.Contains(o.stderr, "MASTODON_SECRET is not set") {
		t.Errorf("%+v", o)
	}
	t.Setenv("MASTODON_SECRET", "the-clients-secret")
	o := execute(t, 0, "doctor", "-c", file)
	if o.code != exitStoreUnreachable || !strings.Contains(o.stderr, "no gateway runs with this configuration: looking from here") ||
		!strings.Contains(o.stdout, "endpoint  failed  nobody listens at http://127.0.0.1:1") || !strings.Contains(o.stdout, "CLIENT may read and write") {
		t.Errorf("%+v", o)
	}
	if strings.Contains(o.stdout+o.stderr, "secret") {
		t.Errorf("a secret is told: %+v", o)
	}
	if _, err := os.Stat(filepath.Join(dir, "state")); err == nil {
		t.Error("the state directory was made")
	}
	if o := execute(t, 0, "doctor", "-c", file, "--socket", filepath.Join(dir, "none")); o.code != exitUnreachable {
		t.Errorf("%+v", o)
	}
}

const doctored = "POST /v1/doctor"
