package mirror

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"sluice/backends"
)

// completion is one CompleteUpload on its way.
type completion struct {
	backends.CompleteRequest
	b       *Bucket
	v       view
	ids     [2]string // of the upload on the primary and the secondary
	results [2]*backends.PutResult
	// elsewhere: the parts were assembled on the secondary and the object copied to
	// the primary.
	elsewhere bool
}

// request is what one of the stores is asked.
func (c *completion) request(s side) backends.CompleteRequest {
	r, store := c.CompleteRequest, c.v.store(s)
	r.UploadID, r.Header = c.ids[s], store.header(s, r.Header)
	if !store.Profile.Checksums {
		r.Parts = withoutSums(r.Parts)
	}
	if s == secondary {
		r.IfMatch, r.IfNoneMatch = "", false // judged by the primary
	}
	return r
}

// onPrimary assembles the object on the primary. What it lacks of an upload that was
// opened before a phase change may be on the store that was the primary then, and
// acknowledged under that one's ETags.
func (c *completion) onPrimary(ctx context.Context) (*backends.PutResult, error) {
	refused := error(errNotOpen)
	if c.ids[primary] != "" {
		var result *backends.PutResult
		if result, refused = c.v.primary.CompleteUpload(ctx, c.request(primary)); !lacksParts(refused) {
			return result, refused
		}
	}
	if c.ids[secondary] == "" || c.v.mirror() == nil || c.IfMatch != "" || c.IfNoneMatch {
		return nil, refused
	}
	r := c.request(secondary)
	if parts, err := c.sameParts(ctx, c.v.secondary, r); err != nil || !sameETags(parts, r.Parts) {
		return nil, refused
	}
	if c.ids[primary] != "" {
		own := c.request(primary)
		if parts, err := c.sameParts(ctx, c.v.primary, own); err == nil {
			own.Parts = parts
			return c.v.primary.CompleteUpload(ctx, own)
		}
	}
	return c.assembleElsewhere(ctx, r)
}

// assembleElsewhere completes the upload on the secondary and copies the object to
// the primary. Only then has the client's request taken effect: should another write
// replace the object on the secondary before it was copied, the request failed.
func (c *completion) assembleElsewhere(ctx context.Context, r backends.CompleteRequest) (*backends.PutResult, error) {
	c.elsewhere = true
	result, err := c.v.secondary.CompleteUpload(ctx, r)
	if err != nil {
		return nil, err
	}
	c.results[secondary] = result
	info, err := c.v.secondary.headOrAbsent(ctx, c.Key)
	if err == nil && (info == nil || info.ETag != result.ETag) {
		err = &backends.Error{
			Store: c.v.secondary.Name(), Op: "CompleteMultipartUpload", Key: c.Key, Kind: backends.ErrConflict,
			Message: "another write replaced the object",
		}
	}
	if err == nil {
		err = copyObject(ctx, route{from: c.v.secondary, to: c.v.primary}, info, false)
	}
	if err != nil {
		return nil, maybe(err)
	}
	return result, nil
}

// maybe says of an error that the object may change all the same: the secondary has
// it.
func maybe(err error) error {
	var e *backends.Error
	if !errors.As(err, &e) {
		return err
	}
	unknown := *e
	unknown.MaybeApplied = true
	return &unknown
}

// onSecondary assembles it there from the same parts.
func (c *completion) onSecondary(ctx context.Context) (*backends.PutResult, error) {
	if c.elsewhere {
		return c.results[secondary], nil
	}
	if c.ids[secondary] == "" {
		return nil, errNoSource
	}
	r, store := c.request(secondary), c.v.secondary
	parts, err := c.sameParts(ctx, store, r)
	if err != nil {
		_ = store.AbortUpload(ctx, r.Key, r.UploadID) // a copy takes its place
		return nil, err
	}
	r.Parts = parts
	result, err := store.CompleteUpload(ctx, r)
	if err != nil && !backends.Unknown(err) {
		_ = store.AbortUpload(ctx, r.Key, r.UploadID)
	}
	return result, err
}

// lacksParts tells whether a store refused to complete an upload because it does not
// have what was named.
func lacksParts(err error) bool {
	var e *backends.Error
	return errors.Is(err, backends.ErrNoUpload) || errors.As(err, &e) && e.Code == "InvalidPart"
}

func sameETags(a, b []backends.CompletedPart) bool {
	return slices.EqualFunc(a, b, func(x, y backends.CompletedPart) bool { return x.ETag == y.ETag })
}

// withoutSums are the parts without their checksums.
func withoutSums(parts []backends.CompletedPart) []backends.CompletedPart {
	parts = slices.Clone(parts)
	for i := range parts {
		parts[i].Checksum = nil
	}
	return parts
}

// sameParts lists the parts the store holds of the upload, in the order they are
// to be assembled. A part that is missing, or is not what the client names, is
// an error: the object's content is then the primary's alone.
func (c *completion) sameParts(ctx context.Context, s *Store, r backends.CompleteRequest) ([]backends.CompletedPart, error) {
	etags := make(map[int]string, len(r.Parts))
	for after, more := 0, true; more; {
		page, err := s.ListParts(ctx, backends.ListPartsRequest{Key: r.Key, UploadID: r.UploadID, AfterNumber: after})
		if err != nil {
			return nil, notApplied(err)
		}
		for _, p := range page.Parts {
			etags[p.Number] = p.ETag
		}
		more = page.Truncated && page.NextNumber > after
		after = page.NextNumber
	}
	parts := make([]backends.CompletedPart, len(r.Parts))
	for i, want := range r.Parts {
		etag, ok := etags[want.Number]
		if !ok || c.b.ComparableETags() && isMD5(etag) && isMD5(want.ETag) && etag != want.ETag {
			return nil, &backends.Error{
				Store: s.Name(), Op: "CompleteMultipartUpload", Key: r.Key, Kind: backends.ErrConflict,
				Message: fmt.Sprintf("part %d is not the one the primary holds", want.Number),
			}
		}
		parts[i] = backends.CompletedPart{Number: want.Number, ETag: etag, Checksum: want.Checksum}
	}
	return parts, nil
}
