package acl

import (
	"net/http"
	"slices"
	"strings"

	"sluice/backends"
)

const grantPrefix = "X-Amz-Grant-"

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
		if reads && strings.Contains(strings.Join(values, ","), backends.AllUsers) {
			canned = "public-read"
		}
	}
	return canned
}
