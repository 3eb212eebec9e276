package s3

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/signer"
)

// Chunked signing
// (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html) carries a
// body whose hash is not known beforehand. Without any hash some servers store
// what has arrived when a connection breaks in the middle of a body; of signed
// chunks the last one must arrive. minio-go's own implementation announces
// "Content-Encoding: aws-chunked", which S3 does not ask for and some servers keep
// as the object's.

const (
	signChunkSize = 64 << 10
	// chunkOverhead is what a chunk carries besides its size in hex and its data:
	// ";chunk-signature=", the signature, and two line breaks.
	chunkOverhead = len(";chunk-signature=") + 64 + 4
)

// chunkedLength is how many bytes a body of size bytes takes on the wire.
func chunkedLength(size int64) int64 {
	full, rest := size/signChunkSize, size%signChunkSize
	n := full * int64(len(fmt.Sprintf("%x", signChunkSize))+chunkOverhead+signChunkSize)
	if rest > 0 {
		n += int64(len(fmt.Sprintf("%x", rest))+chunkOverhead) + rest
	}
	return n + int64(1+chunkOverhead)
}

// signChunked signs a request whose body is to travel in signed chunks.
func (s *Store) signChunked(req *http.Request, keys credentials.Value) *http.Request {
	size := req.ContentLength
	req.Header.Set("X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
	req.Header.Set("X-Amz-Decoded-Content-Length", fmt.Sprint(size))
	req.ContentLength = chunkedLength(size)
	body := req.Body
	req = signer.SignV4(*req, keys.AccessKeyID, keys.SecretAccessKey, keys.SessionToken, s.region)
	_, signature, _ := strings.Cut(req.Header.Get("Authorization"), "Signature=")
	date := req.Header.Get("X-Amz-Date")
	day := date[:len("20060102")]
	key := []byte("AWS4" + keys.SecretAccessKey)
	for _, part := range []string{day, s.region, "s3", "aws4_request"} {
		key = mac(key, part)
	}
	req.Body = &chunkedBody{
		src: body, left: size, key: key, previous: signature,
		prefix: "AWS4-HMAC-SHA256-PAYLOAD\n" + date + "\n" + day + "/" + s.region + "/s3/aws4_request\n",
	}
	return req
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// chunkedBody makes signed chunks of a body, each signature covering the one
// before.
type chunkedBody struct {
	src      io.ReadCloser
	left     int64 // bytes of src not read yet
	key      []byte
	prefix   string
	previous string

	data []byte
	out  bytes.Buffer
	last bool // the empty chunk is in out
}

func (b *chunkedBody) Read(p []byte) (int, error) {
	if b.out.Len() == 0 {
		if b.last {
			return 0, io.EOF
		}
		if err := b.next(); err != nil {
			return 0, err
		}
	}
	return b.out.Read(p)
}

// next signs the next chunk into out.
func (b *chunkedBody) next() error {
	if b.data == nil {
		b.data = make([]byte, min(b.left, signChunkSize))
	}
	n := int(min(b.left, signChunkSize))
	if _, err := io.ReadFull(b.src, b.data[:n]); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	b.left -= int64(n)
	b.last = n == 0
	sum := sha256.Sum256(b.data[:n])
	b.previous = hex.EncodeToString(mac(b.key, b.prefix+b.previous+"\n"+emptySHA256+"\n"+hex.EncodeToString(sum[:])))
	fmt.Fprintf(&b.out, "%x;chunk-signature=%s\r\n", n, b.previous)
	b.out.Write(b.data[:n])
	b.out.WriteString("\r\n")
	return nil
}

func (b *chunkedBody) Close() error { return b.src.Close() }
