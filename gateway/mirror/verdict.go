package mirror

import (
	"context"
	"fmt"
	"slices"

	"sluice/gateway/journal"
)

// verdict says in a sentence how it stands with an object.
func (b *Bucket) verdict(ctx context.Context, v view, l *Located, coming string) string {
	switch {
	case IsReserved(l.Key):
		return "It is Sluice's own, and hidden from clients."
	case v.secondary == nil:
		return b.ofOneStore(v, l)
	case !l.Old.asked():
		return "It is not known: store " + l.Old.Store + " did not say what it holds."
	case !l.New.asked():
		return "It is not known: store " + l.New.Store + " did not say what it holds."
	case l.Tombstone && !l.New.Present:
		return "It is deleted: reads and listings say so, whatever " + l.Old.Store + " still holds."
	}
	same, err := b.alike(ctx, l)
	if err != nil {
		return "It is on both stores, but they could not be compared: " + err.Error() + "."
	}
	if l.Dirty {
		return ofDirty(v, l, same)
	}
	return b.ofClean(v, l, same, coming) + private(v, l)
}

// ofOneStore: nothing but the primary counts.
func (b *Bucket) ofOneStore(v view, l *Located) string {
	h := &l.Old
	if v.primary == b.new {
		h = l.New
	}
	switch {
	case !h.asked():
		return "It is not known: store " + h.Store + " did not say what it holds."
	case !h.Present:
		return fmt.Sprintf("It is not there: in the phase %s only store %s counts.", v.phase.Name, h.Store)
	}
	return fmt.Sprintf("It is on store %s, which alone counts in the phase %s.", h.Store, v.phase.Name) + private(v, l)
}

// alike compares what the stores say of an object, tags and ACLs included.
func (b *Bucket) alike(ctx context.Context, l *Located) (bool, error) {
	if !l.Old.Present || !l.New.Present {
		return l.Old.Present == l.New.Present, nil
	}
	return route{from: b.old, to: b.new}.described(ctx, l.Old.info, l.New.info)
}

func ofDirty(v view, l *Located, same bool) string {
	by, to := v.primary.Name(), v.secondary.Name()
	if slices.ContainsFunc(l.Intents, func(in journal.Seen) bool { return in.State == "open" }) {
		return "It is being written, deleted or copied just now: until that ends only store " + by + " is believed."
	}
	switch {
	case v.mirror() == nil:
		return "A write of it is pending: the repairer looks at store " + by + " again; store " + to + " is written to no more."
	case same:
		return "The stores hold the same, and the repairer has still to make sure that no late write changes that."
	}
	return fmt.Sprintf("The stores differ, and the repair is pending: store %s will hold what store %s holds.", to, by)
}

// ofClean: no write of it is unsettled.
func (b *Bucket) ofClean(v view, l *Located, same bool, coming string) string {
	by, to := v.primary.Name(), v.secondary.Name()
	switch {
	case !l.Old.Present && !l.New.Present:
		return "It is on neither store."
	case same:
		return "It is the same on both stores."
	case !l.New.Present && (v.phase.Name == Mirroring || v.incomplete()):
		return "It is only on store " + l.Old.Store + "; " + coming + "."
	case v.mirror() == nil && l.New.Present:
		return "It is on store " + by + "; store " + to + " is written to no more."
	case !v.phase.Baseline:
		return "The stores differ, and what store " + l.New.Store + " held before the start is not compared yet: the backfill does it."
	}
	what := "The stores differ"
	if l.Old.Present != l.New.Present {
		here := l.Old.Store
		if l.New.Present {
			here = l.New.Store
		}
		what = "It is only on store " + here
	}
	return fmt.Sprintf("%s, though no write is pending: a store was changed behind the gateway; store %s is right, and sluice verify --fix mends it.", what, by)
}

// private adds that strangers do not see it.
func private(v view, l *Located) string {
	h := &l.Old
	if v.primary.Name() != h.Store || !h.Present && l.New != nil {
		h = l.New
	}
	if h == nil || !h.Present || h.ACL == "" || isPublic(h.ACL) {
		return ""
	}
	return " It is private (" + h.ACL + "): public hosts do not show it."
}
