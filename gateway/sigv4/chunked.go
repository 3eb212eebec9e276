package sigv4

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Bounds on what a client may put between the bytes of its payload.
const (
	maxLine      = 1 << 10 // a chunk's header, or a trailer
	maxTrailers  = 16      // lines, the signature's included
	maxAnnounced = 1 << 10 // bytes of x-amz-trailer

	trailerSignature = "x-amz-trailer-signature"
)

// chunkReader decodes aws-chunked
// (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html,
// …/sigv4-streaming-trailers.html):
//
//	10000;chunk-signature=…\r\n<65536 bytes>\r\n…0;chunk-signature=…\r\n<trailers>\r\n
//
// Bytes are handed out before their chunk's signature was checked, since a chunk
// may be larger than memory; a wrong signature ends the body with an error.
type chunkReader struct {
	src     *bufio.Reader
	signer  *chunkSigner // nil: the chunks are not signed
	names   []string     // the announced trailers, lower case
	trailer http.Header  // what arrived of them; set at the end

	total int64 // bytes the chunks may still hold
	left  int64 // bytes of the chunk not read yet
	open  bool  // a chunk's data, or its final line break, is still to come
	err   error
}

func newChunkReader(src io.Reader, trailers []string, size int64) *chunkReader {
	return &chunkReader{src: bufio.NewReaderSize(src, 4<<10), names: trailers, total: size}
}

// announcedTrailers reads x-amz-trailer. A trailer can only be a checksum, as
// with S3: anything else would be lost without a word.
func announcedTrailers(values []string) ([]string, error) {
	list := strings.ToLower(strings.Join(values, ","))
	if len(list) > maxAnnounced {
		return nil, refuse("InvalidRequest", "The x-amz-trailer header is too long.")
	}
	var names []string
	for name := range strings.SplitSeq(list, ",") {
		name = strings.TrimSpace(name)
		if name == "" || slices.Contains(names, name) {
			continue
		}
		header := http.CanonicalHeaderKey(name)
		known := false
		for _, algorithm := range algorithms {
			known = known || algorithm.header == header
		}
		if !known {
			return nil, refuse("InvalidRequest", "The value specified in the x-amz-trailer header is not supported")
		}
		names = append(names, name)
	}
	return names, nil
}

func (c *chunkReader) announces(name string) bool { return slices.Contains(c.names, name) }

func malformedChunk() error {
	return refuse("IncompleteBody", "The request body terminated unexpectedly")
}

func malformedTrailer() error {
	return refuse("MalformedTrailerError", "The request contained trailing data that was not well-formed or did not conform to our published schema.")
}

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
	c.signer.write(p[:n])
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
	header, ok := strings.CutSuffix(line, "\r")
	digits, extension, _ := strings.Cut(header, ";")
	size, err := strconv.ParseUint(digits, 16, 63)
	if !ok || err != nil {
		return malformedChunk()
	}
	if size > uint64(c.total) {
		return incomplete()
	}
	if err := c.signer.begin(extension); err != nil {
		return err
	}
	if size == 0 {
		return c.finish()
	}
	c.left, c.open = int64(size), true
	c.total -= c.left
	return nil
}

// endChunk reads the line break behind a chunk's data and checks its signature.
func (c *chunkReader) endChunk() error {
	c.open = false
	var crlf [2]byte
	if _, err := io.ReadFull(c.src, crlf[:]); err != nil {
		return unexpected(err)
	}
	if crlf != [2]byte{'\r', '\n'} {
		return malformedChunk()
	}
	return c.signer.end()
}

// line reads up to the next "\n", which it leaves out.
func (c *chunkReader) line() (string, error) {
	raw, err := c.src.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull) || len(raw) > maxLine:
		return "", malformedChunk()
	case err != nil:
		return "", unexpected(err)
	}
	return string(bytes.TrimSuffix(raw, []byte("\n"))), nil
}

// finish checks the last chunk, reads what follows it, and answers io.EOF.
func (c *chunkReader) finish() error {
	if err := c.signer.end(); err != nil {
		return err
	}
	if _, err := c.src.Peek(1); errors.Is(err, io.EOF) && len(c.names) == 0 {
		return io.EOF // some clients leave out the last line break
	}
	signed, err := c.readTrailer()
	if err != nil {
		return err
	}
	for _, name := range c.names {
		if c.trailer.Get(name) == "" {
			return malformedTrailer()
		}
	}
	if len(c.names) > 0 {
		if err := c.signer.endTrailer(signed, c.trailer.Get(trailerSignature)); err != nil {
			return err
		}
	}
	// minio-go ends unsigned trailers with two empty lines.
	rest, err := io.ReadAll(io.LimitReader(c.src, 3))
	switch {
	case err != nil:
		return err
	case len(rest) > 0 && string(rest) != "\r\n":
		return malformedChunk()
	}
	return io.EOF
}

// readTrailer reads the trailers up to an empty line, and answers the text that
// their signature covers.
//
// Amazon's documentation ends a trailer's line with "\n" and puts "\r\n" before
// the signature, as minio-go sends it; Amazon's SDKs end every line with "\r\n".
// Both are read.
func (c *chunkReader) readTrailer() (signed string, err error) {
	c.trailer = make(http.Header)
	var text strings.Builder
	for range maxTrailers {
		line, err := c.line()
		if err != nil {
			return "", err
		}
		line, crlf := strings.CutSuffix(line, "\r")
		if line == "" && crlf {
			if c.signer == nil || len(c.names) == 0 || c.trailer.Get(trailerSignature) != "" {
				return text.String(), nil
			}
			continue // the signature is still to come
		}
		name, value, _ := strings.Cut(line, ":")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		if value == "" || c.trailer.Get(name) != "" || name != trailerSignature && !c.announces(name) {
			return "", malformedTrailer()
		}
		c.trailer.Set(name, value)
		if name != trailerSignature {
			text.WriteString(name + ":" + value + "\n")
		}
	}
	return "", malformedTrailer()
}
