package memory

import (
	"cmp"
	"context"
	"encoding/base64"
	"maps"
	"slices"
	"strings"

	"sluice/backends"
)

const largestPage = 1000

// owner owns everything.
func owner() *backends.Owner { return &backends.Owner{ID: "memory", DisplayName: "memory"} }

// lineOf is the line of a listing in which a key is told: its own, or that of the
// common prefix it falls under.
func lineOf(key, prefix, delimiter string) (line string, common, ok bool) {
	rest, ok := strings.CutPrefix(key, prefix)
	if delimiter == "" || !ok {
		return key, false, ok
	}
	head, _, common := strings.Cut(rest, delimiter)
	if common {
		return prefix + head + delimiter, true, true
	}
	return key, false, true
}

// List answers one page of the keys.
func (s *Store) List(ctx context.Context, r backends.ListRequest) (*backends.ListPage, error) {
	c := s.call("ListObjectsV2", "")
	if r.V1 {
		c.op = "ListObjects"
	}
	after, err := c.place(r)
	if err != nil {
		return nil, err
	}
	if err := c.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	page, last := &backends.ListPage{}, ""
	for _, key := range slices.Sorted(maps.Keys(s.objects)) {
		line, common, ok := lineOf(key, r.Prefix, r.Delimiter)
		if !ok || key <= after || common && (line == after || line == last) {
			continue
		}
		if len(page.Objects)+len(page.Prefixes) == min(r.MaxKeys, largestPage) {
			page.Truncated = r.MaxKeys > 0
			break
		}
		last = line
		if common {
			page.Prefixes = append(page.Prefixes, line)
		} else {
			page.Objects = append(page.Objects, s.objects[key].listed(key, r.V1 || r.FetchOwner))
		}
	}
	if page.Truncated && r.V1 {
		page.NextMarker = last
	} else if page.Truncated {
		page.NextToken = base64.RawURLEncoding.EncodeToString([]byte(last))
	}
	return page, nil
}

// place is the line that a page starts behind.
func (c call) place(r backends.ListRequest) (string, error) {
	if r.MaxKeys < 0 {
		return "", c.refuse("InvalidArgument", backends.Detail{Name: "ArgumentName", Value: "max-keys"})
	}
	if r.V1 || r.Token == "" {
		return r.After, nil
	}
	line, err := base64.RawURLEncoding.DecodeString(r.Token)
	if err != nil {
		return "", c.refuse("InvalidArgument", backends.Detail{Name: "ArgumentName", Value: "continuation-token"})
	}
	return string(line), nil
}

// listed is the object as a listing has it.
func (o *object) listed(key string, withOwner bool) backends.ListedObject {
	l := backends.ListedObject{
		Key: key, Size: int64(len(o.content)), ETag: o.etag, LastModified: o.modified, StorageClass: o.class, ChecksumType: o.sum.kind,
	}
	if withOwner {
		l.Owner = owner()
	}
	if o.sum.algorithm != "" {
		l.ChecksumAlgorithm = []string{o.sum.algorithm}
	}
	return l
}

// ListUploads answers one page of the open uploads.
func (s *Store) ListUploads(ctx context.Context, r backends.ListUploadsRequest) (*backends.UploadsPage, error) {
	if err := s.call("ListMultipartUploads", "").enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	uploads := slices.SortedFunc(maps.Values(s.uploads), func(a, b *upload) int {
		return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.id, b.id))
	})
	page, last := &backends.UploadsPage{}, ""
	for _, u := range uploads {
		line, common, ok := lineOf(u.key, r.Prefix, r.Delimiter)
		if !ok || !u.behind(r.KeyMarker, r.UploadIDMarker) || common && (line == r.KeyMarker || line == last) {
			continue
		}
		if len(page.Uploads)+len(page.Prefixes) == pageSize(r.MaxUploads) {
			page.Truncated = true
			break
		}
		last = line
		page.NextKeyMarker, page.NextUploadIDMarker = line, u.id
		if common {
			page.NextUploadIDMarker = ""
			page.Prefixes = append(page.Prefixes, line)
			continue
		}
		page.Uploads = append(page.Uploads, backends.Upload{
			Key: u.key, UploadID: u.id, Initiated: u.started, StorageClass: u.class, Owner: owner(), Initiator: owner(),
			ChecksumAlgorithm: u.sum.algorithm, ChecksumType: u.sum.kind,
		})
	}
	if !page.Truncated {
		page.NextKeyMarker, page.NextUploadIDMarker = "", ""
	}
	return page, nil
}

// behind tells whether the upload follows a marker; one without an id stands behind
// all of the key's.
func (u *upload) behind(key, id string) bool {
	return u.key > key || u.key == key && id != "" && u.id > id
}

func pageSize(asked int) int {
	if asked <= 0 {
		return largestPage
	}
	return min(asked, largestPage)
}

// ListParts answers one page of an upload's parts.
func (s *Store) ListParts(ctx context.Context, r backends.ListPartsRequest) (*backends.PartsPage, error) {
	c := s.call("ListParts", r.Key)
	if err := c.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	u, err := c.open(r.UploadID)
	if err != nil {
		return nil, err
	}
	page := &backends.PartsPage{
		StorageClass: u.class, Owner: owner(), Initiator: owner(), ChecksumAlgorithm: u.sum.algorithm, ChecksumType: u.sum.kind,
	}
	for _, number := range slices.Sorted(maps.Keys(u.parts)) {
		if number <= r.AfterNumber {
			continue
		}
		if len(page.Parts) == pageSize(r.MaxParts) {
			page.Truncated = true
			break
		}
		page.Parts = append(page.Parts, u.parts[number].listed())
		page.NextNumber = number
	}
	return page, nil
}

func (p *part) listed() backends.Part {
	l := backends.Part{Number: p.number, Size: int64(len(p.content)), ETag: p.etag, LastModified: p.modified}
	if p.sum.value != "" {
		l.Checksum = map[string]string{"Checksum" + p.sum.algorithm: p.sum.value}
	}
	return l
}

// ListVersions is not supported: there are none.
func (s *Store) ListVersions(context.Context, backends.ListVersionsRequest) (*backends.VersionsPage, error) {
	return nil, s.call("ListObjectVersions", "").refuse("NotImplemented")
}
