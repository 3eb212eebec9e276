package mirror

import (
	"context"
	"fmt"

	"sluice/backends"
	"sluice/gateway/journal"
)

// Difference is what the stores disagree on.
type Difference int

// The differences.
const (
	Same Difference = iota
	MissingOnNew
	OnNewAlone
	Differs
)

// Compared is what Compare saw.
type Compared struct {
	Difference
	Size int64 // of the object
	Read int64 // bytes of content that were compared
}

// Compare compares a key on both stores: what describes the objects, their tags and
// ACLs, and with content every byte. A key that something runs on is journal.ErrBusy:
// then a difference means nothing.
func (b *Bucket) Compare(ctx context.Context, key string, content bool, pace func(context.Context, int) error) (Compared, error) {
	v, st := b.view(), b.stamp(key)
	if !st.Clean {
		return Compared{}, fmt.Errorf("%q: %w", key, journal.ErrBusy)
	}
	c, err := b.compare(ctx, key, content, pace)
	if !st.Still() || !b.current(v) {
		return Compared{}, fmt.Errorf("%q: %w", key, journal.ErrBusy)
	}
	return c, err
}

func (b *Bucket) compare(ctx context.Context, key string, content bool, pace func(context.Context, int) error) (c Compared, err error) {
	old, new := *b.old, *b.new
	old.Store, new.Store = stoppable{old.Store, ctx, pace}, stoppable{new.Store, ctx, pace}
	r := route{from: &old, to: &new}
	o, err := old.headOrAbsent(ctx, key)
	if err != nil {
		return c, err
	}
	n, err := new.headOrAbsent(ctx, key)
	switch {
	case err != nil:
		return c, err
	case o == nil && n == nil:
		return c, nil
	case o == nil:
		return Compared{OnNewAlone, n.Size, 0}, nil
	case n == nil:
		return Compared{MissingOnNew, o.Size, 0}, nil
	}
	c.Size = o.Size
	same, err := r.described(ctx, o, n)
	if same && err == nil && content {
		c.Read = o.Size
		same, err = sameContent(ctx, r.from, r.to, o, n)
	}
	if err == nil && !same {
		c.Difference = Differs
	}
	return c, err
}

// Align makes the secondary hold what the primary holds, without asking whether it does
// already. With remove it also removes what the primary lacks; on an incomplete primary
// that is never done.
func (b *Bucket) Align(ctx context.Context, key string, remove bool, pace func(context.Context, int) error) (Copied, error) {
	return b.background(ctx, key, func(reading context.Context, v view) (Copied, error) {
		if v.mirror() == nil {
			return NotNow, nil
		}
		return b.align(ctx, reading, v, key, remove, pace)
	})
}

func (b *Bucket) align(
	ctx, reading context.Context, v view, key string, remove bool, pace func(context.Context, int) error,
) (Copied, error) {
	in, err := b.beginCopy(v, key)
	if err != nil {
		return NotCopied, err
	}
	outcome := journal.Untouched
	defer func() { in.End(outcome, outcome) }()
	if err := in.Durable(ctx); err != nil {
		return NotCopied, err
	}
	p, err := v.primary.headOrAbsent(ctx, key)
	switch {
	case err != nil:
		return NotCopied, err
	case p == nil && (!remove || v.incomplete()):
		return OnlyOnNew, nil
	case p == nil:
		_, err = v.secondary.Delete(ctx, backends.DeleteRequest{Key: key})
	default:
		from := *v.primary
		from.Store = stoppable{from.Store, reading, pace}
		err = copyObject(ctx, route{from: &from, to: v.secondary}, p, false)
	}
	outcome = copied(err)
	if err != nil {
		return NotCopied, err
	}
	return Replaced, nil
}
