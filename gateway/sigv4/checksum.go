package sigv4

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"hash/crc32"
	"net/http"
	"strings"

	"github.com/cespare/xxhash/v2"
	"github.com/minio/crc64nvme"
	"github.com/zeebo/xxh3"
)

// check is a hash of the payload and what it must be.
type check struct {
	header string // that promises it, or a trailer of that name
	hash   hash.Hash
	value  string // as sent; "" until the trailer arrived
	want   []byte // the same, decoded
	fail   *Error // when it does not match
}

// algorithms are the checksums of
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
var algorithms = []struct {
	header  string
	newHash func() hash.Hash
}{
	{"X-Amz-Checksum-Crc32", func() hash.Hash { return crc32.NewIEEE() }},
	{"X-Amz-Checksum-Crc32c", func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) }},
	{"X-Amz-Checksum-Crc64nvme", func() hash.Hash { return crc64nvme.New() }},
	{"X-Amz-Checksum-Sha1", sha1.New},
	{"X-Amz-Checksum-Sha256", sha256.New},
	{"X-Amz-Checksum-Sha512", sha512.New},
	{"X-Amz-Checksum-Md5", md5.New},
	{"X-Amz-Checksum-Xxhash64", func() hash.Hash { return xxhash.New() }},
	{"X-Amz-Checksum-Xxhash3", func() hash.Hash { return xxh3.New() }},
	{"X-Amz-Checksum-Xxhash128", func() hash.Hash { return xxh128{xxh3.New()} }},
}

// xxh128 is XXH3 with the sum of 128 bits.
type xxh128 struct{ *xxh3.Hasher }

func (xxh128) Size() int { return 16 }

func (h xxh128) Sum(b []byte) []byte {
	sum := h.Sum128().Bytes()
	return append(b, sum[:]...)
}

// checkPayload refuses what x-amz-content-sha256 can not say.
func checkPayload(payload string) error {
	switch payload {
	case unsignedPayload, streamingSigned, streamingSignedTrail, streamingTrailer:
		return nil
	}
	if strings.HasPrefix(payload, streamingAsymmetric) {
		return nil // refused with a word of its own where the body is read
	}
	_, err := decodeSHA256(payload)
	return err
}

func decodeSHA256(payload string) ([]byte, error) {
	sum, err := hex.DecodeString(payload)
	if err != nil || len(sum) != sha256.Size {
		return nil, refuse("InvalidArgument", "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "+
			"STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.")
	}
	return sum, nil
}

// expectSHA256 sets up the hash that x-amz-content-sha256 declares.
func (b *Body) expectSHA256(payload string) error {
	sum, err := decodeSHA256(payload)
	if err != nil {
		return err
	}
	b.SHA256 = strings.ToLower(payload)
	b.checks = append(b.checks, check{
		header: "X-Amz-Content-Sha256", hash: sha256.New(), value: payload, want: sum,
		fail: refuse("XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed."),
	})
	return nil
}

// expectMD5 sets up Content-MD5 (RFC 1864), which covers the decoded payload. An
// empty one is malformed.
func (b *Body) expectMD5(values []string) error {
	if len(values) == 0 {
		return nil
	}
	sum, ok := decodeSum(values, md5.Size)
	if !ok {
		return refuse("InvalidDigest", "The Content-Md5 you specified is not valid.")
	}
	b.ContentMD5 = values[0]
	b.checks = append(b.checks, check{
		header: "Content-Md5", hash: md5.New(), value: values[0], want: sum,
		fail: refuse("BadDigest", "The Content-MD5 you specified did not match what we received."),
	})
	return nil
}

// expectChecksums sets up the checksums that h carries, and those that trailers
// are announced for. x-amz-sdk-checksum-algorithm alone promises nothing.
func (b *Body) expectChecksums(h http.Header) error {
	if err := b.oneChecksum(h); err != nil {
		return err
	}
	for _, algorithm := range algorithms {
		values, sent := h[algorithm.header]
		if !sent && !b.announced(algorithm.header) {
			continue
		}
		name := strings.TrimPrefix(algorithm.header, "X-Amz-Checksum-")
		c := check{
			header: algorithm.header, hash: algorithm.newHash(),
			fail: refuse("BadDigest", "The %s you specified did not match the calculated checksum.", strings.ToUpper(name)),
		}
		if sent {
			if err := c.read(values, ""); err != nil {
				return err
			}
		}
		b.checks = append(b.checks, c)
	}
	return nil
}

// oneChecksum refuses several checksums, and one of another kind than
// x-amz-sdk-checksum-algorithm names.
func (b *Body) oneChecksum(h http.Header) error {
	found := ""
	for _, algorithm := range algorithms {
		if _, sent := h[algorithm.header]; !sent && !b.announced(algorithm.header) {
			continue
		}
		if found != "" {
			return refuse("InvalidRequest", "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
		}
		found = strings.TrimPrefix(algorithm.header, "X-Amz-Checksum-")
	}
	if named := h.Get("X-Amz-Sdk-Checksum-Algorithm"); named != "" && found != "" && !strings.EqualFold(named, found) {
		return refuse("InvalidRequest", "Value for x-amz-sdk-checksum-algorithm header is invalid.")
	}
	return nil
}

func (b *Body) announced(header string) bool {
	return b.chunks != nil && b.chunks.announces(strings.ToLower(header))
}

// read takes what the hash must be from a header ("") or a trailer ("trailing "). If
// both are sent, both must say the same.
func (c *check) read(values []string, kind string) error {
	sum, ok := decodeSum(values, c.hash.Size())
	if !ok || c.value != "" && c.value != values[0] {
		return refuse("InvalidRequest", "Value for %s %sheader is invalid.", strings.ToLower(c.header), kind)
	}
	c.value, c.want = values[0], sum
	return nil
}

func decodeSum(values []string, size int) ([]byte, bool) {
	if len(values) != 1 {
		return nil, false
	}
	sum, err := base64.StdEncoding.DecodeString(values[0])
	// One spelling only: the decoder skips line breaks and loose bits.
	return sum, err == nil && len(sum) == size && base64.StdEncoding.EncodeToString(sum) == values[0]
}
