package sigv4

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
)

func hexSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// readBody reads a request's body as the gateway would.
func readBody(id *Identity, r *http.Request) ([]byte, *Body, error) {
	b, err := id.Body(r)
	if err != nil {
		return nil, nil, err
	}
	got, err := io.ReadAll(b)
	return got, b, err
}

func plain(payload string, body []byte, header map[string]string) (*Identity, *http.Request) {
	r := httptest.NewRequest("PUT", "http://s3.test/b/k", bytes.NewReader(body))
	for name, value := range header {
		r.Header.Set(name, value)
	}
	return &Identity{payload: payload, Anonymous: true}, r
}

func TestPlainBodies(t *testing.T) {
	data := []byte("some payload")
	sum := md5.Sum(data)
	contentMD5 := base64.StdEncoding.EncodeToString(sum[:])
	for _, c := range []struct {
		name, payload string
		header        map[string]string
		code          string
	}{
		{"unsigned", unsignedPayload, nil, ""},
		{"hash", hexSum(data), nil, ""},
		{"upper-case hash", strings.ToUpper(hexSum(data)), nil, ""},
		{"wrong hash", hexSum([]byte("other")), nil, "XAmzContentSHA256Mismatch"},
		{"no hash", "abc", nil, "InvalidArgument"},
		{"asymmetric chunks", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", nil, "NotImplemented"},
		{"unknown kind", "STREAMING-ROT13", nil, "InvalidArgument"},
		{"nothing said", "", nil, ""},
		{"unsigned hash", unsignedPayload, map[string]string{"X-Amz-Content-Sha256": hexSum([]byte("other"))}, "XAmzContentSHA256Mismatch"},
		{"chunks of unknown length", streamingTrailer, nil, "MissingContentLength"},
		{"chunks of signed length", streamingTrailer, map[string]string{"X-Amz-Decoded-Content-Length": "+3"}, "MissingContentLength"},
		{"signed chunks from nobody", streamingSigned, map[string]string{"X-Amz-Decoded-Content-Length": "3"}, "AccessDenied"},
		{"MD5", unsignedPayload, map[string]string{"Content-Md5": contentMD5}, ""},
		{"wrong MD5", unsignedPayload, map[string]string{"Content-Md5": "1B2M2Y8AsgTpgAmY7PhCfg=="}, "BadDigest"},
		{"malformed MD5", unsignedPayload, map[string]string{"Content-Md5": "xyz"}, "InvalidDigest"},
		{"empty MD5", unsignedPayload, map[string]string{"Content-Md5": ""}, "InvalidDigest"},
		{"MD5 in other words", unsignedPayload, map[string]string{"Content-Md5": contentMD5[:21] + "x=="}, "InvalidDigest"},
		{"algorithm without a value", unsignedPayload, map[string]string{"X-Amz-Sdk-Checksum-Algorithm": "CRC32"}, ""},
		{"malformed checksum", unsignedPayload, map[string]string{"X-Amz-Checksum-Crc32": "xyz"}, "InvalidRequest"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _, err := readBody(plain(c.payload, data, c.header))
			wantCode(t, err, c.code)
			if c.code == "" && !bytes.Equal(got, data) {
				t.Errorf("read %q", got)
			}
		})
	}
}

func TestEveryChecksum(t *testing.T) {
	data := []byte("some payload")
	for _, a := range algorithms {
		right := checksum(a.header, data)
		for _, c := range []struct{ value, code string }{
			{right, ""},
			{checksum(a.header, nil), "BadDigest"},
			{right[:len(right)-4], "InvalidRequest"},
			{right[:4] + "\r" + right[4:], "InvalidRequest"},
			{"", "InvalidRequest"},
		} {
			_, b, err := readBody(plain(unsignedPayload, data, map[string]string{a.header: c.value}))
			wantCode(t, err, c.code)
			if c.code == "" && checksums(b)[a.header] != right {
				t.Errorf("%s: %v", a.header, checksums(b))
			}
		}
	}
}

func checksum(header string, data []byte) string {
	for _, a := range algorithms {
		if a.header == header {
			h := a.newHash()
			h.Write(data)
			return base64.StdEncoding.EncodeToString(h.Sum(nil))
		}
	}
	return ""
}

// TestChecksumsAreKnownAtTheEnd: nothing that is not verified yet is reported.
func TestChecksumsAreKnownAtTheEnd(t *testing.T) {
	const header = "X-Amz-Checksum-Crc32"
	data := []byte("some payload")
	id, r := plain(unsignedPayload, data, map[string]string{header: checksum(header, data)})
	b, err := id.Body(r)
	if err != nil {
		t.Fatal(err)
	}
	if len(checksums(b)) != 0 {
		t.Errorf("checksums before the first byte: %v", checksums(b))
	}
	if _, err := io.Copy(io.Discard, b); err != nil || len(checksums(b)) != 1 {
		t.Errorf("checksums %v, error %v", checksums(b), err)
	}
}

func TestBodyOfAnotherLength(t *testing.T) {
	id, r := plain(unsignedPayload, []byte("short"), nil)
	r.ContentLength = 10
	_, _, err := readBody(id, r)
	wantCode(t, err, "IncompleteBody")
	id, r = plain(unsignedPayload, []byte("too long"), nil)
	r.ContentLength = 3
	got, _, err := readBody(id, r)
	wantCode(t, err, "IncompleteBody")
	if string(got) != "too" {
		t.Errorf("read %q of three bytes", got)
	}
}

// TestErrorsOfTheConnection reach the reader as they are, time after time.
func TestErrorsOfTheConnection(t *testing.T) {
	cut := errors.New("connection reset")
	id, r := plain(unsignedPayload, nil, nil)
	r.ContentLength, r.Body = 10, io.NopCloser(iotest.ErrReader(cut))
	b, err := id.Body(r)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := b.Read(make([]byte, 10)); !errors.Is(err, cut) {
			t.Errorf("error %v", err)
		}
	}
}

// checksums are the x-amz-checksum-* values that a body was found to keep; none
// before its end.
func checksums(b *Body) map[string]string {
	sums := make(map[string]string)
	if !errors.Is(b.err, io.EOF) {
		return sums
	}
	for _, c := range b.checks {
		if strings.HasPrefix(c.header, "X-Amz-Checksum-") {
			sums[c.header] = c.value
		}
	}
	return sums
}
