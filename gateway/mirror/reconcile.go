package mirror

import (
	"context"
	"errors"

	"sluice/backends"
	"sluice/gateway/journal"
)

// Verdict is what Reconcile found.
type Verdict int

// The verdicts.
const (
	Equal      Verdict = iota // the stores agree on the key
	Changed                   // the secondary was changed: compare again
	Unmirrored                // there is nothing to agree with
	ReadOnly                  // old can not be made to agree: deletes stay as tombstones (R12)
)

// Reconcile makes the secondary hold what is true of a key, and tells whether it had
// to. The caller runs it under the repair of the key's pending intents (R4). What is
// true is what the primary holds; of an incomplete primary that holds nothing, that
// the key is absent if a delete is not settled, and else what old holds (R8).
//
// backends.Unknown tells of an error whether the secondary may still change.
func (b *Bucket) Reconcile(ctx context.Context, r *journal.Repair) (Verdict, error) {
	v := b.view()
	switch {
	case v.mirror() == nil && v.incomplete():
		return ReadOnly, nil
	case v.mirror() == nil:
		return Unmirrored, nil
	case !v.secondary.Circuit.closed():
		return Equal, &backends.Error{
			Store: v.secondary.Name(), Op: "HeadObject", Key: r.Key, Kind: backends.ErrUnavailable, Err: ErrNotTried,
		}
	}
	p, err := v.primary.headOrAbsent(ctx, r.Key)
	if err != nil {
		return Equal, err
	}
	s, err := v.secondary.headOrAbsent(ctx, r.Key)
	b.turned(v.secondary.Circuit.Count(err), err) // writes learn of it, too
	if err != nil {
		return Equal, err
	}
	if p == nil && v.incomplete() && !r.Deleted(v.phase.Epoch) {
		return Equal, nil // what old holds stands
	}
	way := route{from: v.primary, to: v.secondary}
	same, err := way.equal(ctx, p, s)
	switch {
	case errors.Is(err, backends.ErrNotFound):
		return Changed, nil // it changed while it was looked at: look again
	case err != nil:
		return Equal, notApplied(err)
	case same:
		return Equal, b.copyLock(ctx, v, p, s)
	case p == nil:
		_, err := v.secondary.Delete(ctx, backends.DeleteRequest{Key: r.Key})
		return Changed, err
	default:
		return Changed, copyObject(ctx, way, p, false)
	}
}
