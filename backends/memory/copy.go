package memory

import (
	"cmp"
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"sluice/backends"
)

// Copy copies an object. Within the store that is one moment; from another store the
// source is read a moment before.
func (s *Store) Copy(ctx context.Context, r backends.CopyRequest) (*backends.CopyResult, error) {
	c := s.call("CopyObject", r.Key)
	asked, err := c.attributes(r.Header)
	if err != nil {
		return nil, err
	}
	algorithm := strings.ToUpper(r.Header.Get(checksumPrefix + "Algorithm"))
	if algorithm != "" && hashes[algorithm] == nil {
		return nil, c.invalid("Checksum algorithm provided is unsupported.")
	}
	source, err := c.enterWith(ctx, r.Source, r.SourceKey, r.SourceVersionID, r.Header)
	if err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	if source == s.objects[r.Key] && !changes(r.Header) {
		return nil, c.invalid("This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.")
	}
	a, err := c.inherit(asked, source.attributes, r.Header)
	if err != nil {
		return nil, err
	}
	o := &object{
		attributes: a, content: source.content, etag: md5Hex(source.content), modified: now(),
		sum: hashed(cmp.Or(algorithm, source.sum.algorithm), source.content),
	}
	s.objects[r.Key] = o
	return copied(o.etag, o.modified, o.sum), nil
}

// enterWith is enter for a copy: it finds the source, too, and judges the conditions
// on it. Two stores' locks are never held at once.
func (c call) enterWith(ctx context.Context, from backends.Reader, key, version string, h http.Header) (*object, error) {
	other, ok := from.(*Store)
	if from != nil && !ok {
		no := c.refuse("NotImplemented")
		no.Message = "the source is in a bucket of another service"
		return nil, no
	}
	if err := c.version(version); err != nil {
		return nil, err
	}
	var source *object
	if other != nil && other != c.store {
		other.mu.Lock()
		source = other.objects[key]
		other.mu.Unlock()
	}
	if err := c.enter(ctx); err != nil {
		return nil, err
	}
	if other == nil || other == c.store {
		source = c.store.objects[key]
	}
	err := c.sourceConditions(source, h)
	if err != nil {
		c.store.mu.Unlock()
	}
	return source, err
}

const (
	sourceMatch      = "X-Amz-Copy-Source-If-Match"
	sourceNoneMatch  = "X-Amz-Copy-Source-If-None-Match"
	sourceModified   = "X-Amz-Copy-Source-If-Modified-Since"
	sourceUnmodified = "X-Amz-Copy-Source-If-Unmodified-Since"
)

// sourceConditions judges what a copy asks of its source. A condition on the ETag
// outranks the one on the time beside it (RFC 9110, section 13.2.2).
func (c call) sourceConditions(o *object, h http.Header) error {
	if o == nil {
		return c.refuse("NoSuchKey")
	}
	after := func(name string) bool { // a time that can not be read is no condition
		t, err := http.ParseTime(h.Get(name))
		return err == nil && o.modified.After(t)
	}
	since, err := http.ParseTime(h.Get(sourceModified))
	match, noneMatch := h.Get(sourceMatch), h.Get(sourceNoneMatch)
	switch {
	case match != "" && !matches(match, o.etag):
		return c.condition(sourceMatch)
	case match == "" && after(sourceUnmodified):
		return c.condition(sourceUnmodified)
	case noneMatch != "" && matches(noneMatch, o.etag):
		return c.condition(sourceNoneMatch)
	case noneMatch == "" && err == nil && !o.modified.After(since):
		return c.condition(sourceModified)
	}
	return nil
}

// changes tells whether a copy of an object onto itself would change it.
func changes(h http.Header) bool {
	return h.Get("X-Amz-Metadata-Directive") == "REPLACE" || h.Get(storageClass) != "" || h.Get(redirect) != ""
}

// inherit takes from a copy's source what the request does not replace. A storage
// class, a redirect and an ACL are never inherited.
func (c call) inherit(asked, source attributes, h http.Header) (attributes, error) {
	metadata, tagging := h.Get("X-Amz-Metadata-Directive"), h.Get("X-Amz-Tagging-Directive")
	for _, directive := range []string{metadata, tagging} {
		if directive != "" && directive != "COPY" && directive != "REPLACE" {
			return asked, c.refuse("InvalidArgument")
		}
	}
	if tagging != "REPLACE" {
		asked.tags = source.tags
	}
	if metadata != "REPLACE" {
		location := asked.header.Values(redirect)
		asked.header = source.header.Clone()
		asked.header.Del(redirect)
		if len(location) > 0 {
			asked.header[redirect] = location
		}
	}
	return asked, nil
}

// CopyPart stores a range of an object as a part.
func (s *Store) CopyPart(ctx context.Context, r backends.CopyPartRequest) (*backends.CopyResult, error) {
	c := s.call("UploadPartCopy", r.Key)
	if err := c.known(r.Header); err != nil {
		return nil, err
	}
	if err := c.numbered(r.Number); err != nil {
		return nil, err
	}
	source, err := c.enterWith(ctx, r.Source, r.SourceKey, r.SourceVersionID, r.Header)
	if err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	u, err := c.open(r.UploadID)
	if err != nil {
		return nil, err
	}
	content, err := c.sourceRange(source.content, r.SourceRange)
	if err != nil {
		return nil, err
	}
	p := newPart(r.Number, content, u)
	u.parts[r.Number] = p
	return copied(p.etag, p.modified, p.sum), nil
}

// sourceRange cuts a range out, which must be given with both ends and lie within.
func (c call) sourceRange(content []byte, r string) ([]byte, error) {
	if r == "" {
		return content, nil
	}
	size := int64(len(content))
	from, to, _ := strings.Cut(strings.TrimPrefix(r, "bytes="), "-")
	first, err := strconv.ParseUint(from, 10, 63)
	last, err2 := strconv.ParseUint(to, 10, 63)
	switch {
	case !strings.HasPrefix(r, "bytes=") || err != nil || err2 != nil || last < first:
		return nil, c.refuse("InvalidArgument", backends.Detail{Name: "ArgumentName", Value: "x-amz-copy-source-range"})
	case int64(last) >= size:
		return nil, c.refuse("InvalidRange")
	}
	return content[first : last+1], nil
}

func copied(etag string, modified time.Time, sum checksum) *backends.CopyResult {
	return &backends.CopyResult{ETag: etag, LastModified: modified, Header: stored(etag, sum).Header}
}
