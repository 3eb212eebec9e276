package s3

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/minio/minio-go/v7/pkg/credentials"

	"sluice/backends"
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

// trailerLengths are how long each checksum is in base64.
var trailerLengths = map[string]int{
	"X-Amz-Checksum-Crc32": 8, "X-Amz-Checksum-Crc32c": 8, "X-Amz-Checksum-Crc64nvme": 12,
	"X-Amz-Checksum-Sha1": 28, "X-Amz-Checksum-Sha256": 44,
	"X-Amz-Checksum-Sha512": 88, "X-Amz-Checksum-Md5": 24,
	"X-Amz-Checksum-Xxhash64": 12, "X-Amz-Checksum-Xxhash3": 12, "X-Amz-Checksum-Xxhash128": 24,
}

// trailerLine is a trailer as it stands behind the last chunk. Its signature covers
// it with "\n" in place of the line break.
func trailerLine(name, value string) string { return strings.ToLower(name) + ":" + value + "\r\n" }

const trailerSignature = "x-amz-trailer-signature:"

// trailerOverhead is how many bytes a trailer takes, its signature and the last line
// break included; the line break that ends the last chunk becomes the last one.
func trailerOverhead(t *backends.Trailer) int64 {
	return int64(len(trailerLine(t.Name, "")) + trailerLengths[t.Name] + len(trailerSignature) + 64 + 2)
}

// signChunked signs a request whose body is to travel in signed chunks, with a
// trailer behind them if there is one.
func (c *client) signChunked(req *http.Request, keys credentials.Value, trailer *backends.Trailer) *http.Request {
	size := req.ContentLength
	kind := "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	req.ContentLength = chunkedLength(size)
	if trailer != nil {
		kind += "-TRAILER"
		req.Header.Set("X-Amz-Trailer", strings.ToLower(trailer.Name))
		req.ContentLength += trailerOverhead(trailer)
	}
	req.Header.Set("X-Amz-Content-Sha256", kind)
	req.Header.Set("X-Amz-Decoded-Content-Length", fmt.Sprint(size))
	body := req.Body
	c.signature.sign(req, keys, c.region, time.Now())
	_, signature, _ := strings.Cut(req.Header.Get("Authorization"), "Signature=")
	date := req.Header.Get("X-Amz-Date")
	day := date[:len("20060102")]
	req.Body = &chunkedBody{
		src: body, left: size, key: c.signature.key(keys.SecretAccessKey, c.region, day), previous: signature, trailer: trailer,
		scope: "\n" + date + "\n" + day + "/" + c.region + scopeEnd + "\n",
	}
	return req
}

// chunkedBody makes signed chunks of a body, each signature covering the one
// before. A chunk is built in place: data first, then what stands before it.
type chunkedBody struct {
	src      io.ReadCloser
	left     int64 // bytes of src not read yet
	key      *dayKey
	scope    string // the second and third line of what is signed
	previous string
	trailer  *backends.Trailer // nil: there is none

	buf  []byte // room for a chunk
	out  []byte // what of buf was not handed out yet
	last bool   // the empty chunk was built
}

// chunkHead is the room in front of a chunk's data.
const chunkHead = 16 + len(";chunk-signature=") + 64 + 2

func (b *chunkedBody) Read(p []byte) (int, error) {
	if len(b.out) == 0 {
		if b.last {
			return 0, io.EOF
		}
		if err := b.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, b.out)
	b.out = b.out[n:]
	return n, nil
}

// next builds the next chunk.
func (b *chunkedBody) next() error {
	n := int(min(b.left, signChunkSize))
	if b.buf == nil {
		b.buf = make([]byte, chunkHead+n+2)
	}
	data := b.buf[chunkHead : chunkHead+n]
	if _, err := io.ReadFull(b.src, data); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	b.left -= int64(n)
	b.last = n == 0
	sum := sha256.Sum256(data)
	b.previous = hex.EncodeToString(b.key.sign([]byte("AWS4-HMAC-SHA256-PAYLOAD" + b.scope + b.previous + "\n" + emptySHA256 + "\n" + hex.EncodeToString(sum[:]))))
	head := fmt.Sprintf("%x;chunk-signature=%s\r\n", n, b.previous)
	start := chunkHead - copy(b.buf[chunkHead-len(head):chunkHead], head)
	end := chunkHead + n + copy(b.buf[chunkHead+n:], "\r\n")
	b.out = b.buf[start:end]
	if b.last && b.trailer != nil {
		b.out = append(b.out[:end-start-2], b.signedTrailer()...)
	}
	return nil
}

// signedTrailer is what follows the last chunk's head.
func (b *chunkedBody) signedTrailer() string {
	line := trailerLine(b.trailer.Name, b.trailer.Value())
	sum := sha256.Sum256([]byte(strings.TrimSuffix(line, "\r\n") + "\n"))
	signature := hex.EncodeToString(b.key.sign([]byte("AWS4-HMAC-SHA256-TRAILER" + b.scope + b.previous + "\n" + hex.EncodeToString(sum[:]))))
	return line + trailerSignature + signature + "\r\n\r\n"
}

func (b *chunkedBody) Close() error { return b.src.Close() }
