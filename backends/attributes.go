package backends

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
)

// The groups of strangers that an ACL may name.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html
const (
	AllUsers           = "http://acs.amazonaws.com/groups/global/AllUsers"
	AuthenticatedUsers = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
)

type aclXML struct {
	Grants []struct {
		URI        string `xml:"Grantee>URI"`
		Permission string
	} `xml:"AccessControlList>Grant"`
}

// CannedACL reads an object's ACL as the canned one that grants the same to
// strangers ("private", "public-read", …): grants to single accounts mean nothing
// on another store, whose accounts have other names. "" means that the store has
// no ACLs.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html
func CannedACL(ctx context.Context, s Reader, key string) (string, error) {
	answer, err := s.Subresource(ctx, SubresourceRequest{
		Op: "GetObjectAcl", Method: http.MethodGet, Key: key, Query: url.Values{"acl": {""}},
	})
	if errors.Is(err, ErrNotSupported) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	canned, err := ParseACL(answer.Body)
	if err != nil {
		return "", fmt.Errorf("the ACL of %q on store %s: %w", key, s.Name(), err)
	}
	return canned, nil
}

// Describing picks the headers that describe an object, of a request that writes it or of
// an answer: those that a copy with the metadata directive COPY brings along.
func Describing(h http.Header) http.Header {
	picked := make(http.Header)
	for name, values := range h {
		switch name {
		case "Content-Type", "Cache-Control", "Content-Disposition", "Content-Encoding",
			"Content-Language", "Expires", "X-Amz-Website-Redirect-Location":
			picked[name] = values
		default:
			if strings.HasPrefix(name, "X-Amz-Meta-") {
				picked[name] = values
			}
		}
	}
	return picked
}

// Replacing is the header of a copy that names the metadata itself in place of leaving it
// to the source, as h does.
func Replacing(h, source http.Header) http.Header {
	h = maps.Clone(h)
	for name := range Describing(h) {
		delete(h, name) // S3 does not look at them, and takes the source's
	}
	maps.Copy(h, Describing(source))
	h.Set("X-Amz-Metadata-Directive", "REPLACE")
	return h
}

// SetCannedACL gives an object of a store, or of a bucket in front of stores, a canned ACL.
func SetCannedACL(ctx context.Context, s interface {
	ChangeSubresource(ctx context.Context, r SubresourceRequest) (*SubresourceResult, error)
}, key, canned string,
) error {
	_, err := s.ChangeSubresource(ctx, SubresourceRequest{
		Op: "PutObjectAcl", Method: http.MethodPut, Key: key, Query: url.Values{"acl": {""}}, Header: http.Header{"X-Amz-Acl": {canned}},
	})
	return err
}

// ParseACL reads an ACL's document as CannedACL does.
func ParseACL(document []byte) (string, error) {
	var acl aclXML
	if err := xml.Unmarshal(document, &acl); err != nil {
		return "", err
	}
	granted := make(map[string]bool)
	for _, g := range acl.Grants {
		granted[g.URI+" "+g.Permission] = true
	}
	full := granted[AllUsers+" FULL_CONTROL"]
	switch {
	case full || granted[AllUsers+" WRITE"]:
		return "public-read-write", nil
	case granted[AllUsers+" READ"]:
		return "public-read", nil
	case granted[AuthenticatedUsers+" READ"]:
		return "authenticated-read", nil
	}
	return "private", nil
}

// ACLDocument is the document of a canned ACL, for an object of this owner.
func ACLDocument(owner, canned string) []byte {
	grant := func(kind, element, grantee, permission string) string {
		return fmt.Sprintf(`<Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type=%q><%s>%s</%s></Grantee>`+
			`<Permission>%s</Permission></Grant>`, kind, element, grantee, element, permission)
	}
	grants := grant("CanonicalUser", "ID", owner, "FULL_CONTROL")
	switch canned {
	case "public-read":
		grants += grant("Group", "URI", AllUsers, "READ")
	case "public-read-write":
		grants += grant("Group", "URI", AllUsers, "READ") + grant("Group", "URI", AllUsers, "WRITE")
	case "authenticated-read":
		grants += grant("Group", "URI", AuthenticatedUsers, "READ")
	}
	return fmt.Appendf(nil, `%s<AccessControlPolicy xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Owner><ID>%s</ID></Owner>`+
		`<AccessControlList>%s</AccessControlList></AccessControlPolicy>`, xml.Header, owner, grants)
}

type taggingXML struct {
	Tags []struct{ Key, Value string } `xml:"TagSet>Tag"`
}

// Tags reads an object's tags. A store without tags has none.
func Tags(ctx context.Context, s Reader, key string) (url.Values, error) {
	answer, err := s.Subresource(ctx, SubresourceRequest{
		Op: "GetObjectTagging", Method: http.MethodGet, Key: key, Query: url.Values{"tagging": {""}},
	})
	var e *Error
	switch {
	case errors.Is(err, ErrNotSupported), errors.As(err, &e) && e.Code == "NoSuchTagSet":
		return url.Values{}, nil
	case err != nil:
		return nil, err
	}
	var set taggingXML
	if err := xml.Unmarshal(answer.Body, &set); err != nil {
		return nil, fmt.Errorf("the tags of %q on store %s: %w", key, s.Name(), err)
	}
	tags := make(url.Values, len(set.Tags))
	for _, t := range set.Tags {
		tags.Set(t.Key, t.Value)
	}
	return tags, nil
}
