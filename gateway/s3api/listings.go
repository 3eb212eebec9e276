package s3api

import (
	"cmp"
	"maps"
	"net/http"
	"slices"

	"sluice/backends"
)

// WriteList answers ListObjects and ListObjectsV2. The order of the elements is
// S3's.
func WriteList(w http.ResponseWriter, r *Request, l ListRequest, page *backends.ListPage) {
	doc := newDocument()
	doc.root("ListBucketResult")
	doc.text("Name", r.Bucket)
	doc.key("Prefix", l.Prefix, l.EncodeURL)
	if l.V1 {
		doc.key("Marker", l.After, l.EncodeURL)
		// S3 names the next marker only with a delimiter; without one the
		// last key is it. Other servers always do, and clients rely on it.
		if page.Truncated {
			doc.key("NextMarker", page.NextMarker, l.EncodeURL)
		}
	} else {
		doc.page(l, page)
	}
	doc.int("MaxKeys", int64(l.MaxKeys))
	if l.Delimiter != "" {
		doc.key("Delimiter", l.Delimiter, l.EncodeURL)
	}
	if l.EncodeURL {
		doc.text("EncodingType", "url")
	}
	doc.bool("IsTruncated", page.Truncated)
	for i := range page.Objects {
		doc.object(&page.Objects[i], l)
	}
	doc.prefixes(page.Prefixes, l.EncodeURL)
	doc.close("ListBucketResult")
	doc.send(w, http.StatusOK)
}

// page writes what only ListObjectsV2 has.
func (d *document) page(l ListRequest, page *backends.ListPage) {
	if l.After != "" {
		d.key("StartAfter", l.After, l.EncodeURL)
	}
	d.optional("ContinuationToken", l.Token)
	if page.Truncated {
		d.text("NextContinuationToken", page.NextToken)
	}
	d.int("KeyCount", int64(len(page.Objects)+len(page.Prefixes)))
}

func (d *document) object(o *backends.ListedObject, l ListRequest) {
	d.open("Contents")
	d.key("Key", o.Key, l.EncodeURL)
	d.time("LastModified", o.LastModified)
	d.etag(o.ETag)
	for _, algorithm := range o.ChecksumAlgorithm {
		d.text("ChecksumAlgorithm", algorithm)
	}
	d.optional("ChecksumType", o.ChecksumType)
	d.int("Size", o.Size)
	if l.V1 || l.FetchOwner {
		d.owner("Owner", o.Owner)
	}
	d.text("StorageClass", cmp.Or(o.StorageClass, "STANDARD"))
	d.raw("UserMetadata", o.UserMetadata)
	d.raw("UserTags", o.UserTags)
	d.close("Contents")
}

// owner writes an account, unless it is not known.
func (d *document) owner(name string, o *backends.Owner) {
	if o == nil {
		return
	}
	d.open(name)
	d.text("ID", o.ID)
	d.text("DisplayName", o.DisplayName)
	d.close(name)
}

func (d *document) prefixes(prefixes []string, encodeURL bool) {
	for _, p := range prefixes {
		d.open("CommonPrefixes")
		d.key("Prefix", p, encodeURL)
		d.close("CommonPrefixes")
	}
}

// WriteVersions answers ListObjectVersions.
func WriteVersions(w http.ResponseWriter, r *Request, l ListVersionsRequest, page *backends.VersionsPage) {
	doc := newDocument()
	doc.root("ListVersionsResult")
	doc.text("Name", r.Bucket)
	doc.key("Prefix", l.Prefix, l.EncodeURL)
	doc.key("KeyMarker", l.KeyMarker, l.EncodeURL)
	doc.text("VersionIdMarker", l.VersionIDMarker)
	if page.Truncated {
		doc.key("NextKeyMarker", page.NextKeyMarker, l.EncodeURL)
		doc.optional("NextVersionIdMarker", page.NextVersionIDMarker)
	}
	doc.int("MaxKeys", int64(l.MaxKeys))
	if l.Delimiter != "" {
		doc.key("Delimiter", l.Delimiter, l.EncodeURL)
	}
	if l.EncodeURL {
		doc.text("EncodingType", "url")
	}
	doc.bool("IsTruncated", page.Truncated)
	for i := range page.Versions {
		doc.version(&page.Versions[i], l.EncodeURL)
	}
	doc.prefixes(page.Prefixes, l.EncodeURL)
	doc.close("ListVersionsResult")
	doc.send(w, http.StatusOK)
}

func (d *document) version(v *backends.Version, encodeURL bool) {
	name := "Version"
	if v.DeleteMarker {
		name = "DeleteMarker"
	}
	d.open(name)
	d.key("Key", v.Key, encodeURL)
	d.text("VersionId", v.VersionID)
	d.bool("IsLatest", v.Latest)
	d.time("LastModified", v.LastModified)
	if !v.DeleteMarker {
		d.etag(v.ETag)
		d.int("Size", v.Size)
	}
	d.owner("Owner", v.Owner)
	if !v.DeleteMarker {
		d.text("StorageClass", cmp.Or(v.StorageClass, "STANDARD"))
	}
	d.close(name)
}

// WriteUploads answers ListMultipartUploads.
func WriteUploads(w http.ResponseWriter, r *Request, l ListUploadsRequest, page *backends.UploadsPage) {
	doc := newDocument()
	doc.root("ListMultipartUploadsResult")
	doc.text("Bucket", r.Bucket)
	doc.key("KeyMarker", l.KeyMarker, l.EncodeURL)
	doc.text("UploadIdMarker", l.UploadIDMarker)
	if page.Truncated {
		doc.key("NextKeyMarker", page.NextKeyMarker, l.EncodeURL)
		doc.text("NextUploadIdMarker", page.NextUploadIDMarker)
	}
	doc.key("Prefix", l.Prefix, l.EncodeURL)
	if l.Delimiter != "" {
		doc.key("Delimiter", l.Delimiter, l.EncodeURL)
	}
	if l.EncodeURL {
		doc.text("EncodingType", "url")
	}
	doc.int("MaxUploads", int64(l.MaxUploads))
	doc.bool("IsTruncated", page.Truncated)
	for _, u := range page.Uploads {
		doc.open("Upload")
		doc.key("Key", u.Key, l.EncodeURL)
		doc.text("UploadId", u.UploadID)
		doc.owner("Initiator", u.Initiator)
		doc.owner("Owner", u.Owner)
		doc.text("StorageClass", u.StorageClass)
		doc.time("Initiated", u.Initiated)
		doc.optional("ChecksumAlgorithm", u.ChecksumAlgorithm)
		doc.optional("ChecksumType", u.ChecksumType)
		doc.close("Upload")
	}
	doc.prefixes(page.Prefixes, l.EncodeURL)
	doc.close("ListMultipartUploadsResult")
	doc.send(w, http.StatusOK)
}

// WriteParts answers ListParts.
func WriteParts(w http.ResponseWriter, r *Request, l backends.ListPartsRequest, page *backends.PartsPage) {
	doc := newDocument()
	doc.root("ListPartsResult")
	doc.text("Bucket", r.Bucket)
	doc.echo("Key", r.Key)
	doc.text("UploadId", r.UploadID())
	doc.owner("Initiator", page.Initiator)
	doc.owner("Owner", page.Owner)
	doc.text("StorageClass", cmp.Or(page.StorageClass, "STANDARD"))
	doc.int("PartNumberMarker", int64(l.AfterNumber))
	if page.Truncated {
		doc.int("NextPartNumberMarker", int64(page.NextNumber))
	}
	doc.int("MaxParts", int64(l.MaxParts))
	doc.bool("IsTruncated", page.Truncated)
	doc.optional("ChecksumAlgorithm", page.ChecksumAlgorithm)
	doc.optional("ChecksumType", page.ChecksumType)
	for _, p := range page.Parts {
		doc.open("Part")
		doc.int("PartNumber", int64(p.Number))
		doc.time("LastModified", p.LastModified)
		doc.etag(p.ETag)
		doc.int("Size", p.Size)
		for _, element := range slices.Sorted(maps.Keys(p.Checksum)) {
			doc.text(element, p.Checksum[element])
		}
		doc.close("Part")
	}
	doc.close("ListPartsResult")
	doc.send(w, http.StatusOK)
}
