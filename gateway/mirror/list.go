package mirror

import (
	"context"
	"slices"

	"sluice/backends"
)

// List answers a page of the primary's keys, without Sluice's own.
func (b *Bucket) List(ctx context.Context, r backends.ListRequest) (*backends.ListPage, error) {
	for {
		v := b.view()
		page, err := v.primary.List(ctx, r)
		if !b.current(v) {
			continue // the page is of a store that is no longer right
		}
		if err != nil {
			return nil, err
		}
		page.Objects = slices.DeleteFunc(page.Objects, func(o backends.ListedObject) bool {
			return IsReserved(o.Key)
		})
		page.Prefixes = slices.DeleteFunc(page.Prefixes, IsReserved)
		return page, nil
	}
}
