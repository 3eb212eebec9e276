package s3

import (
	"cmp"
	"context"
	"encoding/xml"
	"errors"
	"net/http"
	"net/url"
	"unicode/utf8"

	"sluice/backends"
)

// Delete removes an object.
func (s *Store) Delete(ctx context.Context, r backends.DeleteRequest) (*backends.DeleteResult, error) {
	req := &request{
		op: "DeleteObject", method: http.MethodDelete, key: r.Key, mutation: true,
		query: make(url.Values), header: cloned(r.Header),
	}
	if r.VersionID != "" {
		req.query.Set("versionId", r.VersionID)
	}
	setConditions(req.header, r.IfMatch, false)
	resp, err := s.do(ctx, req)
	if r.VersionID == "" && errors.Is(err, backends.ErrNotFound) {
		return &backends.DeleteResult{Key: r.Key}, nil // some stores say so; it is what was asked for
	}
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return &backends.DeleteResult{
		Key: r.Key, VersionID: resp.Header.Get("X-Amz-Version-Id"),
		DeleteMarker: resp.Header.Get("X-Amz-Delete-Marker") == "true",
	}, nil
}

type deleteXML struct {
	XMLName xml.Name    `xml:"http://s3.amazonaws.com/doc/2006-03-01/ Delete"`
	Quiet   bool        `xml:"Quiet"`
	Objects []objectXML `xml:"Object"`
}

type objectXML struct {
	Key       string
	VersionID string `xml:"VersionId,omitempty"`
}

type deleteResultXML struct {
	Deleted []struct {
		Key                   string
		VersionID             string `xml:"VersionId"`
		DeleteMarker          bool
		DeleteMarkerVersionID string `xml:"DeleteMarkerVersionId"`
	}
	Error []struct {
		Key, Code, Message string
		VersionID          string `xml:"VersionId"`
	}
}

// DeleteMany removes up to 1,000 objects. Those whose keys XML can not name are
// deleted one by one.
func (s *Store) DeleteMany(ctx context.Context, r backends.DeleteManyRequest) ([]backends.DeleteResult, error) {
	results := make([]backends.DeleteResult, len(r.Objects))
	index := make(map[backends.ObjectVersion][]int, len(r.Objects))
	var named, unnamed []backends.ObjectVersion
	for i, o := range r.Objects {
		results[i].Key = o.Key
		if index[o] == nil && nameable(o.Key) {
			named = append(named, o)
		} else if index[o] == nil {
			unnamed = append(unnamed, o)
		}
		index[o] = append(index[o], i)
	}
	if len(named) > 0 {
		r.Objects = named
		if err := s.deleteNamed(ctx, r, results, index); err != nil {
			return nil, err
		}
	}
	for _, o := range unnamed {
		_, err := s.Delete(ctx, backends.DeleteRequest{Key: o.Key, VersionID: o.VersionID, Header: r.Header})
		for _, i := range index[o] {
			results[i].Err = err
		}
	}
	return results, nil
}

// nameable tells whether XML has a form for every character of a key
// (https://www.w3.org/TR/xml/#charsets). Where it has none encoding/xml writes
// U+FFFD, and the request would delete another object.
func nameable(key string) bool {
	for _, c := range key {
		switch {
		case c < ' ' && c != '\t' && c != '\n' && c != '\r', c == '\ufffe', c == '\uffff':
			return false
		}
	}
	return utf8.ValidString(key)
}

// deleteNamed sends one request for the objects and notes each one's answer where
// index says.
func (s *Store) deleteNamed(
	ctx context.Context, r backends.DeleteManyRequest,
	results []backends.DeleteResult, index map[backends.ObjectVersion][]int,
) error {
	body := deleteXML{Objects: make([]objectXML, len(r.Objects))}
	for i, o := range r.Objects {
		body.Objects[i] = objectXML{o.Key, o.VersionID}
	}
	req := &request{
		op: "DeleteObjects", method: http.MethodPost, query: url.Values{"delete": {""}}, header: cloned(r.Header), mutation: true,
	}
	if err := req.withXML(body); err != nil {
		return err
	}
	var answer deleteResultXML
	if err := s.doXML(ctx, req, "DeleteResult", &answer); err != nil {
		return err
	}
	answered := make(map[backends.ObjectVersion]bool, len(r.Objects))
	for _, d := range answer.Deleted {
		o := backends.ObjectVersion{Key: d.Key, VersionID: d.VersionID}
		answered[o] = true
		for _, i := range index[o] {
			results[i].DeleteMarker, results[i].VersionID = d.DeleteMarker, cmp.Or(d.DeleteMarkerVersionID, d.VersionID)
		}
	}
	for _, e := range answer.Error {
		o := backends.ObjectVersion{Key: e.Key, VersionID: e.VersionID}
		answered[o] = true
		err := s.mapError(&request{op: req.op, key: e.Key, mutation: true}, &http.Response{StatusCode: statusOf(e.Code)},
			errorXML{Code: e.Code, Message: e.Message})
		if e.VersionID == "" && errors.Is(err, backends.ErrNotFound) {
			continue
		}
		for _, i := range index[o] {
			results[i].Err = err
		}
	}
	for _, o := range r.Objects {
		if answered[o] {
			continue
		}
		// MinIO leaves out the names of what it deleted when one key was refused.
		_, err := s.Delete(ctx, backends.DeleteRequest{Key: o.Key, VersionID: o.VersionID, Header: r.Header})
		for _, i := range index[o] {
			results[i].Err = err
		}
	}
	return nil
}

// statusOf is the HTTP status that a code of one key's failure would have had in an
// answer of its own.
func statusOf(code string) int {
	switch code {
	case "InternalError":
		return http.StatusInternalServerError
	case "ServiceUnavailable":
		return http.StatusServiceUnavailable
	case "AccessDenied":
		return http.StatusForbidden
	}
	return http.StatusBadRequest
}
