package backends

import "time"

// ListRequest asks for one page of a listing.
type ListRequest struct {
	Prefix    string
	Delimiter string
	// After is the key (V1: the marker, possibly a common prefix) that the
	// page starts behind. Token, from the page before, wins over it.
	After      string
	Token      string
	MaxKeys    int  // 0–1,000; 0 answers an empty page
	V1         bool // page by marker as ListObjects does, not by token as ListObjectsV2
	FetchOwner bool // V2: ask for owners; V1 always has them
	Metadata   bool // V2: ask for metadata and tags, which MinIO lists
}

// ListPage is one page: objects and common prefixes, each in byte order.
type ListPage struct {
	Objects    []ListedObject
	Prefixes   []string
	Truncated  bool
	NextToken  string // set when Truncated, unless V1
	NextMarker string // set when Truncated and V1
}

// ListedObject is one object in a listing.
type ListedObject struct {
	Key          string
	Size         int64
	ETag         string // without quotes
	LastModified time.Time
	StorageClass string
	Owner        *Owner

	ChecksumAlgorithm []string
	ChecksumType      string

	// UserMetadata and UserTags are pieces of MinIO's document, as they stand
	// in it.
	UserMetadata, UserTags string
}

// Owner is an account as listings show it.
type Owner struct {
	ID          string
	DisplayName string
}

// ListPartsRequest asks for a page of an upload's parts.
type ListPartsRequest struct {
	Key         string
	UploadID    string
	AfterNumber int // the part-number-marker: list what follows it
	MaxParts    int // 0 means 1,000
}

// PartsPage is one page of parts.
type PartsPage struct {
	Parts        []Part
	Truncated    bool
	NextNumber   int // part-number-marker of the next page
	StorageClass string
	Owner        *Owner
	Initiator    *Owner
	// ChecksumAlgorithm and ChecksumType are those the upload was opened with.
	ChecksumAlgorithm, ChecksumType string
}

// Part is a stored part of an open upload.
type Part struct {
	Number       int
	Size         int64
	ETag         string
	LastModified time.Time
	Checksum     map[string]string // as in CompletedPart
}

// ListUploadsRequest asks for a page of the open uploads.
type ListUploadsRequest struct {
	Prefix         string
	Delimiter      string
	KeyMarker      string
	UploadIDMarker string
	MaxUploads     int // 0 means 1,000
}

// UploadsPage is one page of open uploads.
type UploadsPage struct {
	Uploads            []Upload
	Prefixes           []string
	Truncated          bool
	NextKeyMarker      string
	NextUploadIDMarker string
}

// Upload is one open upload.
type Upload struct {
	Key          string
	UploadID     string
	Initiated    time.Time
	StorageClass string
	Owner        *Owner
	Initiator    *Owner

	ChecksumAlgorithm, ChecksumType string // as in PartsPage
}

// ListVersionsRequest asks for a page of all versions.
type ListVersionsRequest struct {
	Prefix, Delimiter          string
	KeyMarker, VersionIDMarker string
	MaxKeys                    int // 0–1,000
}

// VersionsPage is one page of versions.
type VersionsPage struct {
	Versions            []Version
	Prefixes            []string
	Truncated           bool
	NextKeyMarker       string
	NextVersionIDMarker string
}

// Version is one version of an object, or a delete marker, which has no size,
// ETag or storage class.
type Version struct {
	ListedObject
	VersionID    string
	Latest       bool
	DeleteMarker bool
}
