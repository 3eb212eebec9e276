package mirror

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"sluice/backends"
)

// originHeader is the metadata a background copy carries: the original's time
// and ETag, which a client has seen and must keep seeing whichever store serves
// the object. Clients never see the header itself.
const originHeader = "X-Amz-Meta-Sluice-Origin"

// origin is the header's value for a copy of the object.
func origin(info *backends.Info) string {
	return strconv.FormatInt(info.LastModified.Unix(), 10) + " " + info.ETag
}

// parseOrigin reads the header's value.
func parseOrigin(value string) (modified time.Time, etag string, err error) {
	seconds, etag, ok := strings.Cut(value, " ")
	unix, err := strconv.ParseInt(seconds, 10, 64)
	if !ok || err != nil || etag == "" {
		return time.Time{}, "", fmt.Errorf("%s %q is not \"SECONDS ETAG\"", originHeader, value)
	}
	return time.Unix(unix, 0).UTC(), etag, nil
}

// restoreOrigin makes a copy's description the original's.
func restoreOrigin(info *backends.Info) {
	value := info.Header.Get(originHeader)
	if value == "" {
		return
	}
	info.Header.Del(originHeader)
	if modified, etag, err := parseOrigin(value); err == nil {
		info.LastModified, info.ETag = modified, etag
	}
}

// visibleETag is the ETag that clients are shown of an object.
func visibleETag(info *backends.Info) string {
	if _, etag, err := parseOrigin(info.Header.Get(originHeader)); err == nil {
		return etag
	}
	return info.ETag
}

// tagCount is the header of a read by which a store says that there are tags.
const tagCount = "X-Amz-Tagging-Count"

// describing picks the headers that describe an object and must come along with
// every copy of it.
func describing(h http.Header) http.Header {
	picked := backends.Describing(h)
	delete(picked, originHeader)
	return picked
}

// isMD5 tells whether an ETag has the form of an MD5 hash; one of a multipart
// upload ("…-N") has not, and is no hash of the content.
func isMD5(etag string) bool {
	if len(etag) != 32 {
		return false
	}
	return strings.Trim(etag, "0123456789abcdef") == ""
}

// partsOf is N of an ETag "…-N", or 0.
func partsOf(etag string) int {
	_, n, ok := strings.Cut(etag, "-")
	parts, err := strconv.Atoi(n)
	if !ok || err != nil {
		return 0
	}
	return parts
}
