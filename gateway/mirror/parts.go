package mirror

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"

	"golang.org/x/sync/errgroup"

	"sluice/backends"
)

const (
	// largestPut is what every store takes in one PUT, and in one part: S3 5 GiB, R2
	// 5 MiB less.
	largestPut = 5<<30 - 5<<20
	// smallestPart is what S3 asks of every part but the last.
	smallestPart = 5 << 20
	// partsAtOnce is how many parts of one object are copied at the same time.
	partsAtOnce = 4
)

// refused tells whether an object's own parts can not be had, or are not what the
// target takes.
func refused(err error) bool {
	return errors.Is(err, errNoParts) || errors.Is(err, backends.ErrInvalid) || errors.Is(err, backends.ErrNotSupported) ||
		errors.Is(err, backends.ErrInvalidRange)
}

// tooLarge tells whether a store takes no body of this size in one request.
func tooLarge(err error) bool {
	var e *backends.Error
	return errors.As(err, &e) && (e.Code == "EntityTooLarge" || e.Status == http.StatusRequestEntityTooLarge)
}

// ranges cuts a size into parts that any store takes: all equal but the last, and no
// more than 1,000 (Scaleway's limit) unless they would be too large.
func ranges(size int64) []backends.GetRequest {
	part := max(smallestPart, size/999+1)
	if part > largestPut {
		part = size/9999 + 1
	}
	var pieces []backends.GetRequest
	for start := int64(0); start < size; start += part {
		pieces = append(pieces, backends.GetRequest{Range: fmt.Sprintf("bytes=%d-%d", start, min(start+part, size)-1)})
	}
	return pieces
}

// checksum is one that an object has.
type checksum struct {
	name, value string // "": it has none that can be passed on
	whole       bool   // of the object's bytes, not of its parts' checksums
}

const checksumPrefix = "X-Amz-Checksum-"

// wholeSum is the checksum of the object's bytes in a description of it.
func wholeSum(info *backends.Info) checksum {
	if sum := anySum(info.Header); sum.whole {
		return sum
	}
	return checksum{}
}

func anySum(h http.Header) checksum {
	for name := range h {
		value := h.Get(name)
		if !strings.HasPrefix(name, checksumPrefix) || name == checksumPrefix+"Type" || name == checksumPrefix+"Algorithm" {
			continue
		}
		// A composite one ends in "-N"; base64 has no such sign.
		whole := h.Get(checksumPrefix+"Type") != "COMPOSITE" && !strings.Contains(value, "-")
		return checksum{name, value, whole}
	}
	return checksum{}
}

// sumOf is the checksum that a copy of the object gets, where both stores have them.
func (r route) sumOf(info *backends.Info) checksum {
	if !r.sums() {
		return checksum{}
	}
	return anySum(info.Header)
}

// errNoParts: the store does not give out an object's single parts, or not their
// checksums.
var errNoParts = errors.New("the store answers no parts")

// partCopy copies an object in parts.
type partCopy struct {
	route
	info   *backends.Info
	header http.Header
	sum    checksum
	create bool
}

// originals are the n parts that the object was uploaded in.
func (c *partCopy) originals(n int) []backends.GetRequest {
	pieces := make([]backends.GetRequest, n)
	for i := range pieces {
		pieces[i].PartNumber = i + 1
	}
	return pieces
}

// run uploads the pieces and completes the object.
func (c *partCopy) run(ctx context.Context, pieces []backends.GetRequest) error {
	key, s := c.info.Key, c.to
	up, err := s.CreateUpload(ctx, backends.CreateUploadRequest{Key: key, Header: c.opening()})
	if err != nil {
		return notApplied(err)
	}
	parts := make([]backends.CompletedPart, len(pieces))
	uploads, partCtx := errgroup.WithContext(ctx)
	uploads.SetLimit(partsAtOnce)
	for i, piece := range pieces {
		uploads.Go(func() (err error) {
			parts[i], err = c.copyPart(partCtx, up.UploadID, i+1, piece)
			return err
		})
	}
	if err := uploads.Wait(); err != nil {
		// The object itself was not touched; the parts are rubbish now.
		_ = s.AbortUpload(context.WithoutCancel(ctx), key, up.UploadID)
		return notApplied(err)
	}
	r := backends.CompleteRequest{Key: key, UploadID: up.UploadID, Parts: parts, IfNoneMatch: c.create}
	if c.sum.whole {
		r.Header = http.Header{c.sum.name: {c.sum.value}, checksumPrefix + "Type": {"FULL_OBJECT"}}
	}
	_, err = s.CompleteUpload(ctx, r)
	if err != nil && !backends.Unknown(err) {
		_ = s.AbortUpload(context.WithoutCancel(ctx), key, up.UploadID)
	}
	return err
}

// opening is the header that opens the upload.
func (c *partCopy) opening() http.Header {
	h := maps.Clone(c.header)
	if c.sum.name == "" {
		return h
	}
	h.Set(checksumPrefix+"Algorithm", strings.ToUpper(strings.TrimPrefix(c.sum.name, checksumPrefix)))
	kind := "COMPOSITE"
	if c.sum.whole {
		kind = "FULL_OBJECT"
	}
	h.Set(checksumPrefix+"Type", kind)
	return h
}

// copyPart copies one piece, with the part's own checksum where the upload was
// opened for one.
func (c *partCopy) copyPart(ctx context.Context, uploadID string, number int, piece backends.GetRequest) (backends.CompletedPart, error) {
	piece.Key, piece.IfMatch = c.info.Key, c.info.ETag
	if c.source != nil {
		if part, err := c.ofServer(ctx, uploadID, number, piece); !elsewhere(err) {
			return part, err
		}
	}
	if c.sum.name != "" {
		piece.Header = withSums()
	}
	o, err := c.from.Get(ctx, piece)
	if err != nil {
		return backends.CompletedPart{}, err
	}
	defer o.Body.Close()
	if o.ContentRange == "" {
		return backends.CompletedPart{}, errNoParts
	}
	r := backends.PartRequest{Key: c.info.Key, UploadID: uploadID, Number: number, Body: o.Body, Size: o.Length}
	part := backends.CompletedPart{Number: number}
	if c.sum.name != "" {
		value := o.Header.Get(c.sum.name)
		if value == "" || value == c.sum.value {
			return backends.CompletedPart{}, errNoParts // it is the whole object's, at best
		}
		r.Header = http.Header{c.sum.name: {value}}
		part.Checksum = c.partSum(value)
	}
	res, err := c.to.UploadPart(ctx, r)
	if err != nil {
		return backends.CompletedPart{}, err
	}
	part.ETag = res.ETag
	return part, nil
}

// partSum is a part's checksum as the completion names it.
func (c *partCopy) partSum(value string) map[string]string {
	return map[string]string{"Checksum" + strings.ToUpper(strings.TrimPrefix(c.sum.name, checksumPrefix)): value}
}

// ofServer has the target's server copy one piece.
func (c *partCopy) ofServer(ctx context.Context, uploadID string, number int, piece backends.GetRequest) (backends.CompletedPart, error) {
	res, err := c.copyPartOnServer(ctx, uploadID, number, piece)
	if err != nil {
		return backends.CompletedPart{}, err
	}
	part := backends.CompletedPart{Number: number, ETag: res.ETag}
	if c.sum.name != "" {
		value := res.Header.Get(c.sum.name)
		if value == "" {
			return backends.CompletedPart{}, errNoParts
		}
		part.Checksum = c.partSum(value)
	}
	return part, nil
}
