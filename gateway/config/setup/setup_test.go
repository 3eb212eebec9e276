package setup

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/gateway/config"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares a text with a file.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s:\n%s\nnot:\n%s", file, got, want)
	}
}

// piped answers questions with lines, as a pipe does.
func piped(lines string) Terminal {
	in := bufio.NewReader(strings.NewReader(lines))
	return Terminal{Line: func(context.Context) (string, error) { return in.ReadString('\n') }, Out: io.Discard}
}

func unasked(string) bool { return false }

// load reads what Render wrote, with the secrets in the environment.
func load(t *testing.T, a *Answers) config.Config {
	t.Helper()
	env := make(map[string]string)
	for _, s := range a.Secrets() {
		env[s.Variable] = s.Value
	}
	text := a.Render("")
	for _, s := range a.Secrets() {
		if strings.Contains(text, s.Value) {
			t.Errorf("the %s secret is in the configuration", s.Name)
		}
	}
	c, err := config.Parse([]byte(text), "", func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return c
}

// newStore answers where the objects go.
const newStore = "https://fsn1.your-objectstorage.com\n\nmedia-new\nNEWKEY\nnew $ecret\n"

// TestMastodon: of settings as they are found in the field, what is asked is answered by
// lines.
func TestMastodon(t *testing.T) {
	for name, lines := range map[string]string{
		"docker-minio": newStore + "http://sluice:9000\n",
		"aws":          newStore + "https://s3.example.org\nauto\nadmin@example.org\n",
		"wasabi":       newStore + "https://s3.example.com\noff\nmedia.example.com\n",
	} {
		t.Run(name, func(t *testing.T) {
			raw, err := os.ReadFile(filepath.Join("testdata", name+".env"))
			if err != nil {
				t.Fatal(err)
			}
			a := Answers{StateDir: "/var/lib/sluice"}
			notes, err := a.Mastodon(raw)
			if err != nil {
				t.Fatal(err)
			}
			if err := a.Ask(t.Context(), piped(lines), unasked); err != nil {
				t.Fatal(err)
			}
			if err := a.Check(); err != nil {
				t.Fatal(err)
			}
			golden(t, name+".yaml", a.Render("/etc/sluice/sluice.yaml"))
			talk := strings.Join(append(notes, a.Next("/etc/sluice/sluice.yaml")...), "\n") + "\n"
			golden(t, name+".next", talk)
			for _, s := range a.Secrets() {
				if strings.Contains(talk, s.Value) {
					t.Errorf("the %s secret is told", s.Name)
				}
			}
			c := load(t, &a)
			old, client := c.Stores["old"], c.Credentials[0]
			if old.AccessKeyID != client.AccessKeyID || old.SecretAccessKey != client.SecretAccessKey || old.SecretAccessKey != a.mastodon.settings["AWS_SECRET_ACCESS_KEY"] {
				t.Errorf("Mastodon signs with %q, the old store with %q", client.AccessKeyID, old.AccessKeyID)
			}
			if s := c.Stores["new"].SecretAccessKey; s != "new $ecret" {
				t.Errorf("the new store's secret is %q", s)
			}
		})
	}
}

// TestMastodonRefused: what Sluice can not serve is refused in words, and without
// secrets.
func TestMastodonRefused(t *testing.T) {
	for text, want := range map[string]string{
		"S3_ENABLED=false\nAWS_SECRET_ACCESS_KEY=hush\n":              "on local disk (S3_ENABLED is not true), in public/system; Sluice moves between S3 stores, and has no store over a directory yet",
		"PAPERCLIP_ROOT_PATH=/srv/media\n":                            "in /srv/media;",
		"SWIFT_ENABLED=true\nSWIFT_PASSWORD=hush\n":                   "OpenStack Swift",
		"S3_ENABLED=true\nAWS_SECRET_ACCESS_KEY=\"hush\n":             "line 2 is no setting",
		"A=b\nhush hush=hush-hush!\nrm -rf /\n":                       "line 3 is no setting",
		"S3_ENABLED=true\nAWS_SECRET_ACCESS_KEY=\"hush\\nhush\"\n":    "AWS_SECRET_ACCESS_KEY has characters that can not be printed",
		"S3_ENABLED=true\nS3_BUCKET=\"b\\nstate_dir: /tmp/hush\"\n":   "S3_BUCKET has characters",
		"S3_ENABLED=true\nAWS_SECRET_ACCESS_KEY=' hush'\nS3_BUCKET=b": "AWS_SECRET_ACCESS_KEY begins or ends with a space",
	} {
		var a Answers
		_, err := a.Mastodon([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// TestDomainIsAName: what goes into a comment makes no line of its own.
func TestDomainIsAName(t *testing.T) {
	var a Answers
	if _, err := a.Mastodon([]byte("S3_ENABLED=true\nLOCAL_DOMAIN=\"x.test\\nversion2_signatures: false\"\n")); err != nil {
		t.Fatal(err)
	}
	if text := a.Render(""); strings.Contains(text, "version2_signatures") {
		t.Errorf("%s", text)
	}
}

// TestOtherApplication asks everything.
func TestOtherApplication(t *testing.T) {
	a := Answers{StateDir: "/srv/sluice"}
	lines := "https://s3.fr-par.scw.cloud\n\nmedia\nOLDKEY\nold secret\n" + newStore + "\n\n\n"
	if err := a.Ask(t.Context(), piped(lines), unasked); err != nil {
		t.Fatal(err)
	}
	golden(t, "other.yaml", a.Render("/srv/sluice.yaml"))
	golden(t, "other.next", strings.Join(a.Next("/srv/my sluice.yaml"), "\n")+"\n")
	if c := load(t, &a); c.Stores["old"].Region != "fr-par" || c.Stores["new"].Region != "fsn1" || c.Listen.HTTP != "127.0.0.1:9000" || c.StateDir != "/srv/sluice" {
		t.Errorf("%+v", c)
	}
}

// TestValuesSurvive: whatever an answer has in it is that in the configuration, and
// nothing else.
func TestValuesSurvive(t *testing.T) {
	for _, v := range []string{
		`#no comment`, `a: b`, `"quoted"`, `it's`, `$HOME`, `$(id)`, "`id`", `back\slash\n`, `ünï 日本 🐘`, `{a: b}`, `[x]`, `- x`, `*a`, `&a`, `!!str`,
		`null`, `true`, `1e3`, `0x10`, `a "b" # c`, `%TAG`, `<b>&amp;`, "a\u2028b\u00a0c", `../../etc/passwd`, `~`, `@x`, `|`, `>`, `?`, `a'b"c\`,
	} {
		a := Answers{
			StateDir: v, Bucket: v, Endpoint: "http://127.0.0.1:9000", Email: v,
			Old: Store{"https://a.test", v, v, v, v + "1", "", ""}, New: Store{"https://b.test", v, v, v, v + "2", "", ""},
			mastodon: &mastodon{keyPrefix: v, purgeHeader: v, purgeSecret: v + "3", domain: v}, PublicHost: "files.test/" + v,
		}
		c := load(t, &a)
		_, path := a.publicHost()
		h := c.Hosts["files.test"]
		for at, got := range map[string]string{
			"state_dir": c.StateDir, "old.region": c.Stores["old"].Region, "old.bucket": c.Stores["old"].Bucket, "credential": c.Credentials[0].AccessKeyID,
			"credential.buckets": c.Credentials[0].Buckets[0], "paths": h.Paths[path], "header": h.Purge.Header,
		} {
			if got != v {
				t.Errorf("%s is %q, not %q", at, got, v)
			}
		}
		if c.Stores["old"].SecretAccessKey != v+"1" || c.Stores["new"].SecretAccessKey != v+"2" || h.Purge.Secret != v+"3" || c.Migration.Backfill.Order[4].Prefix != v+"cache/" {
			t.Errorf("%q: %+v", v, c)
		}
		if file := strings.Count(a.Render(`/tmp/`+v+`/sluice.yaml`), "\n"); file != strings.Count(a.Render(""), "\n") {
			t.Errorf("%q makes lines of its own", v)
		}
	}
}

func TestAnswersAreChecked(t *testing.T) {
	const others = "\nb\nk\ns\n" + newStore
	for lines, want := range map[string]string{
		"":                               "there is no answer to a question: --old-endpoint",
		"\n":                             "there is no answer to a question: --old-endpoint",
		"minio.test\n":                   "--old-endpoint: it is not a URL",
		"https://m.test/bucket\n":        "--old-endpoint: it is more than https://HOST",
		"https://k:hush@m.test\n":        "--old-endpoint: it is more than https://HOST",
		"https://m.test?a\n":             "--old-endpoint: it is more than https://HOST",
		"https://m.test\n\nb\n${HOME}\n": "--old-access-key-id: it has a ${…}",
		"https://m.test\n\nb\x1b\n":      "--old-bucket: it has characters that can not be printed",
		"https://m.test\n" + others + "\nsluice\n":                             "--endpoint: it is not a URL",
		"http://127.0.0.1:9000/\n" + others + "\n\n":                           "--endpoint: it is a store's: Sluice needs an address of its own",
		"https://m.test\n" + others + "\nhttps://s.test\nmaybe\n":              "--tls: it is not one of auto, off",
		"https://m.test\n" + others + "\nhttp://s.test\nhttps://files.test\n":  "--public-host: it is not a host name",
		"https://m.test\n" + others + "\nhttp://s.test\nfiles test\n":          "--public-host: it is not a host name",
		"https://m.test\n" + others + "\nhttp://s.test\n\"]: {}\nfiles.test\n": "--public-host: it is not a host name",
	} {
		var a Answers
		if err := a.Ask(t.Context(), piped(lines), unasked); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%q: %v, want %q", lines, err, want)
		}
	}
}

// TestAskedAgain: who sits at a terminal may correct an answer; a secret is read hidden.
func TestAskedAgain(t *testing.T) {
	var shown strings.Builder
	in := bufio.NewReader(strings.NewReader("what?\nhttps://m.test\n\n\n\nbucket\nkey\n"))
	hidden := 0
	ended := errors.New("enough")
	term := Terminal{
		Line: func(context.Context) (string, error) { return in.ReadString('\n') },
		Hidden: func(context.Context) (string, error) {
			if hidden++; hidden < 2 {
				return "hush", nil
			}
			return "", ended
		},
		Out: &shown,
	}
	a := Answers{New: Store{Endpoint: "https://n.test", Region: "r", Bucket: "b", AccessKeyID: "k"}}
	if err := a.Ask(t.Context(), term, unasked); !errors.Is(err, ended) {
		t.Fatal(err)
	}
	if a.Old != (Store{"https://m.test", "us-east-1", "bucket", "key", "hush", "", ""}) {
		t.Errorf("%+v", a.Old)
	}
	want := "the old store's URL, such as https://s3.example.com: --old-endpoint: it is not a URL that begins with https:// or http://\n"
	if !strings.HasPrefix(shown.String(), want) || strings.Contains(shown.String(), "hush") {
		t.Errorf("%q", shown.String())
	}
}

func TestRegions(t *testing.T) {
	for endpoint, want := range map[string]string{
		"https://s3.amazonaws.com": "us-east-1", "https://s3.eu-west-3.amazonaws.com": "eu-west-3", "https://s3-eu-west-3.amazonaws.com": "eu-west-3",
		"https://fsn1.your-objectstorage.com": "fsn1", "https://abc.r2.cloudflarestorage.com": "auto", "https://s3.us-west-004.backblazeb2.com": "us-west-004",
		"https://s3.wasabisys.com": "us-east-1", "https://s3.eu-central-2.wasabisys.com": "eu-central-2", "https://nyc3.digitaloceanspaces.com": "nyc3",
		"https://s3.nl-ams.scw.cloud": "nl-ams", "https://s3.gra.io.cloud.ovh.net": "gra", "http://minio:9000": "us-east-1",
	} {
		if got := region(endpoint); got != want {
			t.Errorf("%s: %q, want %q", endpoint, got, want)
		}
	}
}

func TestListens(t *testing.T) {
	for _, c := range []struct{ endpoint, tls, http, https string }{
		{"http://127.0.0.1:9000", "", "127.0.0.1:9000", ""},
		{"http://localhost:9000", "", "127.0.0.1:9000", ""},
		{"http://sluice:9000/", "", ":9000", ""},
		{"http://10.0.0.5", "", ":80", ""},
		{"https://s3.test", "auto", ":80", ":443"},
		{"https://s3.test:8443", "auto", ":80", ":8443"},
		{"https://s3.test", "off", "127.0.0.1:9000", ""},
	} {
		a := Answers{Endpoint: c.endpoint, TLS: c.tls}
		if http, https := a.listen(); http != c.http || https != c.https {
			t.Errorf("%+v: %q, %q", c, http, https)
		}
	}
}
