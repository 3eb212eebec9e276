package s3api

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestGet(t *testing.T) {
	req := parse(t, "GET", "/photos/k?versionId=v&response-content-type=image/png&response-expires=never",
		"Range", "bytes=0-9", "If-None-Match", `"a", "b"`, "If-Modified-Since", "Wed, 21 Oct 2015 07:28:00 GMT",
		"If-Unmodified-Since", "no date", "X-Amz-Checksum-Mode", "ENABLED", "Accept", "*/*",
		"X-Amz-Server-Side-Encryption-Customer-Key", "k")
	g, err := req.Get()
	if err != nil {
		t.Fatal(err)
	}
	if g.Key != "k" || g.VersionID != "v" || g.Range != "bytes=0-9" || len(g.Header) != 2 || len(g.ResponseHeaders) != 2 {
		t.Errorf("got %+v", g)
	}
	c := g.Conditions
	if c.IfNoneMatch != `"a", "b"` || c.IfModifiedSince.Year() != 2015 || !c.IfUnmodifiedSince.IsZero() {
		t.Errorf("got %+v", c)
	}
}

func TestRangesS3DoesNotServe(t *testing.T) {
	for _, rng := range []string{"bytes=0-1,3-4", "bytes=5-2", "bytes=", "bytes=-", "items=0-1", "bytes=a-b", "0-1"} {
		if g, err := parse(t, "GET", "/photos/k", "Range", rng).Get(); err != nil || g.Range != "" {
			t.Errorf("%s: got %q, %v, want the whole object", rng, g.Range, err)
		}
	}
	for _, rng := range []string{"bytes=0-0", "bytes=5-", "bytes=-7", "bytes=-0"} {
		if g, _ := parse(t, "GET", "/photos/k", "Range", rng).Get(); g.Range != rng {
			t.Errorf("%s: got %q", rng, g.Range)
		}
	}
}

func TestGetErrors(t *testing.T) {
	for target, code := range map[string]string{
		"/photos/k?versionId=":                           "InvalidArgument",
		"/photos/k?partNumber=0":                         "InvalidArgument",
		"/photos/k?partNumber=10001":                     "InvalidArgument",
		"/photos/k?partNumber=":                          "InvalidArgument",
		"/photos/k?partNumber=1":                         "InvalidRequest", // with the range
		"/photos/k?response-content-type=a%0d%0aSet-Co:": "InvalidArgument",
	} {
		_, err := parse(t, "GET", target, "Range", "bytes=0-1").Get()
		wantCode(t, target, err, code)
	}
}

func TestPutHeaders(t *testing.T) {
	sum := strings.Repeat("AB", 32)
	req := parse(t, "PUT", "/photos/k",
		"Cache-Control", "max-age=1", "Content-Encoding", "aws-chunked, gzip", "Content-Type", "image/png",
		"Content-Md5", "rL0Y20zC+Fzt72VPzMSk2A==", "X-Amz-Content-Sha256", sum,
		"X-Amz-Meta-A", "1", "X-Amz-Meta-A", "2", "X-Amz-Acl", "private", "X-Amz-Grant-Read", "id=1",
		"X-Amz-Object-Lock-Mode", "GOVERNANCE", "X-Amz-Checksum-Crc32", "AAAAAA==", "X-Amz-Tagging", "a=b",
		"X-Amz-Server-Side-Encryption", "AES256", "X-Amz-Website-Redirect-Location", "/x", "Expires", "0",
		"Authorization", "secret", "X-Amz-Date", "x", "X-Amz-Sdk-Checksum-Algorithm", "CRC32", "X-Amz-Trailer", "y",
		"X-Amz-Decoded-Content-Length", "5", "Cookie", "c", "X-Forwarded-For", "1.2.3.4", "If-Match", `"etag"`)
	p, err := req.Put(strings.NewReader("hello"), 5)
	if err != nil {
		t.Fatal(err)
	}
	if p.Key != "k" || p.Size != 5 || p.SHA256 != strings.ToLower(sum) || p.ContentMD5 == "" || p.IfMatch != "etag" || p.IfNoneMatch {
		t.Errorf("got %+v", p)
	}
	want := http.Header{
		"Cache-Control": {"max-age=1"}, "Content-Encoding": {"gzip"}, "Content-Type": {"image/png"}, "X-Amz-Meta-A": {"1,2"},
		"X-Amz-Acl": {"private"}, "X-Amz-Grant-Read": {"id=1"}, "X-Amz-Object-Lock-Mode": {"GOVERNANCE"},
		"X-Amz-Checksum-Crc32": {"AAAAAA=="}, "X-Amz-Tagging": {"a=b"}, "X-Amz-Server-Side-Encryption": {"AES256"},
		"X-Amz-Website-Redirect-Location": {"/x"}, "Expires": {"0"},
	}
	if !reflect.DeepEqual(p.Header, want) {
		t.Errorf("got  %v\nwant %v", p.Header, want)
	}
}

func TestPutDefaults(t *testing.T) {
	req := parse(t, "PUT", "/photos/k?x-amz-acl=private&X-Amz-Date=x&x-amz-checksum-crc32=AAAAAA%3D%3D",
		"Content-Encoding", "aws-chunked", "X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
	p, err := req.Put(nil, 0)
	want := http.Header{"Content-Type": {"binary/octet-stream"}, "X-Amz-Acl": {"private"}}
	if err != nil || p.SHA256 != "" || !reflect.DeepEqual(p.Header, want) {
		t.Errorf("got %+v, %v", p, err)
	}
}

func TestPutErrors(t *testing.T) {
	for _, c := range []struct {
		target, header, value string
		size                  int64
		code                  string
	}{
		{"/photos/k", "If-None-Match", "*", MaxPutSize, ""},
		{"/photos/k", "X-Amz-Meta-K", strings.Repeat("v", MaxMetadata-1), 0, ""},
		{"/photos/k", "X-Amz-Meta-K", strings.Repeat("v", MaxMetadata), 0, "MetadataTooLarge"},
		{"/photos/k", "", "", -1, "MissingContentLength"},
		{"/photos/k", "", "", MaxPutSize + 1, "EntityTooLarge"},
		{"/photos/k?versionId=v", "", "", 0, "InvalidArgument"},
	} {
		var headers []string
		if c.header != "" {
			headers = []string{c.header, c.value}
		}
		_, err := parse(t, "PUT", c.target, headers...).Put(nil, c.size)
		wantCode(t, fmt.Sprint(c.target, c.header, c.size), err, c.code)
	}
}

// TestWriteConditionsAreNeverLost: what is not one of S3's two is the store's to
// judge or to refuse.
func TestWriteConditionsAreNeverLost(t *testing.T) {
	for _, c := range []struct{ name, value string }{
		{"If-None-Match", `"etag"`},
		{"If-Match", "*"},
		{"If-Match", `"a", "b"`},
		{"If-Match", `W/"a"`},
		{"If-Modified-Since", "Wed, 21 Oct 2015 07:28:00 GMT"},
		{"If-Unmodified-Since", "Wed, 21 Oct 2015 07:28:00 GMT"},
	} {
		put, err := parse(t, "PUT", "/photos/k", c.name, c.value).Put(nil, 0)
		if err != nil || put.Header.Get(c.name) != c.value || put.IfMatch != "" || put.IfNoneMatch {
			t.Errorf("%v: put %+v, %v", c, put, err)
		}
		del, err := parse(t, "DELETE", "/photos/k", c.name, c.value).Delete()
		if err != nil || del.Header.Get(c.name) != c.value || del.IfMatch != "" {
			t.Errorf("%v: delete %+v, %v", c, del, err)
		}
		cp, err := parse(t, "PUT", "/photos/k", c.name, c.value, "X-Amz-Copy-Source", "photos/a").Copy()
		if err != nil || cp.Header.Get(c.name) != c.value {
			t.Errorf("%v: copy %+v, %v", c, cp, err)
		}
	}
	both, err := parse(t, "PUT", "/photos/k", "If-Match", `"a"`, "If-None-Match", "*").Put(nil, 0)
	if err != nil || both.IfMatch != "a" || !both.IfNoneMatch {
		t.Errorf("both: %+v, %v", both, err)
	}
}

func TestDelete(t *testing.T) {
	d, err := parse(t, "DELETE", "/photos/k?versionId=v", "If-Match", `"etag"`).Delete()
	if err != nil || d.Key != "k" || d.VersionID != "v" || d.IfMatch != "etag" {
		t.Errorf("got %+v, %v", d, err)
	}
	_, err = parse(t, "DELETE", "/photos/k?versionId=").Delete()
	wantCode(t, "empty version", err, "InvalidArgument")
	d, err = parse(t, "DELETE", "/photos/k", "x-amz-if-match-size", "5").Delete()
	if err != nil || d.Header.Get("X-Amz-If-Match-Size") != "5" {
		t.Errorf("size condition: got %+v, %v", d, err)
	}
}

// TestConditions follows the table of RFC 9110, section 13.2.2, and S3's remarks
// on combined headers (API_GetObject).
func TestConditions(t *testing.T) {
	modified := time.Date(2024, 5, 1, 12, 0, 0, 987654321, time.UTC)
	before, same, after := modified.Add(-time.Hour), modified.Truncate(time.Second), modified.Add(time.Hour)
	for name, c := range map[string]struct {
		Conditions
		status int
	}{
		"none":                                 {Conditions{}, 0},
		"match":                                {Conditions{IfMatch: `"etag"`}, 0},
		"match without quotes":                 {Conditions{IfMatch: `etag`}, 0},
		"match in list":                        {Conditions{IfMatch: `"x", "etag"`}, 0},
		"match any":                            {Conditions{IfMatch: `*`}, 0},
		"match other":                          {Conditions{IfMatch: `"x"`}, 412},
		"weak never matches":                   {Conditions{IfMatch: `W/"etag"`}, 412},
		"none-match":                           {Conditions{IfNoneMatch: `"etag"`}, 304},
		"none-match weak":                      {Conditions{IfNoneMatch: `W/"etag"`}, 304},
		"none-match any":                       {Conditions{IfNoneMatch: `*`}, 304},
		"none-match other":                     {Conditions{IfNoneMatch: `"x"`}, 0},
		"modified since before":                {Conditions{IfModifiedSince: before}, 0},
		"modified since same second":           {Conditions{IfModifiedSince: same}, 304},
		"modified since after":                 {Conditions{IfModifiedSince: after}, 304},
		"unmodified since before":              {Conditions{IfUnmodifiedSince: before}, 412},
		"unmodified since same second":         {Conditions{IfUnmodifiedSince: same}, 0},
		"match wins over unmodified":           {Conditions{IfMatch: `"etag"`, IfUnmodifiedSince: before}, 0},
		"none-match wins over modified":        {Conditions{IfNoneMatch: `"x"`, IfModifiedSince: after}, 0},
		"none-match holds, modified does not":  {Conditions{IfNoneMatch: `"etag"`, IfModifiedSince: before}, 304},
		"412 goes before 304":                  {Conditions{IfMatch: `"x"`, IfNoneMatch: `"etag"`}, 412},
		"match holds, then none-match decides": {Conditions{IfMatch: `"etag"`, IfNoneMatch: `"etag"`}, 304},
	} {
		var status int
		var e *Error
		if errors.As(c.Check("etag", modified), &e) {
			status = e.Status
		}
		if status != c.status {
			t.Errorf("%s: got %d, want %d", name, status, c.status)
		}
	}
}

func TestIfRange(t *testing.T) {
	modified := time.Date(2015, 10, 21, 7, 28, 0, 5, time.UTC)
	for ifRange, keep := range map[string]bool{
		"": true, `"etag"`: true, `"x"`: false, `W/"etag"`: false,
		"Wed, 21 Oct 2015 07:28:00 GMT": true, "Wed, 21 Oct 2015 07:28:01 GMT": false,
	} {
		if got := (Conditions{IfRange: ifRange}).KeepRange("etag", modified); got != keep {
			t.Errorf("%s: got %v", ifRange, got)
		}
	}
}

func TestCopy(t *testing.T) {
	for source, want := range map[string][3]string{
		"other/a/b":                  {"other", "a/b", ""},
		"/other/a":                   {"other", "a", ""},
		"other%2Fa%252Fb":            {"other", "a%2Fb", ""},
		"%2Fother%2Fa":               {"other", "a", ""},
		"other/a+b%20c":              {"other", "a+b c", ""},
		"other//a":                   {"other", "/a", ""},
		"other/a?versionId=v%2F1":    {"other", "a", "v/1"},
		"other/a%3FversionId=x":      {"other", "a?versionId=x", ""},
		"other/what?":                {"other", "what?", ""},
		"other/%E2%82%AC/%2e%2e/%0a": {"other", "€/../\n", ""},
	} {
		c, err := parse(t, "PUT", "/photos/k", "X-Amz-Copy-Source", source).Copy()
		if got := [3]string{c.SourceBucket, c.SourceKey, c.SourceVersionID}; err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", source, got, err, want)
		}
	}
}

func TestCopyHeaders(t *testing.T) {
	c, err := parse(t, "PUT", "/photos/k", "X-Amz-Copy-Source", "photos/o", "X-Amz-Metadata-Directive", "REPLACE",
		"X-Amz-Copy-Source-If-Match", `"e"`, "X-Amz-Meta-A", "1", "X-Amz-Acl", "private", "Host", "x").Copy()
	want := http.Header{
		"X-Amz-Metadata-Directive": {"REPLACE"}, "X-Amz-Copy-Source-If-Match": {`"e"`}, "X-Amz-Meta-A": {"1"},
		"X-Amz-Acl": {"private"}, "Content-Type": {"binary/octet-stream"},
	}
	if err != nil || !reflect.DeepEqual(c.Header, want) {
		t.Errorf("got %v, %v\nwant %v", c.Header, err, want)
	}
}

func TestCopyErrors(t *testing.T) {
	for _, c := range []struct {
		source, header, value, code string
	}{
		{"photos", "", "", "InvalidArgument"},
		{"photos/", "", "", "InvalidArgument"},
		{"", "", "", "InvalidArgument"},
		{"../x", "", "", "InvalidArgument"},
		{"photos/%zz", "", "", "InvalidArgument"},
		{"photos/a?versionId=", "", "", "InvalidArgument"},
		{"photos/" + strings.Repeat("k", 1025), "", "", "KeyTooLongError"},
		{"photos/a", "X-Amz-Metadata-Directive", "MERGE", "InvalidArgument"},
		{"photos/k", "", "", "InvalidRequest"},
		{"photos/k", "X-Amz-Tagging-Directive", "REPLACE", "InvalidRequest"},
		{"photos/k", "X-Amz-Metadata-Directive", "REPLACE", ""},
		{"photos/k", "X-Amz-Storage-Class", "GLACIER", ""},
		{"photos/k?versionId=old", "", "", ""},
	} {
		headers := []string{"X-Amz-Copy-Source", c.source}
		if c.header != "" {
			headers = append(headers, c.header, c.value)
		}
		_, err := parse(t, "PUT", "/photos/k", headers...).Copy()
		wantCode(t, c.source+c.header, err, c.code)
	}
}

func TestParts(t *testing.T) {
	p, err := parse(t, "PUT", "/photos/k?uploadId=u%2Fv&partNumber=10000", "X-Amz-Acl", "no", "Content-Md5", "m",
		"X-Amz-Checksum-Sha256", "s").Part(nil, 7)
	if err != nil || p.UploadID != "u/v" || p.Number != 10000 || p.Size != 7 || p.ContentMD5 != "m" || len(p.Header) != 1 {
		t.Errorf("got %+v, %v", p, err)
	}
	for _, query := range []string{"partNumber=0", "partNumber=10001", "partNumber=x", "a=b"} {
		_, err := parse(t, "PUT", "/photos/k?uploadId=u&"+query).Part(nil, 7)
		wantCode(t, query, err, "InvalidArgument")
	}
	for rng, code := range map[string]string{
		"bytes=0-9": "", "": "", "bytes=0-": "InvalidArgument", "bytes=-5": "InvalidArgument", "0-5": "InvalidArgument",
	} {
		headers := []string{"X-Amz-Copy-Source", "photos/o?versionId=3"}
		if rng != "" {
			headers = append(headers, "X-Amz-Copy-Source-Range", rng)
		}
		c, err := parse(t, "PUT", "/photos/k?uploadId=u&partNumber=3", headers...).CopyPart()
		wantCode(t, rng, err, code)
		if err == nil && (c.Number != 3 || c.SourceKey != "o" || c.SourceRange != rng || c.UploadID != "u") {
			t.Errorf("got %+v", c)
		}
	}
}
