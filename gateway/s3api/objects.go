package s3api

import (
	"encoding/hex"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"

	"sluice/backends"
)

// MaxPutSize is the most one PUT may carry, object or part, in bytes.
const MaxPutSize = 5 << 30

// MaxPart is the highest part number.
const MaxPart = 10000

// GetRequest is GetObject or HeadObject.
type GetRequest struct {
	backends.GetRequest // without IfMatch: conditions are checked against the answer
	Conditions          Conditions
	// ResponseHeaders are the response-* overrides. S3 honours them for
	// authenticated requests only (InvalidRequest otherwise).
	ResponseHeaders http.Header
}

// overrides are the query keys that replace a header of the answer.
var overrides = []struct{ query, header string }{
	{"response-cache-control", "Cache-Control"},
	{"response-content-disposition", "Content-Disposition"},
	{"response-content-encoding", "Content-Encoding"},
	{"response-content-language", "Content-Language"},
	{"response-content-type", "Content-Type"},
	{"response-expires", "Expires"},
}

const checksumMode = "X-Amz-Checksum-Mode"

// Get reads GetObject and HeadObject. A Range that is malformed or has several
// parts is left out: S3 then answers the whole object.
func (r *Request) Get() (GetRequest, error) {
	g := GetRequest{
		GetRequest: backends.GetRequest{Key: r.Key, Header: pick(r.Header, readHeaders)},
		Conditions: conditions(r.Header),
	}
	if mode := first(g.Header, checksumMode); mode != "ENABLED" {
		delete(g.Header, checksumMode) // it asks for nothing
	}
	if len(g.Header) == 0 {
		g.Header = nil
	}
	if rng := first(r.Header, "Range"); rng != "" {
		if _, _, ok, _ := backends.ParseRange(rng, math.MaxInt64); ok {
			g.Range = rng
		}
	}
	if len(r.Query) == 0 {
		return g, nil
	}
	var err error
	if g.VersionID, err = r.versionID(); err != nil {
		return g, err
	}
	if r.Query.Has("partNumber") {
		if g.PartNumber, err = r.partNumber(); err != nil {
			return g, err
		}
		if g.Range != "" {
			return g, ErrorFor("InvalidRequest", "Cannot specify both Range header and partNumber query parameter")
		}
	}
	for _, o := range overrides {
		if value := r.Query.Get(o.query); value != "" {
			if err := checkHeaderValue(o.query, value); err != nil {
				return g, err
			}
			if g.ResponseHeaders == nil {
				g.ResponseHeaders = make(http.Header)
			}
			g.ResponseHeaders.Set(o.header, value)
		}
	}
	return g, nil
}

// versionID reads the parameter; S3 refuses an empty one.
func (r *Request) versionID() (string, error) {
	id := r.Query.Get("versionId")
	if id == "" && r.Query.Has("versionId") {
		return "", invalidArgument("Version id cannot be the empty string")
	}
	return id, nil
}

func (r *Request) partNumber() (int, error) {
	n, err := strconv.Atoi(r.Query.Get("partNumber"))
	if err != nil || n < 1 || n > MaxPart {
		return 0, invalidArgument("Part number must be an integer between 1 and 10000, inclusive")
	}
	return n, nil
}

// Put reads PutObject. size is the number of bytes body will give, after any
// chunk framing was taken off; negative when the client did not say.
func (r *Request) Put(body io.Reader, size int64) (backends.PutRequest, error) {
	p := backends.PutRequest{Key: r.Key, Body: body, Size: size}
	if err := checkSize(size); err != nil {
		return p, err
	}
	if err := r.refuseParameters(); err != nil {
		return p, err
	}
	p.SHA256, p.ContentMD5 = payloadSHA256(r.Header), first(r.Header, "Content-Md5")
	var err error
	if p.Header, err = r.objectHeader(); err != nil {
		return p, err
	}
	p.IfMatch, p.IfNoneMatch = r.writeConditions(p.Header)
	return p, nil
}

// refuseParameters answers for what selects a version or a part of an object
// where only a whole one can be written: ignored, it would replace the object.
func (r *Request) refuseParameters() error {
	switch {
	case r.Query.Has("versionId"):
		return invalidArgument("This operation does not accept a version-id.")
	case r.Query.Has("partNumber"):
		return invalidArgument("This operation does not accept partNumber without uploadId")
	}
	return nil
}

func checkSize(size int64) error {
	switch {
	case size < 0:
		return ErrorFor("MissingContentLength", "")
	case size > MaxPutSize:
		return ErrorFor("EntityTooLarge", "")
	}
	return nil
}

// payloadSHA256 is the payload's hash if the client declared one. Instead of a
// hash the header may hold UNSIGNED-PAYLOAD or STREAMING-….
func payloadSHA256(h http.Header) string {
	sum := strings.ToLower(first(h, "X-Amz-Content-Sha256"))
	if len(sum) != 64 {
		return ""
	}
	if _, err := hex.DecodeString(sum); err != nil {
		return ""
	}
	return sum
}

// writeConditions reads the conditions of a write: one entity tag to replace, and "*"
// to create only. Every other stays a header of h: S3 knows none there, other
// servers know some, and it is the store's to judge or to refuse. Left out, it would
// make an unconditional overwrite of a conditional one.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
func (r *Request) writeConditions(h http.Header) (ifMatch string, ifNoneMatch bool) {
	for _, name := range conditionHeaders.exact {
		value := strings.Join(r.Header[name], ",")
		switch {
		case value == "":
		case name == "If-None-Match" && value == "*":
			ifNoneMatch = true
		case name == "If-Match" && value != "*" && !strings.ContainsRune(value, ',') && !strings.HasPrefix(value, "W/"):
			ifMatch = unquote(strings.TrimSpace(value))
		default:
			h.Set(name, value)
		}
	}
	return ifMatch, ifNoneMatch
}

// Delete reads DeleteObject.
func (r *Request) Delete() (backends.DeleteRequest, error) {
	d := backends.DeleteRequest{Key: r.Key, Header: pick(r.Header, deleteHeaders)}
	if d.Header == nil {
		d.Header = make(http.Header)
	}
	d.IfMatch, _ = r.writeConditions(d.Header)
	if none := strings.Join(r.Header["If-None-Match"], ","); none != "" {
		d.Header.Set("If-None-Match", none) // "*" too: there is nothing to create
	}
	var err error
	d.VersionID, err = r.versionID()
	return d, err
}
