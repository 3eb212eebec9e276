package s3

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/signer"
)

// FuzzSign holds our signatures against those of minio-go's signer.
func FuzzSign(f *testing.F) {
	f.Add("GET", "/bucket/a", "", "", "bytes=0-1", "", "us-east-1")
	f.Add("DELETE", "/bucket/a b//..+%ü", "versionId", "a+b/ c", " two  words ", "token", "")
	f.Add("HEAD", "/", "partNumber", "1", "", "", "eu-west-1")
	keeping := new(signature4)
	f.Fuzz(func(t *testing.T, method, path, query, argument, value, token, region string) {
		if !utf8.ValidString(path) { // minio-go's signer signs another path than is sent
			return
		}
		keys := credentials.Value{AccessKeyID: "access", SecretAccessKey: "secret" + region[:len(region)/2], SessionToken: token}
		request := func() *http.Request {
			return &http.Request{
				Method: method, Host: "store.example:9000",
				URL: &url.URL{Path: path, RawPath: encodePath(path), RawQuery: strings.ReplaceAll(url.Values{query: {argument}}.Encode(), "+", "%20")},
				Header: http.Header{
					"X-Amz-Meta-A": {value, "b"}, "Range": {value}, "Accept-Encoding": {"identity"}, "User-Agent": {"sluice"},
					"X-Amz-Content-Sha256": {emptySHA256},
				},
			}
		}
		want := signer.SignV4(*request(), keys.AccessKeyID, keys.SecretAccessKey, token, region)
		at, err := time.Parse(amzDate, want.Header.Get("X-Amz-Date"))
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []*signature4{keeping, keeping, new(signature4)} {
			got := request()
			s.sign(got, keys, region, at)
			for _, name := range []string{"Authorization", "X-Amz-Date", "X-Amz-Security-Token"} {
				if got.Header.Get(name) != want.Header.Get(name) {
					t.Fatalf("%s is\n%s, want\n%s", name, got.Header.Get(name), want.Header.Get(name))
				}
			}
		}
	})
}

func TestAStrangerSignsNothing(t *testing.T) {
	req := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/a"}, Header: make(http.Header)}
	new(signature4).sign(req, credentials.Value{}, "us-east-1", time.Now())
	if len(req.Header) > 0 {
		t.Error(req.Header)
	}
}
