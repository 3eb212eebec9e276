package memory

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"sluice/backends"
)

// CompleteUpload turns the parts into the object. A refusal leaves the upload open.
func (s *Store) CompleteUpload(ctx context.Context, r backends.CompleteRequest) (*backends.PutResult, error) {
	c := s.call("CompleteMultipartUpload", r.Key)
	if err := c.known(r.Header); err != nil {
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
	o, err := c.assemble(u, r.Parts)
	if err != nil {
		return nil, err
	}
	if err := c.promised(o, r); err != nil {
		return nil, err
	}
	if err := c.mayReplace(r.IfMatch, r.IfNoneMatch); err != nil {
		return nil, err
	}
	s.objects[r.Key] = o
	delete(s.uploads, r.UploadID)
	return stored(o.etag, o.sum), nil
}

// assemble makes the object of the parts. Its ETag hashes the parts' hashes.
func (c call) assemble(u *upload, wanted []backends.CompletedPart) (*object, error) {
	if len(wanted) == 0 {
		return nil, c.refuse("MalformedXML")
	}
	o := &object{attributes: u.attributes, modified: now()}
	hash := md5.New()
	for i, want := range wanted {
		if i > 0 && want.Number <= wanted[i-1].Number {
			return nil, c.refuse("InvalidPartOrder")
		}
		p, err := c.wanted(u, want)
		if err != nil {
			return nil, err
		}
		raw, _ := hex.DecodeString(p.etag) // our own
		hash.Write(raw)
		o.content = append(o.content, p.content...)
		o.parts = append(o.parts, p)
	}
	o.etag = fmt.Sprintf("%x-%d", hash.Sum(nil), len(o.parts))
	o.sum = assembled(u.sum, o.parts, o.content)
	return o, nil
}

// wanted is the part that a completion names.
func (c call) wanted(u *upload, want backends.CompletedPart) (*part, error) {
	p := u.parts[want.Number]
	if p == nil || want.ETag != p.etag {
		return nil, c.refuse("InvalidPart", backends.Detail{Name: "PartNumber", Value: strconv.Itoa(want.Number)})
	}
	stated := want.Checksum["Checksum"+u.sum.algorithm]
	if stated == "" && u.sum.kind == composite {
		return nil, c.invalid(fmt.Sprintf("The upload was created using a %s checksum. The complete request must include the checksum for each part. It was missing for part %d in the request.",
			strings.ToLower(u.sum.algorithm), want.Number))
	}
	if stated != "" && stated != p.sum.value {
		return nil, c.refuse("InvalidPart", backends.Detail{Name: "PartNumber", Value: strconv.Itoa(want.Number)})
	}
	return p, nil
}

// promised compares the object with the checksum and the size that the completion
// states of it.
func (c call) promised(o *object, r backends.CompleteRequest) error {
	sum, err := c.stated(r.Header, nil)
	switch size := r.Header.Get("X-Amz-Mp-Object-Size"); {
	case err != nil:
		return err
	case size != "" && size != strconv.Itoa(len(o.content)):
		return c.invalid("The provided 'x-amz-mp-object-size' header value does not match what was computed.")
	case sum.value == "":
		return nil
	case sum.algorithm != o.sum.algorithm:
		return c.mismatch(o.sum, sum)
	case sum.value != o.sum.value:
		return c.refuse("BadDigest")
	}
	return nil
}

// AbortUpload drops an upload.
func (s *Store) AbortUpload(ctx context.Context, key, uploadID string) error {
	c := s.call("AbortMultipartUpload", key)
	if err := c.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if _, err := c.open(uploadID); err != nil {
		return err
	}
	delete(s.uploads, uploadID)
	return nil
}
