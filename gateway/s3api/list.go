package s3api

import (
	"encoding/base64"
	"math"
	"strconv"

	"sluice/backends"
)

// MaxPage is the most entries a page of any listing has.
const MaxPage = 1000

// ListRequest is ListObjects or ListObjectsV2 (V1 tells which).
type ListRequest struct {
	backends.ListRequest
	EncodeURL bool // encoding-type=url: the answer's keys are percent-encoded
}

// List reads ListObjects and ListObjectsV2.
func (r *Request) List() (ListRequest, error) {
	l := ListRequest{ListRequest: backends.ListRequest{
		Prefix: r.Query.Get("prefix"), Delimiter: r.Query.Get("delimiter"), V1: r.Op == ListObjects,
	}}
	var err error
	if l.MaxKeys, err = r.pageSize("max-keys"); err != nil {
		return l, err
	}
	if l.EncodeURL, err = r.encodeURL(); err != nil {
		return l, err
	}
	if l.V1 {
		l.After = r.Query.Get("marker")
		return l, nil
	}
	if r.Query.Get("list-type") != "2" {
		return l, invalidArgument("Invalid List Type specified in Request")
	}
	l.After, l.Token = r.Query.Get("start-after"), r.Query.Get("continuation-token")
	if l.Token == "" && r.Query.Has("continuation-token") {
		return l, invalidArgument("The continuation token provided is incorrect")
	}
	l.FetchOwner, l.Metadata = r.Query.Get("fetch-owner") == "true", r.Query.Get("metadata") == "true"
	return l, nil
}

// pageSize reads the parameter that bounds a page: MaxPage when it is not there
// or more than that.
func (r *Request) pageSize(name string) (int, error) {
	text := r.Query.Get(name)
	if text == "" {
		return MaxPage, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, invalidArgument("Provided " + name + " not an integer or within integer range")
	}
	if n < 0 || n > math.MaxInt32 {
		return 0, invalidArgument("Argument " + name + " must be an integer between 0 and 2147483647")
	}
	return min(n, MaxPage), nil
}

func (r *Request) encodeURL() (bool, error) {
	switch r.Query.Get("encoding-type") {
	case "":
		return false, nil
	case "url":
		return true, nil
	}
	return false, invalidArgument("Invalid Encoding Method specified in Request")
}

// ListUploadsRequest is ListMultipartUploads.
type ListUploadsRequest struct {
	backends.ListUploadsRequest
	EncodeURL bool
}

// ListUploads reads ListMultipartUploads. S3 has no empty page here: a
// max-uploads of 0 gives the default.
func (r *Request) ListUploads() (ListUploadsRequest, error) {
	l := ListUploadsRequest{ListUploadsRequest: backends.ListUploadsRequest{
		Prefix: r.Query.Get("prefix"), Delimiter: r.Query.Get("delimiter"), KeyMarker: r.Query.Get("key-marker"),
	}}
	if l.KeyMarker != "" { // S3 ignores the one without the other
		l.UploadIDMarker = r.Query.Get("upload-id-marker")
	}
	var err error
	if l.MaxUploads, err = r.nonEmptyPage("max-uploads"); err != nil {
		return l, err
	}
	l.EncodeURL, err = r.encodeURL()
	return l, err
}

// ListParts reads ListParts. A max-parts of 0 gives the default.
func (r *Request) ListParts() (backends.ListPartsRequest, error) {
	l := backends.ListPartsRequest{Key: r.Key, UploadID: r.UploadID()}
	var err error
	if l.MaxParts, err = r.nonEmptyPage("max-parts"); err != nil {
		return l, err
	}
	if text := r.Query.Get("part-number-marker"); text != "" {
		if l.AfterNumber, err = strconv.Atoi(text); err != nil || l.AfterNumber < 0 || l.AfterNumber > math.MaxInt32 {
			return l, invalidArgument("Argument part-number-marker must be an integer between 0 and 2147483647")
		}
	}
	return l, nil
}

func (r *Request) nonEmptyPage(name string) (int, error) {
	n, err := r.pageSize(name)
	if n == 0 {
		n = MaxPage
	}
	return n, err
}

// ListBucketsRequest is ListBuckets.
type ListBucketsRequest struct {
	Prefix string
	After  string // the name that the page starts behind, out of the token
	Max    int
}

// ListBuckets reads ListBuckets. A token is the last name of the page before, in
// base64: it should not look like something to be made up.
func (r *Request) ListBuckets() (ListBucketsRequest, error) {
	l := ListBucketsRequest{Prefix: r.Query.Get("prefix"), Max: maxBuckets}
	if text := r.Query.Get("max-buckets"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxBuckets {
			return l, invalidArgument("Argument max-buckets must be an integer between 1 and 10000").
				with("ArgumentName", "max-buckets").with("ArgumentValue", text)
		}
		l.Max = n
	}
	after, err := base64.RawURLEncoding.DecodeString(r.Query.Get("continuation-token"))
	if err != nil {
		return l, invalidArgument("The continuation token provided is incorrect")
	}
	l.After = string(after)
	return l, nil
}

const maxBuckets = 10_000

// ListVersionsRequest is ListObjectVersions.
type ListVersionsRequest struct {
	backends.ListVersionsRequest
	EncodeURL bool
}

// ListVersions reads ListObjectVersions.
func (r *Request) ListVersions() (ListVersionsRequest, error) {
	l := ListVersionsRequest{ListVersionsRequest: backends.ListVersionsRequest{
		Prefix: r.Query.Get("prefix"), Delimiter: r.Query.Get("delimiter"),
		KeyMarker: r.Query.Get("key-marker"), VersionIDMarker: r.Query.Get("version-id-marker"),
	}}
	if l.VersionIDMarker != "" && l.KeyMarker == "" {
		return l, invalidArgument("A version-id marker cannot be specified without a key marker.")
	}
	var err error
	if l.MaxKeys, err = r.pageSize("max-keys"); err != nil {
		return l, err
	}
	l.EncodeURL, err = r.encodeURL()
	return l, err
}
