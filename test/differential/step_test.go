package differential

import (
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
)

// step is one request, told without any name that differs between the sides:
// those stand in it as references, which each side expands for itself.
//
//	{{bucket}}     the bucket
//	{{upload N}}   the id of the upload that the create step N was answered
//	{{token}}      the last continuation token of a ListObjectsV2
//	{{marker}}     the last NextMarker of a ListObjects
//	{{date KEY}}   the Last-Modified that the side last showed of an object
type step struct {
	op     string // what the generator had in mind
	method string
	bucket string // a reference, or the name of no bucket
	key    string // "": a request on the bucket
	query  []param
	header http.Header
	body   []byte
	auth   auth
	loose  bool // the path is encoded as browsers do it, not as SigV4 does

	trailer  string // the checksum kind of a streamed body's trailer
	uploadID int    // of a create step: what the references call its upload
}

// param is a query parameter; bare has no "=".
type param struct {
	name, value string
	bare        bool
}

// auth is how a request proves itself, and how its body travels.
type auth string

const (
	hashed           auth = "hashed payload"
	unsignedPayload  auth = "unsigned payload"
	wrongHash        auth = "wrong payload hash"
	presigned        auth = "presigned"
	expired          auth = "presigned and changed"
	streamed         auth = "streamed, signed chunks"
	streamedTrailer  auth = "streamed, signed chunks and trailer"
	unsignedTrailer  auth = "streamed, unsigned with trailer"
	wrongTrailer     auth = "streamed, unsigned with wrong trailer"
	anonymous        auth = "anonymous"
	wrongSecret      auth = "wrong secret"
	unknownAccessKey auth = "unknown access key"
)

const bucketRef = "{{bucket}}"

// newStep is a request on a key, "" for the bucket.
func newStep(op, method, key string) *step {
	return &step{op: op, method: method, bucket: bucketRef, key: key, header: make(http.Header), auth: hashed}
}

func (s *step) with(name, value string) *step {
	s.query = append(s.query, param{name: name, value: value})
	return s
}

func (s *step) bare(name string) *step {
	s.query = append(s.query, param{name: name, bare: true})
	return s
}

func (s *step) set(name, value string) *step {
	s.header.Set(name, value)
	return s
}

// mutates tells whether the step can change what later ones are answered.
func (s *step) mutates() bool { return s.method != http.MethodGet && s.method != http.MethodHead }

// mentions tells whether the step has to do with a key.
func (s *step) mentions(key string) bool {
	if s.key == key || strings.Contains(s.header.Get("X-Amz-Copy-Source"), encodePath(key)) {
		return true
	}
	return s.method == http.MethodPost && strings.Contains(string(s.body), key)
}

// String is the request for a person who wants to send it again.
func (s *step) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s/%s", s.method, s.bucket, strings.TrimPrefix(s.path(), "/"))
	for i, p := range s.query {
		sep := "&"
		if i == 0 {
			sep = "?"
		}
		b.WriteString(sep + p.encode(func(v string) string { return v }))
	}
	fmt.Fprintf(&b, "  (%s; %s", s.op, s.auth)
	if s.trailer != "" {
		fmt.Fprintf(&b, " %s", s.trailer)
	}
	b.WriteString(")")
	for _, name := range sorted(s.header) {
		fmt.Fprintf(&b, "\n    %s: %s", name, abridged(strings.Join(s.header[name], "\\n")))
	}
	if len(s.body) > 0 && s.method == http.MethodPut {
		fmt.Fprintf(&b, "\n    [%d bytes] %.20s…", len(s.body), s.body)
	} else if len(s.body) > 0 {
		fmt.Fprintf(&b, "\n    [%d bytes] %s", len(s.body), abridged(string(s.body)))
	}
	return strings.NewReplacer("%7B%7B", "{{", "%7D%7D", "}}").Replace(b.String())
}

// path is the key as it stands in the request line, after the bucket.
func (s *step) path() string {
	if s.key == "" {
		return ""
	}
	if s.loose {
		return "/" + encodeLoosely(s.key)
	}
	return "/" + encodePath(s.key)
}

func (p param) encode(expand func(string) string) string {
	if p.bare {
		return encodeAll(p.name)
	}
	return encodeAll(p.name) + "=" + encodeAll(expand(p.value))
}

// encodePath percent-encodes every byte of a path that RFC 3986 does not leave
// alone, as SigV4 signs it.
func encodePath(path string) string { return encode(path, "-_.~/") }

// encodeLoosely leaves what clients without an S3 library leave.
func encodeLoosely(path string) string { return encode(path, "-_.~/+:@!$&'()*,;=") }

func encodeAll(text string) string { return encode(text, "-_.~") }

func encode(text, plain string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte(plain, c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// content is a body that is told from others by its seed.
func content(seed uint64, size int) []byte {
	rng := rand.New(rand.NewPCG(seed, uint64(size)))
	b := make([]byte, size)
	for i := range b {
		b[i] = "abcdefghijklmnop"[rng.Uint32()&15]
	}
	return b
}

func md5Base64(b []byte) string {
	sum := md5.Sum(b)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// abridged is the beginning of what may be long.
func abridged(text string) string {
	const most = 600
	if len(text) <= most {
		return text
	}
	return fmt.Sprintf("%s… (%d bytes)", text[:most], len(text))
}
