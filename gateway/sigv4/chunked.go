package sigv4

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Bounds on what a client may put between the bytes of its payload.
const (
	maxChunkHeader   = 1 << 10
	maxTrailers      = 16
	maxAnnounced     = 1 << 10 // bytes of x-amz-trailer
	trailerSignature = "x-amz-trailer-signature"
)

// chunkReader decodes aws-chunked
// (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html):
//
//	10000;chunk-signature=…\r\n<65536 bytes>\r\n…0;chunk-signature=…\r\n<trailers>\r\n
//
// Bytes are handed out before their chunk's signature was checked, since a chunk
// may be larger than memory; a wrong signature ends the body with an error.
type chunkReader struct {
	src       *bufio.Reader
	signer    *chunkSigner // nil: the chunks are not signed
	announced []string     // trailer names, lower case
	trailer   http.Header  // set at the end

	total int64 // bytes the chunks may still hold
	left  int64 // bytes of the chunk not read yet
	open  bool  // a chunk's data, or its final line break, is still to come
	err   error
}

func newChunkReader(src io.Reader, trailers string, size int64) *chunkReader {
	c := &chunkReader{src: bufio.NewReaderSize(src, 4<<10), total: size}
	if len(trailers) > maxAnnounced {
		c.err = refuse("MalformedTrailerError", "The x-amz-trailer header is too long.")
	}
	for name := range strings.SplitSeq(trailers, ",") {
		if name = strings.ToLower(strings.TrimSpace(name)); name != "" {
			c.announced = append(c.announced, name)
		}
	}
	return c
}

var errMalformedChunk = refuse("InvalidRequest", "The chunked body is malformed.")

func (c *chunkReader) Read(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	if c.left == 0 {
		if c.err = c.next(); c.err != nil {
			return 0, c.err
		}
	}
	if int64(len(p)) > c.left {
		p = p[:c.left]
	}
	n, err := c.src.Read(p)
	c.left -= int64(n)
	if c.signer != nil {
		c.signer.hash.Write(p[:n])
	}
	c.err = unexpected(err)
	return n, c.err
}

// unexpected: the body must not end before its last chunk.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// next ends the chunk that was read and begins the one behind it. io.EOF follows
// the last.
func (c *chunkReader) next() error {
	if c.open {
		if err := c.endChunk(); err != nil {
			return err
		}
	}
	line, err := c.line()
	if err != nil {
		return err
	}
	sizeText, extension, _ := strings.Cut(line, ";")
	size, err := strconv.ParseInt(sizeText, 16, 63)
	if err != nil || size < 0 || len(sizeText) > 16 {
		return errMalformedChunk
	}
	if size > c.total {
		return refuse("InvalidRequest", "The chunks hold more than x-amz-decoded-content-length.")
	}
	if c.signer != nil {
		signature, ok := strings.CutPrefix(extension, "chunk-signature=")
		if !ok {
			return errMalformedChunk
		}
		c.signer.begin(signature)
	}
	c.total -= size
	if size > 0 {
		c.left, c.open = size, true
		return nil
	}
	if err := c.signer.end(); err != nil {
		return err
	}
	return c.readTrailer()
}

// endChunk reads the line break behind a chunk's data and checks its signature.
func (c *chunkReader) endChunk() error {
	c.open = false
	var crlf [2]byte
	if _, err := io.ReadFull(c.src, crlf[:]); err != nil {
		return unexpected(err)
	}
	if crlf != [2]byte{'\r', '\n'} {
		return errMalformedChunk
	}
	return c.signer.end()
}

// line reads up to the next CRLF.
func (c *chunkReader) line() (string, error) {
	raw, err := c.src.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull) || len(raw) > maxChunkHeader:
		return "", errMalformedChunk
	case err != nil:
		return "", unexpected(err)
	}
	text, ok := bytes.CutSuffix(raw, []byte("\r\n"))
	if !ok {
		return "", errMalformedChunk
	}
	return string(text), nil
}

// readTrailer reads what follows the last chunk, and io.EOF behind it.
func (c *chunkReader) readTrailer() error {
	c.trailer = make(http.Header)
	var signed strings.Builder
	for range maxTrailers {
		line, err := c.line()
		if errors.Is(err, io.ErrUnexpectedEOF) && len(c.announced) == 0 {
			return io.EOF // some clients leave out the last line break
		}
		if err != nil {
			return err
		}
		if line == "" {
			return c.checkTrailer(signed.String())
		}
		name, value, ok := strings.Cut(line, ":")
		name = strings.ToLower(strings.TrimSpace(name))
		value = strings.TrimSpace(value)
		if !ok || c.trailer.Get(name) != "" || name != trailerSignature && !slices.Contains(c.announced, name) {
			return malformedTrailer()
		}
		c.trailer.Set(name, value)
		if name != trailerSignature {
			signed.WriteString(name + ":" + value + "\n")
		}
	}
	return malformedTrailer()
}

func malformedTrailer() error {
	return refuse("MalformedTrailerError", "The request contained trailing data that was not well-formed or did not conform to our published schema.")
}

func (c *chunkReader) checkTrailer(signed string) error {
	for _, name := range c.announced {
		if c.trailer.Get(name) == "" {
			return malformedTrailer()
		}
	}
	if c.signer != nil && len(c.announced) > 0 && !c.signer.trailer(signed, c.trailer.Get(trailerSignature)) {
		return refuse("SignatureDoesNotMatch", "The trailer's signature does not match.")
	}
	if _, err := c.src.ReadByte(); !errors.Is(err, io.EOF) {
		return errMalformedChunk
	}
	return io.EOF
}

// chunkSigner checks a chain of signatures: each covers the one before it, so
// that chunks can be neither dropped, nor repeated, nor swapped.
type chunkSigner struct {
	key         []byte
	date, scope string
	previous    string
	given       string
	hash        hash.Hash
}

func (s *chunkSigner) begin(signature string) {
	s.given = signature
	if s.hash == nil {
		s.hash = sha256.New()
	}
	s.hash.Reset()
}

// end checks the chunk's signature. A nil signer has nothing to check.
func (s *chunkSigner) end() error {
	if s == nil {
		return nil
	}
	want := sign(s.key, "AWS4-HMAC-SHA256-PAYLOAD\n"+s.date+"\n"+s.scope+"\n"+s.previous+"\n"+
		emptySHA256+"\n"+hex.EncodeToString(s.hash.Sum(nil)))
	if !hmac.Equal([]byte(want), []byte(s.given)) {
		return refuse("SignatureDoesNotMatch", "A chunk's signature does not match.")
	}
	s.previous = want
	return nil
}

const emptySHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func (s *chunkSigner) trailer(text, given string) bool {
	want := sign(s.key, "AWS4-HMAC-SHA256-TRAILER\n"+s.date+"\n"+s.scope+"\n"+s.previous+"\n"+hexSHA256(text))
	return hmac.Equal([]byte(want), []byte(given))
}
