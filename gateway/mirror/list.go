package mirror

import (
	"cmp"
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
	if b.new == nil { // it may hold a marker of the migration that led to it
		page, err := v.primary.List(ctx, r)
		if err != nil {
			return nil, err
		}
		return page, b.hideReserved(ctx, v, page)
	}
	r, err := portable(r)
	if err != nil {
		return nil, err
	}
	page, err := b.visible(ctx, v, r)
	if err != nil {
		return nil, err
	}
	err = b.endBefore(ctx, v, r, page)
	goOn(page, r)
	return page, err
}

// visible answers a page of what clients may see.
func (b *Bucket) visible(ctx context.Context, v view, r backends.ListRequest) (*backends.ListPage, error) {
	all := &backends.ListPage{}
	for next := r; ; { // once, unless something is hidden whose place others take
		page, err := b.page(ctx, v, next)
		if err != nil {
			return nil, err
		}
		before := lines(page, false)
		if err := b.hideReserved(ctx, v, page); err != nil {
			return nil, err
		}
		all.Objects, all.Prefixes = append(all.Objects, page.Objects...), append(all.Prefixes, page.Prefixes...)
		all.Truncated = page.Truncated
		hidden := len(before) - len(page.Objects) - len(page.Prefixes)
		if hidden == 0 || !page.Truncated {
			return all, nil
		}
		next.After, next.MaxKeys = behind(before[len(before)-1].name, r), hidden
	}
}

// endBefore makes a page the last one if nothing but Sluice's own objects follow.
func (b *Bucket) endBefore(ctx context.Context, v view, r backends.ListRequest, page *backends.ListPage) error {
	shown := lines(page, false)
	if !page.Truncated || len(shown) == 0 || shown[len(shown)-1].name > Reserved {
		return nil
	}
	r.After, r.MaxKeys = behind(shown[len(shown)-1].name, r), 1
	rest, err := b.visible(ctx, v, r)
	if err == nil && len(rest.Objects)+len(rest.Prefixes) == 0 {
		page.Truncated = false
	}
	return err
}

// page asks the stores for what a request names, with Sluice's own objects.
func (b *Bucket) page(ctx context.Context, v view, r backends.ListRequest) (*backends.ListPage, error) {
	if v.incomplete() {
		return b.merged(ctx, v, r)
	}
	return v.primary.List(ctx, r)
}

// hideReserved takes Sluice's own objects out of a page.
func (b *Bucket) hideReserved(ctx context.Context, v view, page *backends.ListPage) (err error) {
	page.Objects = slices.DeleteFunc(page.Objects, func(o backends.ListedObject) bool { return IsReserved(o.Key) })
	page.Prefixes, err = withoutReserved(page.Prefixes, func(prefix string) (bool, error) {
		below, err := b.visible(ctx, v, backends.ListRequest{Prefix: prefix, MaxKeys: 1})
		return err == nil && len(below.Objects) > 0, err
	})
	return err
}

// withoutReserved takes common prefixes out that stand for Sluice's own objects alone:
// with other delimiters than "/" they may be shorter than ours. others tells whether there
// is anything else below a prefix.
func withoutReserved(prefixes []string, others func(prefix string) (bool, error)) (kept []string, failed error) {
	kept = slices.DeleteFunc(prefixes, func(prefix string) bool {
		if IsReserved(prefix) || !strings.HasPrefix(Reserved, prefix) {
			return IsReserved(prefix)
		}
		found, err := others(prefix)
		failed = cmp.Or(failed, err)
		return !found
	})
	return kept, failed
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
	page.Prefixes, err = withoutReserved(page.Prefixes, func(prefix string) (bool, error) {
		for o, err := range backends.WalkVersions(ctx, b.Primary(), backends.ListVersionsRequest{Prefix: prefix}) {
			if err != nil || !IsReserved(o.Key) {
				return err == nil, err
			}
		}
		return false, nil
	})
	return page, err
}
