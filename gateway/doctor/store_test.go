package doctor_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/backends"
	"sluice/gateway/config"
	"sluice/gateway/doctor"
	"sluice/test/servers"
)

const listedToAll = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":["s3:ListBucket"],"Resource":["arn:aws:s3:::BUCKET"]}]}`

// TestPain6ListableBuckets: buckets that were opened to the public could be listed. The
// doctor asks as a stranger does, on both stores and on the public host, and says what to do.
func TestPain6ListableBuckets(t *testing.T) {
	server := servers.MinIO(t)
	before, oldBucket := whole(t, server, "one")
	after, newBucket := whole(t, server, "two")
	store(t, oldBucket, "photo.jpg", "content")
	c := settings(t, before, after)
	c.Hosts = map[string]config.Host{"files.test": {Serve: config.ServePublic, Bucket: "media"}}
	lists := "<html>"
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "files.test" || r.Header.Get("Authorization") != "" {
			t.Errorf("asked is %q, signed %q", r.Host, r.Header.Get("Authorization"))
		}
		if r.URL.Query().Get("list-type") != "" {
			_, _ = w.Write([]byte(lists))
		}
	}))
	defer host.Close()
	dial := func(o *doctor.Options) {
		o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			if address != "files.test:80" {
				return nil, &net.OpError{Op: "dial", Err: net.ErrClosed}
			}
			return new(net.Dialer).DialContext(ctx, network, host.Listener.Addr().String())
		}
	}
	found := examine(t, c, dial)
	found.expect(t, "media on old", "strangers", doctor.OK, "refused")
	found.expect(t, "media on new", "strangers", doctor.OK, "refused")
	found.expect(t, "files.test", "strangers", doctor.OK, "does not list")

	set(t, oldBucket, "PutBucketPolicy", "policy", strings.Replace(listedToAll, "BUCKET", "one", 1))
	set(t, newBucket, "PutBucketPolicy", "policy", strings.Replace(listedToAll, "BUCKET", "two", 1))
	lists = `<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`
	found = examine(t, c, dial)
	for _, on := range []string{"media on old", "media on new"} {
		found.expect(t, on, "strangers", doctor.Failed, "everyone can list the bucket", "take s3:ListBucket for Principal * out of the bucket's policy")
	}
	found.expect(t, "files.test", "strangers", doctor.Failed, "http://files.test/?list-type=2&max-keys=1 lists the bucket to everyone", "let Sluice serve this host")
	nothingStays(t, oldBucket, newBucket)

	host.Close()
	examine(t, c, dial).expect(t, "files.test", "strangers", doctor.Warning, "it could not be seen")
}

// TestWhatCanBeWrongWithAStore: each is told in words that say what to do, and soon.
func TestWhatCanBeWrongWithAStore(t *testing.T) {
	t.Parallel()
	server := servers.MinIO(t)
	good, _ := whole(t, server, "bucket")
	regional, _ := whole(t, servers.Versity(t), "bucket")
	answering := func(handler http.HandlerFunc) string {
		s := httptest.NewServer(handler)
		t.Cleanup(s.Close)
		return s.URL
	}
	says := func(status int, code string) string {
		return answering(func(w http.ResponseWriter, _ *http.Request) { refuse(w, status, code) })
	}
	untrusted := httptest.NewTLSServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	defer untrusted.Close()
	silent, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for _, c := range []struct {
		what   string
		change func(s *config.Store)
		on     string // beginning of the subject
		check  string
		cause  doctor.Cause
		says   []string
	}{
		{"wrong secret", func(s *config.Store) { s.SecretAccessKey = "not-the-secret" }, "media on old", "list", doctor.Denied, []string{"the secret does not belong", "stores.old.secret_access_key"}},
		{"wrong key", func(s *config.Store) { s.AccessKeyID = "nobody" }, "media on old", "list", doctor.Denied, []string{"does not know the access key", "stores.old.access_key_id"}},
		{"wrong token", func(s *config.Store) { s.SessionToken = "of-another-session" }, "media on old", "list", doctor.Denied, []string{"session token", "stores.old.session_token"}},
		{"missing bucket", func(s *config.Store) { s.Bucket = "nowhere" }, "media on old", "list", "", []string{`no bucket "nowhere"`, "create it", "addressing: virtual"}},
		{"wrong region", func(s *config.Store) { *s = regional; s.Region = "mars-1" }, "media on old", "list", "", []string{"the region is wrong", "us-east-1", "stores.old.region"}},
		{"another's region", func(s *config.Store) { s.Endpoint = says(301, "PermanentRedirect") }, "media on old", "list", "", []string{"another region's", "stores.old.region and .endpoint"}},
		{"closed account", func(s *config.Store) { s.Endpoint = says(403, "AllAccessDisabled") }, "media on old", "list", doctor.Denied, []string{"has closed the account", "ask the provider"}},
		{"a clock far off", func(s *config.Store) { s.Endpoint = says(403, "RequestTimeTooSkewed") }, "media on old", "list", doctor.Denied, []string{"clock", "NTP"}},
		{"sick", func(s *config.Store) { s.Endpoint = says(503, "ServiceUnavailable") }, "media on old", "list", doctor.Unreachable, []string{"can not answer now", "status"}},
		{"not S3", func(s *config.Store) { s.Endpoint = answering(http.NotFound) }, "media on old", "list", doctor.Unreachable, []string{"does not speak S3 (HTTP 404)", "stores.old.endpoint"}},
		{"nobody", func(s *config.Store) { s.Endpoint, s.SecretAccessKey = "http://me:pass-word@127.0.0.1:1", "pass-word" }, "old", "endpoint", doctor.Unreachable, []string{"nobody listens at http://127.0.0.1:1"}},
		{"silent", func(s *config.Store) { s.Endpoint = "http://" + silent.Addr().String() }, "old", "endpoint", doctor.Unreachable, []string{"does not answer in time", "firewalls"}},
		{"not trusted", func(s *config.Store) { s.Endpoint = untrusted.URL }, "old", "endpoint", doctor.Unreachable, []string{"by nobody this machine trusts", "stores.old.ca_file"}},
		{"no TLS", func(s *config.Store) { s.Endpoint = strings.Replace(s.Endpoint, "http:", "https:", 1) }, "old", "endpoint", doctor.Unreachable, []string{"does not speak TLS", "use http://"}},
		{"TLS unasked", func(s *config.Store) { s.Endpoint = strings.Replace(untrusted.URL, "https:", "http:", 1) }, "media on old", "list", doctor.Unreachable, []string{"does not speak S3", "http instead of https"}},
		{"lying", func(s *config.Store) {
			*s, _ = fronted(t, func(w http.ResponseWriter, r *http.Request) bool {
				if r.Header.Get("Range") != "bytes=7-11" {
					return false
				}
				_, err := w.Write([]byte("all of it, whatever is asked for"))
				return err == nil
			})
		}, "media on old", "range", "", []string{"of an object that holds", "such a store can not be used"}},
		{"broken in one place", func(s *config.Store) {
			*s, _ = fronted(t, func(w http.ResponseWriter, r *http.Request) bool {
				return r.Method == "GET" && r.URL.Query().Has("uploads") && refuse(w, 500, "InternalError")
			})
		}, "media on old", "uploads", doctor.Unreachable, []string{"can not answer now"}},
		{"no CA file", func(s *config.Store) { s.CAFile = filepath.Join(t.TempDir(), "none") }, "old", "endpoint", "", []string{"no such file", "stores.old"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			s := good
			c.change(&s)
			began := time.Now()
			found := examine(t, settings(t, s, config.Store{}))
			found.expect(t, c.on, c.check, doctor.Failed, c.says...)
			if got := found.of(t, c.on, c.check).Cause; got != c.cause {
				t.Errorf("the cause is %q, not %q", got, c.cause)
			}
			if failed := found.failed(); len(failed) > 1 {
				t.Errorf("one thing is wrong, and told are\n%s", failed)
			}
			if c.check != "list" && c.on != "old" {
				found.expect(t, "media on old", "delete", doctor.OK) // all else is tried
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// TestDeadMidway: a store that stops to answer is not asked for everything else.
func TestDeadMidway(t *testing.T) {
	t.Parallel()
	done := make(chan struct{})
	defer close(done)
	at, _ := fronted(t, func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet {
			return false
		}
		select {
		case <-done:
		case <-r.Context().Done():
		}
		return true
	})
	began := time.Now()
	found := examine(t, settings(t, at, config.Store{}))
	found.expect(t, "media on old", "put", doctor.Failed, "does not answer in time")
	if took := time.Since(began); took > 12*time.Second || len(found.failed()) != 1 {
		t.Errorf("after %v\n%s", took, found)
	}
}

// TestClock: a store's Date against ours.
func TestClock(t *testing.T) {
	for _, c := range []struct {
		off    time.Duration
		result doctor.Result
		says   string
	}{
		{0, doctor.OK, "the same"},
		{30 * time.Second, doctor.OK, "behind the store's"},
		{2 * time.Minute, doctor.Warning, "behind the store's"},
		{-2 * time.Minute, doctor.Warning, "ahead of the store's"},
		{6 * time.Minute, doctor.Failed, "6m"},
		{-time.Hour, doctor.Failed, "1h0m0s ahead of the store's"},
	} {
		at, _ := fronted(t, func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Date", time.Now().Add(c.off).UTC().Format(http.TimeFormat))
			return r.URL.Path == "/" && refuse(w, 403, "AccessDenied")
		})
		found := examine(t, settings(t, at, config.Store{}))
		found.expect(t, "old", "clock", c.result, c.says)
	}
}

// TestSettingsOfABucket: what a store does of itself is told.
func TestSettingsOfABucket(t *testing.T) {
	server := servers.MinIO(t)
	old, oldBucket := whole(t, server, "one")
	new, newBucket := whole(t, server, "two")
	c := settings(t, old, new)
	found := examine(t, c)
	found.expect(t, "media on new", "lifecycle", doctor.OK, "no rule removes or moves")
	found.expect(t, "media on new", "versioning", doctor.OK, "off")
	found.expect(t, "media on new", "object lock", doctor.OK, "off")

	const expires = `<LifecycleConfiguration><Rule><ID>tidy</ID><Status>Enabled</Status><Filter><Prefix>cache/</Prefix></Filter>` +
		`<Expiration><Days>30</Days></Expiration></Rule></LifecycleConfiguration>`
	set(t, oldBucket, "PutBucketLifecycleConfiguration", "lifecycle", expires)
	set(t, newBucket, "PutBucketLifecycleConfiguration", "lifecycle", expires)
	set(t, newBucket, "PutBucketVersioning", "versioning", "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>")
	found = examine(t, c)
	found.expect(t, "media on old", "lifecycle", doctor.Warning, `rule "tidy" removes objects that begin with "cache/" after 30 days`)
	found.expect(t, "media on new", "lifecycle", doctor.Failed, `rule "tidy" removes`, "take the rule off")
	found.expect(t, "media on new", "versioning", doctor.OK, "on:")
	page, err := newBucket.ListVersions(t.Context(), backends.ListVersionsRequest{MaxKeys: 100})
	if err != nil || len(page.Versions) > 0 {
		t.Errorf("versions of canaries stay: %+v, %v", page, err)
	}
}

// TestRules: which rules of a lifecycle are told of.
func TestRules(t *testing.T) {
	for _, c := range []struct {
		rule   string
		result doctor.Result
		says   string
	}{
		{`<Status>Disabled</Status><Expiration><Days>1</Days></Expiration>`, doctor.OK, "no rule"},
		{`<Status>Enabled</Status><Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>`, doctor.OK, "no rule"},
		{`<Status>Enabled</Status><NoncurrentVersionExpiration><NoncurrentDays>3</NoncurrentDays></NoncurrentVersionExpiration>`, doctor.OK, "no rule"},
		{`<Status>Enabled</Status><Expiration><Date>2027-01-01T00:00:00Z</Date></Expiration>`, doctor.Failed, "removes objects, also"},
		{`<Status>Enabled</Status><Prefix>a/</Prefix><Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition>`, doctor.Warning, `moves objects that begin with "a/" to GLACIER`},
		{`<Status>Enabled</Status><AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>`, doctor.Warning, "aborts uploads after 1 days"},
		{`<Status>Enabled</Status><AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload>`, doctor.OK, "no rule"},
	} {
		at, _ := fronted(t, func(w http.ResponseWriter, r *http.Request) bool {
			if !r.URL.Query().Has("lifecycle") {
				return false
			}
			_, err := w.Write([]byte(`<LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Rule><ID>x</ID>` + c.rule + `</Rule></LifecycleConfiguration>`))
			return err == nil
		})
		old, _ := fronted(t, func(http.ResponseWriter, *http.Request) bool { return false })
		found := examine(t, settings(t, old, at))
		found.expect(t, "media on new", "lifecycle", c.result, c.says)
	}
}

// TestWildcard: of the buckets under "*" the first few are looked at.
func TestWildcard(t *testing.T) {
	server := servers.MinIO(t)
	all, _ := whole(t, server, "one")
	for _, name := range []string{"two", "three", "four"} {
		server.Store(t, "any", name)
	}
	all.Bucket = ""
	c := settings(t, all, config.Store{})
	c.Buckets = map[string]config.Bucket{"*": {Old: "old"}}
	found := examine(t, c)
	found.expect(t, "old", "buckets", doctor.OK, "finds 4; the first 3")
	found.expect(t, "four on old", "delete", doctor.OK)
	found.expect(t, "*", "key pairs", doctor.OK, "CLIENT may read and write")
}

// TestKeyPairs: what the applications may do.
func TestKeyPairs(t *testing.T) {
	old, _ := fronted(t, func(http.ResponseWriter, *http.Request) bool { return false })
	for _, c := range []struct {
		pairs  []config.Credential
		result doctor.Result
		says   string
	}{
		{[]config.Credential{{AccessKeyID: "A"}, {AccessKeyID: "B", ReadOnly: true, Buckets: []string{"media"}}}, doctor.OK, "A may read and write, B may read"},
		{[]config.Credential{{AccessKeyID: "A", Prefixes: []string{"x/"}}}, doctor.OK, "A (keys that begin with x/) may read and write"},
		{[]config.Credential{{AccessKeyID: "A", ReadOnly: true}}, doctor.Warning, "nobody may write; A may read"},
		{[]config.Credential{{AccessKeyID: "A", Expires: time.Now().Add(-time.Minute)}}, doctor.Warning, "the time of A is over"},
		{[]config.Credential{{AccessKeyID: "A", Buckets: []string{"other"}}}, doctor.Warning, "none may use the bucket"},
	} {
		conf := settings(t, old, config.Store{})
		conf.Credentials = c.pairs
		examine(t, conf).expect(t, "media", "key pairs", c.result, c.says)
	}
}
