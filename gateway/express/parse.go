package express

import (
	"bytes"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
)

// request is one that may be answered here.
type request struct {
	host, path string
	size       int // of its line and headers
}

// verdict is what is known of a request.
type verdict int

const (
	nothing verdict = iota // its headers have not ended
	ours
	others
)

var crlf = []byte("\r\n")

// parse reads whole lines of a request. For here is a GET of HTTP/1.1, of a path, from one
// host, with nothing in it that changes the answer or could stand for a body. Whatever is
// odd in the least is not, nor what has one of the other headers, and net/http decides.
func parse(lines []byte, other []string) (request, verdict) {
	line, rest, _ := bytes.Cut(lines, crlf)
	path, ok := target(line)
	if !ok {
		return request{}, others
	}
	var host []byte
	for len(rest) > 0 {
		line, rest, _ = bytes.Cut(rest, crlf)
		if len(line) == 0 {
			if host == nil {
				return request{}, others
			}
			return request{host: string(host), path: decode(path), size: len(lines) - len(rest)}, ours
		}
		name, value, found := bytes.Cut(line, []byte(":"))
		value = bytes.Trim(value, " \t")
		if !found || !isToken(name) || !isText(value) {
			return request{}, others
		}
		switch meaning(name) {
		case hostName:
			if host != nil || !isHost(value) {
				return request{}, others
			}
			host = value
		case connection:
			if !bytes.EqualFold(value, []byte("keep-alive")) {
				return request{}, others
			}
		case another:
			return request{}, others
		case none:
			if slices.ContainsFunc(other, func(o string) bool { return strings.EqualFold(o, string(name)) }) {
				return request{}, others
			}
		}
	}
	return request{}, nothing
}

// inHTTP is a request that is for here, of these lines, as http.ReadRequest has it, which can
// not know what they are and needs twice as long.
func (a request) inHTTP(lines []byte) (*http.Request, error) {
	line, rest, _ := strings.Cut(string(lines), "\r\n")
	r := &http.Request{
		Method: http.MethodGet, RequestURI: strings.TrimSuffix(strings.TrimPrefix(line, "GET "), " HTTP/1.1"),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: make(http.Header), Body: http.NoBody, Host: a.host,
	}
	for line, rest, _ = strings.Cut(rest, "\r\n"); line != ""; line, rest, _ = strings.Cut(rest, "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		if name = textproto.CanonicalMIMEHeaderKey(name); name != "Host" {
			r.Header[name] = append(r.Header[name], textproto.TrimString(value))
		}
	}
	if r.Header.Get("Pragma") == "no-cache" && r.Header["Cache-Control"] == nil { // RFC 9111, section 5.4
		r.Header["Cache-Control"] = []string{"no-cache"}
	}
	var err error
	r.URL, err = url.ParseRequestURI(r.RequestURI)
	return r, err
}

// target is the path of a request line, escaped as it is.
func target(line []byte) (path []byte, ok bool) {
	path, isGet := bytes.CutPrefix(line, []byte("GET "))
	path, is11 := bytes.CutSuffix(path, []byte(" HTTP/1.1"))
	if !isGet || !is11 || len(path) == 0 || path[0] != '/' {
		return nil, false
	}
	for _, c := range path {
		if c <= ' ' || c >= 0x7f || c == '#' {
			return nil, false
		}
	}
	path, _, _ = bytes.Cut(path, []byte("?"))
	return path, isEscaped(path)
}

// isEscaped tells whether each percent sign begins an escape.
func isEscaped(path []byte) bool {
	for {
		_, after, found := bytes.Cut(path, []byte("%"))
		if !found {
			return true
		}
		if len(after) < 2 || !isHex(after[0]) || !isHex(after[1]) {
			return false
		}
		path = after[2:]
	}
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// decode is an escaped path as http.Request has it.
func decode(path []byte) string {
	text := string(path)
	if strings.IndexByte(text, '%') >= 0 {
		text, _ = url.PathUnescape(text)
	}
	return text
}

// effect is what a header means here.
type effect int

const (
	none       effect = iota
	hostName          // must be there, once
	connection        // may say that it stays
	another           // the answer is another with it, or it announces a body
)

// effects are the headers that mean something, by their names in lower case.
var effects = map[string]effect{
	"host": hostName, "connection": connection,
	"range": another, "if-range": another, "if-match": another, "if-none-match": another,
	"if-modified-since": another, "if-unmodified-since": another,
	"content-length": another, "transfer-encoding": another, "trailer": another, "te": another, "expect": another,
	"upgrade": another, "proxy-connection": another, "keep-alive": another, "http2-settings": another,
}

// meaning is a header's effect, and none for names longer than any that matters.
func meaning(name []byte) effect {
	var lower [len("if-unmodified-since")]byte
	if len(name) > len(lower) {
		return none
	}
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		lower[i] = c
	}
	return effects[string(lower[:len(name)])]
}

// isToken tells whether a header's name is one (RFC 9110, section 5.1).
func isToken(name []byte) bool {
	for _, c := range name {
		if !isLetterOrDigit(c) && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return len(name) > 0
}

// isText tells whether a header's value is one: no control characters but tabs.
func isText(value []byte) bool {
	for _, c := range value {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// isHost tells whether a Host is a plain name or address, maybe with a port. There are
// others that net/http takes.
func isHost(host []byte) bool {
	for _, c := range host {
		if !isLetterOrDigit(c) && strings.IndexByte("-._:[]", c) < 0 {
			return false
		}
	}
	return len(host) > 0
}

func isLetterOrDigit(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
