package quirky

import (
	"bufio"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// readBody reads a body to its end, without the framing of signed chunks. What
// stands behind the chunks joins the headers.
func readBody(r *http.Request) ([]byte, error) {
	if !strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-") {
		return io.ReadAll(r.Body)
	}
	var body []byte
	in := bufio.NewReader(r.Body)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return nil, err
		}
		size, _, _ := strings.Cut(strings.TrimSpace(line), ";")
		n, err := strconv.ParseInt(size, 16, 32)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return body, readTrailer(in, r.Header)
		}
		chunk := make([]byte, n+2)
		if _, err := io.ReadFull(in, chunk); err != nil {
			return nil, err
		}
		body = append(body, chunk[:n]...)
	}
}

func readTrailer(in *bufio.Reader, h http.Header) error {
	for {
		line, err := in.ReadString('\n')
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			h.Set(name, value)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

const crc32Name = "X-Amz-Checksum-Crc32"

func hasChecksum(h http.Header) bool {
	for name := range h {
		if strings.HasPrefix(name, "X-Amz-Checksum-") || name == "X-Amz-Trailer" {
			return true
		}
	}
	return false
}

func crc(body []byte) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(body)))
}

// checked are the checksums of a request's header, verified. The store knows
// CRC-32 and SHA-256.
func (s *Server) checked(h http.Header, body []byte) (http.Header, *refusal) {
	sums := make(http.Header)
	if s.quirks.ForgetChecksums {
		return sums, nil
	}
	hashed := sha256.Sum256(body)
	for name, is := range map[string]string{
		crc32Name: crc(body), "X-Amz-Checksum-Sha256": base64.StdEncoding.EncodeToString(hashed[:]),
	} {
		if said := h.Get(name); said != "" && said != is {
			return nil, invalid("BadDigest")
		} else if said != "" {
			sums.Set(name, is)
			sums.Set("X-Amz-Checksum-Type", "FULL_OBJECT")
		}
	}
	return sums, nil
}
