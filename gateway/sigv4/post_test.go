package sigv4

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"io"
	"maps"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// amazonsPolicy is the policy of Amazon's example, with its line breaks
// (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-post-example.html).
var amazonsPolicy = strings.ReplaceAll(`{ "expiration": "2015-12-30T12:00:00.000Z",
  "conditions": [
    {"bucket": "sigv4examplebucket"},
    ["starts-with", "$key", "user/user1/"],
    {"acl": "public-read"},
    {"success_action_redirect": "http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html"},
    ["starts-with", "$Content-Type", "image/"],
    {"x-amz-meta-uuid": "14365123651274"},
    {"x-amz-server-side-encryption": "AES256"},
    ["starts-with", "$x-amz-meta-tag", ""],

    {"x-amz-credential": "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request"},
    {"x-amz-algorithm": "AWS4-HMAC-SHA256"},
    {"x-amz-date": "20151229T000000Z" }
  ]
}`, "\n", "\r\n")

var amazonsDay = time.Date(2015, 12, 29, 12, 0, 0, 0, time.UTC)

func amazonsForm() map[string]string {
	return map[string]string{
		"key": "user/user1/a.jpg", "acl": "public-read", "content-type": "image/jpeg",
		"success_action_redirect": "http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html",
		"x-amz-meta-uuid":         "14365123651274", "x-amz-meta-tag": "", "x-amz-server-side-encryption": "AES256",
		"x-amz-algorithm":  "AWS4-HMAC-SHA256",
		"x-amz-credential": "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request",
		"x-amz-date":       "20151229T000000Z",
		"policy":           base64.StdEncoding.EncodeToString([]byte(amazonsPolicy)),
		"x-amz-signature":  "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e",
	}
}

func TestAmazonsForm(t *testing.T) {
	id, sizes, err := verifier(amazonsDay).VerifyPost("sigv4examplebucket", amazonsForm())
	if err != nil || id.AccessKeyID != exampleKey || id.Anonymous || sizes != (LengthRange{0, math.MaxInt64}) {
		t.Errorf("identity %+v, sizes %v, error %v", id, sizes, err)
	}
}

// TestMinioGosForm posts what minio-go signs.
func TestMinioGosForm(t *testing.T) {
	client, err := minio.New("s3.test", &minio.Options{
		Creds: credentials.NewStaticV4(exampleKey, exampleSecret, ""), Region: "eu-west-1",
	})
	if err != nil {
		t.Fatal(err)
	}
	p := minio.NewPostPolicy()
	err = errors.Join(
		p.SetBucket("photos"), p.SetKeyStartsWith("user/"), p.SetExpires(time.Now().Add(time.Hour)),
		p.SetContentTypeStartsWith("image/"), p.SetContentLengthRange(1, 1024), p.SetSuccessStatusAction("201"),
		p.SetUserMetadata("owner", "me"))
	if err != nil {
		t.Fatal(err)
	}
	_, form, err := client.PresignedPostPolicy(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	fields := make(map[string]string)
	for name, value := range form {
		fields[strings.ToLower(name)] = value
	}
	fields["key"], fields["content-type"] = "user/a", "image/png"
	id, sizes, err := verifier(time.Now()).VerifyPost("photos", fields)
	if err != nil || id.AccessKeyID != exampleKey || sizes != (LengthRange{1, 1024}) {
		t.Errorf("identity %+v, sizes %v, error %v", id, sizes, err)
	}
	fields["content-type"] = "text/html"
	_, _, err = verifier(time.Now()).VerifyPost("photos", fields)
	wantCode(t, err, "AccessDenied")
}

func TestFormRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		change map[string]string // "-" takes a field away
		code   string
	}{
		"other policy":        {map[string]string{"policy": "e30="}, "SignatureDoesNotMatch"},
		"other signature":     {map[string]string{"x-amz-signature": strings.Repeat("0", 64)}, "SignatureDoesNotMatch"},
		"other day":           {map[string]string{"x-amz-credential": exampleKey + "/20151230/us-east-1/s3/aws4_request", "x-amz-date": "20151230T000000Z"}, "SignatureDoesNotMatch"},
		"other time":          {map[string]string{"x-amz-date": "20151229T000001Z"}, "AccessDenied"},
		"unknown key":         {map[string]string{"x-amz-credential": "AKIA/20151229/us-east-1/s3/aws4_request"}, "InvalidAccessKeyId"},
		"malformed scope":     {map[string]string{"x-amz-credential": exampleKey}, "InvalidArgument"},
		"malformed date":      {map[string]string{"x-amz-date": "2015-12-29"}, "InvalidArgument"},
		"day is not the date": {map[string]string{"x-amz-date": "20151230T000000Z"}, "InvalidArgument"},
		"other algorithm":     {map[string]string{"x-amz-algorithm": asymmetric}, "InvalidArgument"},
		"no policy":           {map[string]string{"policy": "-"}, "InvalidArgument"},
		"no signature":        {map[string]string{"x-amz-signature": "-"}, "InvalidArgument"},
		"empty signature":     {map[string]string{"x-amz-signature": ""}, "InvalidArgument"},
		"no date":             {map[string]string{"x-amz-date": "-"}, "InvalidArgument"},
		"no credential":       {map[string]string{"x-amz-credential": "-"}, "InvalidArgument"},
		"no algorithm":        {map[string]string{"x-amz-algorithm": "-"}, "InvalidArgument"},
		"other key":           {map[string]string{"key": "user/user2/a.jpg"}, "AccessDenied"},
		"other ACL":           {map[string]string{"acl": "private"}, "AccessDenied"},
		"no type":             {map[string]string{"content-type": "-"}, "AccessDenied"},
		"absent, any value":   {map[string]string{"x-amz-meta-tag": "-"}, "AccessDenied"},
		"extra field":         {map[string]string{"x-amz-tagging": "a=b"}, "AccessDenied"},
		"session token":       {map[string]string{"x-amz-security-token": "t"}, "InvalidToken"},
		"ignored field":       {map[string]string{"x-ignore-this": "a"}, ""},
		"list of types":       {map[string]string{"content-type": "image/png, image/gif"}, ""},
		"one type too many":   {map[string]string{"content-type": "image/png,text/html"}, "AccessDenied"},
		"V2 beside V4":        {map[string]string{"awsaccesskeyid": "a", "signature": "b"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			fields := amazonsForm()
			maps.Copy(fields, c.change)
			maps.DeleteFunc(fields, func(_, value string) bool { return value == "-" })
			_, _, err := verifier(amazonsDay).VerifyPost("sigv4examplebucket", fields)
			wantCode(t, err, c.code)
		})
	}
	_, _, err := verifier(amazonsDay).VerifyPost("other", amazonsForm())
	wantCode(t, err, "AccessDenied")
	v := verifier(amazonsDay)
	v.Region = "eu-west-1"
	_, _, err = v.VerifyPost("sigv4examplebucket", amazonsForm())
	wantCode(t, err, "InvalidArgument")
	_, _, err = verifier(amazonsDay.AddDate(0, 0, 1)).VerifyPost("sigv4examplebucket", amazonsForm())
	wantCode(t, err, "AccessDenied")
}

func TestFormsWithoutSignature(t *testing.T) {
	id, sizes, err := verifier(amazonsDay).VerifyPost("b", map[string]string{"key": "k", "acl": "public-read"})
	if err != nil || !id.Anonymous || sizes.Max != math.MaxInt64 {
		t.Errorf("identity %+v, sizes %v, error %v", id, sizes, err)
	}
	_, _, err = verifier(amazonsDay).VerifyPost("b", map[string]string{"key": "k", "policy": "e30=", "awsaccesskeyid": "a", "signature": "s"})
	wantCode(t, err, "InvalidAccessKeyId")
	_, _, err = verifier(amazonsDay).VerifyPost("b", map[string]string{"key": "k", "policy": "e30="})
	wantCode(t, err, "InvalidArgument")
}

// TestVersion2Form: the policy is signed by an HMAC-SHA1 of the secret.
func TestVersion2Form(t *testing.T) {
	const document = `{"expiration": "2015-12-30T12:00:00.000Z", "conditions": [{"bucket": "b"}, ["starts-with", "$key", ""]]}`
	policy := base64.StdEncoding.EncodeToString([]byte(document))
	h := hmac.New(sha1.New, []byte(exampleSecret))
	h.Write([]byte(policy))
	fields := map[string]string{
		"key": "k", "policy": policy, "awsaccesskeyid": exampleKey,
		"signature": base64.StdEncoding.EncodeToString(h.Sum(nil)),
	}
	id, _, err := verifier(amazonsDay).VerifyPost("b", fields)
	if err != nil || id.AccessKeyID != exampleKey {
		t.Errorf("identity %+v, error %v", id, err)
	}
	_, _, err = verifier(amazonsDay).VerifyPost("other", fields)
	wantCode(t, err, "AccessDenied")
	fields["signature"] = "A" + fields["signature"][1:]
	_, _, err = verifier(amazonsDay).VerifyPost("b", fields)
	wantCode(t, err, "SignatureDoesNotMatch")
	delete(fields, "signature")
	_, _, err = verifier(amazonsDay).VerifyPost("b", fields)
	wantCode(t, err, "InvalidArgument")
}

func TestFormMismatchShowsWhatWasSigned(t *testing.T) {
	fields := amazonsForm()
	fields["x-amz-signature"] = "0"
	_, _, err := verifier(amazonsDay).VerifyPost("sigv4examplebucket", fields)
	var e *Error
	if !errors.As(err, &e) || e.StringToSign != fields["policy"] || e.SignatureProvided != "0" || e.CanonicalRequest != "" {
		t.Errorf("got %+v", e)
	}
}

func TestFormBody(t *testing.T) {
	for name, c := range map[string]struct{ header, value, code string }{
		"nothing promised": {"X-Amz-Meta-A", "b", ""},
		"checksum":         {"X-Amz-Checksum-Crc32", "NhCmhg==", ""},
		"other checksum":   {"X-Amz-Checksum-Crc32", "AAAAAA==", "BadDigest"},
		"no checksum":      {"X-Amz-Checksum-Crc32", "x", "InvalidRequest"},
		"MD5":              {"Content-Md5", "XUFAKrxLKna5cZ2REBfFkg==", ""},
		"other MD5":        {"Content-Md5", "AAAAAAAAAAAAAAAAAAAAAA==", "BadDigest"},
		"no MD5":           {"Content-Md5", "x", "InvalidDigest"},
	} {
		b, err := FormBody(strings.NewReader("hello"), http.Header{c.header: {c.value}})
		if err == nil {
			_, err = io.Copy(io.Discard, b)
		}
		t.Run(name, func(t *testing.T) { wantCode(t, err, c.code) })
	}
}
