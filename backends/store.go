// Package backends defines what Sluice asks of an object store, in the words of
// the S3 API, and the errors a store answers with. One folder below this one is
// one kind of store; storetest is the suite every kind passes.
//
// A Store is bound to one bucket. It never retries a mutation: whether a retry
// is safe is the caller's knowledge (an acknowledged retry lets the first
// attempt land after a later delete).
package backends

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Reader is the half of a store that can not change it. Code that only reads
// (verification, listings) takes a Reader, so that its type says so.
//
// A read answers ErrNotFound only when the store itself said that the key is
// absent (NoSuchKey). A missing bucket, a denial, a timeout or a proxy's 404 page
// are other errors: they prove nothing.
type Reader interface {
	// Name is the store's name in the configuration; errors carry it.
	Name() string

	// Get opens an object, or the part or range of it that r asks for. The
	// caller closes the body. A body cut short by the store fails with
	// io.ErrUnexpectedEOF; it never just ends.
	Get(ctx context.Context, r GetRequest) (*Object, error)

	// Head is Get without the body.
	Head(ctx context.Context, r GetRequest) (*Info, error)

	// List answers one page of the keys in UTF-8 byte order. A page is whole
	// or an error.
	List(ctx context.Context, r ListRequest) (*ListPage, error)

	// ListParts answers one page of the parts an open upload holds, by number.
	// An upload that is not open is ErrNoUpload.
	ListParts(ctx context.Context, r ListPartsRequest) (*PartsPage, error)

	// ListUploads answers one page of the open uploads, by key, then upload id.
	ListUploads(ctx context.Context, r ListUploadsRequest) (*UploadsPage, error)

	// ListVersions answers one page of all versions, by key, newest first.
	ListVersions(ctx context.Context, r ListVersionsRequest) (*VersionsPage, error)

	// Subresource reads a document that hangs on the bucket or an object. One
	// that was never set is an error with the store's own code (NoSuchTagSet).
	// With the method OPTIONS it asks what a browser asks before a request from
	// another origin.
	Subresource(ctx context.Context, r SubresourceRequest) (*SubresourceResult, error)

	// Select runs a query over an object's content on the server
	// (SelectObjectContent). The caller closes the answer's stream of events.
	Select(ctx context.Context, r SubresourceRequest) (*SelectResult, error)
}

// Store is an object store's bucket.
//
// When a mutation returns nil the store has acknowledged it and every later read
// of the store shows it. When it returns an error, Unknown(err) tells whether the
// mutation may have taken effect or may still do so. Every method may be called
// concurrently; concurrent mutations of one key end in the state some order of
// them gives. Cancelling ctx ends the call promptly and closes its connection;
// the outcome is then unknown unless the body's last bytes had not been read.
type Store interface {
	Reader

	// Put stores an object from r.Body, which holds exactly r.Size bytes. If
	// reading Body fails, nothing is stored, and the error wraps Body's. Body
	// may still be read, or closed if it is an io.Closer, shortly after Put
	// returned an error.
	Put(ctx context.Context, r PutRequest) (*PutResult, error)

	// Delete removes an object. An absent key is a success.
	Delete(ctx context.Context, r DeleteRequest) (*DeleteResult, error)

	// DeleteMany removes up to 1,000 objects or versions in one request. It
	// answers one entry for each, in the order asked (one that is named twice is
	// removed once, and answered twice), with its own error; an
	// error of the call itself says nothing about any of them.
	DeleteMany(ctx context.Context, r DeleteManyRequest) ([]DeleteResult, error)

	// Copy copies an object on the server. From a bucket of another service it is
	// ErrNotSupported.
	Copy(ctx context.Context, r CopyRequest) (*CopyResult, error)

	// CreateUpload opens a multipart upload and answers its id.
	CreateUpload(ctx context.Context, r CreateUploadRequest) (*CreateUploadResult, error)

	// UploadPart stores one part; the rules of Put hold for the body.
	UploadPart(ctx context.Context, r PartRequest) (*PutResult, error)

	// CopyPart stores a range of an object as a part.
	CopyPart(ctx context.Context, r CopyPartRequest) (*CopyResult, error)

	// CompleteUpload turns the parts into the object. A failure reported in
	// the body of a 200 answer is an error like any other.
	CompleteUpload(ctx context.Context, r CompleteRequest) (*PutResult, error)

	// AbortUpload drops an open upload. One that is not open is ErrNoUpload.
	AbortUpload(ctx context.Context, key, uploadID string) error

	// ChangeSubresource sets or removes a document that hangs on the bucket or
	// an object. Without a sub-resource in the query it is the bucket itself
	// that is created (PUT) or removed (DELETE).
	ChangeSubresource(ctx context.Context, r SubresourceRequest) (*SubresourceResult, error)
}

// NoACL is the ACL of an object that was given none, on a store that has none of its own.
const NoACL = "none"

// Info describes an object as one answer of a store described it.
type Info struct {
	Key  string
	Size int64 // bytes of the whole object, whatever range or part was asked for
	// Length and ContentRange are those of the answer's body, also where HEAD
	// leaves the body out: of the range or the part that was asked for.
	Length       int64
	ContentRange string    // "bytes A-B/SIZE" of a range or a part, else ""
	ETag         string    // without quotes; "…-N" marks N parts and is no hash of the content
	LastModified time.Time // second precision, UTC
	// ACL is the object's canned ACL, or NoACL, where the answer tells; else "".
	ACL string
	// Header holds the object's other headers under canonical names:
	// Content-Type, Cache-Control, Content-Disposition, -Encoding, -Language,
	// Expires, X-Amz-Meta-*, X-Amz-Storage-Class, X-Amz-Version-Id,
	// X-Amz-Mp-Parts-Count, checksums, … It never holds Content-Length,
	// Content-Range, ETag, Last-Modified, the store's own request ids, dates
	// or connection headers.
	Header http.Header
}

// Object is an open object.
type Object struct {
	Info
	Body io.ReadCloser // Length bytes
}

// GetRequest asks for an object. The zero value of every field but Key means
// "not asked for".
type GetRequest struct {
	Key        string
	VersionID  string
	Range      string // an RFC 9110 byte range with one part: "bytes=0-99"
	PartNumber int    // 1–10,000
	IfMatch    string // an ETag without quotes; ErrPrecondition when the object's differs
	// Header holds further request headers to pass on (SSE-C keys,
	// X-Amz-Checksum-Mode).
	Header http.Header
}

// PutRequest asks to store an object.
type PutRequest struct {
	Key         string
	Body        io.Reader
	Size        int64  // bytes in Body, never negative
	SHA256      string // lower-case hex of the payload, "" when not known beforehand
	ContentMD5  string // base64, as Content-MD5 carries it; the store verifies it
	IfMatch     string // ETag without quotes: replace only this
	IfNoneMatch bool   // If-None-Match: * — create only, else ErrPrecondition
	Trailer     *Trailer
	// Header holds the object's headers (see Info.Header) and those that act on
	// it: X-Amz-Acl, X-Amz-Grant-*, X-Amz-Tagging, X-Amz-Storage-Class,
	// X-Amz-Server-Side-Encryption*, X-Amz-Object-Lock-*, X-Amz-Checksum-*.
	Header http.Header
}

// Trailer is a checksum that is known only when the body was read to its end.
type Trailer struct {
	Name  string // for example "X-Amz-Checksum-Crc32"
	Value func() string
}

// PutResult is the answer to Put, UploadPart and CompleteUpload.
type PutResult struct {
	ETag   string      // without quotes
	Header http.Header // X-Amz-Version-Id, X-Amz-Server-Side-Encryption*, checksums
}

// DeleteRequest asks to remove an object.
type DeleteRequest struct {
	Key       string
	VersionID string
	IfMatch   string      // ETag without quotes
	Header    http.Header // X-Amz-Bypass-Governance-Retention, X-Amz-Mfa, X-Amz-If-Match-*
}

// DeleteManyRequest asks to remove several objects.
type DeleteManyRequest struct {
	Objects []ObjectVersion
	Header  http.Header // as in DeleteRequest
}

// ObjectVersion names an object, or one version of it.
type ObjectVersion struct {
	Key       string
	VersionID string // "" for the object
}

// DeleteResult is the answer to Delete, and for one entry of DeleteMany.
type DeleteResult struct {
	Key          string
	VersionID    string // of the delete marker, or of the version that was removed
	DeleteMarker bool   // one was made, or the removed version was one
	Err          error  // DeleteMany only: this key was not removed
}

// CopyRequest asks for a server-side copy.
type CopyRequest struct {
	Key             string
	Source          Reader // the bucket that holds SourceKey; nil: this one
	SourceKey       string
	SourceVersionID string
	// Header holds X-Amz-Metadata-Directive, X-Amz-Copy-Source-If-*, and the
	// new object's headers as in PutRequest.
	Header http.Header
}

// CopyResult is the answer to Copy and CopyPart.
type CopyResult struct {
	ETag         string // without quotes
	LastModified time.Time
	Header       http.Header
}

// CreateUploadRequest opens a multipart upload. Header is as in PutRequest.
type CreateUploadRequest struct {
	Key    string
	Header http.Header
}

// CreateUploadResult is the answer to CreateUpload.
type CreateUploadResult struct {
	UploadID string
	Header   http.Header
}

// PartRequest asks to store one part. The fields are as in PutRequest.
type PartRequest struct {
	Key        string
	UploadID   string
	Number     int // 1–10,000
	Body       io.Reader
	Size       int64
	SHA256     string
	ContentMD5 string
	Trailer    *Trailer
	Header     http.Header
}

// CopyPartRequest asks to store a range of an object as a part.
type CopyPartRequest struct {
	Key             string
	UploadID        string
	Number          int
	Source          Reader // the bucket that holds SourceKey; nil: this one
	SourceKey       string
	SourceVersionID string
	SourceRange     string // "bytes=A-B", "" for the whole object
	Header          http.Header
}

// CompleteRequest asks to assemble an upload's parts.
type CompleteRequest struct {
	Key         string
	UploadID    string
	Parts       []CompletedPart // ascending by number
	IfMatch     string          // ETag without quotes
	IfNoneMatch bool
	Header      http.Header
}

// CompletedPart names one part of a CompleteRequest.
type CompletedPart struct {
	Number int
	ETag   string // without quotes
	// Checksum holds the part's checksums by the element that carries them in
	// XML, for example "ChecksumCRC32".
	Checksum map[string]string
}

// SubresourceRequest is about what hangs on a bucket or an object beside the
// content: an ACL, tags, a policy, a lock, … The document is the client's and the
// store's: nobody in between reads it.
type SubresourceRequest struct {
	Op     string // S3's name of the operation, for example "PutObjectAcl"
	Method string
	// Bucket is the bucket's name in documents (a policy's arn:aws:s3:::NAME/*);
	// the store puts its own in its place, and back.
	Bucket string
	Key    string      // "" for the bucket's
	Query  url.Values  // the sub-resource's name, and parameters
	Header http.Header // X-Amz-Acl, X-Amz-Object-Attributes, Content-Type, …
	Body   []byte
}

// SubresourceResult is the store's answer to it.
type SubresourceResult struct {
	Status int
	Header http.Header // Content-Type, Last-Modified, Location, Vary, Access-Control-* and X-Amz-*
	Body   []byte
}

// SelectResult is the answer to a query, as it comes.
type SelectResult struct {
	Header http.Header // as in SubresourceResult
	Events io.ReadCloser
}
