package backends

import (
	"context"
	"fmt"
	"iter"
)

// Walk goes through all objects of a listing, page by page. It ends with an error
// when a page fails or the listing does not advance; it never ends early without
// one.
func Walk(ctx context.Context, s Reader, r ListRequest) iter.Seq2[ListedObject, error] {
	return func(yield func(ListedObject, error) bool) {
		if r.MaxKeys == 0 {
			r.MaxKeys = 1000
		}
		for {
			page, err := s.List(ctx, r)
			if err != nil {
				yield(ListedObject{}, err)
				return
			}
			for _, o := range page.Objects {
				if !yield(o, nil) {
					return
				}
			}
			if !page.Truncated {
				return
			}
			token, marker := page.NextToken, page.NextMarker
			if !r.V1 && token == r.Token || r.V1 && marker <= r.After {
				yield(ListedObject{}, fmt.Errorf("listing store %s: the page after %q%q is the same page again", s.Name(), r.Token, r.After))
				return
			}
			r.Token = token
			if r.V1 {
				r.After = marker
			}
		}
	}
}

// WalkVersions is Walk for versions and delete markers. The error of a store that knows
// none is ErrNotSupported.
func WalkVersions(ctx context.Context, s Reader, r ListVersionsRequest) iter.Seq2[Version, error] {
	return func(yield func(Version, error) bool) {
		r.MaxKeys = 1000
		for {
			page, err := s.ListVersions(ctx, r)
			if err != nil {
				yield(Version{}, err)
				return
			}
			for _, v := range page.Versions {
				if !yield(v, nil) {
					return
				}
			}
			if !page.Truncated {
				return
			}
			if page.NextKeyMarker == r.KeyMarker && page.NextVersionIDMarker == r.VersionIDMarker {
				yield(Version{}, fmt.Errorf("listing store %s: the page behind %q is the same page again", s.Name(), r.KeyMarker))
				return
			}
			r.KeyMarker, r.VersionIDMarker = page.NextKeyMarker, page.NextVersionIDMarker
		}
	}
}
