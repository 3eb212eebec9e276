package mirror

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strings"

	"sluice/backends"
)

// elsewhere tells whether the server does not copy from there, or not so: by other keys, for
// example.
func elsewhere(err error) bool {
	return errors.Is(err, backends.ErrNotSupported) || errors.Is(err, backends.ErrDenied) || errors.Is(err, backends.ErrInvalid)
}

// copyOnServer has the target's server copy an object, under the headers. No condition
// holds it back from replacing another.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
func (r route) copyOnServer(ctx context.Context, info *backends.Info, h http.Header) error {
	h = maps.Clone(h)
	h.Set("X-Amz-Metadata-Directive", "REPLACE")
	h.Set("X-Amz-Tagging-Directive", "REPLACE")
	h.Set("X-Amz-Copy-Source-If-Match", `"`+info.ETag+`"`)
	stored, err := r.to.Copy(ctx, backends.CopyRequest{Key: info.Key, Source: r.source.Store, SourceKey: info.Key, Header: h})
	if err != nil {
		return err
	}
	return r.sameETag("CopyObject", info, stored.ETag)
}

// copyPartOnServer has it copy a part of an object, or a range of it, into an upload, as
// long as the source may be read.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html
func (r route) copyPartOnServer(
	ctx context.Context, uploadID string, number int, piece backends.GetRequest,
) (*backends.CopyResult, error) {
	ctx, cancel := r.source.bound(ctx)
	defer cancel(nil)
	if piece.PartNumber != 0 {
		part, err := r.from.Head(ctx, piece)
		if err != nil {
			return nil, err
		}
		span, _, ok := strings.Cut(strings.TrimPrefix(part.ContentRange, "bytes "), "/")
		if !ok {
			return nil, errNoParts
		}
		piece.Range = "bytes=" + span
	}
	return r.to.CopyPart(ctx, backends.CopyPartRequest{
		Key: piece.Key, UploadID: uploadID, Number: number, Source: r.source.Store, SourceKey: piece.Key, SourceRange: piece.Range,
		Header: http.Header{"X-Amz-Copy-Source-If-Match": {`"` + piece.IfMatch + `"`}},
	})
}
