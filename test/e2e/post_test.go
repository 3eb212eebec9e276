package e2e

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// form is a form as a browser would send it.
type form struct {
	bucket     string
	fields     map[string]string
	name, file string
}

// signedForm makes the form of a policy that allows key, and what allow adds.
func (r *rig) signedForm(t *testing.T, who, key, file string, allow func(*minio.PostPolicy) error) form {
	t.Helper()
	secret := secretKey
	if who != accessKey {
		secret = who + "-secret"
	}
	return r.formOf(t, who, secret, key, file, allow)
}

// formOf is signedForm with a secret.
func (r *rig) formOf(t *testing.T, who, secret, key, file string, allow func(*minio.PostPolicy) error) form {
	t.Helper()
	u, err := url.Parse(r.url)
	if err != nil {
		t.Fatal(err)
	}
	c, err := minio.New(u.Host, &minio.Options{Creds: credentials.NewStaticV4(who, secret, ""), Region: "us-east-1"})
	if err != nil {
		t.Fatal(err)
	}
	p := minio.NewPostPolicy()
	setKey := p.SetKey
	prefix, _, variable := strings.Cut(key, "${filename}")
	if variable {
		setKey = p.SetKeyStartsWith
	}
	for _, err := range []error{p.SetBucket("media"), setKey(prefix), p.SetExpires(time.Now().Add(time.Hour))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if allow != nil {
		if err := allow(p); err != nil {
			t.Fatal(err)
		}
	}
	_, fields, err := c.PresignedPostPolicy(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	fields["key"] = key
	return form{bucket: "media", fields: fields, name: "upload.bin", file: file}
}

// post sends a form: its fields, and behind them the file.
func (r *rig) post(t *testing.T, f form) answer {
	t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for name, value := range f.fields {
		if err := w.WriteField(name, value); err != nil {
			t.Fatal(err)
		}
	}
	file, err := w.CreateFormFile("file", f.name)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = file.Write([]byte(f.file)) // into memory
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url+"/"+f.bucket, &body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", w.FormDataContentType())
	return read(t, http.DefaultClient, req)
}

// TestPostObject: what a form may do, and how it is answered.
func TestPostObject(t *testing.T) {
	r := startWithRights(t)
	before := r.stateFiles(t)
	want := make(map[string]string)
	sizes := func(p *minio.PostPolicy) error { return p.SetContentLengthRange(3, 5) }
	set := func(name, value string) func(*form) { return func(f *form) { f.fields[name] = value } }
	for _, c := range []struct {
		name, who, key, file string
		allow                func(*minio.PostPolicy) error
		bend                 func(*form)
		status               int
		code                 string
	}{
		{name: "204", key: "plain", file: "content", status: 204},
		{name: "201", key: "with/a document", file: "content", allow: func(p *minio.PostPolicy) error { return p.SetSuccessStatusAction("201") }, status: 201},
		{name: "200", key: "with 200", file: "content", allow: func(p *minio.PostPolicy) error { return p.SetSuccessStatusAction("200") }, status: 200},
		{name: "303", key: "redirected", file: "content", allow: func(p *minio.PostPolicy) error {
			return p.SetSuccessActionRedirect("http://page.test/done?a=b")
		}, status: 303},
		{name: "empty file", key: "empty", status: 204},
		{name: "5 MiB", key: "large", file: strings.Repeat("0123456789abcdef", 5<<16), status: 204},
		{name: "file's name", key: "up/${filename}", file: "named", status: 204},
		{name: "least size", key: "three", file: "abc", allow: sizes, status: 204},
		{name: "most size", key: "five", file: "abcde", allow: sizes, status: 204},
		{name: "below the least", key: "two", file: "ab", allow: sizes, status: 400, code: "EntityTooSmall"},
		{name: "beyond the most", key: "six", file: "abcdef", allow: sizes, status: 400, code: "EntityTooLarge"},
		{name: "beyond the most by 4 MiB", key: "huge", file: strings.Repeat("x", 4<<20), allow: sizes, status: 400, code: "EntityTooLarge"},
		{name: "wrong signature", key: "w", file: "x", bend: set("x-amz-signature", strings.Repeat("0", 64)), status: 403, code: "SignatureDoesNotMatch"},
		{name: "unknown access key", who: "NOBODY", key: "w", file: "x", status: 403, code: "InvalidAccessKeyId"},
		{name: "expired", key: "e", file: "x", allow: func(p *minio.PostPolicy) error {
			return p.SetExpires(time.Now().Add(-time.Minute))
		}, status: 403, code: "AccessDenied"},
		{name: "another key", key: "k", file: "x", bend: set("key", "other"), status: 403, code: "AccessDenied"},
		{name: "another bucket", key: "k", file: "x", bend: func(f *form) { f.bucket = "public" }, status: 403, code: "AccessDenied"},
		{name: "a field that the policy does not name", key: "k", file: "x", bend: set("x-amz-meta-a", "b"), status: 403, code: "AccessDenied"},
		{name: "wrong checksum", key: "k", file: "x", allow: func(p *minio.PostPolicy) error {
			return p.SetChecksum(minio.NewChecksum(minio.ChecksumCRC32, []byte{1, 2, 3, 4}))
		}, status: 400, code: "BadDigest"},
		{name: "reserved key", key: ".sluice/x", file: "x", status: 403, code: "AccessDenied"},
		{name: "read-only pair", who: reader, key: "r", file: "x", status: 403, code: "AccessDenied"},
		{name: "pair's prefix", who: team, key: "team/posted", file: "content", status: 204},
		{name: "forbidden prefix", who: team, key: "private/posted", file: "x", status: 403, code: "AccessDenied"},
		{name: "forbidden bucket", who: guest, key: "g", file: "x", status: 403, code: "AccessDenied"},
		{name: "unsigned", key: "u", file: "x", bend: func(f *form) { f.fields = map[string]string{"key": "u"} }, status: 403, code: "AccessDenied"},
		{name: "no key", key: "u", file: "x", bend: func(f *form) { delete(f.fields, "key") }, status: 400, code: "InvalidArgument"},
	} {
		t.Run(c.name, func(t *testing.T) {
			who := accessKey
			if c.who != "" {
				who = c.who
			}
			f := r.signedForm(t, who, c.key, c.file, c.allow)
			if c.bend != nil {
				c.bend(&f)
			}
			got := r.post(t, f)
			if got.status != c.status || got.code != c.code {
				t.Fatalf("want %d %s, got %v", c.status, c.code, got)
			}
			if c.code == "" {
				key := strings.ReplaceAll(c.key, "${filename}", "upload.bin")
				want[key] = c.file
				checkPosted(t, got, r.url, key)
			}
		})
	}
	r.holds(t, "media", want)
	if after := r.stateFiles(t); !slices.Equal(after, before) {
		t.Errorf("the state directory holds %v, before it held %v", after, before)
	}
}

// checkPosted: every answer names the object in its own way.
func checkPosted(t *testing.T, got answer, at, key string) {
	t.Helper()
	etag := got.header.Get("ETag")
	location := at + "/media/" + url.PathEscape(key)
	switch got.status {
	case 201:
		for _, want := range []string{
			"<Location>" + location + "</Location>", "<Bucket>media</Bucket>", "<Key>" + key + "</Key>",
			"<ETag>" + strings.ReplaceAll(etag, `"`, "&quot;") + "</ETag>",
		} {
			if !strings.Contains(got.body, want) {
				t.Errorf("%s is not in %v", want, got)
			}
		}
	case 303:
		location = "http://page.test/done?a=b&bucket=media&key=" + url.QueryEscape(key) + "&etag=" + url.QueryEscape(etag)
	}
	if got.header.Get("Location") != location || len(etag) != 34 || got.status == 204 && got.body != "" {
		t.Errorf("want the location %s, got %v", location, got)
	}
}

// stateFiles are the names in the state directory.
func (r *rig) stateFiles(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(r.config.StateDir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "crawl-") { // the backfill's, and no form's
			names = append(names, e.Name())
		}
	}
	return names
}

// TestPostObjectWithHeaders: a form's fields become the object's headers, and are
// held against its bytes.
func TestPostObjectWithHeaders(t *testing.T) {
	r := startWithRights(t)
	f := r.signedForm(t, accessKey, "described", "content", func(p *minio.PostPolicy) error {
		if err := p.SetContentType("text/x-form"); err != nil {
			return err
		}
		return p.SetUserMetadata("colour", "blue")
	})
	if got := r.post(t, f); got.status != 204 {
		t.Fatal(got)
	}
	for _, name := range []string{"old", "new"} {
		info := headOf(t, r.store(t, name, ""), "described")
		if info.Header.Get("Content-Type") != "text/x-form" || info.Header.Get("X-Amz-Meta-Colour") != "blue" {
			t.Errorf("%s: %v", name, info.Header)
		}
	}
}
