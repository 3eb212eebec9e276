package memory

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"sluice/backends"
)

// Get opens an object.
func (s *Store) Get(ctx context.Context, r backends.GetRequest) (*backends.Object, error) {
	return s.read(ctx, "GetObject", r)
}

// Head describes an object.
func (s *Store) Head(ctx context.Context, r backends.GetRequest) (*backends.Info, error) {
	o, err := s.read(ctx, "HeadObject", r)
	if err != nil {
		return nil, err
	}
	return &o.Info, nil
}

func (s *Store) read(ctx context.Context, op string, r backends.GetRequest) (*backends.Object, error) {
	c := s.call(op, r.Key)
	if err := c.known(r.Header); err != nil {
		return nil, err
	}
	o, err := c.current(ctx, r.VersionID)
	if err != nil {
		return nil, err
	}
	if r.IfMatch != "" && !matches(r.IfMatch, o.etag) {
		return nil, c.condition("If-Match")
	}
	p, err := c.pieceOf(o, r)
	if err != nil {
		return nil, err
	}
	info := backends.Info{
		Key: r.Key, Size: int64(len(o.content)), Length: p.length, ETag: o.etag, LastModified: o.modified, Header: o.describe(),
	}
	if p.partial && p.length > 0 { // of no bytes there is no range
		info.ContentRange = fmt.Sprintf("bytes %d-%d/%d", p.start, p.start+p.length-1, info.Size)
	}
	if r.PartNumber > 0 && len(o.parts) > 0 {
		info.Header.Set("X-Amz-Mp-Parts-Count", strconv.Itoa(len(o.parts)))
	}
	if strings.EqualFold(r.Header.Get("X-Amz-Checksum-Mode"), "ENABLED") {
		p.sum.addTo(info.Header)
	}
	return &backends.Object{Info: info, Body: &body{ctx, bytes.NewReader(o.content[p.start : p.start+p.length])}}, nil
}

// piece is what a read asks for of an object.
type piece struct {
	start, length int64
	partial       bool     // a range or a part
	sum           checksum // of just this; a range has none
}

func (c call) pieceOf(o *object, r backends.GetRequest) (piece, error) {
	size := int64(len(o.content))
	whole := piece{length: size, sum: o.sum}
	switch {
	case r.Range != "" && r.PartNumber != 0:
		return piece{}, c.invalid("Cannot specify both Range header and partNumber query parameter")
	case r.PartNumber != 0:
		return c.partOf(o, r.PartNumber)
	case r.Range == "":
		return whole, nil
	}
	start, length, ok, err := backends.ParseRange(r.Range, size)
	switch {
	case err != nil:
		return piece{}, c.refuse("InvalidRange",
			backends.Detail{Name: "RangeRequested", Value: r.Range},
			backends.Detail{Name: "ActualObjectSize", Value: strconv.FormatInt(size, 10)})
	case !ok:
		return whole, nil
	}
	return piece{start: start, length: length, partial: true}, nil
}

// partOf is a part of an object. One that was not uploaded in parts is its own first.
func (c call) partOf(o *object, number int) (piece, error) {
	if number < 1 || number > max(len(o.parts), 1) {
		return piece{}, c.refuse("InvalidPartNumber")
	}
	if len(o.parts) == 0 {
		return piece{length: int64(len(o.content)), partial: true, sum: o.sum}, nil
	}
	var start int64
	for _, p := range o.parts[:number-1] {
		start += int64(len(p.content))
	}
	p := o.parts[number-1]
	sum := p.sum
	sum.kind = o.sum.kind
	return piece{start, int64(len(p.content)), true, sum}, nil
}

// matches judges a condition on an ETag.
func matches(condition, etag string) bool {
	return condition == "*" || strings.Trim(condition, `"`) == etag
}

// mayReplace judges the conditions of a write. It needs the lock.
func (c call) mayReplace(ifMatch string, create bool) error {
	o := c.store.objects[c.key]
	switch {
	case create && o != nil:
		return c.condition("If-None-Match")
	case ifMatch != "" && o == nil:
		return c.refuse("NoSuchKey")
	case ifMatch != "" && !matches(ifMatch, o.etag):
		return c.condition("If-Match")
	}
	return nil
}

// Put stores an object.
func (s *Store) Put(ctx context.Context, r backends.PutRequest) (*backends.PutResult, error) {
	c := s.call("PutObject", r.Key)
	a, err := c.attributes(r.Header)
	if err != nil {
		return nil, err
	}
	p, err := c.receive(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := c.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	if err := c.mayReplace(r.IfMatch, r.IfNoneMatch); err != nil {
		return nil, err
	}
	s.objects[r.Key] = &object{attributes: a, content: p.content, etag: p.etag(), modified: now(), sum: p.sum}
	return stored(p.etag(), p.sum), nil
}

// stored is the answer to what stored content.
func stored(etag string, sum checksum) *backends.PutResult {
	h := make(http.Header)
	sum.addTo(h)
	return &backends.PutResult{ETag: etag, Header: h}
}

// Delete removes an object. As with S3 the condition is on the object that is there: an
// absent one is a success all the same.
func (s *Store) Delete(ctx context.Context, r backends.DeleteRequest) (*backends.DeleteResult, error) {
	c := s.call("DeleteObject", r.Key)
	if err := c.known(r.Header); err != nil {
		return nil, err
	}
	if err := c.version(r.VersionID); err != nil {
		return nil, err
	}
	if err := c.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	if o := s.objects[r.Key]; o != nil && r.IfMatch != "" && !matches(r.IfMatch, o.etag) {
		return nil, c.condition("If-Match")
	}
	delete(s.objects, r.Key)
	return &backends.DeleteResult{Key: r.Key, VersionID: r.VersionID}, nil
}

// DeleteMany removes objects, all in one moment.
func (s *Store) DeleteMany(ctx context.Context, r backends.DeleteManyRequest) ([]backends.DeleteResult, error) {
	c := s.call("DeleteObjects", "")
	if len(r.Objects) > 1000 {
		return nil, c.refuse("MalformedXML")
	}
	if err := c.known(r.Header); err != nil {
		return nil, err
	}
	if err := c.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	results := make([]backends.DeleteResult, len(r.Objects))
	for i, o := range r.Objects {
		results[i] = backends.DeleteResult{Key: o.Key, VersionID: o.VersionID, Err: s.call(c.op, o.Key).version(o.VersionID)}
		if results[i].Err == nil {
			delete(s.objects, o.Key)
		}
	}
	return results, nil
}
