package s3

import (
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
		query: make(url.Values), header: make(http.Header),
	}
	if r.VersionID != "" {
		req.query.Set("versionId", r.VersionID)
	}
	setConditions(req.header, r.IfMatch, false)
	resp, err := s.do(ctx, req)
	if errors.Is(err, backends.ErrNotFound) {
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
	Key string
}

type deleteResultXML struct {
	Deleted []struct {
		Key                   string
		DeleteMarker          bool
		DeleteMarkerVersionID string `xml:"DeleteMarkerVersionId"`
	}
	Error []struct {
		Key, Code, Message string
	}
}

// DeleteMany removes up to 1,000 objects. Keys that XML can not name are deleted
// one by one.
func (s *Store) DeleteMany(ctx context.Context, keys []string) ([]backends.DeleteResult, error) {
	results := make([]backends.DeleteResult, len(keys))
	index := make(map[string][]int, len(keys))
	var named, unnamed []string
	for i, key := range keys {
		results[i].Key = key
		if index[key] == nil && nameable(key) {
			named = append(named, key)
		} else if index[key] == nil {
			unnamed = append(unnamed, key)
		}
		index[key] = append(index[key], i)
	}
	if len(named) > 0 {
		if err := s.deleteNamed(ctx, named, results, index); err != nil {
			return nil, err
		}
	}
	for _, key := range unnamed {
		_, err := s.Delete(ctx, backends.DeleteRequest{Key: key})
		for _, i := range index[key] {
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

// deleteNamed sends one request for the keys and notes each one's answer where
// index says.
func (s *Store) deleteNamed(ctx context.Context, keys []string, results []backends.DeleteResult, index map[string][]int) error {
	body := deleteXML{Objects: make([]objectXML, len(keys))}
	for i, key := range keys {
		body.Objects[i].Key = key
	}
	req := &request{op: "DeleteObjects", method: http.MethodPost, query: url.Values{"delete": {""}}, mutation: true}
	if err := req.withXML(body); err != nil {
		return err
	}
	var answer deleteResultXML
	if err := s.doXML(ctx, req, "DeleteResult", &answer); err != nil {
		return err
	}
	answered := make(map[string]bool, len(keys))
	for _, d := range answer.Deleted {
		answered[d.Key] = true
		for _, i := range index[d.Key] {
			results[i].DeleteMarker, results[i].VersionID = d.DeleteMarker, d.DeleteMarkerVersionID
		}
	}
	for _, e := range answer.Error {
		answered[e.Key] = true
		err := s.mapError(&request{op: req.op, key: e.Key, mutation: true}, &http.Response{StatusCode: http.StatusOK},
			errorXML{Code: e.Code, Message: e.Message})
		if errors.Is(err, backends.ErrNotFound) {
			continue
		}
		for _, i := range index[e.Key] {
			results[i].Err = err
		}
	}
	for _, key := range keys {
		if answered[key] {
			continue
		}
		for _, i := range index[key] {
			results[i].Err = s.fail(&request{op: req.op, key: key}, errors.New("the answer does not name the key"), true)
		}
	}
	return nil
}
