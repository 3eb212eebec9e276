package s3

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"sluice/backends"
)

// request is one request before it is signed.
type request struct {
	op, method string
	key        string // "" for one on the bucket
	query      url.Values
	header     http.Header // its own, and signed in place
	body       io.Reader
	size       int64
	sha256     string // of the body, hex; "": not known beforehand
	trailer    *backends.Trailer
	mutation   bool
}

const (
	emptySHA256     = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	unsignedPayload = "UNSIGNED-PAYLOAD"
)

// Headers of every read, which nothing changes.
var (
	userAgent = []string{"sluice"}
	ofNothing = []string{emptySHA256}
	identity  = []string{"identity"}
)

// do signs and sends a request. A status above 299 is an error; the caller closes
// the body of any other answer.
func (s *Store) do(ctx context.Context, r *request) (resp *http.Response, err error) {
	if s.trace != nil {
		if end := s.trace(ctx, r.op); end != nil {
			defer func() { end(err) }()
		}
	}
	if s.observe == nil {
		return s.send(ctx, r)
	}
	began := time.Now()
	resp, err = s.send(ctx, r)
	if err != nil || r.size == 0 { // else it is the client who took the time
		s.observe(time.Since(began), err)
	}
	return resp, err
}

func (s *Store) send(ctx context.Context, r *request) (*http.Response, error) {
	var connected atomic.Bool
	if r.mutation { // of a read nobody asks whether it was sent
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
			GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
		})
	}
	by := s.client.Load()
	req, sent, err := s.build(ctx, by, r)
	if err != nil {
		return nil, s.fail(r, err, false)
	}
	// RoundTrip returns only when a Read of the body has: one that waits for its
	// client is ended by closing it.
	if c, ok := r.body.(io.Closer); ok {
		defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	}
	way := by.transport
	if by.reads != nil && by.reads.takes(req) {
		way = by.reads
	}
	resp, err := way.RoundTrip(req)
	if err != nil {
		// Nothing can come of a request that never had a connection, or whose
		// last byte was never taken from its body. Of connections only net/http's
		// own transport is known to tell.
		_, traced := by.transport.(*http.Transport)
		unsent := traced && !connected.Load() || sent.unfinished()
		return nil, s.fail(r, err, r.mutation && !unsent)
	}
	if resp.StatusCode > 299 {
		defer resp.Body.Close()
		return nil, s.refused(r, resp)
	}
	return resp, nil
}

// build makes the signed request. Its URL carries exactly the path that is
// signed: net/url would clean or re-encode keys such as "a//b" or "a%2Fb".
func (s *Store) build(ctx context.Context, by *client, r *request) (*http.Request, *countingBody, error) {
	host, path := s.endpoint.Host, "/"+s.bucket
	if by.virtualHost && s.bucket != "" {
		host, path = s.bucket+"."+host, ""
	}
	if r.key != "" {
		path += "/" + r.key
	} else if path == "" {
		path = "/"
	}
	if r.header == nil {
		r.header = make(http.Header)
	}
	u := &url.URL{
		Scheme: s.endpoint.Scheme, Host: host, Path: path, RawPath: encodePath(path),
		RawQuery: strings.ReplaceAll(r.query.Encode(), "+", "%20"),
	}
	req := (&http.Request{
		Method: r.method, URL: u, Host: host, Header: r.header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, ContentLength: r.size,
	}).WithContext(ctx)
	var sent *countingBody
	switch memory, ok := r.body.(*bytes.Reader); {
	case r.size > 0 && ok:
		req.Body = io.NopCloser(memory) // which net/http sends together with the header
	case r.size > 0:
		sent = &countingBody{src: r.body, left: r.size}
		req.Body = sent
	case r.body != nil || r.method == http.MethodPut || r.method == http.MethodPost:
		req.Body = http.NoBody // with Content-Length: 0
	}
	keys, err := by.keys.GetWithContext(by.asking)
	if err != nil {
		return nil, nil, fmt.Errorf("finding credentials: %w", err)
	}
	req.Header["User-Agent"] = userAgent
	switch {
	case r.trailer != nil && r.size > 0:
		return by.signChunked(req, keys, r.trailer), sent, nil
	case r.size == 0:
		req.Header["X-Amz-Content-Sha256"] = ofNothing
	case r.sha256 != "":
		req.Header.Set("X-Amz-Content-Sha256", r.sha256)
	case req.Header.Get("Content-Md5") != "":
		req.Header.Set("X-Amz-Content-Sha256", unsignedPayload)
	default:
		return by.signChunked(req, keys, nil), sent, nil
	}
	by.signature.sign(req, keys, by.region, time.Now())
	return req, sent, nil
}

// cloned is a copy of a header, to be changed.
func cloned(h http.Header) http.Header {
	if h == nil {
		return make(http.Header)
	}
	return maps.Clone(h)
}

// encodePath percent-encodes every byte of a path that RFC 3986 does not leave
// alone, as SigV4 signs it.
func encodePath(path string) string {
	const hexDigits = "0123456789ABCDEF"
	plain := 0
	for plain < len(path) && isPlain(path[plain]) {
		plain++
	}
	if plain == len(path) {
		return path
	}
	var b strings.Builder
	b.WriteString(path[:plain])
	for _, c := range []byte(path[plain:]) {
		if isPlain(c) {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hexDigits[c>>4], hexDigits[c&15]})
		}
	}
	return b.String()
}

// isPlain tells whether a byte stands for itself in a path.
func isPlain(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '-' || c == '_' || c == '.' || c == '~' || c == '/'
}

// countingBody knows whether the whole body was handed over.
type countingBody struct {
	src  io.Reader
	left int64
	done atomic.Bool
}

func (b *countingBody) Read(p []byte) (int, error) {
	n, err := b.src.Read(p)
	if b.left -= int64(n); b.left <= 0 {
		b.done.Store(true)
	}
	if errors.Is(err, io.EOF) && b.left > 0 {
		return n, fmt.Errorf("the body ended %d bytes early: %w", b.left, io.ErrUnexpectedEOF)
	}
	return n, err
}

func (b *countingBody) Close() error { return nil }

// unfinished tells whether there is a body whose last byte was not handed over. One in
// memory is handed over at once.
func (b *countingBody) unfinished() bool { return b != nil && !b.done.Load() }

// doXML sends a request and reads its XML answer, whose root element must be
// root. An <Error> in a 200 answer is an error.
func (s *Store) doXML(ctx context.Context, r *request, root string, v any) error {
	resp, err := s.do(ctx, r)
	if err != nil {
		return err
	}
	return s.readXML(r, resp, root, v)
}

// maxXML bounds an XML answer: a page of 1,000 keys of 1,024 bytes, each byte
// percent-encoded twice over, is below it.
const maxXML = 16 << 20

func (s *Store) readXML(r *request, resp *http.Response, root string, v any) error {
	defer resp.Body.Close()
	d := xml.NewDecoder(io.LimitReader(resp.Body, maxXML))
	for {
		token, err := d.Token()
		if err != nil {
			return s.fail(r, fmt.Errorf("the answer is not XML: %w", err), r.mutation)
		}
		start, ok := token.(xml.StartElement)
		switch {
		case !ok:
			continue
		case start.Name.Local == "Error":
			var e errorXML
			if err := d.DecodeElement(&e, &start); err != nil {
				return s.fail(r, fmt.Errorf("the answer is not XML: %w", err), r.mutation)
			}
			return s.mapError(r, resp, e)
		case start.Name.Local != root:
			return s.fail(r, fmt.Errorf("the answer is a <%s>, not a <%s>", start.Name.Local, root), r.mutation)
		}
		if err := d.DecodeElement(v, &start); err != nil {
			return s.fail(r, fmt.Errorf("the answer is not whole: %w", err), r.mutation)
		}
		// What follows is white space at most; reading it frees the connection.
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<10))
		return nil
	}
}

// withXML puts an XML body into the request, whose header is its own.
func (r *request) withXML(v any) error {
	raw, err := xml.Marshal(v)
	if err != nil {
		return err
	}
	r.withDocument(raw)
	r.header.Set("Content-Type", "application/xml")
	return nil
}

// withDocument puts a small body into the request, whose header is its own, with the hashes
// S3 asks for.
func (r *request) withDocument(raw []byte) {
	sum, md := sha256.Sum256(raw), md5.Sum(raw)
	r.body, r.size, r.sha256 = bytes.NewReader(raw), int64(len(raw)), hex.EncodeToString(sum[:])
	r.header.Set("Content-Md5", base64.StdEncoding.EncodeToString(md[:]))
}

// fail is the error of a request that got no usable answer.
func (s *Store) fail(r *request, err error, maybe bool) error {
	return &backends.Error{
		Store: s.name, Op: r.op, Key: r.key, Kind: backends.ErrUnavailable, Err: err, MaybeApplied: maybe,
	}
}
