package mirror

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"

	"sluice/backends"
	"sluice/gateway/journal"
)

// Subresource reads what hangs on the bucket or an object beside the content.
func (b *Bucket) Subresource(ctx context.Context, r backends.SubresourceRequest) (*backends.SubresourceResult, error) {
	r.Bucket = b.Name
	ask := func(s *Store) (*backends.SubresourceResult, error) { return s.Subresource(ctx, r) }
	if r.Key == "" {
		return ofPrimary(b, ask)
	}
	result, _, err := ofKey(b, r.Key, ask, func(*backends.SubresourceResult) {})
	return result, err
}

// Select runs a query over an object.
func (b *Bucket) Select(ctx context.Context, r backends.SubresourceRequest) (*backends.SelectResult, error) {
	result, _, err := ofKey(b, r.Key, func(s *Store) (*backends.SelectResult, error) { return s.Select(ctx, r) },
		func(result *backends.SelectResult) { result.Events.Close() })
	return result, err
}

// ChangeSubresource sets or removes it on both stores. What the secondary can not
// have is left out and noted (Missed).
//
// A bucket's own documents have no key that an intent could name: what the
// secondary did not take of them is noted too, and the operator's to set.
func (b *Bucket) ChangeSubresource(ctx context.Context, r backends.SubresourceRequest) (*backends.SubresourceResult, error) {
	r.Bucket = b.Name
	var result *backends.SubresourceResult
	m := &mutation{
		kind: journal.Change, keys: []string{r.Key}, invisible: r.Key == "",
		ordered: true,                     // the primary judges the document
		alone:   r.Query.Has("versionId"), // versions have other names on the other store
		run: func(ctx context.Context, s side, store *Store, _ *tap) error {
			if r.Key != "" && !store.Profile.Subresources {
				err := &backends.Error{Store: store.Name(), Op: r.Op, Key: r.Key, Kind: backends.ErrNotSupported, Code: "NotImplemented"}
				if s == secondary {
					b.missed.note(b.log, r.Op, err)
					return nil
				}
				return err
			}
			res, err := store.ChangeSubresource(ctx, r)
			if s == primary {
				result = res
				return err
			}
			if r.Key == "" || errors.Is(err, backends.ErrNotSupported) {
				b.missed.note(b.log, r.Op, err)
				return nil
			}
			return err
		},
	}
	m.whole = m.alone
	if r.Key == "" {
		m.keys = nil
	} else if !m.alone {
		m.needs = []need{{b, r.Key}}
	}
	if err := b.mutate(ctx, b.view(), m); err != nil {
		return nil, err
	}
	if r.Key == "" && m.alone && b.view().mirror() != nil {
		b.missed.note(b.log, r.Op, errNotAsked)
	}
	if r.Op == "PutBucketVersioning" {
		b.versioned.Store(true)
	}
	return result, nil
}

// errNotAsked is noted of an operation that came while the secondary was known to
// be down.
var errNotAsked = errors.New("the store was down and was not asked")

// Missed answers the operations that took effect on the primary alone, with the
// secondary's words: it does not know them, or refused them.
func (b *Bucket) Missed() map[string]string {
	b.missed.mu.Lock()
	defer b.missed.mu.Unlock()
	return maps.Clone(b.missed.ops)
}

// missed keeps them.
type missed struct {
	mu  sync.Mutex
	ops map[string]string // S3's name of the operation → the store's words
}

// note keeps what became of an operation on the secondary, and tells the operator
// of a failure when it is new.
func (m *missed) note(log *slog.Logger, op string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err == nil {
		delete(m.ops, op)
		return
	}
	if m.ops == nil {
		m.ops = make(map[string]string)
	}
	if m.ops[op] != err.Error() {
		m.ops[op] = err.Error()
		log.Warn("the secondary store did not take an operation: it took effect on the primary alone", "operation", op, "error", err)
	}
}
