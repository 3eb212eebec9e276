package mirror

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"sluice/backends"
	"sluice/gateway/journal"
)

// entry is one line of a listing: an object, or a common prefix.
type entry struct {
	name   string
	object *backends.ListedObject // nil: a prefix
	old    bool                   // new's page lacks it
}

// merged answers a page of an incomplete primary: what new lists, and of what old
// alone lists that which is there by R8. The unsettled deletes are taken first, then
// new's page, then old's (R13). If a store fails, the listing fails.
func (b *Bucket) merged(ctx context.Context, v view, r backends.ListRequest) (*backends.ListPage, error) {
	page := &backends.ListPage{}
	if r.MaxKeys == 0 {
		return page, nil
	}
	snapshot := b.journal.Snapshot(b.Name, v.phase.Epoch)
	for {
		entries, next, err := b.entries(ctx, v, r)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if e.old {
				if e, err = b.onlyOld(ctx, v, snapshot, e, r.After); err != nil {
					return nil, err
				}
			}
			switch {
			case e.name == "", IsReserved(e.name):
			case len(page.Objects)+len(page.Prefixes) == r.MaxKeys:
				page.Truncated = true
				return page, nil
			case e.object == nil:
				page.Prefixes = append(page.Prefixes, e.name)
			default:
				page.Objects = append(page.Objects, *e.object)
			}
		}
		if next == "" {
			return page, nil
		}
		r.After = next
	}
}

// entries reads a page of each store and puts them together as far as both go. next
// is where to go on, "" at the end.
func (b *Bucket) entries(ctx context.Context, v view, r backends.ListRequest) (merged []entry, next string, err error) {
	r.V1, r.FetchOwner = false, r.FetchOwner || r.V1
	var end *entry // both pages are whole up to here; nil: to the end
	for i, s := range []*Store{v.primary, v.secondary} {
		page, err := s.List(ctx, r)
		if err != nil {
			return nil, "", err
		}
		lines := lines(page, i == 1)
		merged = append(merged, lines...)
		if !page.Truncated {
			continue
		}
		if len(lines) == 0 {
			return nil, "", &backends.Error{
				Store: s.Name(), Op: "ListObjectsV2", Kind: backends.ErrUnavailable, Err: errors.New("a truncated page without keys"),
			}
		}
		if last := lines[len(lines)-1]; end == nil || last.name < end.name {
			end = &last
		}
	}
	slices.SortStableFunc(merged, func(a, b entry) int { return cmp.Compare(a.name, b.name) }) // new's stay first
	merged = slices.CompactFunc(merged, func(a, b entry) bool { return a.name == b.name })
	if end == nil {
		return merged, "", nil
	}
	merged = slices.DeleteFunc(merged, func(e entry) bool { return e.name > end.name })
	return merged, behind(end.name, r), nil
}

// lines are a page's entries in order.
func lines(page *backends.ListPage, old bool) []entry {
	list := make([]entry, 0, len(page.Objects)+len(page.Prefixes))
	for i := range page.Objects {
		list = append(list, entry{page.Objects[i].Key, &page.Objects[i], old})
	}
	for _, p := range page.Prefixes {
		list = append(list, entry{p, nil, old})
	}
	slices.SortFunc(list, func(a, b entry) int { return cmp.Compare(a.name, b.name) })
	return list
}

// onlyOld decides whether an entry that new's page lacks is there; if not its name is
// "".
func (b *Bucket) onlyOld(ctx context.Context, v view, snapshot *journal.Snapshot, e entry, after string) (entry, error) {
	switch {
	case e.object == nil:
		there, err := anyLeft(ctx, v.secondary, snapshot, e.name, after)
		if err != nil || !there {
			return entry{}, err
		}
		return e, nil
	case snapshot.Moved(e.name):
		info, _, err := ofKey(b, e.name, func(s *Store) (*backends.Info, error) {
			return s.Head(ctx, backends.GetRequest{Key: e.name})
		}, func(*backends.Info) {})
		if errors.Is(err, backends.ErrNotFound) {
			return entry{}, nil
		}
		if err != nil {
			return entry{}, err
		}
		e.object.Size, e.object.ETag, e.object.LastModified = info.Size, info.ETag, info.LastModified
		return e, nil
	case snapshot.Deleted(e.name):
		return entry{}, nil
	}
	return e, nil
}

// anyLeft tells whether old holds a key of the prefix, behind where the page begins,
// that was not deleted when the listing began.
func anyLeft(ctx context.Context, old *Store, snapshot *journal.Snapshot, prefix, after string) (bool, error) {
	if !snapshot.DeletedBelow(prefix) {
		return true, nil
	}
	for o, err := range backends.Walk(ctx, old, backends.ListRequest{Prefix: prefix, After: after}) {
		if err != nil {
			return false, err
		}
		if !snapshot.Deleted(o.Key) {
			return true, nil
		}
	}
	return false, nil
}

// aboveAll sorts behind every key that a prefix has below it (but for those that
// begin with the last character there is).
const aboveAll = "\U0010FFFF"

// behind is where a listing goes on behind an entry: behind all that a common prefix
// stands for.
func behind(name string, r backends.ListRequest) string {
	rest, ok := strings.CutPrefix(name, r.Prefix)
	if ok && r.Delimiter != "" && strings.Index(rest, r.Delimiter) == len(rest)-len(r.Delimiter) && len(rest) >= len(r.Delimiter) {
		return name + aboveAll
	}
	return name
}
