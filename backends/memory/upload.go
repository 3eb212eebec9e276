package memory

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"net/http"
	"time"

	"sluice/backends"
)

// upload is an open multipart upload.
type upload struct {
	attributes
	key, id string
	started time.Time
	sum     checksum // the algorithm and kind it was opened for
	parts   map[int]*part
}

// part is one part of an upload, and later of the object. It is never changed.
type part struct {
	number   int
	content  []byte
	etag     string
	modified time.Time
	sum      checksum
}

// newPart is a part with the checksum its upload was opened for. A part's has no kind.
func newPart(number int, content []byte, u *upload) *part {
	sum := hashed(u.sum.algorithm, content)
	sum.kind = ""
	return &part{number, content, md5Hex(content), now(), sum}
}

func md5Hex(content []byte) string {
	sum := md5.Sum(content)
	return hex.EncodeToString(sum[:])
}

// CreateUpload opens an upload.
func (s *Store) CreateUpload(ctx context.Context, r backends.CreateUploadRequest) (*backends.CreateUploadResult, error) {
	c := s.call("CreateMultipartUpload", r.Key)
	a, err := c.attributes(r.Header)
	if err != nil {
		return nil, err
	}
	sum, err := c.announced(r.Header)
	if err != nil {
		return nil, err
	}
	if err := c.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	s.opened++
	id := fmt.Sprintf("upload-%09d", s.opened) // in the order of their making, as S3 lists them
	s.uploads[id] = &upload{attributes: a, key: r.Key, id: id, started: now(), sum: sum, parts: make(map[int]*part)}
	h := make(http.Header)
	if sum.addTo(h); sum.algorithm != "" {
		h.Set(checksumPrefix+"Algorithm", sum.algorithm)
	}
	return &backends.CreateUploadResult{UploadID: id, Header: h}, nil
}

// open is the upload of that id, which must be the key's. It needs the lock.
func (c call) open(id string) (*upload, error) {
	u := c.store.uploads[id]
	if u == nil || u.key != c.key {
		return nil, c.refuse("NoSuchUpload", backends.Detail{Name: "UploadId", Value: id})
	}
	return u, nil
}

// numbered refuses a part's number that S3 does not have.
func (c call) numbered(number int) error {
	if number < 1 || number > 10000 {
		return c.refuse("InvalidArgument", backends.Detail{Name: "ArgumentName", Value: "partNumber"})
	}
	return nil
}

// UploadPart stores a part.
func (s *Store) UploadPart(ctx context.Context, r backends.PartRequest) (*backends.PutResult, error) {
	c := s.call("UploadPart", r.Key)
	if err := c.known(r.Header); err != nil {
		return nil, err
	}
	if err := c.numbered(r.Number); err != nil {
		return nil, err
	}
	body, err := c.receive(ctx, backends.PutRequest{
		Body: r.Body, Size: r.Size, SHA256: r.SHA256, ContentMD5: r.ContentMD5, Trailer: r.Trailer, Header: r.Header,
	})
	if err != nil {
		return nil, err
	}
	if err := c.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	u, err := c.open(r.UploadID)
	if err != nil {
		return nil, err
	}
	// S3 computes by itself what can be joined; of other parts it wants to be told.
	if u.sum.algorithm != body.sum.algorithm && (body.sum.algorithm != "" || u.sum.kind == composite) {
		return nil, c.mismatch(u.sum, body.sum)
	}
	p := newPart(r.Number, body.content, u)
	u.parts[r.Number] = p
	return stored(p.etag, p.sum), nil
}
