package differential

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/minio/crc64nvme"
	"github.com/minio/minio-go/v7/pkg/signer"
)

const region = "us-east-1"

// sign proves the request as the step wants it proved, or fails to.
func (s *side) sign(req *http.Request, st *step) (*http.Request, error) {
	access, secret := s.accessKey, s.secretKey
	switch st.auth {
	case anonymous:
		return req, nil
	case wrongSecret:
		secret = "not-" + secret
	case unknownAccessKey:
		access = "NOBODY"
	case presigned, expired:
		return presign(req, access, secret, st.auth == expired)
	case streamed, streamedTrailer:
		if st.auth == streamedTrailer {
			req.Trailer = trailer(st)
		}
		return signer.StreamingSignV4(req, access, secret, "", region, int64(len(st.body)), time.Now().UTC(), hasher{sha256.New()}), nil
	case unsignedTrailer, wrongTrailer:
		req.Header.Set("X-Amz-Content-Sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
		if req.Body == nil || req.Body == http.NoBody {
			req.Body = io.NopCloser(bytes.NewReader(nil))
		}
		return signer.SignV4Trailer(*req, access, secret, "", region, trailer(st)), nil
	}
	req.Header.Set("X-Amz-Content-Sha256", payloadHash(st))
	return signer.SignV4(*req, access, secret, "", region), nil
}

func payloadHash(st *step) string {
	switch st.auth {
	case unsignedPayload:
		return "UNSIGNED-PAYLOAD"
	case wrongHash:
		sum := sha256.Sum256(append([]byte("not "), st.body...))
		return hex.EncodeToString(sum[:])
	}
	sum := sha256.Sum256(st.body)
	return hex.EncodeToString(sum[:])
}

// presign moves the signature into the query. The signer writes the query anew,
// in its own order.
func presign(req *http.Request, access, secret string, changed bool) (*http.Request, error) {
	query, err := url.ParseQuery(req.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	req.URL.RawQuery = query.Encode()
	req = signer.PreSignV4(*req, access, secret, "", region, 600)
	if changed {
		req.URL.RawQuery += "&prefix=other"
	}
	return req, nil
}

// trailer is the checksum that follows a streamed body.
func trailer(st *step) http.Header {
	body := st.body
	if st.auth == wrongTrailer {
		body = append([]byte("not "), body...)
	}
	return http.Header{http.CanonicalHeaderKey("x-amz-checksum-" + st.trailer): {checksum(st.trailer, body)}}
}

var checksumKinds = []string{"crc32", "crc32c", "crc64nvme", "sha1", "sha256"}

// checksum is the value of x-amz-checksum-KIND.
func checksum(kind string, body []byte) string {
	var h hash.Hash
	switch kind {
	case "crc32":
		h = crc32.NewIEEE()
	case "crc32c":
		h = crc32.New(crc32.MakeTable(crc32.Castagnoli))
	case "crc64nvme":
		h = crc64nvme.New()
	case "sha1":
		h = sha1.New()
	case "sha256":
		h = sha256.New()
	default:
		panic(fmt.Sprintf("no checksum is called %q", kind))
	}
	h.Write(body)
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// hasher is what the signer wants of a hash.
type hasher struct{ hash.Hash }

func (hasher) Close() {}
