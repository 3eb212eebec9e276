package s3

import (
	"context"
	"encoding/xml"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/backends"
)

// CreateUpload opens a multipart upload.
func (s *Store) CreateUpload(ctx context.Context, r backends.CreateUploadRequest) (*backends.CreateUploadResult, error) {
	req := &request{
		op: "CreateMultipartUpload", method: http.MethodPost, key: r.Key, mutation: true,
		query: url.Values{"uploads": {""}}, header: cloned(r.Header),
	}
	resp, err := s.do(ctx, req)
	if err != nil {
		return nil, err
	}
	var answer struct {
		UploadID string `xml:"UploadId"`
	}
	if err := s.readXML(req, resp, "InitiateMultipartUploadResult", &answer); err != nil {
		return nil, err
	}
	if answer.UploadID == "" {
		return nil, s.fail(req, errors.New("the answer has no upload id"), true)
	}
	return &backends.CreateUploadResult{UploadID: answer.UploadID, Header: resultHeader(resp)}, nil
}

func partQuery(uploadID string, number int) url.Values {
	return url.Values{"uploadId": {uploadID}, "partNumber": {strconv.Itoa(number)}}
}

// UploadPart stores a part.
func (s *Store) UploadPart(ctx context.Context, r backends.PartRequest) (*backends.PutResult, error) {
	return s.put(ctx, &request{
		op: "UploadPart", method: http.MethodPut, key: r.Key, mutation: true,
		query: partQuery(r.UploadID, r.Number), header: bodyHeader(r.Header, r.ContentMD5),
		body: r.Body, size: r.Size, sha256: r.SHA256, trailer: r.Trailer,
	})
}

// CopyPart stores a range of an object as a part.
func (s *Store) CopyPart(ctx context.Context, r backends.CopyPartRequest) (*backends.CopyResult, error) {
	req := &request{
		op: "UploadPartCopy", method: http.MethodPut, key: r.Key, mutation: true,
		query: partQuery(r.UploadID, r.Number), header: bodyHeader(r.Header, ""),
	}
	if r.SourceRange != "" {
		req.header.Set("X-Amz-Copy-Source-Range", r.SourceRange)
	}
	return s.copy(ctx, req, r.Source, r.SourceKey, r.SourceVersionID, "CopyPartResult")
}

type completeXML struct {
	XMLName xml.Name  `xml:"http://s3.amazonaws.com/doc/2006-03-01/ CompleteMultipartUpload"`
	Parts   []partXML `xml:"Part"`
}

type partXML struct {
	PartNumber int
	ETag       string
	Checksums  []checksumXML
}

type checksumXML struct {
	XMLName xml.Name
	Value   string `xml:",chardata"`
}

// CompleteUpload assembles the parts. The store may send white space for minutes
// before it says what came of it.
func (s *Store) CompleteUpload(ctx context.Context, r backends.CompleteRequest) (*backends.PutResult, error) {
	req := &request{
		op: "CompleteMultipartUpload", method: http.MethodPost, key: r.Key, mutation: true,
		query: url.Values{"uploadId": {r.UploadID}}, header: cloned(r.Header),
	}
	body := completeXML{Parts: make([]partXML, len(r.Parts))}
	for i, p := range r.Parts {
		body.Parts[i] = partXML{PartNumber: p.Number, ETag: quote(p.ETag)}
		for _, name := range slices.Sorted(maps.Keys(p.Checksum)) {
			body.Parts[i].Checksums = append(body.Parts[i].Checksums, checksumXML{xml.Name{Local: name}, p.Checksum[name]})
		}
	}
	if err := req.withXML(body); err != nil {
		return nil, err
	}
	setConditions(req.header, r.IfMatch, r.IfNoneMatch)
	resp, err := s.do(ctx, req)
	if err != nil {
		return nil, err
	}
	var answer struct {
		ETag string
		sumsXML
	}
	if err := s.readXML(req, resp, "CompleteMultipartUploadResult", &answer); err != nil {
		return nil, err
	}
	return &backends.PutResult{ETag: unquote(answer.ETag), Header: answer.addTo(resultHeader(resp))}, nil
}

// sumsXML are the checksums of a new object in a document, where other operations
// answer them as headers.
type sumsXML struct {
	Other []checksumXML `xml:",any"`
}

// addTo puts them among the headers.
func (s *sumsXML) addTo(h http.Header) http.Header {
	for _, e := range s.Other {
		if name, ok := strings.CutPrefix(e.XMLName.Local, "Checksum"); ok {
			h.Set("X-Amz-Checksum-"+name, e.Value)
		}
	}
	return h
}

// AbortUpload drops an upload.
func (s *Store) AbortUpload(ctx context.Context, key, uploadID string) error {
	resp, err := s.do(ctx, &request{
		op: "AbortMultipartUpload", method: http.MethodDelete, key: key, mutation: true,
		query: url.Values{"uploadId": {uploadID}},
	})
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// ListParts answers a page of an upload's parts.
func (s *Store) ListParts(ctx context.Context, r backends.ListPartsRequest) (*backends.PartsPage, error) {
	req := &request{op: "ListParts", method: http.MethodGet, key: r.Key, query: url.Values{"uploadId": {r.UploadID}}}
	if r.AfterNumber > 0 {
		req.query.Set("part-number-marker", strconv.Itoa(r.AfterNumber))
	}
	if r.MaxParts > 0 {
		req.query.Set("max-parts", strconv.Itoa(r.MaxParts))
	}
	var answer struct {
		IsTruncated          bool
		NextPartNumberMarker int
		StorageClass         string
		Owner, Initiator     *ownerXML
		ChecksumAlgorithm    string
		ChecksumType         string
		Part                 []listedPartXML
	}
	if err := s.doXML(ctx, req, "ListPartsResult", &answer); err != nil {
		return nil, err
	}
	page := &backends.PartsPage{
		Truncated: answer.IsTruncated, NextNumber: answer.NextPartNumberMarker, StorageClass: answer.StorageClass,
		Owner: answer.Owner.owner(), Initiator: answer.Initiator.owner(),
		ChecksumAlgorithm: answer.ChecksumAlgorithm, ChecksumType: answer.ChecksumType,
	}
	for _, p := range answer.Part {
		page.Parts = append(page.Parts, backends.Part{
			Number: p.PartNumber, Size: p.Size, ETag: unquote(p.ETag), LastModified: p.LastModified, Checksum: p.sums(),
		})
	}
	return page, nil
}

type listedPartXML struct {
	PartNumber   int
	Size         int64
	ETag         string
	LastModified time.Time
	Other        []checksumXML `xml:",any"`
}

// sums are the part's checksums by element.
func (p *listedPartXML) sums() map[string]string {
	var sums map[string]string
	for _, e := range p.Other {
		if strings.HasPrefix(e.XMLName.Local, "Checksum") {
			if sums == nil {
				sums = make(map[string]string)
			}
			sums[e.XMLName.Local] = e.Value
		}
	}
	return sums
}

// ListUploads answers a page of the open uploads.
func (s *Store) ListUploads(ctx context.Context, r backends.ListUploadsRequest) (*backends.UploadsPage, error) {
	req := &request{
		op: "ListMultipartUploads", method: http.MethodGet,
		query: url.Values{"uploads": {""}, "encoding-type": {"url"}},
	}
	set(req.query, "prefix", r.Prefix)
	set(req.query, "delimiter", r.Delimiter)
	set(req.query, "key-marker", r.KeyMarker)
	set(req.query, "upload-id-marker", r.UploadIDMarker)
	if r.MaxUploads > 0 {
		req.query.Set("max-uploads", strconv.Itoa(r.MaxUploads))
	}
	var answer struct {
		EncodingType       string
		IsTruncated        bool
		NextKeyMarker      string
		NextUploadIDMarker string `xml:"NextUploadIdMarker"`
		Upload             []struct {
			Key, StorageClass string
			UploadID          string `xml:"UploadId"`
			Initiated         time.Time
			Owner, Initiator  *ownerXML
			ChecksumAlgorithm string
			ChecksumType      string
		}
		CommonPrefixes []prefixXML
	}
	if err := s.doXML(ctx, req, "ListMultipartUploadsResult", &answer); err != nil {
		return nil, err
	}
	var err error
	decode := decoder(answer.EncodingType, &err)
	page := &backends.UploadsPage{
		Truncated: answer.IsTruncated, NextKeyMarker: decode(answer.NextKeyMarker), NextUploadIDMarker: answer.NextUploadIDMarker,
	}
	for _, u := range answer.Upload {
		page.Uploads = append(page.Uploads, backends.Upload{
			Key: decode(u.Key), UploadID: u.UploadID, Initiated: u.Initiated, StorageClass: u.StorageClass,
			Owner: u.Owner.owner(), Initiator: u.Initiator.owner(),
			ChecksumAlgorithm: u.ChecksumAlgorithm, ChecksumType: u.ChecksumType,
		})
	}
	for _, p := range answer.CommonPrefixes {
		page.Prefixes = append(page.Prefixes, decode(p.Prefix))
	}
	if err != nil {
		return nil, s.fail(req, err, false)
	}
	return page, nil
}
