package mirror

import (
	"context"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"

	"sluice/backends"
)

// ofPrimary asks the store that is right by definition, again if it was no longer
// that when it answered.
func ofPrimary[T any](b *Bucket, ask func(*Store) (T, error)) (T, error) {
	for {
		v := b.view()
		answer, err := ask(v.primary)
		if b.current(v) {
			return answer, err
		}
	}
}

// List answers a page of the keys, without Sluice's own: the primary's, or, if that
// is incomplete, those of both stores (R13).
//
// The pages of a bucket with two stores hang together by keys, not by a store's
// tokens: a listing that is under way when the phase changes goes on.
func (b *Bucket) List(ctx context.Context, r backends.ListRequest) (*backends.ListPage, error) {
	for {
		v := b.view()
		page, err := b.list(ctx, v, r)
		if b.current(v) {
			return page, err
		}
	}
}

func (b *Bucket) list(ctx context.Context, v view, r backends.ListRequest) (*backends.ListPage, error) {
	if b.new == nil {
		page, err := v.primary.List(ctx, r)
		return withoutReserved(page), err
	}
	r, err := portable(r)
	if err != nil {
		return nil, err
	}
	var page *backends.ListPage
	if v.incomplete() {
		page, err = b.merged(ctx, v, r)
	} else {
		page, err = v.primary.List(ctx, r)
	}
	if err != nil {
		return nil, err
	}
	goOn(page, r)
	return withoutReserved(page), nil
}

// afterToken begins the continuation tokens of a bucket with two stores: the name of
// the last entry follows.
const afterToken = "sluice-after:"

// portable puts the place that a token or a marker stands for in a form that every
// store understands alike.
func portable(r backends.ListRequest) (backends.ListRequest, error) {
	if r.Token != "" {
		token, ours := strings.CutPrefix(r.Token, afterToken)
		last, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil || !ours {
			return r, &backends.Error{
				Store: "sluice", Op: "ListObjectsV2", Kind: backends.ErrInvalid, Status: http.StatusBadRequest,
				Code: "InvalidArgument", Message: "The continuation token provided is incorrect",
			}
		}
		r.After, r.Token = behind(string(last), r), ""
	} else if r.V1 {
		r.After = behind(r.After, r)
	}
	return r, nil
}

// goOn says where the page after this one begins.
func goOn(page *backends.ListPage, r backends.ListRequest) {
	page.NextToken, page.NextMarker = "", ""
	if !page.Truncated {
		return
	}
	all := lines(page, false)
	if len(all) == 0 {
		return
	}
	last := all[len(all)-1].name
	if r.V1 {
		page.NextMarker = last
	} else {
		page.NextToken = afterToken + base64.RawURLEncoding.EncodeToString([]byte(last))
	}
}

func withoutReserved(page *backends.ListPage) *backends.ListPage {
	if page != nil {
		page.Objects = slices.DeleteFunc(page.Objects, func(o backends.ListedObject) bool { return IsReserved(o.Key) })
		page.Prefixes = slices.DeleteFunc(page.Prefixes, IsReserved)
	}
	return page
}

// ListVersions answers a page of the primary's versions, without those of Sluice's
// own objects.
func (b *Bucket) ListVersions(ctx context.Context, r backends.ListVersionsRequest) (*backends.VersionsPage, error) {
	if b.view().incomplete() {
		return nil, errIncomplete
	}
	page, err := ofPrimary(b, func(s *Store) (*backends.VersionsPage, error) { return s.ListVersions(ctx, r) })
	if err != nil {
		return nil, err
	}
	page.Versions = slices.DeleteFunc(page.Versions, func(o backends.Version) bool { return IsReserved(o.Key) })
	page.Prefixes = slices.DeleteFunc(page.Prefixes, IsReserved)
	return page, nil
}
