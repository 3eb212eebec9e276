package doctor_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7/pkg/credentials"

	"sluice/backends"
	"sluice/backends/embedded"
	"sluice/backends/s3"
	"sluice/gateway/config"
	"sluice/gateway/doctor"
	"sluice/test/servers"
)

// settings are a configuration of the bucket "media" between two stores.
func settings(t *testing.T, old, new config.Store) config.Config {
	t.Helper()
	c := config.Default()
	c.StateDir, c.Listen.HTTP = t.TempDir(), "127.0.0.1:0"
	c.Stores = map[string]config.Store{"old": old}
	c.Buckets = map[string]config.Bucket{"media": {Old: "old"}}
	if new.Endpoint != "" {
		c.Stores["new"] = new
		c.Buckets["media"] = config.Bucket{Old: "old", New: "new"}
	}
	c.Credentials = []config.Credential{{AccessKeyID: "CLIENT", SecretAccessKey: "the-clients-secret"}}
	return c
}

// checks are what was found.
type checks []doctor.Check

// examine runs the doctor, and holds what it tells against the configuration's secrets.
func examine(t *testing.T, c config.Config, change ...func(*doctor.Options)) checks {
	t.Helper()
	o := doctor.Options{Config: c, Resolver: noNames{}}
	for _, f := range change {
		f(&o)
	}
	var found checks
	if err := doctor.Run(t.Context(), o, func(c doctor.Check) { found = append(found, c) }); err != nil {
		t.Fatal(err)
	}
	doctor.Sort(found)
	told, err := json.Marshal(found)
	if err != nil {
		t.Fatal(err)
	}
	secrets := []string{c.Credentials[0].SecretAccessKey}
	for _, s := range c.Stores {
		secrets = append(secrets, s.SecretAccessKey, s.SessionToken)
	}
	for _, secret := range secrets {
		if secret != "" && strings.Contains(string(told), secret) {
			t.Errorf("the secret %q is told: %s", secret, told)
		}
	}
	return found
}

// of is a check; its subject is named by its beginning.
func (list checks) of(t *testing.T, subject, check string) doctor.Check {
	t.Helper()
	for _, c := range list {
		if strings.HasPrefix(c.Subject, subject) && c.Name == check {
			return c
		}
	}
	t.Errorf("there is no check %q of %q:\n%s", check, subject, list)
	return doctor.Check{}
}

// expect holds a check against what it should tell.
func (list checks) expect(t *testing.T, subject, check string, result doctor.Result, says ...string) {
	t.Helper()
	c := list.of(t, subject, check)
	for _, words := range says {
		if !strings.Contains(c.Seen+" -> "+c.Todo, words) {
			t.Errorf("without %q: %+v", words, c)
		}
	}
	if c.Result != result || (c.Todo == "") != (result == doctor.OK) {
		t.Errorf("not %s: %+v", result, c)
	}
}

// missing are the rights that a bucket's store is said not to give, and the policy that
// does.
func (list checks) missing(t *testing.T, subject string) (rights []string, policy string) {
	t.Helper()
	i := slices.IndexFunc(list, func(c doctor.Check) bool { return strings.HasPrefix(c.Subject, subject) && c.Name == "rights" })
	if i < 0 {
		return nil, ""
	}
	raw, err := json.Marshal(list[i].Policy)
	if err != nil || list[i].Cause != doctor.Denied {
		t.Errorf("%v %+v", err, list[i])
	}
	return strings.Split(strings.TrimPrefix(list[i].Seen, "missing: "), ", "), string(raw)
}

func (list checks) failed() (failed checks) {
	for _, c := range list {
		if c.Result == doctor.Failed {
			failed = append(failed, c)
		}
	}
	return failed
}

func (list checks) String() string {
	var b strings.Builder
	for _, c := range list {
		fmt.Fprintf(&b, "%s | %s | %s | %s -> %s\n", c.Subject, c.Name, c.Result, c.Seen, c.Todo)
	}
	return b.String()
}

type noNames struct{}

func (noNames) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
}

// whole is a store on a server, with all rights.
func whole(t *testing.T, s *servers.Server, bucket string) (config.Store, *s3.Store) {
	t.Helper()
	return config.Store{
		Endpoint: s.Endpoint, Bucket: bucket, Region: "us-east-1", AccessKeyID: s.AccessKey, SecretAccessKey: s.SecretKey,
	}, s.Store(t, "any", bucket)
}

// allowed is a store with a key pair that a policy narrows (AssumeRole of MinIO's STS).
func allowed(t *testing.T, c config.Store, policy string) config.Store {
	t.Helper()
	role, err := credentials.NewSTSAssumeRole(c.Endpoint, credentials.STSAssumeRoleOptions{
		AccessKey: c.AccessKeyID, SecretKey: c.SecretAccessKey, Policy: policy,
	})
	if err != nil {
		t.Fatal(err)
	}
	v, err := role.GetWithContext(&credentials.CredContext{Client: http.DefaultClient})
	if err != nil {
		t.Fatal(err)
	}
	c.AccessKeyID, c.SecretAccessKey, c.SessionToken = v.AccessKeyID, v.SecretAccessKey, v.SessionToken
	return c
}

// fronted is a store in this process behind a handler that may answer in its place.
func fronted(t *testing.T, answers func(w http.ResponseWriter, r *http.Request) bool) (config.Store, *s3.Store) {
	t.Helper()
	server, err := embedded.Start(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	store, err := server.Store(t.Context(), "any", "bucket")
	if err != nil {
		t.Fatal(err)
	}
	to, err := url.Parse(server.Endpoint())
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !answers(w, r) {
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(front.Close)
	return config.Store{Endpoint: front.URL, Bucket: "bucket", AccessKeyID: "ID", SecretAccessKey: "the-stores-secret"}, store
}

// refuse answers as S3 does.
func refuse(w http.ResponseWriter, status int, code string) bool {
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>in the store's words</Message></Error>", code)
	return true
}

// nothingStays holds the buckets against canaries and uploads that were left behind.
func nothingStays(t *testing.T, stores ...backends.Store) {
	t.Helper()
	for _, s := range stores {
		for o, err := range backends.Walk(t.Context(), s, backends.ListRequest{Prefix: ".sluice/"}) {
			t.Errorf("%s: %q stays (%v)", s.Name(), o.Key, err)
		}
		page, err := s.ListUploads(t.Context(), backends.ListUploadsRequest{})
		if errors.Is(err, backends.ErrNoUpload) { // as gofakes3 says that there is none
			continue
		}
		if err != nil || len(page.Uploads) > 0 {
			t.Errorf("%s: uploads stay: %+v, %v", s.Name(), page, err)
		}
	}
}

func store(t *testing.T, s backends.Store, key, content string) {
	t.Helper()
	_, err := s.Put(t.Context(), backends.PutRequest{Key: key, Body: strings.NewReader(content), Size: int64(len(content))})
	if err != nil {
		t.Fatal(err)
	}
}

// set sets a document of a bucket.
func set(t *testing.T, s backends.Store, op, query, document string) {
	t.Helper()
	_, err := s.ChangeSubresource(t.Context(), backends.SubresourceRequest{
		Op: op, Method: http.MethodPut, Query: url.Values{query: {""}}, Body: []byte(document),
	})
	if err != nil {
		t.Fatal(err)
	}
}
