package sigv4

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// canonicalRequest is the text that was signed: method, path, query, headers and
// payload in one form, whatever form they travelled in.
func (c *credential) canonicalRequest(r *http.Request, query url.Values) string {
	var b strings.Builder
	b.Grow(512)
	b.WriteString(r.Method)
	b.WriteByte('\n')
	path := r.URL.Path // decoded once; S3 signs it encoded once
	if path == "" {
		path = "/"
	}
	escape(&b, path, true)
	b.WriteByte('\n')
	canonicalQuery(&b, query)
	b.WriteByte('\n')
	for _, name := range c.signed {
		b.WriteString(name)
		b.WriteByte(':')
		canonicalHeader(&b, r, name)
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	b.WriteString(strings.Join(c.signed, ";"))
	b.WriteByte('\n')
	b.WriteString(c.payload)
	return b.String()
}

// canonicalQuery writes the parameters sorted and encoded, without the signature.
func canonicalQuery(b *strings.Builder, query url.Values) {
	if len(query) == 0 {
		return
	}
	pairs := make([]string, 0, len(query))
	for name, values := range query {
		if name == "X-Amz-Signature" {
			continue
		}
		for _, value := range values {
			var pair strings.Builder
			escape(&pair, name, false)
			pair.WriteByte('=')
			escape(&pair, value, false)
			pairs = append(pairs, pair.String())
		}
	}
	slices.Sort(pairs)
	b.WriteString(strings.Join(pairs, "&"))
}

// canonicalHeader writes a header's values trimmed, inner white space folded.
// net/http keeps some headers out of r.Header.
func canonicalHeader(b *strings.Builder, r *http.Request, name string) {
	switch name {
	case "host":
		b.WriteString(r.Host)
		return
	case "content-length":
		if r.ContentLength >= 0 {
			b.WriteString(strconv.FormatInt(r.ContentLength, 10))
		}
		return
	case "transfer-encoding":
		b.WriteString(strings.Join(r.TransferEncoding, ","))
		return
	}
	for i, value := range r.Header[http.CanonicalHeaderKey(name)] {
		if i > 0 {
			b.WriteByte(',')
		}
		if !strings.Contains(value, "  ") {
			b.WriteString(strings.TrimSpace(value))
			continue
		}
		b.WriteString(strings.Join(strings.Fields(value), " "))
	}
}

// escape percent-encodes every byte but the unreserved of RFC 3986; a path keeps
// its slashes.
func escape(b *strings.Builder, text string, path bool) {
	const digits = "0123456789ABCDEF"
	for i := range len(text) {
		switch c := text[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			c == '-', c == '.', c == '_', c == '~', c == '/' && path:
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
}
