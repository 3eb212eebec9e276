package mirror

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"sluice/backends"
	"sluice/gateway/journal"
)

// PhaseName says where a bucket is in its migration.
type PhaseName string

// The phases.
const (
	Passthrough PhaseName = "passthrough" // old alone
	Mirroring   PhaseName = "mirroring"   // old is the primary, writes go to both
	Switched    PhaseName = "switched"    // new is the primary, writes go to both
	Completed   PhaseName = "completed"   // new alone
)

// Phase is what an operation must know of the migration. It never changes in
// place: a new phase is a new value with a higher epoch.
type Phase struct {
	Name  PhaseName `json:"phase"`
	Epoch uint64    `json:"epoch"`
	// Baseline: it is proven that a clean key's secondary holds what the
	// primary holds, or nothing (R11). Until then reads ask the primary alone.
	Baseline bool `json:"baseline"`
	// Backfilled: new holds every object there is. Without it a switched
	// bucket's primary is incomplete (R8).
	Backfilled bool `json:"backfilled"`
}

// Store is one of a bucket's stores, with what is known of it.
type Store struct {
	backends.Store
	Profile backends.Profile // what it was seen to do
	// Circuit belongs to all buckets on the store.
	Circuit *Circuit
	// ReadOnly: it is never written to. Only an old store can be that, and only
	// from the switch on.
	ReadOnly bool
}

// view is what one operation takes for granted. It is taken once, at the
// operation's start, and compared at its end.
type view struct {
	phase   *Phase
	primary *Store
	// secondary is nil when nothing but the primary is asked.
	secondary *Store
}

func (b *Bucket) view() view {
	p := b.phase.Load()
	switch p.Name {
	case Mirroring:
		return view{p, b.old, b.new}
	case Switched:
		if p.Backfilled && b.old.ReadOnly {
			return view{p, b.new, nil}
		}
		return view{p, b.new, b.old}
	case Completed:
		return view{p, b.new, nil}
	}
	return view{p, b.old, nil}
}

// store is the store on a side; nil if it has none.
func (v view) store(s side) *Store {
	if s == primary {
		return v.primary
	}
	return v.secondary
}

// mirror is the store that writes are mirrored to, or nil.
func (v view) mirror() *Store {
	if v.secondary == nil || v.secondary.ReadOnly {
		return nil
	}
	return v.secondary
}

// ComparableETags tells whether the ETags of both stores are hashes of the content.
func (b *Bucket) ComparableETags() bool {
	return b.new != nil && route{from: b.old, to: b.new}.etags()
}

// incomplete tells whether the primary may lack objects that only the secondary
// holds: then R8 says what is true.
func (v view) incomplete() bool { return v.phase.Name == Switched && !v.phase.Backfilled }

// current tells whether the phase is still the one the view was taken in.
func (b *Bucket) current(v view) bool { return b.phase.Load().Epoch == v.phase.Epoch }

// Phase is the bucket's phase now.
func (b *Bucket) Phase() Phase { return *b.phase.Load() }

// PendingError is the refusal to change the phase while writes are pending: the
// stores may differ in what they left.
type PendingError struct {
	Bucket  string
	Pending int
}

func (e *PendingError) Error() string {
	return fmt.Sprintf("bucket %s has %d writes that are not settled: the phase can change when the repairer is done", e.Bucket, e.Pending)
}

// ErrUndecided is a phase change's failure after which either phase may be the one on
// disk. Whatever was written in one of them would be judged by the other after a
// restart; so the bucket takes no more writes until then. Reads go on.
var ErrUndecided = errors.New("the phase on disk is not known: writes are refused until the gateway is restarted")

// ChangePhase puts the bucket into another phase (R9). Background copies are
// stopped, new mutations held, those under way waited for, all for no longer than
// hold; nothing may be pending. Then next decides: what it answers must be durable
// already, and is in force when ChangePhase returns. On any error the bucket goes
// on as it was. A pending write is a *PendingError.
func (b *Bucket) ChangePhase(ctx context.Context, hold time.Duration, next func(context.Context, Phase) (Phase, error)) error {
	ctx, cancel := context.WithTimeout(ctx, hold)
	defer cancel()
	b.copying.stopAll()
	if err := b.gate.Acquire(ctx, gateWidth); err != nil {
		return fmt.Errorf("bucket %s: writes under way did not end within %v: %w", b.Name, hold, err)
	}
	defer b.gate.Release(gateWidth)
	if n := b.journal.PendingIn(b.Name); n > 0 {
		return &PendingError{b.Name, n}
	}
	p, err := next(ctx, b.Phase())
	if errors.Is(err, ErrUndecided) {
		b.halted.Store(&err)
	}
	if err != nil {
		return err
	}
	b.phase.Store(&p)
	if !b.view().incomplete() {
		b.journal.Release(b.Name) // nobody reads old any more
	}
	return nil
}

// gateWidth is the whole gate; a mutation takes one of it.
const gateWidth = 1 << 40

// pass is a mutation's place among the others: through the gates of its bucket and
// of the one it reads from, and, on an incomplete primary, with its keys locked.
type pass struct {
	view    view
	release func()
}

// enter lets a mutation in, as the view is then. The caller releases the pass when
// the mutation has ended on both stores.
func (b *Bucket) enter(ctx context.Context, m *mutation) (pass, error) {
	for {
		brought, err := m.bring(ctx)
		if err != nil {
			return pass{}, err
		}
		leave, err := m.openGates(ctx, b)
		if err != nil {
			return pass{}, err
		}
		v := b.view()
		halted := b.halted.Load()
		switch {
		case halted != nil:
			leave()
			return pass{}, *halted
		case !m.current(brought):
			leave() // a phase began in which a key may have to be brought
		case !v.incomplete():
			return pass{v, leave}, nil
		case m.whole:
			leave()
			return pass{}, errIncomplete
		default:
			unlock, err := b.lockKeys(ctx, m)
			if err != nil {
				leave()
				return pass{}, err
			}
			return pass{v, func() { unlock(); leave() }}, nil
		}
	}
}

// errIncomplete: what concerns versions, which the stores name each in its own way.
var errIncomplete = &backends.Error{
	Store: "sluice", Kind: backends.ErrNotSupported, Status: http.StatusNotImplemented, Code: "NotImplemented",
	Message: "Versions can not be named until the backfill is complete.",
}

// need is a key that must be on its bucket's primary before the mutation runs,
// because the primary judges or reads it.
type need struct {
	bucket *Bucket
	key    string
}

// bring sees to the mutation's needs and answers the views it did so in.
func (m *mutation) bring(ctx context.Context) ([]view, error) {
	views := make([]view, len(m.needs))
	for i, n := range m.needs {
		views[i] = n.bucket.view()
		if err := n.bucket.bring(ctx, views[i], n.key); err != nil {
			return nil, err
		}
	}
	return views, nil
}

func (m *mutation) current(brought []view) bool {
	for i, n := range m.needs {
		if !n.bucket.current(brought[i]) {
			return false
		}
	}
	return true
}

// openGates goes through the gates: the bucket's, and those of the buckets that are
// read.
func (m *mutation) openGates(ctx context.Context, b *Bucket) (leave func(), err error) {
	gates := []*Bucket{b}
	if m.from != nil && m.from != b {
		gates = append(gates, m.from)
	}
	for i, g := range gates {
		if err := g.gate.Acquire(ctx, 1); err != nil {
			for _, before := range gates[:i] {
				before.gate.Release(1)
			}
			return nil, err
		}
	}
	return func() {
		for _, g := range gates {
			g.gate.Release(1)
		}
	}, nil
}

// opening says how the mutation's intents begin.
func (m *mutation) opening(v view) journal.Opening {
	return journal.Opening{
		Kind: m.kind, Epoch: v.phase.Epoch, Incomplete: v.incomplete(),
		Fenced: m.kind == journal.Write && len(m.needs) == 0 && v.primary.Profile.ConditionalCreate,
	}
}
