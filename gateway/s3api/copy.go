package s3api

import (
	"net/url"
	"strings"

	"sluice/backends"
)

// CopyRequest is CopyObject. The source's bucket may be another than the
// request's: whether that can be done is the gateway's to say.
type CopyRequest struct {
	backends.CopyRequest
	SourceBucket string
}

// CopyPartRequest is UploadPartCopy.
type CopyPartRequest struct {
	backends.CopyPartRequest
	SourceBucket string
}

// Copy reads CopyObject.
func (r *Request) Copy() (CopyRequest, error) {
	c := CopyRequest{CopyRequest: backends.CopyRequest{Key: r.Key}}
	if err := r.refuseParameters(); err != nil {
		return c, err
	}
	var err error
	if c.SourceBucket, c.SourceKey, c.SourceVersionID, err = r.copySource(); err != nil {
		return c, err
	}
	replace, err := r.replaces("X-Amz-Metadata-Directive", "Unknown metadata directive.")
	if err != nil {
		return c, err
	}
	if _, err := r.replaces("X-Amz-Tagging-Directive", "Unknown tagging directive."); err != nil {
		return c, err
	}
	if !replace && c.SourceBucket == r.Bucket && c.SourceKey == r.Key && c.SourceVersionID == "" && !r.changesStorage() {
		return c, ErrorFor("InvalidRequest", "This copy request is illegal because it is trying to copy an object to "+
			"itself without changing the object's metadata, storage class, website redirect location or encryption attributes.")
	}
	if c.Header, err = r.objectHeader(copyHeaders, conditionHeaders); err != nil {
		return c, err
	}
	if !replace && first(r.Header, "Content-Type") == "" {
		c.Header.Del("Content-Type") // the source's stays
	}
	return c, nil
}

// replaces reads a directive: REPLACE (true) or COPY, the default.
func (r *Request) replaces(name, complaint string) (bool, error) {
	switch first(r.Header, name) {
	case "REPLACE":
		return true, nil
	case "", "COPY":
		return false, nil
	}
	return false, invalidArgument(complaint)
}

// changesStorage tells whether a copy onto itself changes how the object is kept.
func (r *Request) changesStorage() bool {
	for name := range r.Header {
		if name == "X-Amz-Storage-Class" || name == "X-Amz-Website-Redirect-Location" ||
			strings.HasPrefix(name, "X-Amz-Server-Side-Encryption") {
			return true
		}
	}
	return false
}

// CopyPart reads UploadPartCopy.
func (r *Request) CopyPart() (CopyPartRequest, error) {
	c := CopyPartRequest{CopyPartRequest: backends.CopyPartRequest{
		Key: r.Key, UploadID: r.UploadID(), SourceRange: first(r.Header, "X-Amz-Copy-Source-Range"),
		Header: pick(r.Header, partHeaders, copyHeaders),
	}}
	var err error
	if c.Number, err = r.partNumber(); err != nil {
		return c, err
	}
	if c.SourceBucket, c.SourceKey, c.SourceVersionID, err = r.copySource(); err != nil {
		return c, err
	}
	if c.SourceRange != "" && !closedRange(c.SourceRange) {
		return c, invalidArgument("The x-amz-copy-source-range value must be of the form bytes=first-last " +
			"where first and last are the zero-based offsets of the first and last bytes to copy")
	}
	return c, nil
}

// closedRange tells whether both ends of a byte range are given, and in order.
func closedRange(rng string) bool {
	_, _, ok, err := backends.ParseRange(rng, 1<<62)
	return ok && err == nil && !strings.HasPrefix(rng, "bytes=-") && !strings.HasSuffix(rng, "-")
}

// copySource reads x-amz-copy-source: "bucket/key", with or without a leading
// slash, percent-encoded (the slashes too, by some clients), "?versionId=…"
// behind it. A "+" is a plus, as in the path of a request.
func (r *Request) copySource() (bucket, key, version string, err error) {
	source := first(r.Header, "X-Amz-Copy-Source")
	if i := strings.LastIndex(source, "?versionId="); i >= 0 {
		version = source[i+len("?versionId="):]
		source = source[:i]
		if version == "" {
			return "", "", "", invalidArgument("Version id cannot be the empty string")
		}
	}
	source, errSource := url.PathUnescape(source)
	version, errVersion := url.PathUnescape(version)
	if errSource != nil || errVersion != nil {
		return "", "", "", invalidArgument("Invalid copy source encoding")
	}
	bucket, key, _ = strings.Cut(strings.TrimPrefix(source, "/"), "/")
	if !validBucket(bucket) || key == "" {
		return "", "", "", invalidArgument("Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
	}
	return bucket, key, version, checkKey(key)
}
