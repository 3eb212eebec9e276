package acl

import (
	"encoding/xml"
	"net/http"
	"slices"
	"strings"
)

const (
	allUsers           = "http://acs.amazonaws.com/groups/global/AllUsers"
	authenticatedUsers = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
	grantPrefix        = "X-Amz-Grant-"
)

// cannedACLs are those of objects.
var cannedACLs = []string{
	private, "public-read", "public-read-write", "authenticated-read",
	"aws-exec-read", "bucket-owner-read", "bucket-owner-full-control",
}

func isGrant(name string) bool { return strings.HasPrefix(name, grantPrefix) }

// canonical is the canned ACL that a request's header asks for; grants to single accounts
// open nothing to strangers. "" if it asks for none.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html
func canonical(h http.Header) string {
	if canned := h.Get(cannedHeader); slices.Contains(cannedACLs, canned) {
		return canned
	}
	canned := notKnown
	for name, values := range h {
		if !isGrant(name) {
			continue
		}
		if canned == notKnown {
			canned = private
		}
		reads := name == grantPrefix+"Read" || name == grantPrefix+"Full-Control"
		if reads && strings.Contains(strings.Join(values, ","), allUsers) {
			canned = "public-read"
		}
	}
	return canned
}

type policyXML struct {
	XMLName xml.Name   `xml:"http://s3.amazonaws.com/doc/2006-03-01/ AccessControlPolicy"`
	Owner   ownerXML   `xml:"Owner"`
	Grants  []grantXML `xml:"AccessControlList>Grant"`
}

type ownerXML struct{ ID, DisplayName string }

type grantXML struct {
	Grantee    granteeXML
	Permission string
}

type granteeXML struct {
	Instance string `xml:"xmlns:xsi,attr"`
	Type     string `xml:"xsi:type,attr"`
	ID       string `xml:",omitempty"`
	URI      string `xml:",omitempty"`
}

// policyOf is the document of a canned ACL, of an owner without a name.
func policyOf(canned string) policyXML {
	const instance = "http://www.w3.org/2001/XMLSchema-instance"
	owner := ownerXML{ID: "owner", DisplayName: "owner"}
	p := policyXML{Owner: owner, Grants: []grantXML{
		{granteeXML{Instance: instance, Type: "CanonicalUser", ID: owner.ID}, "FULL_CONTROL"},
	}}
	group := func(uri string, permissions ...string) {
		for _, permission := range permissions {
			p.Grants = append(p.Grants, grantXML{granteeXML{Instance: instance, Type: "Group", URI: uri}, permission})
		}
	}
	switch canned {
	case "public-read":
		group(allUsers, "READ")
	case "public-read-write":
		group(allUsers, "READ", "WRITE")
	case "authenticated-read":
		group(authenticatedUsers, "READ")
	}
	return p
}
