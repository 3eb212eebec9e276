package sigv4

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// params are a query's parameters, decoded, in the order they were sent. A bare
// "acl" is "acl=".
type params []param

type param struct{ name, value string }

// parseQuery differs from url.ParseQuery in that a semicolon is a character like
// any other, and that no parameter is ever dropped: what was not signed must not
// be acted on, and the other way round.
func parseQuery(raw string) (params, error) {
	if raw == "" {
		return nil, nil
	}
	query := make(params, 0, strings.Count(raw, "&")+1)
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, nameErr := url.QueryUnescape(name)
		value, valueErr := url.QueryUnescape(value)
		if cmp.Or(nameErr, valueErr) != nil {
			return nil, refuse("InvalidURI", "Couldn't parse the specified URI.")
		}
		query = append(query, param{name, value})
	}
	return query, nil
}

func (q params) find(name string) int {
	return slices.IndexFunc(q, func(p param) bool { return p.name == name })
}

func (q params) has(name string) bool { return q.find(name) >= 0 }

// get is the first value of a parameter, or "".
func (q params) get(name string) string {
	if i := q.find(name); i >= 0 {
		return q[i].value
	}
	return ""
}

// canonicalRequest is the text that was signed: method, path, query, headers and
// payload in one form, whatever form they travelled in.
func (c *credential) canonicalRequest(r *http.Request, query params) []byte {
	b := make([]byte, 0, 1<<10)
	b = append(append(b, r.Method...), '\n')
	// The path decoded once and encoded once, as S3 does it: clients disagree on
	// what to encode on the wire, but sign this. Nothing is cleaned: "//" and
	// ".." are parts of a key.
	b = append(appendEscaped(b, cmp.Or(r.URL.Path, "/"), true), '\n')
	b = append(appendQuery(b, query), '\n')
	for _, name := range c.signed {
		b = append(append(b, name...), ':')
		b = append(appendHeader(b, r, name), '\n')
	}
	b = append(b, '\n')
	b = append(append(b, c.signedList...), '\n')
	return append(b, c.payload...)
}

// appendQuery writes the parameters encoded, then sorted by name and value,
// without the signature. Sorting the pairs as whole texts would be wrong: "a-b="
// comes before "a=", but a before a-b.
func appendQuery(b []byte, query params) []byte {
	if len(query) == 0 {
		return b
	}
	encoded := make(params, 0, len(query))
	for _, p := range query {
		if p.name != "X-Amz-Signature" {
			encoded = append(encoded, param{
				string(appendEscaped(nil, p.name, false)), string(appendEscaped(nil, p.value, false)),
			})
		}
	}
	slices.SortFunc(encoded, func(x, y param) int {
		return cmp.Or(strings.Compare(x.name, y.name), strings.Compare(x.value, y.value))
	})
	for i, p := range encoded {
		if i > 0 {
			b = append(b, '&')
		}
		b = append(append(append(b, p.name...), '='), p.value...)
	}
	return b
}

// appendHeader writes a header's values. net/http keeps some headers out of
// r.Header, and proxies answer Expect themselves.
func appendHeader(b []byte, r *http.Request, name string) []byte {
	switch name {
	case "host":
		return append(b, r.Host...)
	case "content-length":
		if r.ContentLength >= 0 {
			b = strconv.AppendInt(b, r.ContentLength, 10)
		}
		return b
	case "transfer-encoding":
		return append(b, strings.Join(r.TransferEncoding, ",")...)
	}
	values := r.Header[http.CanonicalHeaderKey(name)]
	if name == "expect" && len(values) == 0 {
		return append(b, "100-continue"...)
	}
	for i, value := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendFolded(b, value)
	}
	return b
}

// appendFolded writes a header's value trimmed, every run of spaces as one. A
// space is ASCII's: anything wider is part of the value.
func appendFolded(b []byte, value string) []byte {
	value = strings.Trim(value, " \t")
	for i := range len(value) {
		if value[i] != ' ' || value[i-1] != ' ' {
			b = append(b, value[i])
		}
	}
	return b
}

// appendEscaped percent-encodes every byte but the unreserved of RFC 3986,
// section 2.3; a path keeps its slashes.
func appendEscaped(b []byte, text string, path bool) []byte {
	const digits = "0123456789ABCDEF"
	for i := range len(text) {
		switch c := text[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			c == '-', c == '.', c == '_', c == '~', c == '/' && path:
			b = append(b, c)
		default:
			b = append(b, '%', digits[c>>4], digits[c&15])
		}
	}
	return b
}
