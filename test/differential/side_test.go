package differential

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// side is one of the two that are asked the same.
type side struct {
	name, endpoint, bucket string
	accessKey, secretKey   string

	uploads      map[int]string // the ids that this side gave out
	dates        map[string]string
	marker, next string
}

// answer is what a side said, before anything is made equal.
type answer struct {
	status int
	header http.Header
	body   []byte
	err    error // of the connection
}

// transport neither follows redirects nor unpacks bodies: what the server sent
// is what is compared.
var transport = &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 4, ResponseHeaderTimeout: 30 * time.Second}

func newSide(name, endpoint, bucket, accessKey, secretKey string) *side {
	return &side{
		name: name, endpoint: endpoint, bucket: bucket, accessKey: accessKey, secretKey: secretKey,
		uploads: make(map[int]string), dates: make(map[string]string),
	}
}

// send asks the side, and remembers the names it gives.
func (s *side) send(t testing.TB, st *step) *answer {
	t.Helper()
	req, err := s.request(st)
	if err != nil {
		t.Fatalf("%s: %v", st, err)
	}
	a := &answer{}
	resp, err := transport.RoundTrip(req.WithContext(t.Context()))
	if err != nil {
		a.err = err
		return a
	}
	defer resp.Body.Close()
	a.status, a.header = resp.StatusCode, resp.Header
	if a.body, err = io.ReadAll(resp.Body); err != nil {
		a.err = fmt.Errorf("reading the body: %w", err)
	}
	s.remember(st, a)
	return a
}

// request is the step as this side must be asked, signed.
func (s *side) request(st *step) (*http.Request, error) {
	u, err := url.Parse(s.endpoint)
	if err != nil {
		return nil, err
	}
	bucket := s.expand(st.bucket)
	u.Path, u.RawPath = "/"+bucket, "/"+bucket+st.path()
	if st.key != "" {
		u.Path += "/" + st.key
	}
	var query []string
	for _, p := range st.query {
		query = append(query, p.encode(s.expand))
	}
	u.RawQuery = strings.Join(query, "&")
	header := make(http.Header)
	for name, values := range st.header {
		for _, v := range values {
			header.Add(name, s.expand(v))
		}
	}
	req := &http.Request{
		Method: st.method, URL: u, Host: u.Host, Header: header, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		ContentLength: int64(len(st.body)),
	}
	if len(st.body) > 0 {
		req.Body = io.NopCloser(bytes.NewReader(st.body))
	} else if st.mutates() {
		req.Body = http.NoBody
	}
	return s.sign(req, st)
}

var reference = regexp.MustCompile(`\{\{(\w+) ?([^{}]*)\}\}`)

// expand puts this side's names in the place of references.
func (s *side) expand(text string) string {
	if !strings.Contains(text, "{{") {
		return text
	}
	return reference.ReplaceAllStringFunc(text, func(ref string) string {
		m := reference.FindStringSubmatch(ref)
		switch m[1] {
		case "bucket":
			return s.bucket
		case "token":
			return s.next
		case "marker":
			return s.marker
		case "date":
			if d := s.dates[m[2]]; d != "" {
				return d
			}
			return time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC).Format(http.TimeFormat)
		case "upload":
			n, _ := strconv.Atoi(m[2])
			return s.uploads[n]
		}
		return ref
	})
}

// names are the elements that later steps refer to.
type names struct {
	XMLName               xml.Name
	UploadID              string `xml:"UploadId"`
	NextMarker            string
	NextContinuationToken string
	IsTruncated           bool
	Contents              []struct{ Key string }
}

func (s *side) remember(st *step, a *answer) {
	// MinIO dates some refusals too; the gateway does not.
	if d := a.header.Get("Last-Modified"); d != "" && st.key != "" && a.status < http.StatusBadRequest {
		s.dates[st.key] = d
	}
	if a.status != http.StatusOK || a.header.Get("Content-Type") != "application/xml" {
		return
	}
	var n names
	if xml.Unmarshal(a.body, &n) != nil {
		return
	}
	switch {
	case n.XMLName.Local == "InitiateMultipartUploadResult":
		s.uploads[st.uploadID] = n.UploadID
	case n.XMLName.Local != "ListBucketResult" || !n.IsTruncated:
	case n.NextContinuationToken != "":
		s.next = n.NextContinuationToken
	case st.param("delimiter") != "":
		s.marker = n.NextMarker
	case len(n.Contents) > 0: // without a delimiter S3 has clients take the last key
		s.marker = n.Contents[len(n.Contents)-1].Key
		if decoded, err := url.QueryUnescape(s.marker); err == nil && st.param("encoding-type") == "url" {
			s.marker = decoded
		}
	}
}

// anonymised is a text of this side with references for its own names.
func (s *side) anonymised(text string) string {
	for n, id := range s.uploads {
		if id != "" {
			text = strings.ReplaceAll(text, id, fmt.Sprintf("{{upload %d}}", n))
		}
	}
	text = strings.ReplaceAll(text, s.endpoint, "{{endpoint}}")
	if strings.Contains(text, s.bucket) {
		text = strings.ReplaceAll(text, s.bucket, bucketRef)
	}
	return text
}
