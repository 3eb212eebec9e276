package sigv4

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// subresources are the query parameters that version 2 signs, beside response-*:
// those of Amazon's page and of its SDKs, and whatever else makes another request
// of the one that it is appended to. list-type is left out, because no client
// signs it; it turns a list into the same list in another form.
var subresources = []string{
	"abac", "accelerate", "acl", "analytics", "append", "attributes", "cors", "delete", "encryption", "events",
	"intelligent-tiering", "inventory", "legal-hold", "lifecycle", "location", "logging", "metadataConfiguration",
	"metadataInventoryTable", "metadataJournalTable", "metadataTable", "metrics", "notification", "object-lock",
	"ownershipControls", "partNumber", "policy", "policyStatus", "publicAccessBlock", "renameObject", "replication",
	"requestPayment", "restore", "retention", "select", "select-type", "session", "tagging", "torrent", "uploadId",
	"uploads", "versionId", "versioning", "versions", "website",
}

// fromHeader2 reads "AWS AKID:signature", and the date that goes with it.
func (v *Verifier) fromHeader2(r *http.Request, header string) (*credential, error) {
	text := strings.TrimSpace(strings.TrimPrefix(header, "AWS "))
	colon := strings.LastIndexByte(text, ':') // base64 has none, an access key id may
	if colon < 1 || colon == len(text)-1 {
		return nil, refuse("InvalidArgument", "AWS authorization header is invalid.  Expected AwsAccessKeyId:signature")
	}
	c := &credential{version2: true, accessKeyID: text[:colon], signature: text[colon+1:], date: r.Header.Get("Date")}
	sent := c.date
	if _, ok := r.Header["X-Amz-Date"]; ok {
		// It is signed with the other x-amz-* headers, and Date counts for nothing.
		c.date, sent = "", r.Header.Get("X-Amz-Date")
	}
	var err error
	if c.at, err = parseDate2(sent); err != nil {
		return nil, noDate()
	}
	return c, v.checkSkew(c.at)
}

// parseDate2 reads a date as HTTP writes it, or with a numeric zone, as Amazon's
// examples and s3cmd do.
func parseDate2(text string) (time.Time, error) {
	if at, err := time.Parse(time.RFC1123Z, text); err == nil {
		return at, nil
	}
	return http.ParseTime(text)
}

// fromQuery2 reads the parameters of a URL that is signed by version 2
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/RESTAuthentication.html#RESTAuthenticationQueryStringAuth).
// It says when it ends, in Unix seconds, but not when it began.
func (v *Verifier) fromQuery2(q params) (*credential, error) {
	c := &credential{
		version2: true, presigned: true,
		accessKeyID: q.get("AWSAccessKeyId"), signature: q.get("Signature"), date: q.get("Expires"),
	}
	if c.accessKeyID == "" || c.signature == "" || c.date == "" {
		return nil, refuse("AccessDenied", "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters")
	}
	expires, err := strconv.ParseInt(c.date, 10, 64)
	if err != nil {
		return nil, refuse("AccessDenied", "Invalid date (should be seconds since epoch): %s", c.date)
	}
	if v.now().Unix() > expires {
		return nil, refuse("AccessDenied", "Request has expired")
	}
	return c, nil
}

// verify2 checks a request's version 2 signature. It says nothing of the payload,
// so a declared hash is Body's to keep, and signed chunks have nothing to be
// chained to.
func (v *Verifier) verify2(r *http.Request, query params, c *credential, secret string) (*Identity, error) {
	if strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), streaming) {
		return nil, refuse("InvalidRequest", "A streaming payload needs a request signed by AWS4-HMAC-SHA256.")
	}
	head, err := c.head2(r, query)
	if err != nil {
		return nil, err
	}
	sub, err := signedSubresources(query)
	if err != nil {
		return nil, err
	}
	path := v.path2(r)
	text := head + path + sub
	ok := c.matches2(secret, text)
	if !ok && len(path) > 1 && strings.Count(path, "/") == 1 {
		// Amazon takes "/bucket" for "/bucket/", which is what boto3 signs when it
		// sends the other.
		ok = c.matches2(secret, head+path+"/"+sub)
	}
	if !ok {
		return nil, mismatch(c.accessKeyID, text, c.signature)
	}
	return &Identity{AccessKeyID: c.accessKeyID}, nil
}

// matches2 tells whether c's signature is that of text, by version 2.
func (c *credential) matches2(secret, text string) bool {
	h := hmac.New(sha1.New, []byte(secret))
	h.Write([]byte(text))
	return hmac.Equal([]byte(base64.StdEncoding.EncodeToString(h.Sum(nil))), []byte(c.signature))
}

// head2 is what is signed above the resource: the method, three lines that may be
// empty, and the x-amz-* headers.
func (c *credential) head2(r *http.Request, query params) (string, error) {
	amz, err := amzHeaders(r, query)
	if err != nil {
		return "", err
	}
	lines := []string{r.Method, r.Header.Get("Content-Md5"), r.Header.Get("Content-Type"), c.date}
	for _, name := range slices.Sorted(maps.Keys(amz)) {
		lines = append(lines, name+":"+strings.Join(amz[name], ","))
	}
	return strings.Join(lines, "\n") + "\n", nil
}

// amzHeaders are the x-amz-* headers by lower-case name, those that the query
// carries among them: boto3 signs them like headers, and S3 reads them back. They
// are refused when they could not be headers, for a line break or a colon in one
// would make two headers look like one.
func amzHeaders(r *http.Request, query params) (map[string][]string, error) {
	amz := make(map[string][]string)
	for name, values := range r.Header {
		if !strings.HasPrefix(name, "X-Amz-") || name == "X-Amz-Cf-Id" { // CloudFront's comes after signing
			continue
		}
		for _, value := range values {
			amz[strings.ToLower(name)] = append(amz[strings.ToLower(name)], strings.Trim(value, " \t"))
		}
	}
	for _, p := range query {
		name := strings.ToLower(p.name)
		if !strings.HasPrefix(name, "x-amz-") {
			continue
		}
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "" ||
			strings.ContainsFunc(p.value, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7F }) {
			return nil, refuse("InvalidArgument", "The query parameter %q can not be a header.", p.name)
		}
		amz[name] = append(amz[name], strings.Trim(p.value, " \t"))
	}
	return amz, nil
}

// path2 is the path as it was sent, below the bucket that the host names.
func (v *Verifier) path2(r *http.Request) string {
	// RawPath is set where EscapedPath alone would not give the client's bytes.
	path := cmp.Or(r.URL.RawPath, r.URL.EscapedPath(), "/")
	if v.HostBucket != nil {
		if bucket := v.HostBucket(r.Host); bucket != "" {
			return "/" + bucket + path
		}
	}
	return path
}

// signedSubresources is the part of the query that is signed: sorted by name,
// decoded, "acl=" as "acl". Since values are decoded one may read like further
// parameters, and "partNumber=1%26uploadId%3D2" must not pass for two of them.
func signedSubresources(query params) (string, error) {
	var signed params
	for _, p := range query {
		if !isSubresource(p.name) {
			continue
		}
		for i, part := range strings.Split(p.value, "&") {
			if name, _, _ := strings.Cut(part, "="); i > 0 && isSubresource(name) {
				return "", refuse("InvalidArgument", "The value of %s reads like further parameters.", p.name)
			}
		}
		signed = append(signed, p)
	}
	slices.SortStableFunc(signed, func(x, y param) int { return strings.Compare(x.name, y.name) })
	var b strings.Builder
	for i, p := range signed {
		b.WriteByte("?&"[min(i, 1)])
		b.WriteString(p.name)
		if p.value != "" {
			b.WriteString("=" + p.value)
		}
	}
	return b.String(), nil
}

func isSubresource(name string) bool {
	return strings.HasPrefix(name, "response-") || slices.Contains(subresources, name)
}
