// Package s3api is the wire: it reads an HTTP request into a typed operation of
// the S3 API, and writes results and errors as S3 does. It knows no store, no
// policy and no credentials, and keeps no state.
//
// The names and the answers follow Amazon's API reference
// (https://docs.aws.amazon.com/AmazonS3/latest/API/); where the reference is
// silent they follow what the service is known to answer, and where this package
// departs from the service a comment says why.
package s3api

import (
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// MaxKeyLength is the longest object key, in bytes of UTF-8.
const MaxKeyLength = 1024

// Request is what a client asks for. Its methods (Get, Put, List, …) read the
// parameters of one operation each; calling the one that does not belong to Op
// gives nothing of use.
type Request struct {
	Op     Op
	Bucket string     // "" for ListBuckets
	Key    string     // as the client means it: decoded once; "" for operations on a bucket
	Query  url.Values // decoded; nil when there is no query
	// Header is the client's own, not a copy: do not change it. A presigned
	// URL's hoisted x-amz-* headers are in it too.
	Header http.Header
}

// Parse reads what r asks for. hostBucket is the bucket that the host name
// carries (virtual-host style), "" for path style. The errors are *Error:
// InvalidURI, InvalidBucketName, KeyTooLongError, MethodNotAllowed,
// NotImplemented, InvalidArgument.
//
// The key is the rest of the path as it was sent, percent-decoded exactly once:
// "//", ".", "..", "%2F", "+" and control characters stay what they are. So r
// must not have passed through http.ServeMux, which cleans paths.
func Parse(r *http.Request, hostBucket string) (*Request, error) {
	req := &Request{Header: r.Header}
	var err error
	if req.Bucket, req.Key, err = address(r.URL, hostBucket); err != nil {
		return nil, err
	}
	if r.URL.RawQuery != "" {
		if req.Query, err = parseQuery(r.URL.RawQuery); err != nil {
			return nil, err
		}
		if req.Header, err = withHoisted(r.Header, req.Query); err != nil {
			return nil, err
		}
	}
	of := objectOperations
	switch {
	case req.Bucket == "":
		of = serviceOperations
	case req.Key == "":
		of = bucketOperations
	}
	if r.Method == http.MethodOptions && req.Bucket != "" {
		req.Op = Preflight
	} else if req.Op, err = of.operation(r.Method, req.Query, req.Header); err != nil {
		return nil, err
	}
	if req.Bucket != "" && !validBucket(req.Bucket) || req.Op == CreateBucket && !validNewBucket(req.Bucket) {
		return nil, ErrorFor("InvalidBucketName", "")
	}
	return req, nil
}

// address splits the path into bucket and key.
func address(u *url.URL, hostBucket string) (bucket, key string, err error) {
	// RawPath is set only where the client's encoding is not the plain one
	// (%2F, %2B, …). Without it Path holds the same split points, decoded.
	path, encoded := u.Path, false
	if u.RawPath != "" {
		path, encoded = u.RawPath, true
	}
	rest, ok := strings.CutPrefix(path, "/")
	if !ok && path != "" || u.Opaque != "" { // "OPTIONS *", "CONNECT host:port"
		return "", "", ErrorFor("InvalidURI", "")
	}
	bucket, key = hostBucket, rest
	if hostBucket == "" {
		bucket, key, _ = strings.Cut(rest, "/")
	}
	if encoded {
		var errBucket, errKey error
		if hostBucket == "" {
			bucket, errBucket = url.PathUnescape(bucket)
		}
		key, errKey = url.PathUnescape(key)
		if errBucket != nil || errKey != nil {
			return "", "", ErrorFor("InvalidURI", "")
		}
	}
	if bucket == "" && key != "" {
		return "", "", ErrorFor("InvalidBucketName", "")
	}
	return bucket, key, checkKey(key)
}

// checkKey refuses keys that S3 can not hold. An empty key passes.
func checkKey(key string) error {
	if len(key) > MaxKeyLength {
		return ErrorFor("KeyTooLongError", "")
	}
	if !utf8.ValidString(key) {
		return ErrorFor("InvalidURI", "The key is not valid UTF-8.")
	}
	return nil
}

// parseQuery is url.ParseQuery but for two things: a semicolon is a character
// like any other (people write response-content-disposition=attachment;filename=x),
// and no pair is ever dropped, for a dropped "acl" would turn PutObjectAcl into
// PutObject.
func parseQuery(raw string) (url.Values, error) {
	query := make(url.Values)
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		key, errKey := url.QueryUnescape(key)
		value, errValue := url.QueryUnescape(value)
		if errKey != nil || errValue != nil || !utf8.ValidString(key) || !utf8.ValidString(value) {
			return nil, ErrorFor("InvalidURI", "")
		}
		query[key] = append(query[key], value)
	}
	return query, nil
}

// validBucket accepts what any S3 service ever took for a bucket's name, the
// capitals, underscores and 255 characters of Amazon's early years included: the
// operator chose the name, long ago perhaps. It never accepts what could lead
// elsewhere as part of a path or a host name.
func validBucket(name string) bool {
	if len(name) < 3 || len(name) > 255 || strings.Contains(name, "..") {
		return false
	}
	for i, c := range []byte(name) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '-' || c == '.' || c == '_':
			if i == 0 || i == len(name)-1 {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// validNewBucket holds a name against the rules for new buckets:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
func validNewBucket(name string) bool {
	return validBucket(name) && len(name) <= 63 && name == strings.ToLower(name) &&
		!strings.Contains(name, "_") && !looksLikeIPv4(name)
}

func looksLikeIPv4(name string) bool {
	return strings.Count(name, ".") == 3 && strings.Trim(name, "0123456789.") == ""
}
