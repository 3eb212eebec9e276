package mirror

import (
	"context"

	"sluice/backends"
	"sluice/gateway/journal"
)

// Delete removes an object.
func (b *Bucket) Delete(ctx context.Context, r backends.DeleteRequest) (*backends.DeleteResult, error) {
	var result *backends.DeleteResult
	m := &mutation{
		kind: journal.Delete, keys: []string{r.Key},
		ordered: r.IfMatch != "" || conditional(r.Header),
		run: func(ctx context.Context, s side, store *Store, _ *tap) error {
			req := r
			req.Header = store.header(s, r.Header)
			if s == secondary {
				req.IfMatch = "" // judged by the primary
			}
			res, err := store.Delete(ctx, req)
			if s == primary {
				result = res
			}
			return err
		},
	}
	if m.ordered {
		m.needs = []need{{b, r.Key}}
	}
	if r.VersionID != "" { // versions have other names on the other store
		m.kind, m.alone, m.whole = journal.Change, true, true
	}
	if err := b.mutate(ctx, b.view(), m); err != nil {
		return nil, err
	}
	return result, nil
}

// DeleteMany removes objects. Of the secondary only the objects themselves are
// removed: a version has another name there, and what its removal brings to light
// is the repairer's to compare.
func (b *Bucket) DeleteMany(ctx context.Context, r backends.DeleteManyRequest) ([]backends.DeleteResult, error) {
	keys, ofKey := byKey(r.Objects)
	var plain, entry []int // the unversioned entries, and each one's place among them
	for i, o := range r.Objects {
		entry = append(entry, len(plain))
		if o.VersionID == "" {
			plain = append(plain, i)
		}
	}
	kind := journal.Delete
	if len(plain) < len(r.Objects) {
		kind = journal.Change
	}
	var results [2][]backends.DeleteResult
	m := &mutation{
		kind: kind, keys: keys, alone: len(plain) == 0, whole: kind == journal.Change,
		run: func(ctx context.Context, s side, store *Store, _ *tap) (err error) {
			req := r
			if s == secondary {
				req.Objects = make([]backends.ObjectVersion, len(plain))
				for i, j := range plain {
					req.Objects[i] = r.Objects[j]
				}
			}
			results[s], err = store.DeleteMany(ctx, req)
			return err
		},
	}
	m.keyErr = func(s side, key int) error {
		for _, i := range ofKey[key] {
			result := i
			if s == secondary {
				if r.Objects[i].VersionID != "" {
					return &backends.Error{Op: "DeleteObjects", Key: keys[key], Kind: backends.ErrNotSupported, Err: ErrNotTried}
				}
				result = entry[i]
			}
			if err := results[s][result].Err; err != nil {
				return err
			}
		}
		return nil
	}
	if err := b.mutate(ctx, b.view(), m); err != nil {
		return nil, err
	}
	return results[primary], nil
}

// byKey lists the keys that the objects name, each once, and for each the places
// where it is named.
func byKey(objects []backends.ObjectVersion) (keys []string, places [][]int) {
	first := make(map[string]int, len(objects))
	for i, o := range objects {
		at, seen := first[o.Key]
		if !seen {
			at = len(keys)
			first[o.Key] = at
			keys, places = append(keys, o.Key), append(places, nil)
		}
		places[at] = append(places[at], i)
	}
	return keys, places
}
