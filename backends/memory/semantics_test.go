package memory_test

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/backends"
	"sluice/backends/memory"
)

func put(t *testing.T, s *memory.Store, key, content string, h http.Header) string {
	t.Helper()
	res, err := s.Put(t.Context(), backends.PutRequest{Key: key, Body: strings.NewReader(content), Size: int64(len(content)), Header: h})
	if err != nil {
		t.Fatal(err)
	}
	return res.ETag
}

func get(t *testing.T, s *memory.Store, r backends.GetRequest) (string, backends.Info) {
	t.Helper()
	o, err := s.Get(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(o.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(content), o.Info
}

// refused wants a refusal under the code, of the kind, that changed nothing.
func refused(t *testing.T, what string, err error, kind error, code string) {
	t.Helper()
	var e *backends.Error
	if !errors.As(err, &e) || !errors.Is(err, kind) || e.Code != code || e.Status < 400 || e.Store != "m" || backends.Unknown(err) {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}

func md5Of(text string) string {
	sum := md5.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

func TestABodyThatIsNotWhatItShouldBeIsNotStored(t *testing.T) {
	s := memory.New("m")
	bad := base64.StdEncoding.EncodeToString(make([]byte, md5.Size))
	for code, r := range map[string]backends.PutRequest{
		"BadDigest":                 {ContentMD5: bad},
		"InvalidDigest":             {ContentMD5: "no"},
		"XAmzContentSHA256Mismatch": {SHA256: strings.Repeat("0", 64)},
		"IncompleteBody":            {Size: 6},
		"InvalidStorageClass":       {Header: http.Header{"X-Amz-Storage-Class": {"GLACIER"}}},
		"InvalidArgument":           {Header: http.Header{"X-Amz-Acl": {"everybody"}}},
		"InvalidTag":                {Header: http.Header{"X-Amz-Tagging": {"a=1&a=2"}}},
	} {
		r.Key, r.Body = "k", strings.NewReader("content")
		if r.Size == 0 {
			r.Size = 7
		}
		_, err := s.Put(t.Context(), r)
		refused(t, code, err, backends.ErrInvalid, code)
	}
	_, err := s.Put(t.Context(), backends.PutRequest{
		Key: "k", Body: strings.NewReader("content"), Size: 7,
		Trailer: &backends.Trailer{Name: "X-Amz-Checksum-Crc32", Value: func() string { return "AAAAAA==" }},
	})
	refused(t, "trailer", err, backends.ErrInvalid, "BadDigest")
	_, err = s.Put(t.Context(), backends.PutRequest{Key: "k", Header: http.Header{"X-Amz-Server-Side-Encryption": {"aws:kms"}}})
	refused(t, "encryption", err, backends.ErrNotSupported, "NotImplemented")
	_, err = s.Head(t.Context(), backends.GetRequest{Key: "k"})
	refused(t, "head", err, backends.ErrNotFound, "NoSuchKey")
}

func TestABodyThatWaitsIsEndedWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.New("m")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		body, client := io.Pipe()
		defer client.Close()
		_, err := s.Put(ctx, backends.PutRequest{Key: "k", Body: body, Size: 7})
		if !errors.Is(err, context.DeadlineExceeded) || backends.Unknown(err) {
			t.Errorf("%v, unknown %v", err, backends.Unknown(err))
		}
	})
}

func TestAnOpenBodyEndsWithItsContext(t *testing.T) {
	s := memory.New("m")
	put(t, s, "k", "content", nil)
	ctx, cancel := context.WithCancel(t.Context())
	o, err := s.Get(ctx, backends.GetRequest{Key: "k"})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := io.ReadAll(o.Body); !errors.Is(err, context.Canceled) {
		t.Errorf("read on: %v", err)
	}
}

func TestTimesAreTheBubbles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.New("m")
		time.Sleep(90*time.Second + time.Millisecond)
		put(t, s, "k", "content", nil)
		_, info := get(t, s, backends.GetRequest{Key: "k"})
		if want := time.Date(2000, 1, 1, 0, 1, 30, 0, time.UTC); info.LastModified != want {
			t.Errorf("%v, want %v", info.LastModified, want)
		}
	})
}

func TestAnAnswersHeaderIsTheCallers(t *testing.T) {
	s := memory.New("m")
	sent := http.Header{"X-Amz-Meta-A": {"1"}}
	put(t, s, "k", "content", sent)
	sent["X-Amz-Meta-A"][0] = "changed"
	_, info := get(t, s, backends.GetRequest{Key: "k"})
	info.Header["X-Amz-Meta-A"][0] = "changed"
	info.Header.Del("Content-Type")
	if _, info = get(t, s, backends.GetRequest{Key: "k"}); info.Header.Get("X-Amz-Meta-A") != "1" || info.Header.Get("Content-Type") == "" {
		t.Errorf("%v", info.Header)
	}
}

func TestConditions(t *testing.T) {
	s, ctx := memory.New("m"), t.Context()
	_, err := s.Put(ctx, backends.PutRequest{Key: "k", IfMatch: md5Of("x")})
	refused(t, "replace of nothing", err, backends.ErrNotFound, "NoSuchKey")
	etag := put(t, s, "k", "content", nil)
	_, err = s.Delete(ctx, backends.DeleteRequest{Key: "k", IfMatch: md5Of("x")})
	refused(t, "delete of another", err, backends.ErrPrecondition, "PreconditionFailed")
	for range 2 { // the second one of an absent object
		if _, err := s.Delete(ctx, backends.DeleteRequest{Key: "k", IfMatch: etag}); err != nil {
			t.Error(err)
		}
	}
	put(t, s, "source", "content", nil)
	later := time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	for name, value := range map[string]string{
		"X-Amz-Copy-Source-If-Match": `"` + md5Of("x") + `"`, "X-Amz-Copy-Source-If-None-Match": `"` + etag + `"`,
		"X-Amz-Copy-Source-If-Modified-Since": later, "X-Amz-Copy-Source-If-Unmodified-Since": "Mon, 01 Jan 1990 00:00:00 GMT",
	} {
		_, err := s.Copy(ctx, backends.CopyRequest{Key: "k", SourceKey: "source", Header: http.Header{name: {value}}})
		refused(t, name, err, backends.ErrPrecondition, "PreconditionFailed")
	}
	_, err = s.Copy(ctx, backends.CopyRequest{Key: "k", SourceKey: "source", Header: http.Header{
		"X-Amz-Copy-Source-If-Match": {`"` + etag + `"`}, "X-Amz-Copy-Source-If-Unmodified-Since": {"Mon, 01 Jan 1990 00:00:00 GMT"},
	}})
	if err != nil {
		t.Errorf("the ETag outranks the time: %v", err)
	}
}

func tagsAndACL(t *testing.T, s *memory.Store, key string) string {
	t.Helper()
	tags, err := backends.Tags(t.Context(), s, key)
	if err != nil {
		t.Fatal(err)
	}
	acl, err := backends.CannedACL(t.Context(), s, key)
	if err != nil {
		t.Fatal(err)
	}
	return tags.Encode() + " " + acl
}

func TestTagsAndACLs(t *testing.T) {
	s := memory.New("m")
	put(t, s, "k", "content", http.Header{"X-Amz-Tagging": {"b=2&a=%3C1%3E"}, "X-Amz-Acl": {"public-read"}})
	if got := tagsAndACL(t, s, "k"); got != "a=%3C1%3E&b=2 public-read" {
		t.Errorf("put: %s", got)
	}
	if _, info := get(t, s, backends.GetRequest{Key: "k"}); info.Header.Get("X-Amz-Tagging-Count") != "2" {
		t.Errorf("%v", info.Header)
	}
	other := memory.New("other")
	if _, err := other.Copy(t.Context(), backends.CopyRequest{Key: "copy", Source: s, SourceKey: "k"}); err != nil {
		t.Fatal(err)
	}
	if got := tagsAndACL(t, other, "copy"); got != "a=%3C1%3E&b=2 private" {
		t.Errorf("copy: %s", got)
	}
	change := func(method, sub string, h http.Header, body string) error {
		_, err := s.ChangeSubresource(t.Context(), backends.SubresourceRequest{
			Op: "Put", Method: method, Key: "k", Query: url.Values{sub: {""}}, Header: h, Body: []byte(body),
		})
		return err
	}
	err := errors.Join(
		change("PUT", "tagging", nil, "<Tagging><TagSet><Tag><Key>x</Key><Value>y</Value></Tag></TagSet></Tagging>"),
		change("PUT", "acl", http.Header{"X-Amz-Acl": {"authenticated-read"}}, ""))
	if got := tagsAndACL(t, s, "k"); err != nil || got != "x=y authenticated-read" {
		t.Errorf("changed: %s, %v", got, err)
	}
	acl, err := other.Subresource(t.Context(), backends.SubresourceRequest{Op: "GetObjectAcl", Method: "GET", Key: "copy", Query: url.Values{"acl": {""}}})
	if err == nil {
		err = errors.Join(change("PUT", "acl", nil, string(acl.Body)), change("DELETE", "tagging", nil, ""))
	}
	if got := tagsAndACL(t, s, "k"); err != nil || got != " private" {
		t.Errorf("changed by a document: %q, %v", got, err)
	}
	refused(t, "policy", change("PUT", "policy", nil, "{}"), backends.ErrNotSupported, "NotImplemented")
	refused(t, "no ACL", change("PUT", "acl", nil, ""), backends.ErrInvalid, "MissingSecurityHeader")
	refused(t, "no XML", change("PUT", "tagging", nil, "tags"), backends.ErrInvalid, "MalformedXML")
}

func TestCopyOntoItselfMustChangeSomething(t *testing.T) {
	s := memory.New("m")
	put(t, s, "k", "content", http.Header{"X-Amz-Meta-A": {"1"}})
	_, err := s.Copy(t.Context(), backends.CopyRequest{Key: "k", SourceKey: "k"})
	refused(t, "copy onto itself", err, backends.ErrInvalid, "InvalidRequest")
	_, err = s.Copy(t.Context(), backends.CopyRequest{Key: "k", SourceKey: "k", Header: http.Header{"X-Amz-Storage-Class": {"STANDARD_IA"}}})
	if _, info := get(t, s, backends.GetRequest{Key: "k"}); err != nil || info.Header.Get("X-Amz-Storage-Class") != "STANDARD_IA" || info.Header.Get("X-Amz-Meta-A") != "1" {
		t.Errorf("%v, %v", info.Header, err)
	}
}

func TestFirstLevelByTokens(t *testing.T) {
	s := memory.New("m")
	for _, key := range []string{"a/1", "a/2", "b", "c/1"} {
		put(t, s, key, "", nil)
	}
	var got []string
	r := backends.ListRequest{Delimiter: "/", MaxKeys: 1}
	for {
		p, err := s.List(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range p.Objects {
			got = append(got, o.Key)
		}
		got = append(got, p.Prefixes...)
		if r.Token = p.NextToken; !p.Truncated {
			break
		}
	}
	if want := []string{"a/", "b", "c/"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	_, err := s.List(t.Context(), backends.ListRequest{Token: "!", MaxKeys: 1})
	refused(t, "token", err, backends.ErrInvalid, "InvalidArgument")
}
