package s3

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"sluice/backends"
)

// ListBuckets answers all buckets of the service that the keys may list.
func (s *Store) ListBuckets(ctx context.Context) ([]Bucket, error) {
	service := s.WithBucket("")
	var answer struct {
		Buckets []Bucket `xml:"Buckets>Bucket"`
	}
	err := service.doXML(ctx, &request{op: "ListBuckets", method: http.MethodGet}, "ListAllMyBucketsResult", &answer)
	return answer.Buckets, err
}

// Bucket is one of ListBuckets.
type Bucket struct {
	Name    string
	Created time.Time `xml:"CreationDate"`
}

// CreateBucket creates the bucket as it is by default, in the store's own region.
// One that is ours already is the store's own error (BucketAlreadyOwnedByYou) or,
// with some stores, a success.
func (s *Store) CreateBucket(ctx context.Context) error {
	r := &request{op: "CreateBucket", method: http.MethodPut, header: make(http.Header), mutation: true}
	if region := s.client.Load().region; region != "us-east-1" {
		if err := r.withXML(locationXML{Region: region}); err != nil {
			return err
		}
	}
	resp, err := s.do(ctx, r)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

type locationXML struct {
	XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ CreateBucketConfiguration"`
	Region  string   `xml:"LocationConstraint"`
}

// Subresource reads a document that hangs on the bucket or an object.
func (s *Store) Subresource(ctx context.Context, r backends.SubresourceRequest) (*backends.SubresourceResult, error) {
	return s.subresource(ctx, r, false)
}

// ChangeSubresource sets or removes one.
func (s *Store) ChangeSubresource(ctx context.Context, r backends.SubresourceRequest) (*backends.SubresourceResult, error) {
	return s.subresource(ctx, r, true)
}

func (s *Store) subresource(ctx context.Context, r backends.SubresourceRequest, mutation bool) (*backends.SubresourceResult, error) {
	if mutation && r.Method == http.MethodDelete && r.Key == "" && len(r.Query) > 0 {
		if err := s.knows(ctx, r); err != nil {
			return nil, err
		}
	}
	req := &request{op: r.Op, method: r.Method, key: r.Key, query: r.Query, header: cloned(r.Header), mutation: mutation}
	if len(r.Body) > 0 {
		req.withDocument(renamed(r.Body, r.Bucket, s.bucket))
	}
	resp, err := s.do(ctx, req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxXML+1))
	if err != nil || len(body) > maxXML {
		return nil, s.fail(req, fmt.Errorf("the answer of %d bytes is not whole or too long: %w", len(body), err), mutation)
	}
	result := &backends.SubresourceResult{Status: resp.StatusCode, Header: documentHeader(resp), Body: renamed(body, s.bucket, r.Bucket)}
	return result, nil
}

// documentHeader picks what an answer says of the document in it.
func documentHeader(resp *http.Response) http.Header {
	h := resultHeader(resp)
	for name, values := range resp.Header {
		switch {
		case name == "Content-Type", name == "Last-Modified", name == "Location", name == "Vary",
			strings.HasPrefix(name, "Access-Control-"):
			h[name] = values
		}
	}
	return h
}

// knows asks for a bucket's document that is to be removed. A store that does not
// know the kind may overlook what the query says: MinIO takes the removal of the
// public access block for that of the bucket, and of an empty one it is.
func (s *Store) knows(ctx context.Context, r backends.SubresourceRequest) error {
	answer, err := s.Subresource(ctx, backends.SubresourceRequest{Op: r.Op, Method: http.MethodGet, Query: r.Query})
	switch {
	case errors.Is(err, backends.ErrNotSupported), errors.Is(err, backends.ErrUnavailable), errors.Is(err, backends.ErrSlowDown):
		return err
	case err == nil && bytes.Contains(answer.Body, []byte("<ListBucketResult")):
		return &backends.Error{
			Store: s.name, Op: r.Op, Kind: backends.ErrNotSupported,
			Err: errors.New("the store takes a question for the document for a listing"),
		}
	}
	return nil // it has one, or says why not in words of its own
}

// Select runs a query over an object's content.
func (s *Store) Select(ctx context.Context, r backends.SubresourceRequest) (*backends.SelectResult, error) {
	req := &request{op: r.Op, method: r.Method, key: r.Key, query: r.Query, header: cloned(r.Header)}
	req.withDocument(r.Body)
	resp, err := s.do(ctx, req)
	if err != nil {
		return nil, err
	}
	return &backends.SelectResult{Header: documentHeader(resp), Events: resp.Body}, nil
}

// renamed is a document that names one bucket where it named another: in the
// resources of a policy, of a notification, ….
func renamed(document []byte, from, to string) []byte {
	if from == to || from == "" || to == "" {
		return document
	}
	const arn = "arn:aws:s3:::"
	for _, end := range []string{"/", `"`, "<"} {
		document = bytes.ReplaceAll(document, []byte(arn+from+end), []byte(arn+to+end))
	}
	return document
}
