package sigv4

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/minio/minio-go/v7/pkg/signer"
)

// amazonsChunks is the upload of Amazon's documentation: 65 KiB of "a" in two
// chunks, with the signatures given there
// (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html,
// …/sigv4-streaming-trailers.html). seed is the request's signature.
func amazonsChunks(header http.Header, signed, seed string, chunks [3]string, tail string) *http.Request {
	data := strings.Repeat("a", 65<<10)
	var raw strings.Builder
	for i, size := range []int{64 << 10, 1 << 10, 0} {
		fmt.Fprintf(&raw, "%x;chunk-signature=%s\r\n%s", size, chunks[i], data[:size])
		if size > 0 {
			raw.WriteString("\r\n")
		}
	}
	raw.WriteString(tail)
	r := httptest.NewRequest("PUT", "http://s3.amazonaws.com/examplebucket/chunkObject.txt", strings.NewReader(raw.String()))
	r.ContentLength = 66824 // what the example says
	r.Header = header
	header.Set("X-Amz-Date", "20130524T000000Z")
	header.Set("X-Amz-Storage-Class", "REDUCED_REDUNDANCY")
	header.Set("Content-Encoding", "aws-chunked")
	header.Set("X-Amz-Decoded-Content-Length", "66560")
	header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders="+signed+",Signature="+seed)
	return r
}

func TestAmazonsChunkExamples(t *testing.T) {
	for name, r := range map[string]*http.Request{
		"chunks": amazonsChunks(http.Header{"X-Amz-Content-Sha256": {streamingSigned}},
			"content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class",
			"4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9", [3]string{
				"ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
				"0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
				"b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
			}, "\r\n"),
		"trailer": amazonsChunks(http.Header{"X-Amz-Content-Sha256": {streamingSignedTrail}, "X-Amz-Trailer": {"x-amz-checksum-crc32c"}},
			"content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer",
			"106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e", [3]string{
				"b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
				"1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
				"2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
			}, "x-amz-checksum-crc32c:sOO8/Q==\n\r\nx-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			id, err := verifier(time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC)).Verify(r)
			if err != nil {
				t.Fatal(err)
			}
			got, _, err := readBody(id, r)
			if err != nil || string(got) != strings.Repeat("a", 65<<10) {
				t.Errorf("%d bytes, error %v", len(got), err)
			}
		})
	}
}

// streamed is a chunked upload as minio-go sends it, and who signed it.
func streamed(t *testing.T, data []byte, trailer http.Header) (*Identity, *http.Request) {
	t.Helper()
	out := httptest.NewRequest("PUT", "http://s3.test/b/k", nil)
	out.URL.Host, out.Trailer = out.Host, trailer
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

var threeChunks = bytes.Repeat([]byte("0123456789abcdef"), 10<<10) // 160 KiB, in chunks of 64 KiB

// TestReadsOfAnySize: what is verified does not depend on how it is read, or on
// how it arrives.
func TestReadsOfAnySize(t *testing.T) {
	for name, slow := range map[string]func(io.Reader) io.Reader{
		"whole": func(r io.Reader) io.Reader { return r }, "halves": iotest.HalfReader,
		"bytes": iotest.OneByteReader, "end with data": iotest.DataErrReader,
	} {
		id, r := streamed(t, threeChunks, nil)
		r.Body = io.NopCloser(slow(r.Body))
		b, err := id.Body(r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(slow(b))
		if err != nil || !bytes.Equal(got, threeChunks) || b.Size != int64(len(threeChunks)) {
			t.Errorf("%s: %d bytes, size %d, error %v", name, len(got), b.Size, err)
		}
	}
}

func TestSignedChunksTamperedWith(t *testing.T) {
	for name, c := range map[string]struct {
		bend func([]string) []string
		code string
	}{
		"none bent": {func(c []string) []string { return c }, ""},
		"dropped":   {func(c []string) []string { return append(c[:1], c[2:]...) }, "SignatureDoesNotMatch"},
		"repeated":  {func(c []string) []string { return append([]string{c[0]}, c...) }, "SignatureDoesNotMatch"},
		"swapped":   {func(c []string) []string { c[0], c[1] = c[1], c[0]; return c }, "SignatureDoesNotMatch"},
		"last first": {func(c []string) []string {
			return []string{c[3]}
		}, "SignatureDoesNotMatch"},
		"no last": {func(c []string) []string { return c[:3] }, "IncompleteBody"},
		"cut":     {func(c []string) []string { return []string{c[0][:1000]} }, "IncompleteBody"},
		"byte":    {func(c []string) []string { c[1] = strings.Replace(c[1], "89ab", "89aX", 1); return c }, "SignatureDoesNotMatch"},
		"signature": {func(c []string) []string {
			c[2] = strings.Replace(c[2], "chunk-signature=", "chunk-signature=0", 1)
			return c
		}, "SignatureDoesNotMatch"},
		"no signature":  {func(c []string) []string { return []string{"1\r\nx\r\n"} }, "IncompleteBody"},
		"no CRLF":       {func(c []string) []string { c[0] = c[0][:len(c[0])-2] + "xx"; return c }, "IncompleteBody"},
		"only LF":       {func(c []string) []string { c[0] = strings.Replace(c[0], "\r\n", "\n", 1); return c }, "IncompleteBody"},
		"no line break": {func(c []string) []string { c[3] = strings.TrimSuffix(c[3], "\r\n"); return c }, ""},
		"half a break":  {func(c []string) []string { c[3] = strings.TrimSuffix(c[3], "\n"); return c }, "IncompleteBody"},
		"extra tail":    {func(c []string) []string { return append(c, "more") }, "IncompleteBody"},
		"huge size":     {func([]string) []string { return []string{"ffffffffffffffff;chunk-signature=x\r\n"} }, "IncompleteBody"},
		"size with +":   {func(c []string) []string { c[0] = "+" + c[0]; return c }, "IncompleteBody"},
		"size with -":   {func(c []string) []string { c[0] = "-" + c[0]; return c }, "IncompleteBody"},
		"no size":       {func([]string) []string { return []string{";chunk-signature=x\r\n"} }, "IncompleteBody"},
		"long head":     {func([]string) []string { return []string{"1;" + strings.Repeat("x", 5000) + "\r\n"} }, "IncompleteBody"},
		"too much":      {func([]string) []string { return []string{"fffffff;chunk-signature=x\r\n"} }, "IncompleteBody"},
	} {
		t.Run(name, func(t *testing.T) {
			id, r := streamed(t, threeChunks, nil)
			raw, err := io.ReadAll(r.Body)
			if err != nil {
				t.Fatal(err)
			}
			r.Body = io.NopCloser(strings.NewReader(strings.Join(c.bend(splitChunks(t, raw)), "")))
			_, _, err = readBody(id, r)
			wantCode(t, err, c.code)
		})
	}
}

// splitChunks takes an aws-chunked body apart.
func splitChunks(t *testing.T, raw []byte) []string {
	t.Helper()
	var chunks []string
	for len(raw) > 0 {
		head, _, ok := bytes.Cut(raw, []byte("\r\n"))
		digits, _, _ := strings.Cut(string(head), ";")
		size, err := strconv.ParseInt(digits, 16, 64)
		if !ok || err != nil {
			t.Fatalf("chunk header %q", head)
		}
		n := len(head) + 2 + int(size) + 2
		chunks = append(chunks, string(raw[:n]))
		raw = raw[n:]
	}
	return chunks
}

// TestHazard21ChunksOfAnotherUpload: a chunk is bound to its request, so that one that
// was recorded elsewhere, of the same bytes, does not fit. Without the comparison of
// chunkSigner.check it does.
func TestHazard21ChunksOfAnotherUpload(t *testing.T) {
	id, _ := streamed(t, threeChunks, nil)
	id.signature = strings.Repeat("0", 64)
	_, r := streamed(t, threeChunks, nil)
	_, _, err := readBody(id, r)
	wantCode(t, err, "SignatureDoesNotMatch")
}

// TestDecodedLength: the chunks must hold exactly what was announced.
func TestDecodedLength(t *testing.T) {
	for size, code := range map[string]string{"163839": "IncompleteBody", "163840": "", "163841": "IncompleteBody"} {
		id, r := streamed(t, threeChunks, nil)
		r.Header.Set("X-Amz-Decoded-Content-Length", size)
		_, _, err := readBody(id, r)
		wantCode(t, err, code)
	}
}

func TestSignedTrailers(t *testing.T) {
	crc := checksum("X-Amz-Checksum-Crc32", threeChunks)
	trailer := func() http.Header { return http.Header{"X-Amz-Checksum-Crc32": {crc}} }
	for name, c := range map[string]struct{ from, to, code string }{
		"as minio-go sends them":        {"", "", ""},
		"as Amazon's SDKs send them":    {"\n\r\nx-amz-trailer", "\r\nx-amz-trailer", ""},
		"another checksum":              {crc, checksum("X-Amz-Checksum-Crc32", nil), "SignatureDoesNotMatch"},
		"another signature":             {"trailer-signature:", "trailer-signature:0", "SignatureDoesNotMatch"},
		"no signature":                  {"x-amz-trailer-signature:", "x-amz-other:", "MalformedTrailerError"},
		"one missing":                   {"x-amz-checksum-crc32:" + crc + "\n", "", "MalformedTrailerError"},
		"one that was not announced":    {"x-amz-checksum-crc32:", "x-amz-checksum-crc32c:", "MalformedTrailerError"},
		"one cut off":                   {crc, "", "MalformedTrailerError"},
		"more lines than anybody needs": {"\r\nx-amz-trailer-signature", strings.Repeat("\r\n", 99) + "x-amz-trailer-signature", "MalformedTrailerError"},
	} {
		t.Run(name, func(t *testing.T) {
			id, r := streamed(t, threeChunks, trailer())
			raw, err := io.ReadAll(r.Body)
			if err != nil {
				t.Fatal(err)
			}
			r.Body = io.NopCloser(strings.NewReader(strings.Replace(string(raw), c.from, c.to, 1)))
			_, b, err := readBody(id, r)
			wantCode(t, err, c.code)
			if c.code != "" {
				return
			}
			if name, value := b.Trailer(); name != "X-Amz-Checksum-Crc32" || value() != crc {
				t.Errorf("trailer %s: %s", name, value())
			}
		})
	}
}

// TestSeveralChecksums: S3 takes one, of the kind that is named.
func TestSeveralChecksums(t *testing.T) {
	crc, sha := checksum("X-Amz-Checksum-Crc32", []byte("x")), checksum("X-Amz-Checksum-Sha256", []byte("x"))
	for name, h := range map[string]map[string]string{
		"two headers":  {"X-Amz-Checksum-Crc32": crc, "X-Amz-Checksum-Sha256": sha},
		"another kind": {"X-Amz-Checksum-Crc32": crc, "X-Amz-Sdk-Checksum-Algorithm": "SHA256"},
	} {
		t.Run(name, func(t *testing.T) {
			id, r := plain(unsignedPayload, []byte("x"), h)
			_, err := id.Body(r)
			wantCode(t, err, "InvalidRequest")
		})
	}
}

// TestTrailerAndHeader: the same checksum in both places must be the same.
func TestTrailerAndHeader(t *testing.T) {
	const header = "X-Amz-Checksum-Crc32"
	for value, code := range map[string]string{checksum(header, []byte("hello world")): "", checksum(header, nil): "InvalidRequest"} {
		id, r := plain(streamingTrailer, []byte("b\r\nhello world\r\n0\r\nx-amz-checksum-crc32:"+checksum(header, []byte("hello world"))+"\r\n\r\n"), map[string]string{
			"X-Amz-Decoded-Content-Length": "11", "X-Amz-Trailer": "x-amz-checksum-crc32", header: value,
		})
		_, _, err := readBody(id, r)
		wantCode(t, err, code)
	}
}

func TestUnsignedChunksWithTrailer(t *testing.T) {
	const data, crc32 = "hello world", "x-amz-checksum-crc32"
	sum := crc32 + ":" + checksum("X-Amz-Checksum-Crc32", []byte(data)) + "\r\n"
	for _, c := range []struct{ name, trailer, tail, code string }{
		{"right", crc32, sum + "\r\n", ""},
		{"spaces", " X-Amz-Checksum-CRC32 ,", strings.Replace(sum, ":", " : ", 1) + "\r\n", ""},
		{"wrong", crc32, crc32 + ":AAAAAA==\r\n\r\n", "BadDigest"},
		{"malformed", crc32, crc32 + ":AAAA\r\n\r\n", "InvalidRequest"},
		{"missing", crc32, "\r\n", "MalformedTrailerError"},
		{"cut off", crc32, "", "IncompleteBody"},
		{"not announced", crc32, "x-amz-meta-a:b\r\n\r\n", "MalformedTrailerError"},
		{"no checksum", "x-amz-meta-a", "x-amz-meta-a:b\r\n\r\n", "InvalidRequest"},
		{"too many announced", strings.Repeat(crc32+",", 99), sum + "\r\n", "InvalidRequest"},
		{"twice", crc32, sum + sum + "\r\n", "MalformedTrailerError"},
		{"announced twice", crc32 + "," + crc32, sum + "\r\n", ""},
		{"not ended", crc32, sum, "IncompleteBody"},
		{"long", crc32, crc32 + ":" + strings.Repeat("A", 2000) + "\r\n\r\n", "IncompleteBody"},
		{"more behind it", crc32, sum + "\r\nmore", "IncompleteBody"},
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

// FuzzBody: whatever is sent, no error means exactly what was announced. Signed
// chunks can not be made up at all.
func FuzzBody(f *testing.F) {
	f.Add([]byte("b\r\nhello world\r\n0\r\n\r\n"), int64(11), "", false)
	f.Add([]byte("0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"), int64(0), "x-amz-checksum-crc32", false)
	f.Add([]byte("b;chunk-signature=00\r\nhello world\r\n0;chunk-signature=00\r\n\r\n"), int64(11), "", true)
	f.Add([]byte("0;chunk-signature=00\r\nx-amz-checksum-crc32:AAAAAA==\n\r\nx-amz-trailer-signature:0\r\n\r\n"), int64(0), "x-amz-checksum-crc32", true)
	f.Fuzz(func(t *testing.T, raw []byte, size int64, trailer string, signed bool) {
		id, r := plain(streamingTrailer, raw, map[string]string{
			"X-Amz-Decoded-Content-Length": strconv.FormatInt(size, 10), "X-Amz-Trailer": trailer,
		})
		if signed {
			id = &Identity{AccessKeyID: exampleKey, payload: streamingSignedTrail, key: []byte("secret")}
		}
		got, b, err := readBody(id, r)
		switch {
		case err == nil && (signed || int64(len(got)) != b.Size):
			t.Errorf("%d bytes without an error, %d announced, signed %v", len(got), size, signed)
		case int64(len(got)) > max(size, 0):
			t.Errorf("%d bytes handed out, %d announced", len(got), size)
		case errors.Is(err, io.EOF):
			t.Errorf("an error that is io.EOF: %v", err)
		}
	})
}

// plainHasher is what minio-go's signer asks of a hash.
type plainHasher struct{ hash.Hash }

func (plainHasher) Close() {}
