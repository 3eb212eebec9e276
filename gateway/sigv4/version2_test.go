package sigv4

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7/pkg/signer"
)

// verifier2 takes version 2, and serves buckets on names below s3.test.
func verifier2(now time.Time) *Verifier {
	v := verifier(now)
	v.Version2 = true
	v.HostBucket = func(host string) string {
		bucket, _ := strings.CutSuffix(host, ".s3.test")
		return strings.TrimSuffix(bucket, host)
	}
	return v
}

// TestAmazonsVersion2Examples are the requests of Amazon's documentation, with the
// signatures given there, but for three. The upload's there is not that of the text
// there; here it is. The delete's text has x-amz-date for Date, against the page's
// own rule that Date is then empty; here it follows the rule. The URL is of the
// page's earlier edition: the bucket was given another name since, the signature
// was not (https://docs.aws.amazon.com/AmazonS3/latest/userguide/RESTAuthentication.html).
func TestAmazonsVersion2Examples(t *testing.T) {
	for _, c := range []struct {
		name, method, host, target, date, signature string
		header                                      http.Header
	}{
		{"object GET", "GET", "awsexamplebucket1.us-west-1.s3.amazonaws.com", "/photos/puppy.jpg", "Tue, 27 Mar 2007 19:36:42 +0000", "qgk2+6Sv9/oM7G3qLEjTH1a1l1g=", nil},
		{"object PUT", "PUT", "awsexamplebucket1.s3.us-west-1.amazonaws.com", "/photos/puppy.jpg", "Tue, 27 Mar 2007 21:15:45 +0000", "iqRzw+ileNPu1fhspnRs8nOjjIA=", http.Header{"Content-Type": {"image/jpeg"}}},
		{"list", "GET", "awsexamplebucket1.s3.us-west-1.amazonaws.com", "/?prefix=photos&max-keys=50&marker=puppy", "Tue, 27 Mar 2007 19:42:41 +0000", "m0WP8eCtspQl5Ahe6L1SozdX9YA=", nil},
		{"fetch", "GET", "awsexamplebucket1.s3.us-west-1.amazonaws.com", "/?acl", "Tue, 27 Mar 2007 19:44:46 +0000", "82ZHiFIjc+WbcwFKGUVEQspPn+0=", nil},
		{"delete", "DELETE", "s3.us-west-1.amazonaws.com", "/awsexamplebucket1/photos/puppy.jpg", "Tue, 27 Mar 2007 21:20:27 +0000", "Ri1hpB1zpS9pGqR7y8kuNFCl4sE=", http.Header{"X-Amz-Date": {"Tue, 27 Mar 2007 21:20:26 +0000"}}},
		{"upload", "PUT", "static.example.com:8080", "/db-backup.dat.gz", "Tue, 27 Mar 2007 21:06:08 +0000", "jtBQa0Aq+DkULFI8qrpwIjGEx0E=", http.Header{
			"X-Amz-Acl": {"public-read"}, "Content-Type": {"application/x-download"}, "Content-Md5": {"4gJE4saaMU4BqNR0kLY+lw=="},
			"X-Amz-Meta-Reviewedby": {"joe@example.com", "jane@example.com"}, "X-Amz-Meta-Filechecksum": {"0x02661779"},
			"X-Amz-Meta-Checksumalgorithm": {"crc32"}, "Content-Encoding": {"gzip"}, "Content-Disposition": {"attachment; filename=database.dat"},
		}},
		{"list all my buckets", "GET", "s3.us-west-1.amazonaws.com", "/", "Wed, 28 Mar 2007 01:29:59 +0000", "qGdzdERIC03wnaRNKh6OqZehG9s=", nil},
		{"unicode keys", "GET", "s3.us-west-1.amazonaws.com", "/dictionary/fran%C3%A7ais/pr%c3%a9f%c3%a8re", "Wed, 28 Mar 2007 01:49:49 +0000", "DNEZGsoieTZ92F3bUfSPQcbGmlM=", nil},
		{"URL", "GET", "johnsmith.s3.amazonaws.com", "/photos/puppy.jpg?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&Expires=1175139620", "Wed, 28 Mar 2007 01:49:49 +0000", "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			now, err := time.Parse(time.RFC1123Z, c.date)
			if err != nil {
				t.Fatal(err)
			}
			v := verifier2(now)
			v.HostBucket = func(host string) string {
				return map[string]string{
					"awsexamplebucket1.us-west-1.s3.amazonaws.com": "awsexamplebucket1", "johnsmith.s3.amazonaws.com": "johnsmith",
					"awsexamplebucket1.s3.us-west-1.amazonaws.com": "awsexamplebucket1", "static.example.com:8080": "static.example.com",
				}[host]
			}
			r := httptest.NewRequest(c.method, "http://"+c.host+c.target, nil)
			r.Header.Set("Date", c.date)
			for name, values := range c.header {
				r.Header[name] = values
			}
			if c.signature != "" {
				r.Header.Set("Authorization", "AWS "+exampleKey+":"+c.signature)
			}
			id, err := v.Verify(r)
			if err != nil || id.AccessKeyID != exampleKey || id.Anonymous || id.payload != "" {
				t.Errorf("identity %+v, error %v", id, err)
			}
		})
	}
}

// signed2 is a request as a client of minio-go sends it.
func signed2(t *testing.T, method, url string, header map[string]string) *http.Request {
	t.Helper()
	r := httptest.NewRequest(method, url, nil)
	for name, value := range header {
		r.Header.Set(name, value)
	}
	r.URL.Host = r.Host
	return signer.SignV2(*r, exampleKey, exampleSecret, strings.HasSuffix(r.Host, ".s3.test"))
}

// presigned2 is a URL that minio-go signed, as it is asked for.
func presigned2(t *testing.T, url string, expires int64) *http.Request {
	t.Helper()
	r := httptest.NewRequest("GET", url, nil)
	r.URL.Host = r.Host
	r = signer.PreSignV2(*r, exampleKey, exampleSecret, expires, strings.HasSuffix(r.Host, ".s3.test"))
	r.Header.Del("Expires") // which it leaves there
	return r
}

// signed2Text is a request whose signature is that of a text, for what minio-go
// signs in another way.
func signed2Text(t *testing.T, method, url, text string, header http.Header) *http.Request {
	t.Helper()
	r := httptest.NewRequest(method, url, nil)
	for name, values := range header {
		r.Header[name] = values
	}
	r.Header.Set("Date", version2Time.Format(http.TimeFormat))
	text = strings.Replace(text, "DATE", r.Header.Get("Date"), 1)
	r.Header.Set("Authorization", "AWS "+exampleKey+":"+signer.PostPresignSignatureV2(text, exampleSecret))
	return r
}

var version2Time = time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)

func TestVersion2OfMinioGo(t *testing.T) {
	for _, target := range []string{
		"/", "/b/", "/b/?acl", "/b/k?acl=", "/b/a%20b/%C3%BC", "/b/~-_.", "/b/a//b", "/b/../k", "/b/k?versionId=a%2Fb%20c&uploads&prefix=x",
		"/b/k?response-content-disposition=attachment%3B%20filename%3D%22a%26b%22&response-content-type=text%2Fplain",
		"/b/k?partNumber=1&uploadId=abc", "/b/?list-type=2&prefix=a", "/b/?delete",
	} {
		for _, host := range []string{"http://s3.test", "http://bucket.s3.test"} {
			_, err := verifier2(time.Now()).Verify(signed2(t, "PUT", host+target, map[string]string{
				"X-Amz-Acl": "private", "X-Amz-Meta-A": "b", "Content-Type": "text/plain", "Content-Md5": "4gJE4saaMU4BqNR0kLY+lw==",
			}))
			if err != nil {
				t.Errorf("%s%s: %v", host, target, err)
			}
			if _, err := verifier2(time.Now()).Verify(presigned2(t, host+target, 60)); err != nil {
				t.Errorf("URL of %s%s: %v", host, target, err)
			}
		}
	}
}

// TestVersion2OfOtherClients: what minio-go does in another way.
func TestVersion2OfOtherClients(t *testing.T) {
	for name, r := range map[string]*http.Request{
		"the path is as sent":         signed2Text(t, "GET", "http://s3.test/b/a+b%2fc(1)", "GET\n\n\nDATE\n/b/a+b%2fc(1)", nil),
		"bucket signed with a slash":  signed2Text(t, "GET", "http://s3.test/bucket?acl", "GET\n\n\nDATE\n/bucket/?acl", nil),
		"bucket signed without":       signed2Text(t, "GET", "http://s3.test/bucket?acl", "GET\n\n\nDATE\n/bucket?acl", nil),
		"headers in the query":        signed2Text(t, "PUT", "http://s3.test/b/k?x-amz-meta-a=b&x-amz-acl=private", "PUT\n\n\nDATE\nx-amz-acl:private\nx-amz-meta-a:b\n/b/k", nil),
		"spaces in a header":          signed2Text(t, "PUT", "http://s3.test/b/k", "PUT\n\n\nDATE\nx-amz-meta-a:b  c\n/b/k", http.Header{"X-Amz-Meta-A": {" b  c "}}),
		"x-amz-date beside Date":      signed2Text(t, "GET", "http://s3.test/b/k", "GET\n\n\n\nx-amz-date:Sat, 21 Nov 2026 08:00:01 +0000\n/b/k", http.Header{"X-Amz-Date": {"Sat, 21 Nov 2026 08:00:01 +0000"}}),
		"x-amz-date of RFC 850":       signed2Text(t, "GET", "http://s3.test/b/k", "GET\n\n\n\nx-amz-date:Saturday, 21-Nov-26 08:00:01 GMT\n/b/k", http.Header{"X-Amz-Date": {"Saturday, 21-Nov-26 08:00:01 GMT"}}),
		"x-amz-date of C":             signed2Text(t, "GET", "http://s3.test/b/k", "GET\n\n\n\nx-amz-date:Sat Nov 21 08:00:01 2026\n/b/k", http.Header{"X-Amz-Date": {"Sat Nov 21 08:00:01 2026"}}),
		"CloudFront's header":         signed2Text(t, "GET", "http://s3.test/b/k", "GET\n\n\nDATE\n/b/k", http.Header{"X-Amz-Cf-Id": {"x"}}),
		"parameters nobody signs":     signed2Text(t, "GET", "http://s3.test/b?list-type=2&prefix=acl&x-id=ListObjectsV2", "GET\n\n\nDATE\n/b/", nil),
		"sub-resources out of order":  signed2Text(t, "PUT", "http://s3.test/b/k?uploadId=u&partNumber=1", "PUT\n\n\nDATE\n/b/k?partNumber=1&uploadId=u", nil),
		"the same sub-resource twice": signed2Text(t, "GET", "http://s3.test/b/k?versionId=2&versionId=1", "GET\n\n\nDATE\n/b/k?versionId=2&versionId=1", nil),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := verifier2(version2Time).Verify(r)
			wantCode(t, err, "")
		})
	}
}

func TestEveryPartThatVersion2SignsCounts(t *testing.T) {
	for name, bend := range map[string]func(*http.Request){
		"method":             func(r *http.Request) { r.Method = "DELETE" },
		"path":               func(r *http.Request) { r.URL.Path = "/other" },
		"another spelling":   func(r *http.Request) { r.URL.RawPath = "/%6bey" },
		"bucket":             func(r *http.Request) { r.Host = "other.s3.test" },
		"no bucket":          func(r *http.Request) { r.Host = "s3.test" },
		"sub-resource":       func(r *http.Request) { r.URL.RawQuery += "&acl" },
		"its value":          func(r *http.Request) { r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "nId=1", "nId=2", 1) },
		"another of it":      func(r *http.Request) { r.URL.RawQuery += "&versionId=2" },
		"response header":    func(r *http.Request) { r.URL.RawQuery += "&response-content-type=text/html" },
		"header":             func(r *http.Request) { r.Header.Set("X-Amz-Acl", "public-read") },
		"header more":        func(r *http.Request) { r.Header.Set("X-Amz-Copy-Source", "/b/secret") },
		"header less":        func(r *http.Request) { r.Header.Del("X-Amz-Acl") },
		"header in a query":  func(r *http.Request) { r.URL.RawQuery += "&x-amz-copy-source=/b/secret" },
		"in another case":    func(r *http.Request) { r.URL.RawQuery += "&X-AMZ-Copy-Source=/b/secret" },
		"header's 2nd value": func(r *http.Request) { r.Header.Add("X-Amz-Acl", "public-read") },
		"type":               func(r *http.Request) { r.Header.Set("Content-Type", "text/html") },
		"MD5":                func(r *http.Request) { r.Header.Set("Content-Md5", "4gJE4saaMU4BqNR0kLY+lg==") },
	} {
		for kind, r := range map[string]*http.Request{
			"header": signed2(t, "PUT", "http://b.s3.test/key?versionId=1", map[string]string{"X-Amz-Acl": "private"}),
			"query":  presigned2(t, "http://b.s3.test/key?versionId=1", 60),
		} {
			if kind == "query" && name == "header less" {
				continue
			}
			t.Run(kind+" "+name, func(t *testing.T) {
				if _, err := verifier2(time.Now()).Verify(r); err != nil {
					t.Fatal(err)
				}
				bend(r)
				_, err := verifier2(time.Now()).Verify(r)
				wantCode(t, err, "SignatureDoesNotMatch")
			})
		}
	}
}

// TestVersion2TextsThatReadTwoWays: the text that is signed must not be that of
// another request too.
func TestVersion2TextsThatReadTwoWays(t *testing.T) {
	header := http.Header{"X-Amz-Copy-Source-If-Modified-Since": {"Sat, 21 Nov 2026 08:00:00 GMT"}}
	for name, c := range map[string]struct{ text, target string }{
		"part for object":  {"PUT\n\n\nDATE\n/b/k?partNumber=1&uploadId=u", "/b/k?partNumber=1%26uploadId%3Du"},
		"version dropped":  {"GET\n\n\nDATE\n/b/k?response-expires=x&versionId=v", "/b/k?response-expires=x%26versionId%3Dv"},
		"header dropped":   {"PUT\n\n\nDATE\nx-amz-acl:private\nx-amz-meta-a:b\n/b/k", "/b/k?x-amz-acl=private%0Ax-amz-meta-a:b"},
		"name with colon":  {"PUT\n\n\nDATE\nx-amz-copy-source-if-modified-since:" + header.Get("X-Amz-Copy-Source-If-Modified-Since") + "\n/b/k", "/b/k?x-amz-copy-source-if-modified-since:Sat,+21+Nov+2026+08=00:00+GMT"},
		"resource brought": {"PUT\n\n\nDATE\nx-amz-acl:private\n/b/k", "/b/k?x-amz-acl=private%0A/b"},
	} {
		t.Run(name, func(t *testing.T) {
			method, _, _ := strings.Cut(c.text, "\n")
			_, err := verifier2(version2Time).Verify(signed2Text(t, method, "http://s3.test"+c.target, c.text, nil))
			wantCode(t, err, "InvalidArgument")
		})
	}
}

func TestVersion2Refusals(t *testing.T) {
	now := time.Now()
	header := func(name, value string) *http.Request {
		r := signed2(t, "GET", "http://s3.test/b/k", nil)
		if r.Header.Del(name); value != "" {
			r.Header[name] = []string{strings.TrimSpace(value)}
		}
		return r
	}
	query := func(change, to string) *http.Request {
		r := presigned2(t, "http://s3.test/b/k?x=y", 60)
		r.URL.RawQuery = strings.Replace(r.URL.RawQuery, change, to, 1)
		return r
	}
	both := query("", "")
	both.Header.Set("Authorization", "AWS a:b")
	for _, c := range []struct {
		name string
		r    *http.Request
		at   time.Time
		code string
	}{
		{"good", header("X", ""), now, ""},
		{"clock behind", header("X", ""), now.Add(16 * time.Minute), "RequestTimeTooSkewed"},
		{"clock ahead", header("X", ""), now.Add(-16 * time.Minute), "RequestTimeTooSkewed"},
		{"Date counts for nothing", header("X-Amz-Date", "Tue, 27 Mar 2007 21:20:26 +0000"), now, "RequestTimeTooSkewed"},
		{"no date", header("Date", ""), now, "AccessDenied"},
		{"no such date", header("Date", "Bad Date"), now, "AccessDenied"},
		{"version 4's date", header("X-Amz-Date", now.UTC().Format(timeFormat)), now, "AccessDenied"},
		{"empty x-amz-date", header("X-Amz-Date", " "), now, "AccessDenied"},
		{"unknown key", header("Authorization", "AWS OTHER:c2ln"), now, "InvalidAccessKeyId"},
		{"no signature", header("Authorization", "AWS HAHAHA"), now, "InvalidArgument"},
		{"empty signature", header("Authorization", "AWS "+exampleKey+":"), now, "InvalidArgument"},
		{"empty key", header("Authorization", "AWS :c2ln"), now, "InvalidArgument"},
		{"other signature", header("Authorization", "AWS "+exampleKey+":c2ln"), now, "SignatureDoesNotMatch"},
		{"chunks", header("X-Amz-Content-Sha256", streamingSigned), now, "InvalidRequest"},
		{"unsigned chunks", header("X-Amz-Content-Sha256", streamingTrailer), now, "InvalidRequest"},
		{"good URL", query("", ""), now, ""},
		{"URL with a parameter nobody signs", query("x=y", "x=z"), now, ""},
		{"expired URL", query("", ""), now.Add(2 * time.Minute), "AccessDenied"},
		{"URL made longer", query("Expires=", "Expires=1"), now, "SignatureDoesNotMatch"},
		{"URL that never expires", query("Expires=", "Expires=never"), now, "AccessDenied"},
		{"URL without Expires", query("Expires=", "Expored="), now, "AccessDenied"},
		{"URL without a signature", query("Signature=", "Sognature="), now, "AccessDenied"},
		{"URL without a key", query(exampleKey, ""), now, "AccessDenied"},
		{"URL of an unknown key", query(exampleKey, "OTHER"), now, "InvalidAccessKeyId"},
		{"URL of both versions", query("x=y", "X-Amz-Signature=y"), now, "InvalidArgument"},
		{"URL and header", both, now, "InvalidArgument"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := verifier2(c.at).Verify(c.r)
			wantCode(t, err, c.code)
		})
	}
}

// TestVersion2IsSwitchedOffByDefault, and a version 4 request does not care.
func TestVersion2IsSwitchedOffByDefault(t *testing.T) {
	for _, r := range []*http.Request{signed2(t, "GET", "http://s3.test/b/k", nil), presigned2(t, "http://s3.test/b/k", 60)} {
		_, err := verifier(time.Now()).Verify(r)
		wantCode(t, err, "InvalidRequest")
	}
	_, err := verifier2(time.Now()).Verify(signed(t, "GET", "http://b.s3.test/b/k", nil))
	wantCode(t, err, "")
}

func TestVersion2MismatchShowsWhatWasSigned(t *testing.T) {
	r := presigned2(t, "http://b.s3.test/k?acl", 60)
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		t.Fatal(err)
	}
	expires, err := strconv.Atoi(query.Get("Expires"))
	if err != nil {
		t.Fatal(err)
	}
	r.URL.Path = "/other"
	_, err = verifier2(time.Now()).Verify(r)
	var e *Error
	if want := "GET\n\n\n" + strconv.Itoa(expires) + "\n/b/other?acl"; !errors.As(err, &e) || e.StringToSign != want ||
		e.AccessKeyID != exampleKey || e.SignatureProvided != query.Get("Signature") || e.CanonicalRequest != "" {
		t.Errorf("got %#v", err)
	}
}

// TestVersion2Body: a declared hash is kept, though version 2 asks for none.
func TestVersion2Body(t *testing.T) {
	for payload, code := range map[string]string{"": "", unsignedPayload: "", emptySHA256: "", hexSum([]byte("other")): "XAmzContentSHA256Mismatch"} {
		header := map[string]string{"X-Amz-Content-Sha256": payload}
		if payload == "" {
			header = nil
		}
		r := signed2(t, "PUT", "http://s3.test/b/k", header)
		id, err := verifier2(time.Now()).Verify(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = readBody(id, r)
		wantCode(t, err, code)
	}
}
