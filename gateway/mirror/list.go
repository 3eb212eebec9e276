package mirror

import (
	"context"
	"slices"

	"sluice/backends"
)

// ofPrimary asks the store that is right by definition, again if it was no longer
// that when it answered.
func ofPrimary[T any](b *Bucket, ask func(backends.Store) (T, error)) (T, error) {
	for {
		v := b.view()
		answer, err := ask(v.primary)
		if b.current(v) {
			return answer, err
		}
	}
}

// List answers a page of the primary's keys, without Sluice's own.
func (b *Bucket) List(ctx context.Context, r backends.ListRequest) (*backends.ListPage, error) {
	page, err := ofPrimary(b, func(s backends.Store) (*backends.ListPage, error) { return s.List(ctx, r) })
	if err != nil {
		return nil, err
	}
	page.Objects = slices.DeleteFunc(page.Objects, func(o backends.ListedObject) bool { return IsReserved(o.Key) })
	page.Prefixes = slices.DeleteFunc(page.Prefixes, IsReserved)
	return page, nil
}

// ListVersions answers a page of the primary's versions, without those of Sluice's
// own objects.
func (b *Bucket) ListVersions(ctx context.Context, r backends.ListVersionsRequest) (*backends.VersionsPage, error) {
	page, err := ofPrimary(b, func(s backends.Store) (*backends.VersionsPage, error) { return s.ListVersions(ctx, r) })
	if err != nil {
		return nil, err
	}
	page.Versions = slices.DeleteFunc(page.Versions, func(o backends.Version) bool { return IsReserved(o.Key) })
	page.Prefixes = slices.DeleteFunc(page.Prefixes, IsReserved)
	return page, nil
}
