package s3

import (
	"context"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"sluice/backends"
)

type listXML struct {
	EncodingType          string
	IsTruncated           bool
	NextMarker            string
	NextContinuationToken string
	KeyCount              *int    // ListObjectsV2 has it
	Marker                *string // ListObjects has it
	Contents              []struct {
		Key, ETag, StorageClass string
		Size                    int64
		LastModified            time.Time
		Owner                   *ownerXML
		ChecksumAlgorithm       []string
		ChecksumType            string
		UserMetadata, UserTags  rawXML
	}
	CommonPrefixes []prefixXML
}

// rawXML is what an element holds, unread.
type rawXML struct {
	Inner string `xml:",innerxml"`
}

type ownerXML struct{ ID, DisplayName string }

func (o *ownerXML) owner() *backends.Owner {
	if o == nil {
		return nil
	}
	return &backends.Owner{ID: o.ID, DisplayName: o.DisplayName}
}

type prefixXML struct{ Prefix string }

// List answers one page. Keys are asked for percent-encoded, because XML can not
// carry every key. A store that knows ListObjects alone is asked so from the moment
// it shows.
func (s *Store) List(ctx context.Context, r backends.ListRequest) (*backends.ListPage, error) {
	if r.V1 {
		return s.listV1(ctx, r)
	}
	if s.onlyV1.Load() || strings.HasPrefix(r.Token, markerToken) {
		return s.listByMarker(ctx, r)
	}
	page, err := s.listV2(ctx, r)
	if !errors.Is(err, errNotV2) && (r.Token != "" || !refusesV2(err)) {
		return page, err
	}
	byMarker, err2 := s.listByMarker(ctx, r)
	if err2 != nil {
		if errors.Is(err, errNotV2) {
			err = err2
		}
		return nil, err
	}
	s.onlyV1.Store(true)
	return byMarker, nil
}

// errNotV2: a store took a ListObjectsV2 for a ListObjects.
var errNotV2 = errors.New("the answer to ListObjectsV2 is one to ListObjects")

// refusesV2 tells of a first page's error whether the store may not know
// ListObjectsV2.
func refusesV2(err error) bool {
	var e *backends.Error
	return errors.Is(err, backends.ErrNotSupported) || errors.As(err, &e) && e.Code == "InvalidArgument"
}

// markerToken begins the continuation tokens that hold a marker. Some stores' own
// tokens are plain keys; few begin like this.
const markerToken = "sluice-marker:"

// listByMarker answers ListObjectsV2 with ListObjects.
func (s *Store) listByMarker(ctx context.Context, r backends.ListRequest) (*backends.ListPage, error) {
	if r.Token != "" {
		token, ours := strings.CutPrefix(r.Token, markerToken)
		marker, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil || !ours {
			return nil, &backends.Error{
				Store: s.name, Op: "ListObjectsV2", Kind: backends.ErrInvalid, Status: http.StatusBadRequest,
				Code: "InvalidArgument", Message: "The continuation token provided is incorrect",
			}
		}
		r.After = string(marker)
	}
	page, err := s.listV1(ctx, r)
	if err == nil && page.Truncated {
		page.NextToken, page.NextMarker = markerToken+base64.RawURLEncoding.EncodeToString([]byte(page.NextMarker)), ""
	}
	return page, err
}

func listQuery(r backends.ListRequest) url.Values {
	q := url.Values{"encoding-type": {"url"}, "max-keys": {strconv.Itoa(r.MaxKeys)}}
	set(q, "prefix", r.Prefix)
	set(q, "delimiter", r.Delimiter)
	return q
}

func (s *Store) listV1(ctx context.Context, r backends.ListRequest) (*backends.ListPage, error) {
	req := &request{op: "ListObjects", method: http.MethodGet, query: listQuery(r)}
	set(req.query, "marker", r.After)
	var answer listXML
	if err := s.doXML(ctx, req, "ListBucketResult", &answer); err != nil {
		return nil, err
	}
	page, err := answer.page()
	if err != nil {
		return nil, s.fail(req, err, false)
	}
	if page.Truncated && page.NextMarker == "" {
		// Without a delimiter S3 leaves the marker to the last key, others with one, too.
		page.NextMarker = lastOf(page)
		if page.NextMarker == "" {
			return nil, s.fail(req, errors.New("a truncated page without a next marker"), false)
		}
	}
	page.NextToken = ""
	return page, nil
}

func (s *Store) listV2(ctx context.Context, r backends.ListRequest) (*backends.ListPage, error) {
	req := &request{op: "ListObjectsV2", method: http.MethodGet, query: listQuery(r)}
	req.query.Set("list-type", "2")
	set(req.query, "start-after", r.After)
	set(req.query, "continuation-token", r.Token)
	if r.FetchOwner {
		req.query.Set("fetch-owner", "true")
	}
	if r.Metadata {
		req.query.Set("metadata", "true")
	}
	var answer listXML
	if err := s.doXML(ctx, req, "ListBucketResult", &answer); err != nil {
		return nil, err
	}
	page, err := answer.page()
	if err == nil && page.NextToken == "" && answer.KeyCount == nil && (page.Truncated || answer.Marker != nil) {
		err = errNotV2
	}
	if err == nil && page.Truncated && page.NextToken == "" {
		err = errors.New("a truncated page without a continuation token")
	}
	if err != nil {
		return nil, s.fail(req, err, false)
	}
	page.NextMarker = ""
	return page, nil
}

func set(q url.Values, name, value string) {
	if value != "" {
		q.Set(name, value)
	}
}

// lastOf is the last key or common prefix of a page.
func lastOf(page *backends.ListPage) string {
	var last string
	if n := len(page.Objects); n > 0 {
		last = page.Objects[n-1].Key
	}
	if n := len(page.Prefixes); n > 0 {
		last = max(last, page.Prefixes[n-1])
	}
	return last
}

func (l *listXML) page() (*backends.ListPage, error) {
	page := &backends.ListPage{Truncated: l.IsTruncated, NextToken: l.NextContinuationToken}
	var err error
	decode := decoder(l.EncodingType, &err)
	page.NextMarker = decode(l.NextMarker)
	page.Objects = make([]backends.ListedObject, len(l.Contents))
	for i, c := range l.Contents {
		page.Objects[i] = backends.ListedObject{
			Key: decode(c.Key), Size: c.Size, ETag: unquote(c.ETag), LastModified: c.LastModified, StorageClass: c.StorageClass,
			ChecksumAlgorithm: c.ChecksumAlgorithm, ChecksumType: c.ChecksumType,
			UserMetadata: c.UserMetadata.Inner, UserTags: c.UserTags.Inner,
		}
		page.Objects[i].Owner = c.Owner.owner()
	}
	for _, p := range l.CommonPrefixes {
		page.Prefixes = append(page.Prefixes, decode(p.Prefix))
	}
	return page, err
}

// decoder undoes encoding-type=url where the store applied it; the first failure
// is left in *err.
func decoder(encoding string, err *error) func(string) string {
	return func(text string) string {
		if encoding != "url" {
			return text
		}
		decoded, e := url.QueryUnescape(text)
		if e != nil && *err == nil {
			*err = e
		}
		return decoded
	}
}

type versionXML struct {
	Key, ETag, StorageClass string
	VersionID               string `xml:"VersionId"`
	IsLatest                bool
	Size                    int64
	LastModified            time.Time
	Owner                   *ownerXML
}

// versionsXML keeps versions and delete markers in the order of the document,
// which is the order of the listing.
type versionsXML struct {
	EncodingType        string
	IsTruncated         bool
	NextKeyMarker       string
	NextVersionIDMarker string `xml:"NextVersionIdMarker"`
	CommonPrefixes      []prefixXML
	Entries             []versionEntryXML `xml:",any"`
}

// versionEntryXML is a Version or a DeleteMarker; what else the document holds
// comes out empty.
type versionEntryXML struct {
	XMLName xml.Name
	versionXML
}

// ListVersions answers one page of versions.
func (s *Store) ListVersions(ctx context.Context, r backends.ListVersionsRequest) (*backends.VersionsPage, error) {
	req := &request{
		op: "ListObjectVersions", method: http.MethodGet,
		query: url.Values{"versions": {""}, "encoding-type": {"url"}, "max-keys": {strconv.Itoa(r.MaxKeys)}},
	}
	set(req.query, "prefix", r.Prefix)
	set(req.query, "delimiter", r.Delimiter)
	set(req.query, "key-marker", r.KeyMarker)
	set(req.query, "version-id-marker", r.VersionIDMarker)
	var answer versionsXML
	if err := s.doXML(ctx, req, "ListVersionsResult", &answer); err != nil {
		return nil, err
	}
	var err error
	decode := decoder(answer.EncodingType, &err)
	page := &backends.VersionsPage{
		Truncated: answer.IsTruncated, NextKeyMarker: decode(answer.NextKeyMarker), NextVersionIDMarker: answer.NextVersionIDMarker,
	}
	for _, e := range answer.Entries {
		marker := e.XMLName.Local == "DeleteMarker"
		if !marker && e.XMLName.Local != "Version" {
			continue
		}
		page.Versions = append(page.Versions, backends.Version{
			ListedObject: backends.ListedObject{
				Key: decode(e.Key), Size: e.Size, ETag: unquote(e.ETag), LastModified: e.LastModified,
				StorageClass: e.StorageClass, Owner: e.Owner.owner(),
			},
			VersionID: e.VersionID, Latest: e.IsLatest, DeleteMarker: marker,
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
