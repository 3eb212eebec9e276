package s3api

import (
	"encoding/base64"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"sluice/backends"
)

// The writers below write a success and nothing else: X-Amz-Request-Id, caching
// and connection headers are set by the caller beforehand.

// WriteObject starts the answer to GetObject: status (206 for a range or a part)
// and headers. The caller copies the o.Length bytes of the body behind it.
func WriteObject(w http.ResponseWriter, o *backends.Object, overrides http.Header) {
	setInfo(w.Header(), &o.Info, overrides)
	w.Header().Set("Content-Length", strconv.FormatInt(o.Length, 10))
	if o.ContentRange != "" {
		w.Header().Set("Content-Range", o.ContentRange)
		w.WriteHeader(http.StatusPartialContent)
		return
	}
	w.WriteHeader(http.StatusOK)
}

// WriteHead answers HeadObject. rng is the request's range (GetRequest.Range): it
// makes the answer what GetObject's would be, a 416 included.
func WriteHead(w http.ResponseWriter, info *backends.Info, rng string, overrides http.Header) {
	if info.ContentRange != "" { // of a part
		WriteObject(w, &backends.Object{Info: *info}, overrides)
		return
	}
	start, length, ok, err := backends.ParseRange(rng, info.Size)
	h := w.Header()
	if err != nil {
		h.Set("Content-Range", "bytes */"+strconv.FormatInt(info.Size, 10))
		w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
		return
	}
	setInfo(h, info, overrides)
	if !ok {
		h.Set("Content-Length", strconv.FormatInt(info.Size, 10))
		w.WriteHeader(http.StatusOK)
		return
	}
	dropChecksums(h) // they are the whole object's, not the range's
	h.Set("Content-Length", strconv.FormatInt(length, 10))
	h.Set("Content-Range", "bytes "+strconv.FormatInt(start, 10)+"-"+
		strconv.FormatInt(start+length-1, 10)+"/"+strconv.FormatInt(info.Size, 10))
	w.WriteHeader(http.StatusPartialContent)
}

// WriteNotModified answers 304 with the headers that RFC 9110 (section 15.4.5)
// wants in it: those that a cache refreshes its copy with.
func WriteNotModified(w http.ResponseWriter, info *backends.Info) {
	h := w.Header()
	setInfo(h, info, nil)
	for _, name := range []string{"Content-Type", "Content-Encoding", "Content-Language", "Content-Disposition"} {
		h.Del(name)
	}
	dropChecksums(h) // botocore would look for the body
	w.WriteHeader(http.StatusNotModified)
}

// setInfo sets the headers that describe an object.
func setInfo(h http.Header, info *backends.Info, overrides http.Header) {
	setAll(h, info.Header)
	for name, values := range info.Header {
		// What is not ASCII is answered in the form of RFC 2047
		// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html).
		if strings.HasPrefix(name, metadataPrefix) && !ascii(values[0]) {
			h[name] = []string{mime.QEncoding.Encode("UTF-8", values[0])}
		}
	}
	setAll(h, overrides)
	h["Etag"] = []string{`"` + info.ETag + `"`}
	h["Accept-Ranges"] = []string{"bytes"}
	if !info.LastModified.IsZero() {
		h["Last-Modified"] = []string{info.LastModified.UTC().Format(http.TimeFormat)}
	}
}

func ascii(s string) bool {
	return strings.IndexFunc(s, func(c rune) bool { return c >= utf8.RuneSelf }) < 0
}

// setAll sets headers without copying their values: from may be a cached
// object's. Clipped, an Add to h can not write into them.
func setAll(h, from http.Header) {
	for name, values := range from {
		h[name] = slices.Clip(values)
	}
}

// WritePut answers PutObject and UploadPart.
func WritePut(w http.ResponseWriter, p *backends.PutResult) {
	setAll(w.Header(), p.Header)
	w.Header()["Etag"] = []string{`"` + p.ETag + `"`}
	w.WriteHeader(http.StatusOK)
}

// WriteDelete answers DeleteObject.
func WriteDelete(w http.ResponseWriter, d *backends.DeleteResult) {
	if d.VersionID != "" {
		w.Header().Set("X-Amz-Version-Id", d.VersionID)
	}
	if d.DeleteMarker {
		w.Header().Set("X-Amz-Delete-Marker", "true")
	}
	w.WriteHeader(http.StatusNoContent)
}

// WriteDeleteResult answers DeleteObjects. The results are in the order of the
// keys asked for; each error goes through FromError.
func WriteDeleteResult(w http.ResponseWriter, d DeleteManyRequest, results []backends.DeleteResult) {
	doc := newDocument()
	doc.root("DeleteResult")
	for i, result := range results {
		version := d.Objects[i].VersionID
		if result.Err != nil {
			e := FromError(result.Err)
			doc.open("Error")
			doc.text("Key", result.Key)
			doc.optional("VersionId", version)
			doc.text("Code", e.Code)
			doc.echo("Message", e.Message)
			doc.close("Error")
			continue
		}
		if d.Quiet {
			continue
		}
		doc.open("Deleted")
		doc.text("Key", result.Key)
		doc.optional("VersionId", version)
		if result.DeleteMarker {
			doc.bool("DeleteMarker", true)
			doc.optional("DeleteMarkerVersionId", result.VersionID)
		}
		doc.close("Deleted")
	}
	doc.close("DeleteResult")
	doc.send(w, http.StatusOK)
}

// WriteCopyResult answers CopyObject and UploadPartCopy.
func WriteCopyResult(w http.ResponseWriter, r *Request, c *backends.CopyResult) {
	name := "CopyObjectResult"
	if r.Op == UploadPartCopy {
		name = "CopyPartResult"
	}
	setAll(w.Header(), c.Header)
	doc := newDocument()
	doc.root(name)
	doc.time("LastModified", c.LastModified)
	doc.etag(c.ETag)
	doc.checksums(c.Header)
	doc.close(name)
	doc.send(w, http.StatusOK)
}

// checksumElements are the answers that S3 puts into documents where other
// operations have a header.
var checksumElements = []struct{ header, element string }{
	{"X-Amz-Checksum-Crc32", "ChecksumCRC32"},
	{"X-Amz-Checksum-Crc32c", "ChecksumCRC32C"},
	{"X-Amz-Checksum-Crc64nvme", "ChecksumCRC64NVME"},
	{"X-Amz-Checksum-Sha1", "ChecksumSHA1"},
	{"X-Amz-Checksum-Sha256", "ChecksumSHA256"},
	{"X-Amz-Checksum-Sha512", "ChecksumSHA512"},
	{"X-Amz-Checksum-Md5", "ChecksumMD5"},
	{"X-Amz-Checksum-Xxhash64", "ChecksumXXHASH64"},
	{"X-Amz-Checksum-Xxhash3", "ChecksumXXHASH3"},
	{"X-Amz-Checksum-Xxhash128", "ChecksumXXHASH128"},
	{"X-Amz-Checksum-Type", "ChecksumType"},
}

func dropChecksums(h http.Header) {
	for _, c := range checksumElements {
		h.Del(c.header)
	}
}

func (d *document) checksums(h http.Header) {
	for _, c := range checksumElements {
		d.optional(c.element, first(h, c.header))
	}
}

// WriteCreateUpload answers CreateMultipartUpload. The result's id is what the
// client will send back.
func WriteCreateUpload(w http.ResponseWriter, r *Request, c *backends.CreateUploadResult) {
	setAll(w.Header(), c.Header)
	doc := newDocument()
	doc.root("InitiateMultipartUploadResult")
	doc.text("Bucket", r.Bucket)
	doc.echo("Key", r.Key)
	doc.text("UploadId", c.UploadID)
	doc.close("InitiateMultipartUploadResult")
	doc.send(w, http.StatusOK)
}

// Bucket is an entry of ListBuckets.
type Bucket struct {
	Name    string
	Created time.Time
}

// WriteListBuckets answers ListBuckets with the page of the buckets that is asked
// for. They are sorted by name. region is that of all of them.
func WriteListBuckets(w http.ResponseWriter, l ListBucketsRequest, owner backends.Owner, region string, buckets []Bucket) {
	buckets = slices.DeleteFunc(buckets, func(b Bucket) bool {
		return !strings.HasPrefix(b.Name, l.Prefix) || b.Name <= l.After
	})
	token := ""
	if len(buckets) > l.Max {
		buckets = buckets[:l.Max]
		token = base64.RawURLEncoding.EncodeToString([]byte(buckets[l.Max-1].Name))
	}
	doc := newDocument()
	doc.root("ListAllMyBucketsResult")
	doc.owner("Owner", &owner)
	doc.open("Buckets")
	for _, b := range buckets {
		doc.open("Bucket")
		doc.text("Name", b.Name)
		doc.time("CreationDate", b.Created)
		doc.text("BucketRegion", region)
		doc.close("Bucket")
	}
	doc.close("Buckets")
	doc.optional("Prefix", l.Prefix)
	doc.optional("ContinuationToken", token)
	doc.close("ListAllMyBucketsResult")
	doc.send(w, http.StatusOK)
}

// WriteHeadBucket answers HeadBucket.
func WriteHeadBucket(w http.ResponseWriter, region string) {
	w.Header().Set("X-Amz-Bucket-Region", region)
	w.WriteHeader(http.StatusOK)
}

// WriteLocation answers GetBucketLocation. us-east-1 is the empty string, as S3
// has it.
func WriteLocation(w http.ResponseWriter, region string) {
	if region == "us-east-1" {
		region = ""
	}
	doc := newDocument()
	doc.root("LocationConstraint")
	doc.escape(region)
	doc.close("LocationConstraint")
	doc.send(w, http.StatusOK)
}
