package sigv4

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/minio/minio-go/v7/pkg/signer"
)

const (
	exampleKey    = "AKIAIOSFODNN7EXAMPLE"
	exampleSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
)

func verifier(now time.Time) *Verifier {
	return &Verifier{
		Key: func(id string) (Key, bool) { return Key{Secret: exampleSecret}, id == exampleKey },
		Now: func() time.Time { return now },
	}
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var e *Error
	if code == "" && err != nil || code != "" && (!errors.As(err, &e) || e.Code != code) {
		t.Errorf("error %v, want %q", err, code)
	}
}

// TestAmazonsExamples are the requests of Amazon's documentation, with the
// signatures given there
// (https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html,
// …/sigv4-query-string-auth.html).
func TestAmazonsExamples(t *testing.T) {
	day := time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name, method, url string
		header            map[string]string
	}{
		{"GET object with a range", "GET", "http://examplebucket.s3.amazonaws.com/test.txt", map[string]string{
			"Range": "bytes=0-9", "X-Amz-Content-Sha256": emptySHA256, "X-Amz-Date": "20130524T000000Z",
			"Authorization": "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
		}},
		{"PUT object", "PUT", "http://examplebucket.s3.amazonaws.com/test$file.text", map[string]string{
			"Date": "Fri, 24 May 2013 00:00:00 GMT", "X-Amz-Storage-Class": "REDUCED_REDUNDANCY", "X-Amz-Date": "20130524T000000Z",
			"X-Amz-Content-Sha256": "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
			"Authorization":        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class,Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
		}},
		{"GET bucket lifecycle", "GET", "http://examplebucket.s3.amazonaws.com/?lifecycle", map[string]string{
			"X-Amz-Content-Sha256": emptySHA256, "X-Amz-Date": "20130524T000000Z",
			"Authorization": "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=host;x-amz-content-sha256;x-amz-date,Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
		}},
		{"presigned GET", "GET", "http://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(c.method, c.url, nil)
			for name, value := range c.header {
				r.Header.Set(name, value)
			}
			id, err := verifier(day).Verify(r)
			if err != nil || id.AccessKeyID != exampleKey {
				t.Errorf("identity %+v, error %v", id, err)
			}
		})
	}
}

// signed is a request as a client of minio-go sends it.
func signed(t *testing.T, method, url string, header map[string]string) *http.Request {
	t.Helper()
	r := httptest.NewRequest(method, url, nil)
	r.Header.Set("X-Amz-Content-Sha256", unsignedPayload)
	for name, value := range header {
		r.Header.Set(name, value)
	}
	r.URL.Host = r.Host
	return signer.SignV4(*r, exampleKey, exampleSecret, "", "eu-west-1")
}

func TestOddKeysVerify(t *testing.T) {
	for _, path := range []string{
		"/b/a//b", "/b/a/../b", "/b/./x", "/b/a%2Fb", "/b/a+b", "/b/a%2Bb", "/b/a%20b", "/b/%E6%97%A5%E6%9C%AC", "/b/~-_.", "/b/a%25b",
		"//b//k", "/b/%2F", "/b/..", "/b/!$&'()*,:;=@", "/b/%21%24%26", "/b/%00", "/",
	} {
		r := signed(t, "GET", "http://s3.test"+path+"?x-id=GetObject&prefix=a%2Bb%20c&empty", nil)
		if _, err := verifier(time.Now()).Verify(r); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestEverySignedPartCounts(t *testing.T) {
	for name, bend := range map[string]func(*http.Request){
		"method":  func(r *http.Request) { r.Method = "DELETE" },
		"path":    func(r *http.Request) { r.URL.Path = "/b/other" },
		"query":   func(r *http.Request) { r.URL.RawQuery = "versionId=1" },
		"host":    func(r *http.Request) { r.Host = "evil.test" },
		"header":  func(r *http.Request) { r.Header.Set("X-Amz-Acl", "public-read") },
		"payload": func(r *http.Request) { r.Header.Set("X-Amz-Content-Sha256", emptySHA256) },
		"date": func(r *http.Request) {
			r.Header.Set("X-Amz-Date", time.Now().UTC().Add(time.Second).Format(timeFormat))
		},
		"signature": func(r *http.Request) {
			r.Header.Set("Authorization", r.Header.Get("Authorization")[:len(r.Header.Get("Authorization"))-1]+"g")
		},
		"region": func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "eu-west-1", "us-east-1", 1))
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := signed(t, "PUT", "http://s3.test/b/key", map[string]string{"X-Amz-Acl": "private"})
			if _, err := verifier(time.Now()).Verify(r); err != nil {
				t.Fatal(err)
			}
			bend(r)
			_, err := verifier(time.Now()).Verify(r)
			wantCode(t, err, "SignatureDoesNotMatch")
		})
	}
}

func TestRefusals(t *testing.T) {
	now := time.Now()
	presigned := func(expires int64) *http.Request {
		r := httptest.NewRequest("GET", "http://s3.test/b/key", nil)
		r.URL.Host = r.Host
		return signer.PreSignV4(*r, exampleKey, exampleSecret, "", "us-east-1", expires)
	}
	with := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	for _, c := range []struct {
		name string
		r    *http.Request
		at   time.Time
		bend func(*http.Request)
		code string
	}{
		{"good", signed(t, "GET", "http://s3.test/b/k", nil), now, nil, ""},
		{"clock behind", signed(t, "GET", "http://s3.test/b/k", nil), now.Add(16 * time.Minute), nil, "RequestTimeTooSkewed"},
		{"clock ahead", signed(t, "GET", "http://s3.test/b/k", nil), now.Add(-16 * time.Minute), nil, "RequestTimeTooSkewed"},
		{"unknown key", signed(t, "GET", "http://s3.test/b/k", nil), now, func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), exampleKey, "OTHER", 1))
		}, "InvalidAccessKeyId"},
		{"unsigned x-amz header", signed(t, "PUT", "http://s3.test/b/k", nil), now, with("X-Amz-Acl", "public-read"), "AccessDenied"},
		{"version 2", signed(t, "GET", "http://s3.test/b/k", nil), now, with("Authorization", "AWS AKID:sig="), "InvalidRequest"},
		{"basic auth", signed(t, "GET", "http://s3.test/b/k", nil), now, with("Authorization", "Basic eDp5"), "InvalidArgument"},
		{"no fields", signed(t, "GET", "http://s3.test/b/k", nil), now, with("Authorization", algorithm+" x"), "AuthorizationHeaderMalformed"},
		{"short scope", signed(t, "GET", "http://s3.test/b/k", nil), now, with("Authorization", algorithm+" Credential=a/b, SignedHeaders=host, Signature=x"), "AuthorizationHeaderMalformed"},
		{"signed with another algorithm", signed(t, "GET", "http://s3.test/b/k", nil), now, with("Authorization", asymmetric+" Credential=x"), "NotImplemented"},
		{"version 2 URL", httptest.NewRequest("GET", "http://s3.test/b/k?AWSAccessKeyId=a&Expires=1&Signature=s", nil), now, nil, "InvalidRequest"},
		{"no payload hash", signed(t, "GET", "http://s3.test/b/k", nil), now, func(r *http.Request) { r.Header.Del("X-Amz-Content-Sha256") }, "InvalidRequest"},
		{"scope of another day", signed(t, "GET", "http://s3.test/b/k", nil), now, func(r *http.Request) {
			r.Header.Set("X-Amz-Date", now.AddDate(0, 0, 2).UTC().Format(timeFormat))
		}, "AuthorizationHeaderMalformed"},
		{"date with fractions", signed(t, "GET", "http://s3.test/b/k", nil), now, with("X-Amz-Date", now.UTC().Format("20060102T150405.0Z")), "AccessDenied"},
		{"host not signed", signed(t, "GET", "http://s3.test/b/k", nil), now, func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "=host;", "=", 1))
		}, "AccessDenied"},
		{"too many signed headers", signed(t, "GET", "http://s3.test/b/k", nil), now, func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "=host;", "=host"+strings.Repeat(";a", maxSigned)+";", 1))
		}, "AuthorizationHeaderMalformed"},
		{"malformed query", signed(t, "GET", "http://s3.test/b/k", nil), now, func(r *http.Request) { r.URL.RawQuery = "a=%zz" }, "InvalidURI"},
		{"CloudFront's header", signed(t, "GET", "http://s3.test/b/k", nil), now, with("X-Amz-Cf-Id", "x"), ""},
		{"load balancer's header", signed(t, "GET", "http://s3.test/b/k", nil), now, with("X-Amzn-Trace-Id", "x"), ""},
		{"no date", signed(t, "GET", "http://s3.test/b/k", nil), now, func(r *http.Request) { r.Header.Del("X-Amz-Date") }, "AccessDenied"},
		{"good URL", presigned(60), now, nil, ""},
		{"expired URL", presigned(60), now.Add(2 * time.Minute), nil, "AccessDenied"},
		{"URL of the future", presigned(60), now.Add(-time.Hour), nil, "AccessDenied"},
		{"URL for too long", presigned(700000), now, nil, "AuthorizationQueryParametersError"},
		{"URL for no time", presigned(0), now, nil, "AccessDenied"},
		{"URL for less than no time", presigned(-7), now, nil, "AuthorizationQueryParametersError"},
		{"URL with an unsigned header", presigned(60), now, with("X-Amz-Acl", "public-read"), "AccessDenied"},
		{"URL with an unsigned hash", presigned(60), now, with("X-Amz-Content-Sha256", emptySHA256), ""},
		{"URL with unsigned framing", presigned(60), now, with("X-Amz-Content-Sha256", streamingTrailer), "AccessDenied"},
		{"URL with another parameter", presigned(60), now, func(r *http.Request) { r.URL.RawQuery += "&versionId=1" }, "SignatureDoesNotMatch"},
		{"URL made longer", presigned(60), now, func(r *http.Request) {
			r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "Expires=60", "Expires=600", 1)
		}, "SignatureDoesNotMatch"},
		{"URL and header", presigned(60), now, with("Authorization", algorithm), "InvalidArgument"},
		{"URL without a date", presigned(60), now, func(r *http.Request) {
			r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "X-Amz-Date", "X-Amz-Dote", 1)
		}, "AuthorizationQueryParametersError"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.bend != nil {
				c.bend(c.r)
			}
			_, err := verifier(c.at).Verify(c.r)
			wantCode(t, err, c.code)
		})
	}
}

func TestHeadersNotSigned(t *testing.T) {
	r := signed(t, "PUT", "http://s3.test/b/k", nil)
	r.Header.Set("X-Amz-Tagging", "a=b")
	r.Header.Set("X-Amz-Acl", "private")
	_, err := verifier(time.Now()).Verify(r)
	var refused *Error
	if !errors.As(err, &refused) || refused.HeadersNotSigned != "x-amz-acl, x-amz-tagging" {
		t.Errorf("got %#v", err)
	}
}

func TestAuthorizationOfAnotherKind(t *testing.T) {
	for header, want := range map[string]string{
		"Basic eDp5": "Unsupported Authorization Type",
		"eDp5":       "Authorization header is invalid -- one and only one ' ' (space) required.",
	} {
		r := signed(t, "GET", "http://s3.test/b/k", nil)
		r.Header.Set("Authorization", header)
		_, err := verifier(time.Now()).Verify(r)
		var refused *Error
		if !errors.As(err, &refused) || refused.Message != want || refused.ArgumentName != "Authorization" || refused.ArgumentValue != header {
			t.Errorf("%s: %#v", header, err)
		}
	}
}

// TestQueryOrder: a is before a-b, although "a-b=" is before "a=".
func TestQueryOrder(t *testing.T) {
	query, err := parseQuery("a-b=1&b=2&a=%2f&b=1&a0&X-Amz-Signature=x&c=x;y&d=a+b%2Bc%20d")
	if err != nil {
		t.Fatal(err)
	}
	const want = "a=%2F&a-b=1&a0=&b=1&b=2&c=x%3By&d=a%20b%2Bc%20d"
	if got := string(appendQuery(nil, query)); got != want {
		t.Errorf("canonical query %s, want %s", got, want)
	}
}

// TestCanonicalHeaders are the headers that net/http, a proxy or a client writes
// in another way than they were signed.
func TestCanonicalHeaders(t *testing.T) {
	r := httptest.NewRequest("PUT", "http://s3.test:9000/b/k", strings.NewReader("four"))
	r.TransferEncoding = []string{"chunked"}
	r.Header["X-Amz-Meta-A"] = []string{"  one   two  ", "\tthree\u00a0 \u00a0x"}
	for name, want := range map[string]string{
		"host": "s3.test:9000", "content-length": "4", "transfer-encoding": "chunked", "expect": "100-continue",
		"x-amz-meta-a": "one two,three\u00a0 \u00a0x", "x-amz-meta-b": "",
	} {
		if got := string(appendHeader(nil, r, name)); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// TestRegion: the error's code follows the place that the region came from.
func TestRegion(t *testing.T) {
	v := verifier(time.Now())
	v.Region = "eu-central-1"
	_, err := v.Verify(signed(t, "GET", "http://s3.test/b/k", nil))
	wantCode(t, err, "AuthorizationHeaderMalformed")
	r := httptest.NewRequest("GET", "http://s3.test/b/k", nil)
	r.URL.Host = r.Host
	_, err = v.Verify(signer.PreSignV4(*r, exampleKey, exampleSecret, "", "us-east-1", 60))
	wantCode(t, err, "AuthorizationQueryParametersError")
	v.Region = "eu-west-1"
	_, err = v.Verify(signed(t, "GET", "http://s3.test/b/k", nil))
	wantCode(t, err, "")
}

// TestSessionToken: a temporary key goes with its token alone, and for its time; any
// other with none.
func TestSessionToken(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		key  Key
		sent string
		code string
	}{
		"permanent":             {Key{}, "", ""},
		"permanent with token":  {Key{}, "token", "InvalidToken"},
		"temporary":             {Key{SessionToken: "token", Expires: now.Add(time.Minute)}, "token", ""},
		"temporary, no token":   {Key{SessionToken: "token"}, "", "InvalidToken"},
		"temporary, other":      {Key{SessionToken: "token"}, "tokem", "InvalidToken"},
		"temporary and expired": {Key{SessionToken: "token", Expires: now.Add(-time.Second)}, "token", "ExpiredToken"},
	} {
		t.Run(name, func(t *testing.T) {
			v := verifier(now)
			c.key.Secret = exampleSecret
			v.Key = func(string) (Key, bool) { return c.key, true }
			header := map[string]string{}
			if c.sent != "" {
				header["X-Amz-Security-Token"] = c.sent
			}
			_, err := v.Verify(signed(t, "GET", "http://s3.test/b/k", header))
			wantCode(t, err, c.code)
			r := httptest.NewRequest("GET", "http://s3.test/b/k", nil)
			r.URL.Host = r.Host
			_, err = v.Verify(signer.PreSignV4(*r, exampleKey, exampleSecret, c.sent, "us-east-1", 60))
			wantCode(t, err, c.code)
		})
	}
	r := signed(t, "GET", "http://s3.test/b/k", nil)
	r.Header.Set("X-Amz-Security-Token", "token")
	_, err := verifier(now).Verify(r)
	wantCode(t, err, "AccessDenied") // it is not signed
}

// TestMismatchShowsWhatWasSigned: S3 shows it, and it is how people find the bug
// in their client. The secret is not in it.
func TestMismatchShowsWhatWasSigned(t *testing.T) {
	r := signed(t, "GET", "http://s3.test/b/k", nil)
	r.URL.Path = "/b/other"
	_, err := verifier(time.Now()).Verify(r)
	var e *Error
	if !errors.As(err, &e) || e.AccessKeyID != exampleKey || !strings.HasPrefix(e.StringToSign, algorithm+"\n") ||
		!strings.HasPrefix(e.CanonicalRequest, "GET\n/b/other\n\nhost:s3.test\n") || len(e.SignatureProvided) != 64 {
		t.Errorf("error %#v", err)
	}
}

// TestKeysAreRememberedOnceProven: a stranger who knows an access key id can not
// fill the memory, and a changed secret takes effect at once.
func TestKeysAreRememberedOnceProven(t *testing.T) {
	secret := exampleSecret
	v := verifier(time.Now())
	v.Key = func(string) (Key, bool) { return Key{Secret: secret}, true }
	r := signed(t, "GET", "http://s3.test/b/k", nil)
	forged := r.Clone(t.Context())
	forged.URL.Path = "/b/other"
	_, err := v.Verify(forged)
	wantCode(t, err, "SignatureDoesNotMatch")
	if v.keys.Len() != 0 {
		t.Errorf("%d keys after a forged request", v.keys.Len())
	}
	for range 2 {
		_, err = v.Verify(r)
		wantCode(t, err, "")
	}
	if v.keys.Len() != 1 {
		t.Errorf("%d keys after two good requests", v.keys.Len())
	}
	secret = "changed"
	_, err = v.Verify(r)
	wantCode(t, err, "SignatureDoesNotMatch")
}

// TestManyAtOnce is for the race detector: one Verifier serves every request.
func TestManyAtOnce(t *testing.T) {
	v := verifier(time.Now())
	r := signed(t, "GET", "http://s3.test/b/k", nil)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			_, err := v.Verify(r)
			wantCode(t, err, "")
		})
	}
	all.Wait()
}

func TestAnonymous(t *testing.T) {
	id, err := verifier(time.Now()).Verify(httptest.NewRequest("GET", "http://s3.test/b/k", nil))
	if err != nil || !id.Anonymous {
		t.Errorf("identity %+v, error %v", id, err)
	}
}

func BenchmarkVerifyHeader(b *testing.B) {
	r := httptest.NewRequest("GET", "http://s3.test/bucket/media_attachments/files/1/original/a.jpg", nil)
	r.Header.Set("X-Amz-Content-Sha256", emptySHA256)
	r.URL.Host = r.Host
	r = signer.SignV4(*r, exampleKey, exampleSecret, "", "us-east-1")
	v := verifier(time.Now())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(r); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	f.Add("GET", "/b/k?x=y", "AWS4-HMAC-SHA256 Credential=a/20130524/us-east-1/s3/aws4_request,SignedHeaders=host,Signature=0", "20130524T000000Z")
	f.Add("PUT", "/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a&X-Amz-Date=b&X-Amz-Expires=c&X-Amz-SignedHeaders=d&X-Amz-Signature=e", "", "")
	f.Add("PUT", "/b/k?partNumber=1&uploadId=a%26b&x-amz-acl=c", "AWS AKIAIOSFODNN7EXAMPLE:c2lnbmF0dXJl", "Tue, 27 Mar 2007 21:20:26 +0000")
	f.Add("GET", "/b/k?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=c2lnbmF0dXJl&Expires=9999999999&response-expires=a&acl", "", "")
	f.Fuzz(func(t *testing.T, method, target, auth, date string) {
		r, err := http.NewRequest(method, "http://s3.test", nil)
		if err != nil {
			return
		}
		path, query, _ := strings.Cut(target, "?")
		r.URL.Path, r.URL.RawQuery = path, query
		r.Header.Set("Authorization", auth)
		r.Header.Set("X-Amz-Date", date)
		r.Header.Set("X-Amz-Content-Sha256", unsignedPayload)
		id, err := verifier2(time.Now()).Verify(r)
		if err == nil && !id.Anonymous {
			t.Errorf("a made-up signature verified: %+v", id)
		}
	})
}
