package sigv4

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// What x-amz-content-sha256 may say besides a hash.
const (
	unsignedPayload      = "UNSIGNED-PAYLOAD"
	streaming            = "STREAMING-"
	streamingAsymmetric  = "STREAMING-AWS4-ECDSA-"
	streamingSigned      = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	streamingSignedTrail = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	streamingTrailer     = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

// Body is a request's payload. Reading it to io.EOF means that everything the
// client promised about it holds: length, hash, chunk signatures, Content-MD5,
// checksums. Otherwise it ends with an *Error, or with the error of the
// connection; the bytes handed out before it must then not take effect.
type Body struct {
	Size       int64  // of the decoded payload; -1 when the client did not say
	SHA256     string // the declared hash, lower-case hex; "" if none
	ContentMD5 string // as the header carries it; "" if none

	src    io.Reader
	left   int64 // of Size
	checks []check
	chunks *chunkReader // nil unless aws-chunked
	err    error        // what Read answers from now on
}

// Body wraps r.Body. An error is an *Error: what the client promises is malformed,
// missing, or of a kind that is not supported.
func (id *Identity) Body(r *http.Request) (*Body, error) {
	b := &Body{Size: r.ContentLength, src: r.Body}
	if r.Body == nil {
		b.src = http.NoBody
	}
	if err := b.frame(id, r); err != nil {
		return nil, err
	}
	b.left = b.Size
	if err := b.expectMD5(r.Header["Content-Md5"]); err != nil {
		return nil, err
	}
	header := r.Header
	if describesObject(r) {
		header = nil
	}
	return b, b.expectChecksums(header)
}

// describesObject: the checksum headers of CompleteMultipartUpload are those of
// the object that comes out of it, not of the document that is sent
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html).
func describesObject(r *http.Request) bool {
	if r.Method != http.MethodPost {
		return false
	}
	query, err := parseQuery(r.URL.RawQuery)
	return err == nil && query.has("uploadId")
}

// frame finds out how the payload travels.
func (b *Body) frame(id *Identity, r *http.Request) error {
	payload := id.payload
	switch {
	case payload == "", payload == unsignedPayload:
		// Beside a presigned URL the header may declare a hash without being signed.
		if sum := r.Header.Get("X-Amz-Content-Sha256"); sum != "" && sum != unsignedPayload {
			return b.expectSHA256(sum)
		}
		return nil
	case payload == streamingSigned, payload == streamingSignedTrail, payload == streamingTrailer:
		return b.unchunk(id, r)
	case strings.HasPrefix(payload, streamingAsymmetric):
		return refuse("NotImplemented", "Please use STREAMING-AWS4-HMAC-SHA256-PAYLOAD.")
	}
	return b.expectSHA256(payload)
}

// unchunk takes the aws-chunked framing off.
func (b *Body) unchunk(id *Identity, r *http.Request) error {
	size, err := strconv.ParseUint(r.Header.Get("X-Amz-Decoded-Content-Length"), 10, 63)
	if err != nil {
		return refuse("MissingContentLength", "You must provide the Content-Length HTTP header.")
	}
	b.Size = int64(size)
	trailers, err := announcedTrailers(r.Header.Values("X-Amz-Trailer"))
	if err != nil {
		return err
	}
	b.chunks = newChunkReader(b.src, trailers, b.Size)
	b.src = b.chunks
	if id.payload == streamingTrailer {
		return nil
	}
	if id.Anonymous {
		return refuse("AccessDenied", "Signed chunks need a signed request.")
	}
	b.chunks.signer = newChunkSigner(id)
	return nil
}

// Read reads the payload. Bytes beyond Size are never handed out.
func (b *Body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.src.Read(p)
	if b.Size >= 0 && int64(n) > b.left {
		n, err = int(b.left), incomplete()
	}
	b.left -= int64(n)
	for i := range b.checks {
		b.checks[i].hash.Write(p[:n])
	}
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		b.err = incomplete()
	case errors.Is(err, io.EOF):
		b.err = b.end()
	default:
		b.err = err
	}
	return n, b.err
}

func incomplete() *Error {
	return refuse("IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header")
}

// end checks what was promised, once the last byte was read.
func (b *Body) end() error {
	if b.Size >= 0 && b.left != 0 {
		return incomplete()
	}
	for i := range b.checks {
		c := &b.checks[i]
		if b.announced(c.header) {
			if err := c.read(b.chunks.trailer[c.header], "trailing "); err != nil {
				return err
			}
		}
		if !bytes.Equal(c.hash.Sum(nil), c.want) {
			return c.fail
		}
	}
	return io.EOF
}

// Trailer is the checksum that comes behind the payload: the header's name, and its
// value once Read has answered io.EOF. It is "" when none is announced.
func (b *Body) Trailer() (name string, value func() string) {
	for i := range b.checks {
		c := &b.checks[i]
		if strings.HasPrefix(c.header, "X-Amz-Checksum-") && b.announced(c.header) {
			return c.header, func() string { return c.value }
		}
	}
	return "", nil
}
