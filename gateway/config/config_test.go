package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/gateway/migrate/throttle"
)

const valid = `
state_dir: /tmp/state
listen: { http: "127.0.0.1:9000" }
stores:
  a: { endpoint: "https://a.example.com", bucket: old, access_key_id: "${KEY}", secret_access_key: "${SECRET}" }
  b: { endpoint: "http://b.example.com:9000/", bucket: new, access_key_id: k, secret_access_key_file: SECRETFILE }
buckets: { media: { old: a, new: b } }
credentials: [ { access_key_id: c, secret_access_key: s, buckets: [media] } ]
hosts:
  s3.test:    { serve: s3 }
  files.test: { serve: public, bucket: media, headers: { X-Robots-Tag: noindex } }
  local.test: { serve: public, paths: { /system/: media }, purge: { header: X-Key, secret: "${SECRET}" } }
trusted_proxies: [10.0.0.0/8, "::1"]
cache: { memory: 64MiB, max_object_size: 1.5MB, disk: 5GiB, stale: 2h }
migration:
  mirror: { sync_timeout: 500ms }
  backfill:
    throttle: { bandwidth: 10MiB, requests: 50, old_latency_p95: 500ms, new_latency_p95: 1s, error_rate: 0.5, load_average: 4, windows: ["22:00-06:00"], pause_file: /run/pause }
    order: [ { prefix: media/ }, { prefix: cache/, mode: lazy }, { prefix: "", mode: skip } ]
`

const (
	listenHTTP = `listen: { http: "127.0.0.1:9000" }`
	secure     = "listen: { https: ':443' }\ntls: { mode: auto, "
)

func parse(t *testing.T, text string) (Config, error) {
	t.Helper()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("from a file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return Parse([]byte(strings.ReplaceAll(text, "SECRETFILE", secret)), "", func(name string) (string, bool) {
		v, ok := map[string]string{"KEY": "id", "SECRET": "from the environment", "CREDENTIALS_DIRECTORY": filepath.Dir(secret)}[name]
		return v, ok
	})
}

func TestValidFile(t *testing.T) {
	c, err := parse(t, valid)
	if err != nil {
		t.Fatal(err)
	}
	if c.Stores["a"].SecretAccessKey != "from the environment" || c.Stores["b"].SecretAccessKey != "from a file" {
		t.Errorf("secrets %q, %q", c.Stores["a"].SecretAccessKey, c.Stores["b"].SecretAccessKey)
	}
	if c.Cache.Memory != 64<<20 || c.Cache.MaxObjectSize != 1_500_000 || c.Migration.Mirror.SyncTimeout != Duration(500*time.Millisecond) {
		t.Errorf("sizes %d, %d, timeout %v", c.Cache.Memory, c.Cache.MaxObjectSize, time.Duration(c.Migration.Mirror.SyncTimeout))
	}
	if p := c.Hosts["local.test"].Purge; p.Header != "X-Key" || p.Secret != "from the environment" || c.Cache.Disk != 5<<30 {
		t.Errorf("purge %+v, cache %+v", p, c.Cache)
	}
	if p, err := c.Proxies(); err != nil || len(p) != 2 || p[0].Bits() != 8 || p[1].Bits() != 128 {
		t.Errorf("proxies %v, %v", p, err)
	}
	if c.Migration.Mirror.OnSecondaryError != "queue" || c.Cache.TTL == 0 || !c.Version2 {
		t.Error("the defaults of what the file leaves out are gone")
	}
	if c, err = parse(t, valid+"version2_signatures: false\n"); err != nil || c.Version2 {
		t.Errorf("version 2 can not be switched off: %v", err)
	}
}

// TestTLS: secrets come from the environment or from files, for the DNS's provider too;
// browsers are redirected unless it is said otherwise.
func TestTLS(t *testing.T) {
	for _, dns := range []string{"api_token: '${SECRET}'", "api_token_file: SECRETFILE", "resolvers: '1.1.1.1:53', api_token_file: SECRETFILE"} {
		c, err := parse(t, strings.Replace(valid, listenHTTP, secure+"names: ['*.s3.test', a_b.test], hsts: 1h, dns: { provider: cloudflare, "+dns+" },\n"+
			"  acme: { directory: 'https://ca.test/dir', eab: { key_id: '${KEY}', key_file: SECRETFILE } } }", 1))
		if err != nil {
			t.Fatal(err)
		}
		if _, left := c.TLS.DNS["api_token_file"]; left || !strings.HasPrefix(c.TLS.DNS["api_token"], "from ") {
			t.Errorf("%v", c.TLS.DNS)
		}
		if e := c.TLS.ACME.EAB; e.KeyID != "id" || e.Key != "from a file" || !c.TLS.Redirect {
			t.Errorf("%+v", c.TLS)
		}
	}
	c, err := parse(t, strings.Replace(valid, listenHTTP, secure+"redirect: false }", 1))
	if err != nil || c.TLS.Redirect {
		t.Errorf("%+v, %v", c.TLS, err)
	}
}

// TestFilesOfCredentials: every secret's file may be one that systemd hands over, whose
// directory is known when the program runs; and so may certificates.
func TestFilesOfCredentials(t *testing.T) {
	handed := strings.NewReplacer("secret_access_key: s,", "secret_access_key_file: SECRETFILE,", `secret: "${SECRET}" }`, "secret_file: SECRETFILE }",
		listenHTTP, "listen: { https: ':443' }\ntls: { mode: files, cert_file: SECRETFILE, key_file: SECRETFILE, dns: { provider: cloudflare, api_token_file: SECRETFILE } }").Replace(valid)
	handed += "notify: { urls_file: SECRETFILE, webhook_secret_file: SECRETFILE, heartbeat: { url_file: SECRETFILE } }\n"
	_, err := parse(t, strings.ReplaceAll(handed, "SECRETFILE", "'${CREDENTIALS_DIRECTORY}/secret'"))
	if err == nil || strings.Contains(err.Error(), "no such file") || !strings.Contains(err.Error(), "notify.urls_file: URL 1: it is not a URL") {
		t.Fatalf("%v", err)
	}
	c, err := parse(t, strings.ReplaceAll(handed[:strings.Index(handed, "notify:")], "SECRETFILE", "'${CREDENTIALS_DIRECTORY}/secret'"))
	if err != nil {
		t.Fatal(err)
	}
	for place, got := range map[string]string{
		"a store": c.Stores["b"].SecretAccessKey, "a client": c.Credentials[0].SecretAccessKey,
		"a purge": c.Hosts["local.test"].Purge.Secret, "a provider": c.TLS.DNS["api_token"],
	} {
		if got != "from a file" {
			t.Errorf("%s has %q", place, got)
		}
	}
	if strings.Contains(c.TLS.KeyFile+c.TLS.CertFile, "$") {
		t.Errorf("certificates are looked for in %s, %s", c.TLS.CertFile, c.TLS.KeyFile)
	}
}

// TestShow: what is shown holds everything but the secrets, and can be read again.
func TestShow(t *testing.T) {
	secrets := strings.NewReplacer("${SECRET}", "s3cret", "secret_access_key_file: SECRETFILE", "secret_access_key: s3cret, session_token: s3cret",
		"secret_access_key: s,", "secret_access_key: s3cret, session_token: s3cret,",
		listenHTTP, secure+"dns: { provider: rfc2136, server: 's3cret', key_name: s3cret, key_alg: s3cret, key: s3cret }, acme: { eab: { key_id: me, key: s3cret } } }")
	c, err := parse(t, secrets.Replace(valid)+"notify: { urls: ['ntfy://ntfy.test/s3cret'], webhook_secret: s3cret, heartbeat: { url: 'https://beat.test/s3cret' } }\n")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := c.Show()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(raw), "s3cret") {
		t.Errorf("a secret is shown:\n%s", raw)
	}
	for _, part := range []string{"memory: 64MiB", "ttl: 1h0m0s", "store_timeout: 5m0s", "access_key_id: id", "header: X-Key", "provider: rfc2136"} {
		if !strings.Contains(string(raw), part) {
			t.Errorf("%q is not shown:\n%s", part, raw)
		}
	}
	if _, err := parse(t, strings.NewReplacer("- (hidden)", "- ntfy://ntfy.test/topic", "url: (hidden)", "url: https://beat.test/").Replace(string(raw))); err != nil {
		t.Errorf("%v in\n%s", err, raw)
	}
}

func TestBackfill(t *testing.T) {
	c, err := parse(t, valid)
	if err != nil {
		t.Fatal(err)
	}
	b := c.Migration.Backfill
	want := throttle.Limits{
		Bandwidth: 10 << 20, Requests: 50, Workers: 32, OldLatency: time.Second / 2, NewLatency: time.Second,
		ErrorRate: 0.5, LoadAverage: 4, Windows: []string{"22:00-06:00"}, PauseFile: "/run/pause",
	}
	if got := b.Limits(); !reflect.DeepEqual(got, want) {
		t.Errorf("limits %+v, want %+v", got, want)
	}
	if want := []Rule{{"media/", Copy}, {"cache/", Lazy}, {"", Skip}}; !slices.Equal(b.Order, want) {
		t.Errorf("order %v, want %v", b.Order, want)
	}
	for text, workers := range map[string]int{"workers: 5": 5, "workers: 0": 32, "workers:": 32} {
		c, err := parse(t, strings.Replace(valid, "backfill:", "backfill:\n    "+text, 1))
		if err != nil || c.Migration.Backfill.Workers != workers {
			t.Errorf("%s: %d workers, %v", text, c.Migration.Backfill.Workers, err)
		}
	}
}

// TestMistakesAreNamed: every mistake is answered with its place in the file.
func TestMistakesAreNamed(t *testing.T) {
	for _, c := range []struct{ change, to, want string }{
		{"sync_timeout", "sync_timout", `did you mean "sync_timeout"?`},
		{"500ms", "fast", "is not a duration"},
		{"64MiB", "lots", "is not a size"},
		{"${KEY}", "${KEYY}", "stores.a.access_key_id: the environment variable KEYY is not set"},
		{"new: b", "new: c", `buckets.media.new: there is no store "c"`},
		{"new: b", "new: a", "old and new are the same store"},
		{"https://a.example.com", "a.example.com", "stores.a.endpoint"},
		{"http://b.example.com:9000/", "http://b.example.com/bucket", "stores.b.endpoint"},
		{"http://b.example.com:9000/", "http://me:s3cret@b.example.com", "stores.b.endpoint: it has a user name"},
		{"buckets: [media]", "buckets: [medai]", `there is no bucket "medai"`},
		{"buckets: { media:", `buckets: { "*":`, "stores.a.bucket is \"old\", but \"*\" stands for many buckets"},
		{"{ old: a, new: b }", "{ old: a, new: b, anonymous: write }", "buckets.media.anonymous"},
		{"access_key_id: c, ", "", "credentials[0]"},
		{"mirror: {", "mirror: { on_secondary_error: retry,", "is not one of queue, fail"},
		{"state_dir: /tmp/state", `state_dir: ""`, "state_dir: is required"},
		{"SECRETFILE", "/does/not/exist", "secret_access_key_file"},
		{`listen: { http: "127.0.0.1:9000" }`, `listen: { https: ":443" }`, "listen.https: needs tls.mode"},
		{listenHTTP, `listen: { http: "127.0.0.1:9000", admin: "127.0.0.1:9000" }`, "listen.admin: 127.0.0.1:9000 is where clients come"},
		{listenHTTP, "tls: { mode: on }", `tls.mode: "on" is not one of auto, files, internal, off`},
		{listenHTTP, "tls: { mode: auto }", "tls.mode: auto needs an https address under listen"},
		{listenHTTP, "listen: { https: ':443' }\ntls: { mode: files, cert_file: c }", "tls: mode files needs cert_file and key_file"},
		{listenHTTP, secure + "names: [https://a.test] }", `tls.names[0]: "https://a.test" is not a host name`},
		{listenHTTP, secure + "names: [a.test, '*.a.test'] }", "tls.names[1]: CAs give a certificate for \"*.a.test\" to who proves it in the DNS: set tls.dns"},
		{listenHTTP, secure + "dns: { provider: bind } }", `tls.dns: provider: "bind" is not one of cloudflare, hetzner, rfc2136`},
		{listenHTTP, secure + "dns: { provider: rfc2136, server: s } }", "tls.dns: key: is required by rfc2136"},
		{listenHTTP, secure + "dns: { provider: hetzner, api_token: '${NOTHING}' } }", "tls.dns.api_token: the environment variable NOTHING is not set"},
		{listenHTTP, secure + "dns: { provider: hetzner, api_token: a, api_token_file: SECRETFILE } }", "tls.dns.api_token: give the secret or its file, not both"},
		{listenHTTP, secure + "acme: { directory: ca.test } }", `tls.acme.directory: "ca.test" is not an https URL`},
		{listenHTTP, secure + "acme: { eab: { key_id: 1 } } }", "tls.acme.eab: key_id and key go together"},
		{listenHTTP, secure + "hsts: -1h }", "tls.hsts: must not be negative"},
		{listenHTTP, secure + "redirects: true }", `did you mean "redirect"?`},
		{"backfill:", "backfill:\n    workers: -1", "migration.backfill.workers: -1 is negative"},
		{"10MiB", "-10MiB", "is not a size"},
		{"requests: 50", "requests: -50", "migration.backfill.throttle.requests: -50 is not"},
		{"requests: 50", "requests: .nan", "migration.backfill.throttle.requests: NaN is not"},
		{"old_latency_p95: 500ms", "old_latency_p95: -500ms", "migration.backfill.throttle.old_latency_p95: -500ms is less than 1ms"},
		{"new_latency_p95: 1s", "new_latency_p95: -1s", "migration.backfill.throttle.new_latency_p95"},
		{"error_rate: 0.5", "error_rate: 150", "migration.backfill.throttle.error_rate"},
		{"load_average: 4", "load_average: -4", "migration.backfill.throttle.load_average"},
		{"22:00-06:00", "22-06", `migration.backfill.throttle.windows[0]: "22-06" is not a window`},
		{"pause_file", "pausefile", `did you mean "pause_file"?`},
		{"mode: lazy", "mode: later", `migration.backfill.order[1].mode: "later" is not one of copy, lazy, skip`},
		{"prefix: cache/", "prefix: media/", `migration.backfill.order[1].prefix: "media/" has a rule already: order[0]`},
		{"serve: s3", "serve: s4", `hosts.s3.test.serve: "s4" is not one of s3, public`},
		{"serve: s3", "serve: s3, bucket: media", "hosts.s3.test: paths, bucket, cache_control, headers and purge are a public host's"},
		{"serve: s3", "serve: s3, purge: { secret: x }", "hosts.s3.test: paths, bucket, cache_control, headers and purge are a public host's"},
		{`X-Key, secret: "${SECRET}"`, `X-Key, secret: "${SECRETT}"`, "hosts.local.test.purge.secret: the environment variable SECRETT is not set"},
		{"cache:", "limits: { drain: 0s }\ncache:", "limits: requests, client_timeout and drain must be above 0"},
		{"10.0.0.0/8", "10.0.0.0/40", `trusted_proxies: "10.0.0.0/40" is not an address`},
		{"X-Robots-Tag: noindex", "X Robots: noindex", `hosts.files.test.headers: "X Robots: noindex" can not be sent as a header`},
		{"X-Robots-Tag: noindex", `X-Robots-Tag: "no\r\nindex"`, `hosts.files.test.headers: "X-Robots-Tag: no\r\nindex" can not be sent`},
		{"X-Robots-Tag: noindex", "content-length: 3", "hosts.files.test.headers: content-length is another from one answer"},
		{"public, bucket: media,", "public,", "hosts.files.test: name the bucket it shows"},
		{"public, bucket: media,", "public, bucket: media, paths: { /a/: media },", "hosts.files.test: name the bucket it shows"},
		{"public, bucket: media,", "public, bucket: medai,", `hosts.files.test.bucket: there is no bucket "medai"`},
		{"/system/: media", "/system: media", `hosts.local.test.paths: "/system" does not begin and end`},
		{"/system/: media", "/system/: '*'", `hosts.local.test.paths./system/: there is no bucket "*"`},
		{"bucket: old,", "bucket: old, acls: none,", `stores.a.acls: "none" is not one of store, sluice`},
		{"stores:", "stores", ""},
	} {
		_, err := parse(t, strings.Replace(valid, c.change, c.to, 1))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q for %q: error %v, want %q", c.to, c.change, err, c.want)
		}
	}
}

// TestRelativeFiles: a relative path is of the configuration's directory, unless systemd
// passed the file on.
func TestRelativeFiles(t *testing.T) {
	dir, passed := t.TempDir(), t.TempDir()
	for name, content := range map[string]string{
		filepath.Join(dir, "secrets", "old"): "beside", filepath.Join(dir, "secrets", "new"): "beside",
		filepath.Join(passed, "secrets_old"): "passed",
	} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	text := []byte(`
stores:
  old: { endpoint: "https://a.test", access_key_id: k, secret_access_key_file: secrets/old }
  new: { endpoint: "https://b.test", access_key_id: k, secret_access_key_file: secrets/new }
buckets: { media: { old: old, new: new } }
credentials: [ { access_key_id: k, secret_access_key: s } ]`)
	for credentials, want := range map[string]string{"": "beside", passed: "passed"} {
		c, err := Parse(text, dir, func(name string) (string, bool) {
			return credentials, name == "CREDENTIALS_DIRECTORY" && credentials != ""
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Stores["old"].SecretAccessKey; got != want {
			t.Errorf("with %q: %q, want %q", credentials, got, want)
		}
		if got := c.Stores["new"].SecretAccessKey; got != "beside" {
			t.Errorf("what systemd does not pass is %q", got)
		}
	}
}

// TestMistakesShowNoSecret: what is wrong is told without the line it is in: a secret may
// stand there, and errors are logged.
func TestMistakesShowNoSecret(t *testing.T) {
	const pair = `- { access_key_id: k, secret_access_key: hush }`
	for _, wrong := range []string{
		"credentials:\n  - access_key_id: k\n    secret_access_key: hush\n    read_onyl: true\n",
		"credentials:\n  - access_key_id: k\n    secret_access_key: [ hush ]\n",
		"credentials:\n  - access_key_id: k\n    secret_access_key: \"hush\n",
		"credentials:\n  - access_key_id: k\n  secret_access_key: hush\n",
		"credentials: " + pair + "\n",
		"credentials: hush\n", "credentials: [ hush ]\n", "stores: { a: hush }\n", "notify: { urls: hush }\n", "notify: hush\n",
		"notify: { heartbeat: { url: { hush: 1 } } }\n", "hosts: { a: { purge: hush } }\n", "tls: { dns: hush }\n",
		"tls: { dns: { api_token: { hush: 1 } } }\n", "state_dir: [ hush\n", "\thush\n", "hush\n", "- hush\n", "stores: { a: { secret_access_key: &a hush, *b } }\n",
	} {
		_, err := Parse([]byte(wrong), "", func(string) (string, bool) { return "", false })
		if err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%q: %v", wrong, err)
		}
		path := filepath.Join(t.TempDir(), "sluice.yaml")
		if err := os.WriteFile(path, []byte(wrong), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := StateDir(path); err != nil && strings.Contains(err.Error(), "hush") {
			t.Errorf("%q: %v", wrong, err)
		}
	}
}
