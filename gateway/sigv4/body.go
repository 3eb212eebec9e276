package sigv4

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// What x-amz-content-sha256 may say besides a hash.
const (
	unsignedPayload   = "UNSIGNED-PAYLOAD"
	streamingSigned   = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	streamingSignedTr = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	streamingTrailer  = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

// Body is a request's payload. Reading it to io.EOF means that everything the
// client promised about it holds: length, hash, chunk signatures, Content-MD5,
// checksums. Anything else ends it with an *Error, after bytes that must then not
// take effect.
type Body struct {
	Size       int64  // of the decoded payload; -1 when the client did not say
	SHA256     string // the declared hash, lower-case hex; "" if none
	ContentMD5 string // as the header carries it; "" if none

	src    io.Reader
	left   int64 // of Size
	checks []check
	chunks *chunkReader // nil unless aws-chunked
	header http.Header
	err    error
}

// check is a hash of the payload and what it must be.
type check struct {
	name string // the header's
	hash hash.Hash
	want func() (string, error) // read at the end: it may stand in a trailer
	hex  bool
	fail func() error
}

// Body wraps r.Body.
func (id *Identity) Body(r *http.Request) (*Body, error) {
	b := &Body{Size: r.ContentLength, src: r.Body, header: r.Header, ContentMD5: r.Header.Get("Content-Md5")}
	if err := b.frame(id, r); err != nil {
		return nil, err
	}
	b.left = b.Size
	if err := b.expectMD5(); err != nil {
		return nil, err
	}
	return b, b.expectChecksums()
}

// frame finds out how the payload travels.
func (b *Body) frame(id *Identity, r *http.Request) error {
	switch payload := id.payload; payload {
	case "", unsignedPayload:
		return nil
	case streamingSigned, streamingSignedTr, streamingTrailer:
		size, err := strconv.ParseInt(r.Header.Get("X-Amz-Decoded-Content-Length"), 10, 64)
		if err != nil || size < 0 {
			return refuse("MissingContentLength", "You must provide the x-amz-decoded-content-length header.")
		}
		if payload != streamingTrailer && id.Anonymous {
			return refuse("AccessDenied", "Signed chunks need a signed request.")
		}
		b.Size = size
		b.chunks = newChunkReader(r.Body, r.Header.Get("X-Amz-Trailer"), size)
		if payload != streamingTrailer {
			b.chunks.signer = &chunkSigner{key: id.key, date: id.date, scope: id.scope, previous: id.signature}
		}
		b.src = b.chunks
		return nil
	default:
		if sum, err := hex.DecodeString(payload); err != nil || len(sum) != sha256.Size {
			return refuse("InvalidArgument", "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER or a valid sha256 value.")
		}
		b.SHA256 = strings.ToLower(payload)
		b.checks = append(b.checks, check{
			name: "X-Amz-Content-Sha256", hash: sha256.New(), hex: true,
			want: func() (string, error) { return b.SHA256, nil },
			fail: func() error {
				return refuse("XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed.")
			},
		})
		return nil
	}
}

func (b *Body) expectMD5() error {
	if b.ContentMD5 == "" {
		return nil
	}
	if sum, err := base64.StdEncoding.DecodeString(b.ContentMD5); err != nil || len(sum) != md5.Size {
		return refuse("InvalidDigest", "The Content-MD5 you specified is not valid.")
	}
	b.checks = append(b.checks, check{
		name: "Content-Md5", hash: md5.New(), want: func() (string, error) { return b.ContentMD5, nil },
		fail: func() error {
			return refuse("BadDigest", "The Content-MD5 you specified did not match what we received.")
		},
	})
	return nil
}

// Read reads the payload.
func (b *Body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.src.Read(p)
	for i := range b.checks {
		b.checks[i].hash.Write(p[:n])
	}
	if b.Size >= 0 {
		b.left -= int64(n)
	}
	switch {
	case errors.Is(err, io.EOF):
		b.err = b.end()
	case errors.Is(err, io.ErrUnexpectedEOF):
		b.err = incomplete()
	case err != nil:
		b.err = err
	case b.Size >= 0 && b.left < 0:
		b.err = refuse("InvalidRequest", "The body is longer than its announced length.")
	}
	return n, b.err
}

func incomplete() *Error {
	return refuse("IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header.")
}

// end checks what was promised, once the last byte was read.
func (b *Body) end() error {
	if b.Size >= 0 && b.left != 0 {
		return incomplete()
	}
	for _, c := range b.checks {
		want, err := c.want()
		if err != nil {
			return err
		}
		sum := c.hash.Sum(nil)
		got := base64.StdEncoding.EncodeToString(sum)
		if c.hex {
			got = hex.EncodeToString(sum)
		}
		if got != want {
			return c.fail()
		}
	}
	return io.EOF
}

// Checksums are the verified x-amz-checksum-* values by header name, from headers
// and trailers. They are known once the body was read to its end.
func (b *Body) Checksums() map[string]string {
	sums := make(map[string]string)
	for _, c := range b.checks {
		if strings.HasPrefix(c.name, checksumPrefix) {
			sums[c.name], _ = c.want()
		}
	}
	return sums
}
