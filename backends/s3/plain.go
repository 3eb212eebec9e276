package s3

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/textproto"
	"strconv"
)

// plainAnswer is an answer as nearly every one is: of HTTP/1.1, to a GET, its headers read
// already, its body as long as one Content-Length says, and the connection stays. Of any
// other, and of what is odd in the least, it answers nil and takes nothing, for
// http.ReadResponse, which needs three times as long.
func plainAnswer(in *bufio.Reader, req *http.Request) *http.Response {
	if req.Method != http.MethodGet {
		return nil
	}
	got, _ := in.Peek(in.Buffered())
	end := bytes.Index(got, []byte("\r\n\r\n"))
	if end < 0 {
		return nil
	}
	status, lines, _ := bytes.Cut(got[:end+2], []byte("\r\n"))
	code, ok := plainStatus(status)
	if !ok {
		return nil
	}
	header, ok := plainHeader(lines)
	length, err := strconv.ParseUint(header.Get("Content-Length"), 10, 63)
	if !ok || err != nil || len(header["Content-Length"]) != 1 {
		return nil
	}
	_, _ = in.Discard(end + 4)
	resp := &http.Response{
		Status: string(status[len("HTTP/1.1 "):]), StatusCode: code, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, ContentLength: int64(length), Body: http.NoBody, Request: req,
	}
	if length > 0 {
		resp.Body = io.NopCloser(&plainBody{in, int64(length)})
	}
	return resp
}

// plainStatus is the code of a status line after which a body may come.
func plainStatus(line []byte) (code int, ok bool) {
	text, is11 := bytes.CutPrefix(line, []byte("HTTP/1.1 "))
	if !is11 || len(text) < len("200 ") || text[3] != ' ' || bytes.IndexByte(text, '\n') >= 0 {
		return 0, false
	}
	code, err := strconv.Atoi(string(text[:3]))
	return code, err == nil && code >= http.StatusOK && code != http.StatusNoContent && code != http.StatusNotModified
}

// plainHeader reads header lines.
func plainHeader(lines []byte) (h http.Header, ok bool) {
	count := bytes.Count(lines, []byte("\n"))
	h = make(http.Header, count)
	values := make([]string, count) // all in one piece
	for len(lines) > 0 {
		line, rest, _ := bytes.Cut(lines, []byte("\r\n"))
		name, value, found := bytes.Cut(line, []byte(":"))
		if !found || !plainName(name) || bytes.ContainsFunc(value, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
			return nil, false
		}
		key := textproto.CanonicalMIMEHeaderKey(string(name))
		switch key {
		case "Connection", "Transfer-Encoding", "Trailer":
			return nil, false
		}
		values[0] = string(bytes.Trim(value, " \t"))
		if former := h[key]; len(former) > 0 {
			h[key] = append(former, values[0])
		} else {
			h[key] = values[:1:1]
		}
		values, lines = values[1:], rest
	}
	return h, true
}

// plainName tells whether a header's name is made of letters, digits and hyphens.
func plainName(name []byte) bool {
	for _, c := range name {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-') {
			return false
		}
	}
	return len(name) > 0
}

// plainBody is a body of known length. Its last bytes come with io.EOF.
type plainBody struct {
	in   *bufio.Reader
	left int64
}

func (b *plainBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	n, err := b.in.Read(p[:min(int64(len(p)), b.left)])
	switch b.left -= int64(n); {
	case b.left == 0:
		return n, io.EOF
	case errors.Is(err, io.EOF):
		return n, io.ErrUnexpectedEOF
	}
	return n, err
}
