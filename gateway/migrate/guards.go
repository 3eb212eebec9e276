package migrate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sluice/backends"
	"sluice/gateway/mirror"
)

// Names of the guards.
const (
	guardBaseline   = "baseline"
	guardBackfilled = "backfilled"
	guardCaughtUp   = "caught-up"
	guardVerified   = "verified"
	guardOld        = "old-writable"
	guardNew        = "new-writable"
	guardListing    = "not-listable"
	guardState      = "state-writable"
	guardReversible = "reversible"
)

// Overridable are the guards that an order for a command may pass over.
func Overridable(c Command) []string {
	if c == Switch {
		return []string{guardBackfilled, guardVerified, guardListing}
	}
	return nil
}

// freshness is how long a verification lets a switch pass.
const freshness = 24 * time.Hour

// guards looks at everything that a command depends on.
func (o *Operator) guards(ctx context.Context, c Command) []Guard {
	switch c {
	case Start:
		return []Guard{o.oldReadable(ctx), o.writable(ctx, guardNew, o.Bucket.New()), o.stateWritable()}
	case Switch:
		crawled := o.Crawl.Progress()
		list := []Guard{o.baseline(crawled), o.backfilled(crawled), o.caughtUp(ctx), verified(o.Verify.Progress()), o.writable(ctx, guardNew, o.Bucket.New())}
		if !o.Bucket.Old().ReadOnly {
			list = append(list, o.writable(ctx, guardOld, o.Bucket.Old()))
		}
		return append(list, o.notListable(ctx), o.stateWritable())
	case Rollback:
		list := []Guard{o.reversible(), o.caughtUp(ctx)}
		if !o.Bucket.Old().ReadOnly {
			list = append(list, o.writable(ctx, guardOld, o.Bucket.Old()))
		}
		return append(list, o.stateWritable())
	case Complete:
		return []Guard{o.complete(), o.caughtUp(ctx), o.writable(ctx, guardNew, o.Bucket.New()), o.stateWritable()}
	case Cancel:
		return []Guard{o.caughtUp(ctx), o.stateWritable()}
	}
	return nil
}

func guard(name string, err error, seen string) Guard {
	g := Guard{Name: name, OK: err == nil, Message: seen}
	if err != nil {
		g.Message = err.Error()
	}
	return g
}

func (o *Operator) baseline(p *Progress) Guard {
	if o.Bucket.Phase().Baseline {
		return guard(guardBaseline, nil, "new holds nothing but what came through this gateway")
	}
	why := errors.New("the new store was not empty when mirroring started: wait until the backfill has compared everything")
	if p != nil && p.State == Finished && p.Extra > 0 {
		why = fmt.Errorf("%d objects are on the new store that the old one does not have; they would appear with the switch. "+
			"Look at them with verify; remove them by hand, or with verify --fix --delete-extra --max-delete N; then resume the backfill", p.Extra)
	}
	return guard(guardBaseline, why, "")
}

func (o *Operator) backfilled(p *Progress) Guard {
	g := guard(guardBackfilled, nil, "new holds every object of old")
	if !o.Bucket.Phase().Backfilled {
		switch {
		case p == nil:
			g = guard(guardBackfilled, errors.New("the backfill has not begun"), "")
		case p.State != Finished:
			g = guard(guardBackfilled, fmt.Errorf("the backfill is %s: %d of %s objects, %d failed; overridden, reads go on finding the rest on old",
				p.State, p.Done.Objects, p.total(), p.Failed), "")
		default:
			g.Message = "new holds every object that the rules want copied; reads go on finding the rest on old"
		}
	}
	g.Overridable = true
	return g
}

func (p *Progress) total() string {
	if !p.Counted {
		return fmt.Sprintf("at least %d", p.Total.Objects)
	}
	return fmt.Sprint(p.Total.Objects)
}

// complete: nothing that is wanted is on old alone.
func (o *Operator) complete() Guard {
	if o.Bucket.Phase().Backfilled {
		return guard(guardBackfilled, nil, "new holds every object")
	}
	if o.givenUp() {
		return guard(guardBackfilled, nil, "new holds every object that is not to be skipped")
	}
	return guard(guardBackfilled, errors.New("the old store may hold the only copy of some objects: let the backfill finish; "+
		"change rules with mode lazy to copy or skip, and resume"), "")
}

// givenUp tells whether all that old alone holds may go.
func (o *Operator) givenUp() bool {
	p := o.Crawl.Progress()
	return p != nil && p.State == Finished && !o.Crawl.Lazily()
}

// settleTime is how long a command waits for the repairer before it refuses.
const settleTime = 5 * time.Second

func (o *Operator) caughtUp(ctx context.Context) Guard {
	wait, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	for {
		n := o.Bucket.Unsettled()
		if n == 0 {
			return guard(guardCaughtUp, nil, "no write waits for the repairer")
		}
		if pause(wait, 20*time.Millisecond) != nil {
			return guard(guardCaughtUp, fmt.Errorf("%d writes are not on both stores yet, or it is not known: wait for the repairer", n), "")
		}
	}
}

// verified judges the last verification; how close it looked is the operator's to weigh.
func verified(p *Progress) Guard {
	g := Guard{Name: guardVerified, Overridable: true}
	switch {
	case p == nil:
		g.Message = "the stores have not been compared: run verify"
	case p.Prefix != "":
		g.Message = fmt.Sprintf("only the keys with the prefix %q have been compared: run verify without one", p.Prefix)
	case p.State != Finished:
		g.Message = fmt.Sprintf("the verification is %s: let it finish", p.State)
	case time.Since(p.Finished) > freshness:
		g.Message = fmt.Sprintf("the last verification is of %s: run verify again", p.Finished.Format(time.DateTime))
	case p.wrong() > 0:
		g.Message = fmt.Sprintf("the last verification found %d differences: run verify --fix", p.wrong())
	default:
		g.OK = true
		g.Message = fmt.Sprintf("%d objects are the same, by %s, at %s", p.Same, p.closeness(), p.Finished.Format(time.DateTime))
		if p.Left > 0 {
			g.Message += fmt.Sprintf("; %d more are left to reads by rules", p.Left)
		}
	}
	return g
}

// wrong counts what a verification found and left as it is.
func (p *Progress) wrong() int64 { return p.Missing + p.Extra + p.Different + p.Failed - p.Fixed }

// closeness says in words what a verification looked at.
func (p *Progress) closeness() string {
	switch {
	case p.Level == List:
		return "listings alone (--level list)"
	case p.Level == Meta:
		return "headers, tags and ACLs, not contents (--level meta)"
	case p.Sample > 0:
		return fmt.Sprintf("headers, and the contents of a sample of %v %%", p.Sample)
	}
	return "content, byte by byte"
}

func (o *Operator) reversible() Guard {
	if o.Bucket.Old().ReadOnly {
		return guard(guardReversible, errors.New("the old store is read-only: it lacks what was written since the switch"), "")
	}
	return guard(guardReversible, nil, "everything since the switch was written to old too")
}

func (o *Operator) stateWritable() Guard {
	return guard(guardState, o.State.Rewrite(), "the state directory can be written")
}

func (o *Operator) oldReadable(ctx context.Context) Guard {
	_, err := o.Bucket.Old().List(ctx, backends.ListRequest{MaxKeys: 1})
	return guard("old-readable", err, "the old store can be listed")
}

// notListable: strangers can not list the new store's bucket.
func (o *Operator) notListable(ctx context.Context) Guard {
	g := guard(guardListing, nil, "strangers can not list the new store's bucket")
	s, ok := o.Bucket.New().Store.(interface {
		ListsToAnyone(ctx context.Context) (bool, error)
	})
	if ok {
		open, err := s.ListsToAnyone(ctx)
		if err == nil && open {
			err = errors.New("everyone can list the new store's bucket, and with that find every object: take the right away")
		}
		g = guard(guardListing, err, g.Message)
	}
	g.Overridable = true
	return g
}

const canaryKey = mirror.Reserved + "canary"

// writable tries on an object of its own everything that clients will want.
func (o *Operator) writable(ctx context.Context, name string, s *mirror.Store) Guard {
	return guard(name, canary(ctx, s), fmt.Sprintf("store %s takes, answers and removes an object", s.Name()))
}

func canary(ctx context.Context, s *mirror.Store) error {
	c := backends.Canary{Store: s, Key: canaryKey}
	defer c.Remove(ctx) // why it could not be removed, Delete has said
	for _, try := range []func(context.Context) error{c.Put, c.Get, c.GetRange, c.SetACL, c.Delete} {
		if err := try(ctx); err != nil {
			return err
		}
	}
	return nil
}

// override marks what an operator passes over. The names must be guards that can be.
func override(guards []Guard, names []string) error {
	for _, name := range names {
		i := slices.IndexFunc(guards, func(g Guard) bool { return g.Name == name })
		if i < 0 || !guards[i].Overridable {
			var can []string
			for _, g := range guards {
				if g.Overridable {
					can = append(can, g.Name)
				}
			}
			return fmt.Errorf("%w: %q can not be overridden; %q can", ErrInvalid, name, can)
		}
		guards[i].Overridden = !guards[i].OK
	}
	return nil
}

// ErrInvalid is an order that makes no sense.
var ErrInvalid = errors.New("invalid order")
