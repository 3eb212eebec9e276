package s3api

import (
	"io"
	"net/http"

	"sluice/backends"
)

// CreateUpload reads CreateMultipartUpload.
func (r *Request) CreateUpload() (backends.CreateUploadRequest, error) {
	if err := r.refuseParameters(); err != nil {
		return backends.CreateUploadRequest{}, err
	}
	h, err := r.objectHeader()
	return backends.CreateUploadRequest{Key: r.Key, Header: h}, err
}

// Part reads UploadPart; body and size are as for Put.
func (r *Request) Part(body io.Reader, size int64) (backends.PartRequest, error) {
	p := backends.PartRequest{
		Key: r.Key, UploadID: r.UploadID(), Body: body, Size: size,
		SHA256: payloadSHA256(r.Header), ContentMD5: first(r.Header, "Content-Md5"),
		Header: pick(r.Header, partHeaders),
	}
	if err := checkSize(size); err != nil {
		return p, err
	}
	var err error
	p.Number, err = r.partNumber()
	return p, err
}

// UploadID is the upload that a request is about, as the client sent it. It is
// "" when the client sent an empty one, which is no upload (NoSuchUpload).
func (r *Request) UploadID() string { return r.Query.Get("uploadId") }

// Complete reads CompleteMultipartUpload and its body. An error of reading body
// is answered as it is.
func (r *Request) Complete(body io.Reader) (backends.CompleteRequest, error) {
	c := backends.CompleteRequest{Key: r.Key, UploadID: r.UploadID(), Header: pick(r.Header, completeHeaders)}
	if c.Header == nil {
		c.Header = make(http.Header)
	}
	c.IfMatch, c.IfNoneMatch = r.writeConditions(c.Header)
	var err error
	c.Parts, err = readComplete(body)
	return c, err
}
