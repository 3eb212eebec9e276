package s3api

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

// request builds a request as a server would see it. headers are name, value, ….
func request(t testing.TB, method, target string, headers ...string) *http.Request {
	t.Helper()
	u, err := url.ParseRequestURI(target)
	if err != nil {
		t.Fatal(err)
	}
	r := &http.Request{Method: method, URL: u, RequestURI: target, Header: make(http.Header), Host: "s3.example.social"}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

// parse parses a request that has to be in order.
func parse(t testing.TB, method, target string, headers ...string) *Request {
	t.Helper()
	req, err := Parse(request(t, method, target, headers...), "")
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	return req
}

// wantCode checks that err is S3's error with this code; "" means no error.
func wantCode(t *testing.T, what string, err error, code string) {
	t.Helper()
	var e *Error
	switch {
	case code == "" && err == nil:
	case !errors.As(err, &e):
		t.Errorf("%s: got %v, want code %q", what, err, code)
	case e.Code != code:
		t.Errorf("%s: got %v, want code %q", what, err, code)
	}
}

func TestOperations(t *testing.T) {
	for _, c := range []struct {
		method, target string
		want           Op
	}{
		{"GET", "/", ListBuckets},
		{"GET", "/photos", ListObjects},
		{"GET", "/photos/", ListObjects},
		{"GET", "/photos?prefix=&delimiter=&marker=&max-keys=&encoding-type=", ListObjects},
		{"GET", "/photos?list-type=2&prefix=a", ListObjectsV2},
		{"GET", "/photos?location", GetBucketLocation},
		{"GET", "/photos?uploads", ListMultipartUploads},
		{"GET", "/photos?versions", "ListObjectVersions"},
		{"GET", "/photos?policy=", "GetBucketPolicy"},
		{"HEAD", "/photos", HeadBucket},
		{"PUT", "/photos", CreateBucket},
		{"PUT", "/photos?versioning", "PutBucketVersioning"},
		{"DELETE", "/photos", DeleteBucket},
		{"DELETE", "/photos?lifecycle", "DeleteBucketLifecycle"},
		{"POST", "/photos", "PostObject"},
		{"POST", "/photos?delete", DeleteObjects},
		{"GET", "/photos/k", GetObject},
		{"GET", "/photos/k?1600000000", GetObject},
		{"GET", "/photos/k?versionId=x&partNumber=1&x-id=GetObject&utm=z", GetObject},
		{"GET", "/photos/k?acl", "GetObjectAcl"},
		{"GET", "/photos/k?uploadId=u", ListParts},
		{"GET", "/photos/k?tagging&versionId=v", "GetObjectTagging"},
		{"HEAD", "/photos/k", HeadObject},
		{"PUT", "/photos/k", PutObject},
		{"PUT", "/photos/k?x-id=PutObject&X-Amz-Signature=0", PutObject},
		{"PUT", "/photos/k?acl", "PutObjectAcl"},
		{"PUT", "/photos/k?acl=&versionId=1", "PutObjectAcl"},
		{"PUT", "/photos/k?partNumber=1&uploadId=u", UploadPart},
		{"PUT", "/photos/k?retention", "PutObjectRetention"},
		{"POST", "/photos/k?uploads", CreateMultipartUpload},
		{"POST", "/photos/k?uploadId=u", CompleteMultipartUpload},
		{"POST", "/photos/k?select&select-type=2", "SelectObjectContent"},
		{"DELETE", "/photos/k", DeleteObject},
		{"DELETE", "/photos/k?uploadId=u", AbortMultipartUpload},
		{"DELETE", "/photos/k?tagging", "DeleteObjectTagging"},
	} {
		if got := parse(t, c.method, c.target).Op; got != c.want {
			t.Errorf("%s %s: got %s, want %s", c.method, c.target, got, c.want)
		}
	}
}

func TestHeadersThatChangeTheOperation(t *testing.T) {
	for _, c := range []struct {
		target, header string
		want           Op
	}{
		{"/photos/k", "x-amz-copy-source", CopyObject},
		{"/photos/k?uploadId=u&partNumber=1", "x-amz-copy-source", UploadPartCopy},
		{"/photos/k", "x-amz-write-offset-bytes", "AppendObject"},
		{"/photos/k?acl", "x-amz-copy-source", "PutObjectAcl"},
	} {
		if got := parse(t, "PUT", c.target, c.header, "photos/other").Op; got != c.want {
			t.Errorf("%s with %s: got %s, want %s", c.target, c.header, got, c.want)
		}
	}
	hoisted := parse(t, "PUT", "/photos/k?x-amz-copy-source=photos%2Fother&X-Amz-Signature=0")
	if hoisted.Op != CopyObject || hoisted.Header.Get("X-Amz-Copy-Source") != "photos/other" {
		t.Errorf("a presigned copy is read as %s", hoisted.Op)
	}
}

// A request that asks for something unknown must never be done as something
// else: a PutObject would overwrite, a GetObject would answer the wrong thing.
func TestNothingIsTakenForAnotherOperation(t *testing.T) {
	for _, c := range []struct{ method, target, code string }{
		{"PUT", "/photos/k?invention", "NotImplemented"},
		{"PUT", "/photos/k?invention=", "NotImplemented"},
		{"PUT", "/photos/k?cors", "NotImplemented"},
		{"PUT", "/photos/k?policy=x", "NotImplemented"},
		{"DELETE", "/photos/k?invention", "NotImplemented"},
		{"DELETE", "/photos?invention", "NotImplemented"},
		{"PUT", "/photos?uploadId=u&partNumber=1", "NotImplemented"},
		{"GET", "/photos/k?website", "NotImplemented"},
		{"GET", "/photos?invention", "NotImplemented"},
		{"GET", "/photos/k?acl&tagging", "InvalidArgument"},
		{"PUT", "/photos/k?uploads", "MethodNotAllowed"},
		{"PUT", "/photos/k?attributes", "MethodNotAllowed"},
		{"DELETE", "/photos/k?acl", "MethodNotAllowed"},
		{"HEAD", "/photos/k?acl", "MethodNotAllowed"},
		{"POST", "/photos/k", "MethodNotAllowed"},
		{"PATCH", "/photos/k", "MethodNotAllowed"},
		{"OPTIONS", "/", "MethodNotAllowed"},
		{"PUT", "/", "MethodNotAllowed"},
		{"PUT", "/photos/k?ac%zzl", "InvalidURI"},
		{"PUT", "/photos/k?a=%ff", "InvalidURI"},
		{"PUT", "/photos/k?x-amz-acl=a%0d%0ab", "InvalidArgument"},
	} {
		_, err := Parse(request(t, c.method, c.target), "")
		wantCode(t, c.method+" "+c.target, err, c.code)
	}
	_, err := Parse(request(t, "PATCH", "/photos"), "")
	var e *Error
	if !errors.As(err, &e) || e.Header.Get("Allow") != "GET, HEAD, PUT, POST, DELETE" {
		t.Errorf("no Allow header with MethodNotAllowed: %v", err)
	}
}

// Every sub-resource of the tables, with every method, is what the table says or
// an error, on both kinds of address.
func TestMisplaced(t *testing.T) {
	for _, c := range []struct {
		method, target, header, want string
	}{
		{"GET", "/photos/k?uploads", "", "InvalidRequest"},
		{"GET", "/photos/k?versions", "", "InvalidRequest"},
		{"PUT", "/photos/k?partNumber=1", "", "InvalidArgument"},
		{"GET", "/photos/k?partNumber=1", "", ""},
		{"GET", "/photos/k", "photos/a", "InvalidArgument"},
		{"HEAD", "/photos/k", "photos/a", "InvalidArgument"},
		{"DELETE", "/photos/k", "photos/a", "InvalidArgument"},
		{"DELETE", "/photos", "photos/a", "InvalidArgument"},
		{"POST", "/photos/k?uploadId=u", "photos/a", "InvalidArgument"},
		{"PUT", "/photos/k", "photos/a", ""},
		{"PUT", "/photos/k?partNumber=1&uploadId=u", "photos/a", ""},
	} {
		var headers []string
		if c.header != "" {
			headers = []string{"X-Amz-Copy-Source", c.header}
		}
		_, err := Parse(request(t, c.method, c.target, headers...), "")
		wantCode(t, c.method+" "+c.target+" "+c.header, err, c.want)
	}
}

func TestTablesAreComplete(t *testing.T) {
	for target, table := range map[string]resource{"/photos": bucketOperations, "/photos/k": objectOperations} {
		for sub, row := range table {
			for _, method := range []string{"GET", "HEAD", "PUT", "POST", "DELETE"} {
				if sub == "list-type" && method == "GET" {
					continue // has a value
				}
				req, err := Parse(request(t, method, target+"?"+sub), "")
				switch want := row.op(method); {
				case sub == "uploads" && method == "GET" && want == "": // see TestMisplaced
				case want == "":
					wantCode(t, method+" "+target+"?"+sub, err, "MethodNotAllowed")
				case err != nil || req.Op != want:
					t.Errorf("%s %s?%s: got %v, %v, want %s", method, target, sub, req, err, want)
				}
			}
		}
	}
}

func TestMutation(t *testing.T) {
	reads := map[string]bool{"GET": true, "HEAD": true}
	for _, table := range []resource{serviceOperations, bucketOperations, objectOperations} {
		for _, row := range table {
			for _, method := range []string{"GET", "HEAD", "PUT", "POST", "DELETE"} {
				op := row.op(method)
				if op == "" || op == "CreateSession" || op == "SelectObjectContent" {
					continue
				}
				if op.Mutation() == reads[method] {
					t.Errorf("%s %s: Mutation is %v", method, op, op.Mutation())
				}
			}
		}
	}
}

func TestKeysAreTakenAsSent(t *testing.T) {
	for target, want := range map[string]string{
		"/photos/a":                                  "a",
		"/photos//a//b/":                             "/a//b/",
		"/photos/./../a/..":                          "./../a/..",
		"/photos/a%2Fb":                              "a/b",
		"/photos/a%252Fb":                            "a%2Fb",
		"/photos/a+b%2B%20c":                         "a+b+ c",
		"/photos/%00%01%0A%7F":                       "\x00\x01\n\x7f",
		"/photos/%E2%82%AC":                          "€",
		"/photos/€":                                  "€",
		"/photos/a%3Fb%23c":                          "a?b#c",
		"/photos/a;b,c:d@e&f=g":                      "a;b,c:d@e&f=g",
		"/photos/%2E%2E/x":                           "../x",
		"/photos/" + strings.Repeat("k", 1024):       strings.Repeat("k", 1024),
		"/photos/" + strings.Repeat("%E2%82%AC", 10): strings.Repeat("€", 10),
	} {
		if got := parse(t, "GET", target); got.Key != want || got.Bucket != "photos" {
			t.Errorf("%s: got %q, %q, want %q", target, got.Bucket, got.Key, want)
		}
	}
}

func TestKeysS3CanNotHold(t *testing.T) {
	for target, code := range map[string]string{
		"/photos/" + strings.Repeat("k", 1025):        "KeyTooLongError",
		"/photos/" + strings.Repeat("%E2%82%AC", 342): "KeyTooLongError",
		"/photos/%ff": "InvalidURI",
	} {
		_, err := Parse(request(t, "PUT", target), "")
		wantCode(t, target, err, code)
	}
	for _, u := range []*url.URL{{Path: "/photos/a", RawPath: "/photos/%zz"}, {Path: "*"}, {Opaque: "host:443"}} {
		_, err := Parse(&http.Request{Method: "GET", URL: u}, "")
		wantCode(t, u.String(), err, "InvalidURI")
	}
}

func TestHostBucket(t *testing.T) {
	for target, key := range map[string]string{
		"/": "", "/photos/k": "photos/k", "//k": "/k", "/a%2Fb": "a/b",
	} {
		req, err := Parse(request(t, "GET", target), "photos")
		if err != nil || req.Bucket != "photos" || req.Key != key {
			t.Errorf("%s: got %+v, %v, want key %q", target, req, err, key)
		}
	}
	_, err := Parse(request(t, "GET", "/k"), "no/bucket")
	wantCode(t, "host bucket", err, "InvalidBucketName")
}

func TestBucketNames(t *testing.T) {
	for name, code := range map[string]string{
		"photos": "", "my.photos-1": "", "My_Photos": "", strings.Repeat("b", 255): "",
		"ab": "InvalidBucketName", "..": "InvalidBucketName", "-photos": "InvalidBucketName", "photos.": "InvalidBucketName",
		"a..b": "InvalidBucketName", "pho%2Ftos": "InvalidBucketName", "pho%20tos": "InvalidBucketName",
		strings.Repeat("b", 256): "InvalidBucketName",
	} {
		_, err := Parse(request(t, "GET", "/"+name+"/k"), "")
		wantCode(t, name, err, code)
	}
	for _, name := range []string{"My_Photos", "Photos", "pho_tos", "192.168.5.4", strings.Repeat("b", 64)} {
		_, err := Parse(request(t, "PUT", "/"+name), "")
		wantCode(t, "create "+name, err, "InvalidBucketName")
	}
	_, err := Parse(request(t, "GET", "//k"), "")
	wantCode(t, "empty bucket", err, "InvalidBucketName")
}

func TestQueryKeepsSemicolonsAndEveryPair(t *testing.T) {
	req := parse(t, "GET", "/photos/k?response-content-disposition=attachment;filename=a+b&&x=1&x=2")
	if got := req.Query.Get("response-content-disposition"); got != "attachment;filename=a b" {
		t.Errorf("got %q", got)
	}
	if len(req.Query["x"]) != 2 {
		t.Errorf("got %v", req.Query)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("GET", "/photos/a%2Fb?versionId=1", "", "bytes=0-1")
	f.Add("PUT", "/photos/k?acl", "", "")
	f.Add("PUT", "/photos/k?x-amz-copy-source=a%2Fb&partNumber=1&uploadId=u", "photos/k?versionId=3", "")
	f.Add("POST", "/?delete", "%2Fphotos%2Fk", "bytes=-5")
	f.Add("GET", "/photos?list-type=2&max-keys=5&encoding-type=url&continuation-token=", "", "")
	f.Add("DELETE", "//..//?;&=&%", "", "")
	f.Fuzz(func(t *testing.T, method, target, source, rng string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || method == "" {
			return
		}
		r := &http.Request{Method: method, URL: u, Header: http.Header{}}
		if source != "" {
			r.Header.Set("X-Amz-Copy-Source", source)
		}
		if rng != "" {
			r.Header.Set("Range", rng)
		}
		req, err := Parse(r, "")
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Status < 400 || e.Status > 501 {
				t.Fatalf("not an S3 error: %v", err)
			}
			return
		}
		if len(req.Key) > MaxKeyLength || !utf8.ValidString(req.Key) {
			t.Fatalf("key %q", req.Key)
		}
		if _, acl := req.Query["acl"]; acl && (req.Op == PutObject || req.Op == GetObject) {
			t.Fatalf("?acl became %s", req.Op)
		}
		if _, err := typedForm(req, httptest.NewRequest("GET", "/", strings.NewReader("x"))); err != nil {
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("not an S3 error: %v", err)
			}
		}
	})
}

func BenchmarkParseGet(b *testing.B) {
	r := request(b, "GET", "/photos/cache/accounts/avatars/109/302/original/4ce0f5a3.png", "Range", "bytes=0-1023")
	b.ReportAllocs()
	for b.Loop() {
		req, err := Parse(r, "")
		if err != nil {
			b.Fatal(err)
		}
		if _, err := req.Get(); err != nil {
			b.Fatal(err)
		}
	}
}
