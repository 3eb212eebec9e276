package memory

import (
	"context"
	"encoding/xml"
	"net/http"

	"sluice/backends"
)

const namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

// Subresource reads an object's tags or its ACL. Others there are none.
func (s *Store) Subresource(ctx context.Context, r backends.SubresourceRequest) (*backends.SubresourceResult, error) {
	c := s.call(r.Op, r.Key)
	if !hasDocument(r) || r.Method != http.MethodGet {
		return nil, c.refuse("NotImplemented")
	}
	o, err := c.current(ctx, r.Query.Get("versionId"))
	if err != nil {
		return nil, err
	}
	document := o.acl
	if r.Query.Has("tagging") {
		if document, err = tagDocument(o.tags); err != nil {
			return nil, c.unanswered(err)
		}
	}
	return &backends.SubresourceResult{
		Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/xml"}}, Body: []byte(document),
	}, nil
}

// hasDocument tells whether the request is about one that the store keeps.
func hasDocument(r backends.SubresourceRequest) bool {
	return r.Key != "" && r.Query.Has("tagging") != r.Query.Has("acl")
}

// ChangeSubresource sets an object's tags or its ACL, or removes the tags.
func (s *Store) ChangeSubresource(ctx context.Context, r backends.SubresourceRequest) (*backends.SubresourceResult, error) {
	c := s.call(r.Op, r.Key)
	if !hasDocument(r) {
		return nil, c.refuse("NotImplemented")
	}
	change, status, err := c.change(r)
	if err != nil {
		return nil, err
	}
	if err := c.version(r.Query.Get("versionId")); err != nil {
		return nil, err
	}
	if err := c.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	o := s.objects[r.Key]
	if o == nil {
		return nil, c.refuse("NoSuchKey")
	}
	changed := *o
	change(&changed.attributes)
	s.objects[r.Key] = &changed
	return &backends.SubresourceResult{Status: status, Header: make(http.Header)}, nil
}

// change reads what the request would change, and the status that says it is done.
func (c call) change(r backends.SubresourceRequest) (func(*attributes), int, error) {
	tagging := r.Query.Has("tagging")
	switch {
	case tagging && r.Method == http.MethodDelete:
		return func(a *attributes) { a.tags = nil }, http.StatusNoContent, nil
	case r.Method != http.MethodPut:
		return nil, 0, c.refuse("NotImplemented")
	case tagging:
		tags, err := c.documentTags(r.Body)
		return func(a *attributes) { a.tags = tags }, http.StatusOK, err
	}
	acl, err := c.givenACL(r)
	return func(a *attributes) { a.acl = acl }, http.StatusOK, err
}

type taggingXML struct {
	XMLName xml.Name `xml:"Tagging"`
	Set     struct {
		Tags []tag `xml:"Tag"`
	} `xml:"TagSet"`
}

func tagDocument(tags []tag) (string, error) {
	document := taggingXML{XMLName: xml.Name{Space: namespace, Local: "Tagging"}}
	document.Set.Tags = tags
	raw, err := xml.Marshal(document)
	return xml.Header + string(raw), err
}

func (c call) documentTags(document []byte) ([]tag, error) {
	var tagging taggingXML
	if xml.Unmarshal(document, &tagging) != nil {
		return nil, c.refuse("MalformedXML")
	}
	return tagging.Set.Tags, c.validTags(tagging.Set.Tags)
}

// givenACL is the ACL that a request names in a header, or brings as a document.
func (c call) givenACL(r backends.SubresourceRequest) (string, error) {
	if err := c.known(r.Header); err != nil {
		return "", err
	}
	canned := r.Header.Get("X-Amz-Acl")
	switch {
	case canned != "" && len(r.Body) > 0:
		return "", c.refuse("UnexpectedContent")
	case canned != "":
		return c.cannedDocument(canned)
	case len(r.Body) == 0:
		return "", c.refuse("MissingSecurityHeader")
	}
	var policy struct {
		XMLName xml.Name `xml:"AccessControlPolicy"`
	}
	if xml.Unmarshal(r.Body, &policy) != nil {
		return "", c.refuse("MalformedACLError")
	}
	return string(r.Body), nil // it comes back as it was given
}

// cannedDocument is the ACL of a canned name.
func (c call) cannedDocument(canned string) (string, error) {
	switch canned {
	case "private", "public-read", "public-read-write", "authenticated-read", "bucket-owner-read", "bucket-owner-full-control":
		return string(backends.ACLDocument(owner().ID, canned)), nil
	}
	return "", c.refuse("InvalidArgument", backends.Detail{Name: "ArgumentName", Value: "x-amz-acl"})
}

// Select is not supported.
func (s *Store) Select(_ context.Context, r backends.SubresourceRequest) (*backends.SelectResult, error) {
	return nil, s.call(r.Op, r.Key).refuse("NotImplemented")
}
