package sigv4

import (
	"bufio"
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestRealClients replays requests as boto3 1.43 and aws-cli 1.45 put them on the
// wire (without User-Agent, which they do not sign).
func TestRealClients(t *testing.T) {
	for name, want := range map[string]struct{ body, checksum string }{
		"boto3-put-http":            {"hello boto3", "X-Amz-Checksum-Crc32"},
		"boto3-list-http":           {"", ""},
		"boto3-presigned-get":       {"", ""},
		"boto3-delete-objects-http": {`<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key>k</Key></Object></Delete>`, "X-Amz-Checksum-Crc32"},
		// Its x-amz-checksum-crc64nvme is the object's, not the document's.
		"boto3-complete-http":     {`<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Part><PartNumber>1</PartNumber><ETag>"x"</ETag></Part></CompleteMultipartUpload>`, ""},
		"awscli-cp-https-trailer": {"hello cli", "X-Amz-Checksum-Crc32"},
	} {
		t.Run(name, func(t *testing.T) {
			r := golden(t, name)
			id, err := verifier(goldenTime).Verify(r)
			if err != nil || id.AccessKeyID != exampleKey {
				t.Fatalf("identity %+v, error %v", id, err)
			}
			got, b, err := readBody(id, r)
			if err != nil || string(got) != want.body {
				t.Fatalf("body %q, error %v", got, err)
			}
			if _, ok := checksums(b)[want.checksum]; ok != (want.checksum != "") {
				t.Errorf("checksums %v, want %q", checksums(b), want.checksum)
			}
		})
	}
}

// TestRealClientsTamperedWith changes one byte of everything that a signature or
// hash covers in those requests.
func TestRealClientsTamperedWith(t *testing.T) {
	for _, c := range []struct{ name, from, to, code string }{
		{"boto3-put-http", "/bucket/a%20b", "/bucket/a%20c", "SignatureDoesNotMatch"},
		{"boto3-put-http", "meta-two: a", "meta-two: b", "SignatureDoesNotMatch"},
		{"boto3-put-http", "text/plain", "text/html", "SignatureDoesNotMatch"},
		{"boto3-put-http", "hello boto3", "hello boto4", "XAmzContentSHA256Mismatch"},
		{"boto3-list-http", "delimiter=%2F", "delimiter=%2E", "SignatureDoesNotMatch"},
		{"boto3-list-http", "encoding-type=url", "encoding-type=", "SignatureDoesNotMatch"},
		{"boto3-presigned-get", "a%2Bb.txt", "a+b.txt", "SignatureDoesNotMatch"},
		{"boto3-presigned-get", "Expires=3600", "Expires=9999", "SignatureDoesNotMatch"},
		{"awscli-cp-https-trailer", "hello cli", "hello CLI", "BadDigest"},
		{"awscli-cp-https-trailer", "crc32:pn638Q==", "crc32:pn63", "IncompleteBody"},
		{"awscli-cp-https-trailer", "X-Amz-Trailer: x-amz-checksum-crc32\r", "X-Amz-Trailer: x-amz-checksum-sha1\r", "SignatureDoesNotMatch"},
	} {
		t.Run(c.name+" "+c.from, func(t *testing.T) {
			r := bent(t, c.name, c.from, c.to)
			id, err := verifier(goldenTime).Verify(r)
			if err == nil {
				_, _, err = readBody(id, r)
			}
			wantCode(t, err, c.code)
		})
	}
}

// TestOtherSpellings are requests that say the same in other bytes: proxies and
// clients may send them, and the signature must still hold.
func TestOtherSpellings(t *testing.T) {
	for _, c := range []struct{ name, from, to string }{
		{"boto3-put-http", "%281%29%2A%21%24%2C%3A%40", "(1)*!$,:@"},
		{"boto3-put-http", "%C3%BC", "%c3%bc"},
		{"boto3-put-http", "/bucket/a", "/%62ucket/a"},
		{"boto3-put-http", "a  b", "a b"},
		{"boto3-put-http", "Content-Type: text/plain", "content-type:   text/plain  "},
		{"boto3-list-http", "prefix=a%20b", "prefix=a+b"},
		{"boto3-list-http", "delimiter=%2F&start-after=%C3%BC", "start-after=%C3%BC&delimiter=/"},
		{"boto3-delete-objects-http", "?delete", "?delete="},
	} {
		t.Run(c.name+" "+c.to, func(t *testing.T) {
			_, err := verifier(goldenTime).Verify(bent(t, c.name, c.from, c.to))
			wantCode(t, err, "")
		})
	}
}

var goldenTime = time.Date(2026, 11, 21, 6, 31, 0, 0, time.UTC)

func goldenFile(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name+".http"))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func golden(t *testing.T, name string) *http.Request {
	t.Helper()
	return parse(t, goldenFile(t, name))
}

// bent is a golden request with one text in it replaced.
func bent(t *testing.T, name, from, to string) *http.Request {
	t.Helper()
	raw := goldenFile(t, name)
	if !bytes.Contains(raw, []byte(from)) {
		t.Fatalf("%s does not hold %q", name, from)
	}
	return parse(t, bytes.Replace(raw, []byte(from), []byte(to), 1))
}

func parse(t *testing.T, raw []byte) *http.Request {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
	if err != nil {
		t.Fatal(err)
	}
	return r
}
