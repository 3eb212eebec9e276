package differential

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// This is the written list of what may differ between a store and the gateway
// before it, each with its reason. What is not in it, and not among the known
// defects, fails the test.

// noise are headers that say nothing about the objects: who answered, when, how.
var noise = map[string]string{
	"Server":                    "names the server",
	"X-Amz-Request-Id":          "each request's own",
	"X-Amz-Id-2":                "MinIO's host id",
	"Date":                      "the clock of whoever answers",
	"Vary":                      "MinIO's browser support",
	"X-Content-Type-Options":    "MinIO's browser support",
	"X-Xss-Protection":          "MinIO's browser support",
	"Strict-Transport-Security": "MinIO's browser support",
	"X-Ratelimit-Limit":         "MinIO's own load",
	"X-Ratelimit-Remaining":     "MinIO's own load",
	"X-Minio-Error-Code":        "MinIO's own",
	"X-Minio-Error-Desc":        "MinIO's own",
	"X-Cache":                   "the gateway's cache",
	"Cache-Status":              "the gateway's cache",
	"Age":                       "the gateway's cache",
	"Retry-After":               "the gateway's help for plain HTTP clients",
	"X-Amz-Bucket-Region":       "S3 names the region of a bucket, MinIO does not",
}

// mayDifferHeader is the written list of headers that may differ.
func mayDifferHeader(st *step, name string, d, g *answer) bool {
	a, b := d.header.Get(name), g.header.Get(name)
	switch {
	case noise[name] != "":
		return true
	case d.status >= 400:
		// MinIO leaves with a refusal what it had set for an answer, and gives a
		// HEAD the length and the type of the document that it leaves out; the
		// gateway adds Allow and Content-Range.
		return true
	case d.status == http.StatusNotModified:
		return a == "" // RFC 9110 lets a 304 carry what the object has; MinIO leaves most of it out
	case b != "" && len(d.header[name]) > 0 && a == "" && st.has("response-"+strings.ToLower(name)):
		return true // an override that is empty is none
	case strings.HasPrefix(name, "X-Amz-Checksum-"):
		return b == "" && g.header.Get("X-Cache") == "HIT" && st.method == http.MethodHead // an object that was asked for without
	case name == "Accept-Ranges":
		return st.op != "get" // MinIO sends it with every answer; it says something only of objects
	case name == "Content-Length":
		// The length of a document follows from its elements, which are compared.
		return st.method != http.MethodHead && (isXML(d) || isXML(g)) || st.key == ""
	case name == "Content-Type":
		// The default for objects without one is S3's; MinIO looks at the key's
		// last letters.
		return b == "binary/octet-stream" && (a == "" || a == "application/octet-stream" || a == "text/plain") || st.op == "head bucket"
	case name == "Content-Encoding":
		return strings.ReplaceAll(a, " ", "") == b // a list; the space in it is of no account
	case name == "Etag":
		return b == "" && (st.op == "complete" || st.op == "copy") // MinIO says it twice
	}
	return false
}

// freeElements may differ, by the end of their path.
var freeElements = map[string]string{
	"Error/Message":             "free text",
	"Error/Resource":            "a hint for people",
	"Error/RequestId":           "each request's own",
	"Error/HostId":              "each server's own",
	"Error/BucketName":          "a hint for people",
	"Error/Key":                 "a hint for people",
	"Error/ActualObjectSize":    "a hint for people; Content-Range says it",
	"Error/RangeRequested":      "a hint for people",
	"Error/AWSAccessKeyId":      "S3's details of an error, which MinIO leaves out",
	"Error/CanonicalRequest":    "as above",
	"Error/StringToSign":        "as above",
	"Error/SignatureProvided":   "as above",
	"Error/HeadersNotSigned":    "as above",
	"Error/Method":              "as above",
	"Error/ResourceType":        "as above",
	"Error/Header":              "as above",
	"Error/Condition":           "as above",
	"Error/ArgumentName":        "as above",
	"Error/ArgumentValue":       "as above",
	"ListPartsResult/Initiator": "an account of the store's, which no client of the gateway knows",
	"ListPartsResult/Owner":     "as above",
	"Upload/Initiator":          "as above",
	"Upload/Owner":              "as above",
	"/EncodingType":             "an echo",
	"/Delimiter":                "an echo",
	"/StartAfter":               "an echo",

	"CopyObjectResult/ChecksumCRC32":     "S3 has it in the document, MinIO in the headers alone",
	"CopyObjectResult/ChecksumCRC32C":    "as above",
	"CopyObjectResult/ChecksumCRC64NVME": "as above",
	"CopyObjectResult/ChecksumSHA1":      "as above",
	"CopyObjectResult/ChecksumSHA256":    "as above",
	"CopyObjectResult/ChecksumType":      "as above",

	"ListMultipartUploadsResult/MaxUploads": "S3's pages have 1,000 entries at most, MinIO's 10,000",
	"ListPartsResult/MaxParts":              "as above",
}

// mayDifferElement is the written list of elements that may differ.
func mayDifferElement(st *step, path string, d, g *element) bool {
	for end := range freeElements {
		if strings.HasSuffix(path, end) {
			return true
		}
	}
	switch {
	case strings.HasSuffix(path, "Marker") && st.op == "list":
		return d != nil && g != nil && strings.Contains(d.text, "minio_cache") // MinIO's carries its cache's name
	case st.op == "list" && st.param("continuation-token") != "" && inPage.MatchString(path):
		return true // MinIO goes on in the listing as it was at the first page, the gateway in the bucket as it is
	case st.op == "list" && st.param("delimiter") != "" && fuller(path, d, g):
		return true // MinIO breaks some pages off early, the gateway asks for the rest when it has hidden something
	case path == "ListMultipartUploadsResult/UploadIdMarker":
		return d != nil && d.text == "" // an echo, which MinIO leaves out
	case strings.Contains(path, "/Next") && g == nil:
		return d.text == "" || d.text == "0" // said of a page that is the last
	case strings.Contains(path, "/Checksum") || strings.HasSuffix(path, "/VersionId"):
		return g == nil && d.text == "" // MinIO says that there is none
	case st.param("max-parts") == "0" || st.param("max-uploads") == "0":
		return true // S3 has no empty pages there: 0 is the default
	case strings.HasSuffix(path, "/MaxKeys"):
		return g != nil && g.text == "1000" // S3 says what the page was bounded by, MinIO what was asked
	case path == "InitiateMultipartUploadResult/Key", path == "ListPartsResult/Key", strings.HasPrefix(path, "CompleteMultipartUploadResult/"):
		// MinIO drops slashes before a name, the gateway says what it was told.
		return d != nil && g != nil && (strings.HasPrefix(st.key, "/") || sameEncoded(d.text, g.text))
	case path == "DeleteResult/Deleted/Key":
		// Of a key that is named twice MinIO leaves out the name, and of one
		// that begins with a slash the slash.
		return d == nil || g != nil && strings.TrimLeft(g.text, "/") == d.text
	case d == nil || g == nil:
		return false
	case strings.Contains(g.text, "(control "):
		return true // S3 writes a reference for what XML can not hold, MinIO another character
	case st.param("encoding-type") == "url":
		return sameEncoded(d.text, g.text) // a space is "+" or "%20"; both are read
	}
	return false
}

// inPage matches what is listed, and what follows from it.
// fuller tells whether the gateway's page holds more than MinIO's.
func fuller(path string, d, g *element) bool {
	switch path {
	case "ListBucketResult/Contents", "ListBucketResult/CommonPrefixes":
		return d == nil
	case "ListBucketResult/KeyCount":
		less, err1 := strconv.Atoi(d.text)
		more, err2 := strconv.Atoi(g.text)
		return err1 == nil && err2 == nil && less < more
	}
	return false
}

var inPage = regexp.MustCompile(`^ListBucketResult/(Contents|CommonPrefixes|KeyCount|IsTruncated|NextContinuationToken)`)

func sameEncoded(a, b string) bool {
	x, errX := url.QueryUnescape(a)
	y, errY := url.QueryUnescape(b)
	return errX == nil && errY == nil && x == y
}

// exception is a pair of answers that are allowed to differ in their status or
// error code. The patterns match the status and the code, as in "404 NoSuchKey".
type exception struct {
	why             string
	direct, gateway string
	when            func(*step) bool
}

var exceptions = []exception{
	{"who asks is settled before what is asked", `^[2345]`, `^403`, func(st *step) bool {
		// MinIO answers a DeleteObjects of nobody with an error for each key.
		return slices.Contains([]auth{anonymous, wrongSecret, unknownAccessKey, expired}, st.auth)
	}},
	{"the bucket is looked for before the request is read", ``, `^(404( NoSuchBucket)?|400 InvalidBucketName)$`, op("other bucket")},
	{"a declared hash is checked even of a body that is not read", ``, `^400( XAmzContentSHA256Mismatch)?$`, proof(wrongHash)},
	{"of two things wrong, a body's hash among them, either is named", `^4`, `^4`, proof(wrongHash, wrongTrailer)},
	{"S3's name for a wrong checksum", `^400 XAmzContentChecksumMismatch`, `^400 BadDigest`, integrity},
	{"S3's name for a checksum that is none", `^400 InvalidArgument`, `^400 InvalidRequest`, integrity},
	{"a body is read and checked before all else", `^4`, `^400 (BadDigest|InvalidDigest|InvalidRequest)$`, integrity},
	{"MinIO checks no Content-MD5 there", `^[25]`, `^400 BadDigest`, op("delete many")},
	{"S3's keys have 1,024 bytes at most", ``, `^400( KeyTooLongError)?$`, longKey},
	{"S3's keys are UTF-8", ``, `^400( InvalidURI)?$`, func(st *step) bool { return strings.Contains(st.key, "\xff") }},
	{"a method that S3 does not have there", ``, `^(405|501)`, func(st *step) bool {
		return st.op == "wrong method" || st.method != http.MethodPut && st.has("uploadId")
	}},
	{"sub-resources that are not served must not pass for the object", ``, `^(501|405)`, op("sub-resource")},
	{"MinIO looks at the names first", `^400( XMinioInvalid(Resource|Object)Name)?$`, `^4`, func(*step) bool { return true }},
	{"a source's version that is none", `^200`, `^400 InvalidArgument`, func(st *step) bool {
		return strings.HasSuffix(st.header.Get("X-Amz-Copy-Source"), "?versionId=")
	}},
	{"a checksum that is empty is none", `^200`, `^400 InvalidRequest`, func(st *step) bool {
		return len(st.header["X-Amz-Checksum-Crc32"]) > 0 && st.header.Get("X-Amz-Checksum-Crc32") == ""
	}},
	{"MinIO ignores the conditions of a delete", `^204`, `^412`, func(st *step) bool { return st.header.Get("If-Match") != "" }},
	{"what the request says is read before the object is looked for", ``, `^400( InvalidArgument| InvalidRequest)?$`, badParameter},
	{"RFC 9110's conditions: lists, weak tags, whole seconds, 412 before 304", `^(200|206|304|412|416)`, `^(200|206|304|412|416)`, subtleCondition},
	{"a range that is none is ignored (RFC 9110)", `^4(00|16)`, `^[234]`, func(st *step) bool { return st.header.Get("Range") != "" && !plainRange(st) }},
	{"an object without bytes has no last ones", `^206`, `^416`, func(st *step) bool { return strings.HasPrefix(st.header.Get("Range"), "bytes=-") }},
	{"If-Range, which MinIO does not know", `^(206|416)`, `^(200|404)`, func(st *step) bool { return st.header.Get("If-Range") != "" }},
	{"S3 refuses an upload id that is none, MinIO aborts it, or deletes the object", `^204`, `^404 NoSuchUpload`, func(st *step) bool { return st.has("uploadId") }},
	{"a part number without an upload", ``, `^400 InvalidArgument`, op("put with parameter")},
	{"a list of no parts, or of parts that can not be, is not S3's document", `^[24]`, `^400 (MalformedXML|InvalidArgument|InvalidPartOrder)`, op("complete")},
	{"MinIO fails where the document is wrong", `^(500|400|411)`, `^400 MalformedXML`, op("delete many")},
	{"MinIO takes keys that are empty", `^200`, `^400 (MalformedXML|KeyTooLongError)`, op("delete many")},
	{"what is no form is no PostObject", `^400 BadRequest`, `^412 PreconditionFailed`, op("wrong method")},
	{"the signature covers the body", `^400 MissingContentMD5`, `^(200|501)`, op("delete many")},
	{"a range that can not be is no reason to look no further", `^416`, `^404`, func(st *step) bool { return st.header.Get("Range") == "bytes=-0" }},
	{"a condition is judged before the range", `^416`, `^(304|412)`, func(st *step) bool { return st.header.Get("Range") != "" }},
	{"the seconds of a source's date are each store's own", `^(200|412)`, `^(200|412)`, func(st *step) bool {
		return strings.Contains(st.header.Get("X-Amz-Copy-Source-If-Modified-Since")+st.header.Get("X-Amz-Copy-Source-If-Unmodified-Since"), "{{date")
	}},
	{"an object without bytes has no range", `^206`, `^200`, func(st *step) bool { return st.param("partNumber") == "1" }},
	{"a preflight says whose page asks", `^200`, `^400 BadRequest`, func(st *step) bool { return st.method == http.MethodOptions }},
	{"a condition is judged before the part", `^416`, `^(304|412)`, func(st *step) bool { return st.has("partNumber") }},
	{"a body is read and checked before all else", `^501`, `^400 BadDigest`, op("put", "part")},
	{"a marker that the gateway has not given out", `^(200|501)`, `^400 InvalidArgument`, func(st *step) bool { return st.param("upload-id-marker") != "" }},
	{"a marker of MinIO's belongs to its prefix", `501 NotImplemented`, `^200`, func(st *step) bool { return st.param("continuation-token")+st.param("marker") != "" }},
	{"of two things wrong with a copy, the request's is named before the source's", `^4`, `^4(00 InvalidArgument|00 InvalidRequest|04 NoSuchUpload)$`, op("copy", "part copy")},
	{"an empty header is none", `^400 InvalidArgument`, `^200`, func(st *step) bool {
		return len(st.header["X-Amz-Copy-Source-Range"]) > 0 && st.header.Get("X-Amz-Copy-Source-Range") == ""
	}},
}

func op(names ...string) func(*step) bool {
	return func(st *step) bool { return slices.Contains(names, st.op) }
}

func proof(all ...auth) func(*step) bool {
	return func(st *step) bool { return slices.Contains(all, st.auth) }
}

// mayDifferVerdict is the written list of answers that may differ as a whole.
func mayDifferVerdict(st *step, d, g *answer) bool {
	return slices.ContainsFunc(exceptions, func(e exception) bool {
		return regexp.MustCompile(e.direct).MatchString(d.verdict()) && regexp.MustCompile(e.gateway).MatchString(g.verdict()) && e.when(st)
	})
}

func integrity(st *step) bool {
	for name := range st.header {
		if name == "Content-Md5" || strings.HasPrefix(name, "X-Amz-Checksum-") {
			return true
		}
	}
	return false
}

func longKey(st *step) bool {
	return len(st.key) > 1024 || len(st.header.Get("X-Amz-Copy-Source")) > 1024
}

// badParameter finds a parameter that S3 refuses.
func badParameter(st *step) bool {
	if st.param("partNumber") != "" && st.header.Get("Range") != "" {
		return true
	}
	for _, p := range st.query {
		switch p.name {
		case "max-keys", "max-uploads", "max-parts", "part-number-marker":
			if !regexp.MustCompile(`^\d{1,9}$`).MatchString(p.value) {
				return true
			}
		case "encoding-type":
			if p.value != "url" && p.value != "" {
				return true
			}
		case "partNumber":
			if !regexp.MustCompile(`^[1-9]\d{0,3}$`).MatchString(p.value) {
				return true
			}
		case "versionId":
			if p.value == "" {
				return true
			}
		}
	}
	return false
}

// subtleCondition tells whether MinIO reads a condition of the step otherwise than
// RFC 9110 does.
func subtleCondition(st *step) bool {
	h := st.header
	tags, dates := h.Get("If-Match")+h.Get("If-None-Match"), h.Get("If-Modified-Since")+h.Get("If-Unmodified-Since")
	several := 0
	for name := range h {
		if strings.HasPrefix(name, "If-") {
			several++
		}
	}
	return several > 1 || strings.ContainsAny(tags, ",/*") || strings.Contains(dates, "{{")
}

func plainRange(st *step) bool {
	return regexp.MustCompile(`^bytes=(\d+-|-\d+)$`).MatchString(st.header.Get("Range"))
}

// param is a query parameter's value.
func (s *step) param(name string) string {
	for _, p := range s.query {
		if p.name == name {
			return p.value
		}
	}
	return ""
}

func (s *step) has(name string) bool {
	return slices.ContainsFunc(s.query, func(p param) bool { return p.name == name })
}
