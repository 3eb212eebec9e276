package s3api

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// MaxMetadata is the most user metadata an object may have, in bytes of names
// (without "x-amz-meta-") and values together.
const MaxMetadata = 2 << 10

const metadataPrefix = "X-Amz-Meta-"

// headerSet says which request headers go on to a store. Names are canonical.
type headerSet struct{ exact, prefixes []string }

var (
	// objectHeaders describe an object or act on its creation; they are those
	// of backends.PutRequest.Header. Content-Encoding is there as well, but
	// see contentEncoding.
	objectHeaders = headerSet{
		exact: []string{
			"Cache-Control", "Content-Disposition", "Content-Language", "Content-Type", "Expires",
			"X-Amz-Acl", "X-Amz-Tagging", "X-Amz-Storage-Class", "X-Amz-Website-Redirect-Location",
		},
		prefixes: []string{
			metadataPrefix, "X-Amz-Grant-", "X-Amz-Server-Side-Encryption", "X-Amz-Object-Lock-", "X-Amz-Checksum-",
		},
	}
	// copyHeaders say what of the source a copy takes over, and when.
	copyHeaders = headerSet{
		exact: []string{"X-Amz-Metadata-Directive", "X-Amz-Tagging-Directive"},
		prefixes: []string{
			"X-Amz-Copy-Source-If-", "X-Amz-Copy-Source-Server-Side-Encryption-Customer-",
		},
	}
	// partHeaders go with a part's bytes.
	partHeaders = headerSet{prefixes: []string{"X-Amz-Server-Side-Encryption-Customer-", "X-Amz-Checksum-"}}
	// completeHeaders state what the assembled object must be.
	completeHeaders = headerSet{
		exact:    []string{"X-Amz-Mp-Object-Size"},
		prefixes: partHeaders.prefixes,
	}
	// deleteHeaders overrule a lock, or are conditions that only some buckets know.
	deleteHeaders = headerSet{exact: []string{
		"X-Amz-Bypass-Governance-Retention", "X-Amz-Mfa",
		"X-Amz-If-Match-Last-Modified-Time", "X-Amz-If-Match-Size",
	}}
	// conditionHeaders are HTTP's conditions (RFC 9110, section 13.1).
	conditionHeaders = headerSet{exact: []string{"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"}}
	// readHeaders go with a GET or HEAD.
	readHeaders = headerSet{
		exact:    []string{checksumMode},
		prefixes: []string{"X-Amz-Server-Side-Encryption-Customer-"},
	}
)

// pick copies the headers in the sets; nil when there is none. A repeated header
// becomes one with a comma, as S3 stores repeated metadata.
func pick(from http.Header, sets ...headerSet) http.Header {
	var picked http.Header
	for name, values := range from {
		for _, set := range sets {
			if !set.has(name) {
				continue
			}
			if picked == nil {
				picked = make(http.Header)
			}
			picked[name] = []string{strings.Join(values, ",")}
		}
	}
	return picked
}

func (s headerSet) has(name string) bool {
	return slices.Contains(s.exact, name) ||
		slices.ContainsFunc(s.prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}

// objectHeader is the header of a new object. An object without a Content-Type
// is binary/octet-stream, as S3 documents; saying so here keeps two stores from
// each choosing a default of its own.
func (r *Request) objectHeader(more ...headerSet) (http.Header, error) {
	h := pick(r.Header, append(more, objectHeaders)...)
	if h == nil {
		h = make(http.Header, 1)
	}
	size := 0
	for name, values := range h {
		if key, ok := strings.CutPrefix(name, metadataPrefix); ok {
			size += len(key) + len(values[0])
		}
	}
	if size > MaxMetadata {
		return nil, ErrorFor("MetadataTooLarge", "")
	}
	if encoding := contentEncoding(r.Header["Content-Encoding"]); encoding != "" {
		h.Set("Content-Encoding", encoding)
	}
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", "binary/octet-stream")
	}
	return h, nil
}

// contentEncoding drops "aws-chunked": it names the framing of the upload, which
// ends at the gateway, and is no property of the object.
func contentEncoding(values []string) string {
	var kept []string
	for token := range strings.SplitSeq(strings.Join(values, ","), ",") {
		if token = strings.TrimSpace(token); token != "" && !strings.EqualFold(token, "aws-chunked") {
			kept = append(kept, token)
		}
	}
	return strings.Join(kept, ",")
}

// unhoisted are the X-Amz-* query keys that stay query keys: the signature's own
// and the statements about a body that a presigner has not seen (the JavaScript
// SDK presigns the checksum of an empty one).
var unhoisted = headerSet{
	exact: []string{
		"X-Amz-Algorithm", "X-Amz-Content-Sha256", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires",
		"X-Amz-Security-Token", "X-Amz-Signature", "X-Amz-Signedheaders", "X-Amz-User-Agent",
	},
	prefixes: []string{"X-Amz-Checksum-", "X-Amz-Sdk-"},
}

// withHoisted adds the headers that a presigned URL carries in its query. SDKs
// move x-amz-* headers there, and S3 reads them back; a presigned CopyObject has
// its x-amz-copy-source nowhere else, and taken for a PutObject it would empty
// the object. A header that was really sent wins.
func withHoisted(header http.Header, query url.Values) (http.Header, error) {
	cloned := false
	for key, values := range query {
		if len(key) < 6 || !strings.EqualFold(key[:6], "x-amz-") {
			continue
		}
		name := http.CanonicalHeaderKey(key)
		if unhoisted.has(name) || len(header[name]) > 0 {
			continue
		}
		if err := checkHeaderValue(key, values...); err != nil {
			return nil, err
		}
		if !cloned {
			header, cloned = header.Clone(), true
			if header == nil {
				header = make(http.Header)
			}
		}
		header[name] = values
	}
	return header, nil
}

// checkHeaderValue refuses what came in a query and can not stand in a header.
func checkHeaderValue(name string, values ...string) error {
	for _, value := range values {
		if strings.ContainsFunc(value, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7F }) {
			return invalidArgument("The value of " + name + " can not be a header's.")
		}
	}
	return nil
}

// refuseHeaders answers NotImplemented for headers that change what a mutation
// means and can not be honoured: dropping a condition makes an unconditional
// overwrite of a conditional one.
func (r *Request) refuseHeaders(names ...string) error {
	for _, name := range names {
		if len(r.Header[name]) > 0 {
			return ErrorFor("NotImplemented", "").with("Header", name)
		}
	}
	return nil
}
