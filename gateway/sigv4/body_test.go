package sigv4

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7/pkg/signer"
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
	return &Identity{payload: payload}, r
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
		{"unknown kind", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", nil, "InvalidArgument"},
		{"MD5", unsignedPayload, map[string]string{"Content-Md5": contentMD5}, ""},
		{"wrong MD5", unsignedPayload, map[string]string{"Content-Md5": "1B2M2Y8AsgTpgAmY7PhCfg=="}, "BadDigest"},
		{"malformed MD5", unsignedPayload, map[string]string{"Content-Md5": "xyz"}, "InvalidDigest"},
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
	for name, newHash := range algorithms {
		h := newHash()
		h.Write(data)
		right := base64.StdEncoding.EncodeToString(h.Sum(nil))
		_, b, err := readBody(plain(unsignedPayload, data, map[string]string{name: right}))
		wantCode(t, err, "")
		if b.Checksums()[name] != right {
			t.Errorf("%s: %v", name, b.Checksums())
		}
		wrong := base64.StdEncoding.EncodeToString(make([]byte, h.Size()))
		_, _, err = readBody(plain(unsignedPayload, data, map[string]string{name: wrong}))
		wantCode(t, err, "BadDigest")
	}
}

func TestBodyOfAnotherLength(t *testing.T) {
	id, r := plain(unsignedPayload, []byte("short"), nil)
	r.ContentLength = 10
	_, _, err := readBody(id, r)
	wantCode(t, err, "IncompleteBody")
	id, r = plain(unsignedPayload, []byte("too long"), nil)
	r.ContentLength = 3
	_, _, err = readBody(id, r)
	wantCode(t, err, "InvalidRequest")
}

// streamed is a chunked upload as minio-go sends it, and who signed it.
func streamed(t *testing.T, data []byte) (*Identity, *http.Request) {
	t.Helper()
	out := httptest.NewRequest("PUT", "http://s3.test/b/k", nil)
	out.URL.Host = out.Host
	out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(data)), int64(len(data))
	out = signer.StreamingSignV4(out, exampleKey, exampleSecret, "", "us-east-1", int64(len(data)), time.Now().UTC(), plainHasher{sha256.New()})
	raw, err := io.ReadAll(out.Body)
	if err != nil {
		t.Fatal(err)
	}
	in := out.Clone(t.Context())
	in.Body, in.ContentLength = io.NopCloser(bytes.NewReader(raw)), int64(len(raw))
	id, err := verifier(time.Now()).Verify(in)
	if err != nil {
		t.Fatal(err)
	}
	return id, in
}

func TestSignedChunks(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 10<<10) // 160 KiB: three chunks
	bent := func(bend func(chunks []string) []string) error {
		id, r := streamed(t, data)
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		r.Body = io.NopCloser(strings.NewReader(strings.Join(bend(splitChunks(t, raw)), "")))
		_, _, err = readBody(id, r)
		return err
	}
	id, r := streamed(t, data)
	got, b, err := readBody(id, r)
	if err != nil || !bytes.Equal(got, data) || b.Size != int64(len(data)) {
		t.Fatalf("%d bytes, size %d, error %v", len(got), b.Size, err)
	}
	for name, c := range map[string]struct {
		bend func([]string) []string
		code string
	}{
		"none bent":  {func(c []string) []string { return c }, ""},
		"dropped":    {func(c []string) []string { return append([]string{c[0]}, c[2:]...) }, "SignatureDoesNotMatch"},
		"repeated":   {func(c []string) []string { return append([]string{c[0]}, c...) }, "SignatureDoesNotMatch"},
		"no last":    {func(c []string) []string { return c[:len(c)-1] }, "IncompleteBody"},
		"cut":        {func(c []string) []string { return []string{c[0][:1000]} }, "IncompleteBody"},
		"byte":       {func(c []string) []string { c[1] = strings.Replace(c[1], "89ab", "89aX", 1); return c }, "SignatureDoesNotMatch"},
		"no CRLF":    {func(c []string) []string { c[0] = c[0][:len(c[0])-2] + "xx"; return c }, "InvalidRequest"},
		"extra tail": {func(c []string) []string { return append(c, "more") }, "InvalidRequest"},
		"huge size":  {func([]string) []string { return []string{"ffffffffffffffff;chunk-signature=x\r\n"} }, "InvalidRequest"},
		"long head":  {func([]string) []string { return []string{"1;" + strings.Repeat("x", 5000) + "\r\n"} }, "InvalidRequest"},
		"too much":   {func([]string) []string { return []string{"fffffff;chunk-signature=x\r\n"} }, "InvalidRequest"},
	} {
		t.Run(name, func(t *testing.T) { wantCode(t, bent(c.bend), c.code) })
	}
}

// splitChunks takes an aws-chunked body apart.
func splitChunks(t *testing.T, raw []byte) []string {
	t.Helper()
	var chunks []string
	for len(raw) > 0 {
		head, _, ok := bytes.Cut(raw, []byte("\r\n"))
		sizeText, _, _ := strings.Cut(string(head), ";")
		size, err := strconv.ParseInt(sizeText, 16, 64)
		if !ok || err != nil {
			t.Fatalf("chunk header %q", head)
		}
		n := len(head) + 2 + int(size) + 2
		chunks = append(chunks, string(raw[:n]))
		raw = raw[n:]
	}
	return chunks
}

func TestUnsignedChunksWithTrailer(t *testing.T) {
	data := "hello world"
	h := algorithms["X-Amz-Checksum-Crc32"]()
	io.WriteString(h, data)
	sum := base64.StdEncoding.EncodeToString(h.Sum(nil))
	for _, c := range []struct{ name, trailer, tail, code string }{
		{"right", "x-amz-checksum-crc32", "x-amz-checksum-crc32:" + sum + "\r\n\r\n", ""},
		{"wrong", "x-amz-checksum-crc32", "x-amz-checksum-crc32:AAAAAA==\r\n\r\n", "BadDigest"},
		{"missing", "x-amz-checksum-crc32", "\r\n", "MalformedTrailerError"},
		{"not announced", "x-amz-checksum-crc32", "x-amz-meta-a:b\r\n\r\n", "MalformedTrailerError"},
		{"twice", "x-amz-checksum-crc32", strings.Repeat("x-amz-checksum-crc32:"+sum+"\r\n", 2) + "\r\n", "MalformedTrailerError"},
		{"not ended", "x-amz-checksum-crc32", "x-amz-checksum-crc32:" + sum + "\r\n", "IncompleteBody"},
		{"no trailer", "", "\r\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			raw := fmt.Sprintf("%x\r\n%s\r\n0\r\n%s", len(data), data, c.tail)
			id, r := plain(streamingTrailer, []byte(raw), map[string]string{
				"X-Amz-Decoded-Content-Length": strconv.Itoa(len(data)), "X-Amz-Trailer": c.trailer,
			})
			got, _, err := readBody(id, r)
			wantCode(t, err, c.code)
			if c.code == "" && string(got) != data {
				t.Errorf("read %q", got)
			}
		})
	}
}

func FuzzBody(f *testing.F) {
	f.Add([]byte("b\r\nhello world\r\n0\r\n\r\n"), int64(11), "")
	f.Add([]byte("0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"), int64(0), "x-amz-checksum-crc32")
	f.Fuzz(func(t *testing.T, raw []byte, size int64, trailer string) {
		id, r := plain(streamingTrailer, raw, map[string]string{
			"X-Amz-Decoded-Content-Length": strconv.FormatInt(size, 10), "X-Amz-Trailer": trailer,
		})
		got, b, err := readBody(id, r)
		if err == nil && int64(len(got)) != b.Size {
			t.Errorf("%d bytes without an error, %d announced", len(got), b.Size)
		}
		if err != nil && errors.Is(err, io.EOF) {
			t.Errorf("an error that is io.EOF: %v", err)
		}
	})
}

// plainHasher is what minio-go's signer asks of a hash.
type plainHasher struct{ hash.Hash }

func (plainHasher) Close() {}
