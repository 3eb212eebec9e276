package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/backends"
)

// Get opens an object.
func (s *Store) Get(ctx context.Context, r backends.GetRequest) (*backends.Object, error) {
	resp, err := s.do(ctx, readRequest("GetObject", http.MethodGet, r))
	if err != nil {
		return nil, err
	}
	info := newInfo(r.Key, resp)
	o := &backends.Object{
		Info: *info, Body: &wholeBody{ReadCloser: resp.Body, ctx: ctx, left: resp.ContentLength},
	}
	if o.Length < 0 {
		resp.Body.Close()
		return nil, s.fail(&request{op: "GetObject", key: r.Key}, errors.New("the answer has no Content-Length"), false)
	}
	return o, nil
}

// Head describes an object. A 404 to HEAD has no body and so can not tell a
// missing key from a missing bucket: unless the store says it in a header, a GET
// of one byte asks again.
func (s *Store) Head(ctx context.Context, r backends.GetRequest) (*backends.Info, error) {
	resp, err := s.do(ctx, readRequest("HeadObject", http.MethodHead, r))
	var e *backends.Error
	if errors.As(err, &e) && e.Status == http.StatusNotFound && !errors.Is(err, backends.ErrNotFound) && e.Code == "" {
		confirm := r
		confirm.Range, confirm.PartNumber = "bytes=0-0", 0
		o, err2 := s.Get(ctx, confirm)
		switch {
		case err2 == nil: // it came into being in between
			o.Body.Close()
			return &o.Info, nil
		case errors.Is(err2, backends.ErrInvalidRange): // it came, and is empty
			return nil, s.fail(&request{op: "HeadObject", key: r.Key}, errors.New("the object changed while it was asked for"), false)
		}
		return nil, err2
	}
	if err != nil {
		return nil, err
	}
	resp.Body.Close()
	info := newInfo(r.Key, resp)
	if info.Size < 0 {
		return nil, s.fail(&request{op: "HeadObject", key: r.Key}, errors.New("the answer has no Content-Length"), false)
	}
	return info, nil
}

func readRequest(op, method string, r backends.GetRequest) *request {
	req := &request{op: op, method: method, key: r.Key, header: cloned(r.Header)}
	if r.VersionID != "" || r.PartNumber != 0 {
		req.query = make(url.Values)
	}
	if r.VersionID != "" {
		req.query.Set("versionId", r.VersionID)
	}
	if r.PartNumber != 0 {
		req.query.Set("partNumber", strconv.Itoa(r.PartNumber))
	}
	if r.Range != "" {
		req.header.Set("Range", r.Range)
	}
	if r.IfMatch != "" {
		req.header.Set("If-Match", quote(r.IfMatch))
	}
	// Otherwise net/http would ask for gzip, and some servers in front of
	// stores then compress.
	req.header["Accept-Encoding"] = identity
	return req
}

// newInfo describes an object from an answer's headers.
func newInfo(key string, resp *http.Response) *backends.Info {
	info := &backends.Info{
		Key: key, Size: resp.ContentLength, Length: resp.ContentLength,
		ETag: strings.Clone(unquote(resp.Header.Get("ETag"))), Header: make(http.Header),
	}
	info.LastModified, _ = http.ParseTime(resp.Header.Get("Last-Modified"))
	if resp.StatusCode == http.StatusPartialContent {
		info.ContentRange = strings.Clone(resp.Header.Get("Content-Range"))
		if _, total, ok := strings.Cut(info.ContentRange, "/"); ok {
			if n, err := strconv.ParseInt(total, 10, 64); err == nil {
				info.Size = n
			}
		}
	}
	for name, values := range resp.Header {
		if !describesObject(name) {
			continue
		}
		// They may be parts of one text (plainHeader), all of which the cache would keep.
		own := make([]string, len(values))
		for i, v := range values {
			own[i] = strings.Clone(v)
		}
		if strings.HasPrefix(name, "X-Amz-Meta-") {
			own = plainMetadata(own)
		}
		info.Header[ownName(name)] = own
	}
	return info
}

// ownName is a copy of a header's name; those that nearly every object has are the program's.
func ownName(name string) string {
	for _, known := range []string{"Content-Type", "Cache-Control"} {
		if name == known {
			return known
		}
	}
	return strings.Clone(name)
}

// plainMetadata undoes the RFC 2047 form in which S3 answers metadata that is not
// ASCII; other stores answer it as it was sent. Only what comes out the same when
// it is encoded again is undone: a client may have stored such a text itself.
func plainMetadata(values []string) []string {
	plain := values
	for i, v := range values {
		if !strings.HasPrefix(v, "=?") {
			continue
		}
		decoded, err := new(mime.WordDecoder).DecodeHeader(v)
		if err == nil && mime.QEncoding.Encode("UTF-8", decoded) == v {
			plain = slices.Clone(plain)
			plain[i] = decoded
		}
	}
	return plain
}

// describesObject picks the headers of an answer that are the object's, from
// those of the store, the connection and the moment.
func describesObject(name string) bool {
	switch name {
	case "Content-Type", "Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Expires":
		return true
	case "X-Amz-Request-Id", "X-Amz-Id-2", "X-Amz-Bucket-Region", "X-Amz-Delete-Marker":
		return false
	case "X-Amz-Security-Token": // ours: a store that keeps all it is sent would show it to clients
		return false
	}
	return strings.HasPrefix(name, "X-Amz-")
}

// quote and unquote put an ETag into its form on the wire and back.
func quote(etag string) string { return `"` + etag + `"` }

func unquote(etag string) string {
	return strings.Trim(strings.TrimPrefix(etag, "W/"), `"`)
}

// wholeBody fails with io.ErrUnexpectedEOF where the store cuts a body short,
// whether it ends the connection in order or resets it.
type wholeBody struct {
	io.ReadCloser
	ctx  context.Context // of the call; its end is not the store's doing
	left int64
}

func (b *wholeBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	switch {
	case err == nil || b.left <= 0 || b.ctx.Err() != nil || errors.Is(err, io.ErrUnexpectedEOF):
		return n, err
	case errors.Is(err, io.EOF):
		return n, io.ErrUnexpectedEOF
	}
	return n, fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, err)
}

// Put stores an object.
func (s *Store) Put(ctx context.Context, r backends.PutRequest) (*backends.PutResult, error) {
	req := &request{
		op: "PutObject", method: http.MethodPut, key: r.Key, mutation: true,
		header: bodyHeader(r.Header, r.ContentMD5), body: r.Body, size: r.Size, sha256: r.SHA256, trailer: r.Trailer,
	}
	setConditions(req.header, r.IfMatch, r.IfNoneMatch)
	return s.put(ctx, req)
}

// put sends a body and reads the answer's headers.
func (s *Store) put(ctx context.Context, req *request) (*backends.PutResult, error) {
	resp, err := s.do(ctx, req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxErrorBody))
	etag := resp.Header.Get("ETag")
	if etag == "" {
		return nil, s.fail(req, errors.New("the answer has no ETag"), true)
	}
	return &backends.PutResult{ETag: unquote(etag), Header: resultHeader(resp)}, nil
}

func bodyHeader(h http.Header, contentMD5 string) http.Header {
	h = cloned(h)
	if contentMD5 != "" {
		h.Set("Content-Md5", contentMD5)
	}
	return h
}

func setConditions(h http.Header, ifMatch string, ifNoneMatch bool) {
	if ifMatch != "" {
		h.Set("If-Match", quote(ifMatch))
	}
	if ifNoneMatch {
		h.Set("If-None-Match", "*")
	}
}

// resultHeader picks what a mutation's answer says of the object.
func resultHeader(resp *http.Response) http.Header {
	h := make(http.Header)
	for name, values := range resp.Header {
		if strings.HasPrefix(name, "X-Amz-") && describesObject(name) {
			h[name] = values
		}
	}
	return h
}

// Copy copies an object on the server.
func (s *Store) Copy(ctx context.Context, r backends.CopyRequest) (*backends.CopyResult, error) {
	req := &request{op: "CopyObject", method: http.MethodPut, key: r.Key, mutation: true, header: cloned(r.Header)}
	return s.copy(ctx, req, r.Source, r.SourceKey, r.SourceVersionID, "CopyObjectResult")
}

type copyResultXML struct {
	ETag         string
	LastModified time.Time
	sumsXML
}

func (s *Store) copy(
	ctx context.Context, req *request, from backends.Reader, sourceKey, version, root string,
) (*backends.CopyResult, error) {
	bucket := s.bucket
	if from != nil {
		other, ok := from.(*Store)
		if !ok || other.endpoint.Host != s.endpoint.Host {
			return nil, &backends.Error{
				Store: s.name, Op: req.op, Key: req.key, Kind: backends.ErrNotSupported,
				Message: "the source is in a bucket of another service",
			}
		}
		bucket = other.bucket
	}
	source := encodePath("/" + bucket + "/" + sourceKey)
	if version != "" {
		source += "?versionId=" + url.QueryEscape(version)
	}
	req.header.Set("X-Amz-Copy-Source", source)
	resp, err := s.do(ctx, req)
	if err != nil {
		return nil, err
	}
	var answer copyResultXML
	if err := s.readXML(req, resp, root, &answer); err != nil {
		return nil, err
	}
	return &backends.CopyResult{
		ETag: unquote(answer.ETag), LastModified: answer.LastModified, Header: answer.addTo(resultHeader(resp)),
	}, nil
}
