package s3

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
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
		resp.Body = &plainBody{in, int64(length)}
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
	return code, err == nil && code/100 == 2 && code != http.StatusNoContent
}

// plainHeader reads header lines, whose names and values become parts of one text.
func plainHeader(lines []byte) (h http.Header, ok bool) {
	h = make(http.Header)
	values := make([]string, bytes.Count(lines, []byte("\n"))) // all in one piece
	for text := string(lines); text != ""; {
		line, rest, _ := strings.Cut(text, "\r\n")
		colon := nameEnd(line)
		if colon <= 0 || !plainValue(line[colon:]) {
			return nil, false
		}
		text = rest
		if nobodyReads(line[:colon]) { // in another case it stays, for nobody
			continue
		}
		key := textproto.CanonicalMIMEHeaderKey(line[:colon])
		switch key {
		case "Connection", "Transfer-Encoding", "Trailer":
			return nil, false
		}
		values[0] = textproto.TrimString(line[colon+1:])
		if former := h[key]; former != nil {
			h[key] = append(former, values[0])
		} else {
			h[key] = values[:1:1]
		}
		values = values[1:]
	}
	return h, true
}

// nobodyReads picks headers of the server and the moment, which are more than half of those
// that come with an object, and of no use to anyone here.
func nobodyReads(name string) bool {
	switch name {
	case "Accept-Ranges", "Date", "Server", "Strict-Transport-Security", "X-Amz-Id-2", "X-Amz-Request-Id",
		"X-Content-Type-Options", "X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Xss-Protection":
		return true
	}
	return false
}

// nameEnd is where the colon behind a name made of letters, digits and hyphens is; -1 if it
// is not there.
func nameEnd(line string) int {
	for i := range len(line) {
		switch c := line[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-':
		case c == ':':
			return i
		default:
			return -1
		}
	}
	return -1
}

// plainValue tells whether there are no control characters in a value but tabs.
func plainValue(value string) bool {
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
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

// Close leaves the connection to lineBody.
func (b *plainBody) Close() error { return nil }
