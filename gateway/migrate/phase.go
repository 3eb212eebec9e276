package migrate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"sluice/gateway/mirror"
)

// Command is an operator's order, most often to enter another phase.
type Command string

// The commands.
const (
	Start    Command = "start"    // passthrough → mirroring
	Cancel   Command = "cancel"   // mirroring → passthrough
	Switch   Command = "switch"   // mirroring → switched
	Rollback Command = "rollback" // switched → mirroring
	Complete Command = "complete" // switched → completed

	// Pause and Resume stop and go on with the crawl; the phase stays. Resume of a
	// crawl that is finished begins another.
	Pause  Command = "pause"
	Resume Command = "resume"
)

// Leads is the phase that a command leads to; known is false for one that changes none.
func (c Command) Leads() (to mirror.PhaseName, known bool) {
	to, known = map[Command]mirror.PhaseName{
		Start: mirror.Mirroring, Cancel: mirror.Passthrough, Switch: mirror.Switched, Rollback: mirror.Mirroring, Complete: mirror.Completed,
	}[c]
	return to, known
}

// ErrWrongPhase says that the command leads out of another phase.
var ErrWrongPhase = errors.New("not in this phase")

// ErrGuard says that the command would put data at risk.
var ErrGuard = errors.New("refused")

// Seen is what a command must know of the stores.
type Seen struct {
	ReadOnly bool // old is
	Empty    bool // new is proven to be, before Start (R11)
	// GivenUp: what old alone still holds may go with it (Skip).
	GivenUp bool
}

// Next is the phase that a command leads to. It refuses what would lose data, whatever
// an operator says.
func (c Command) Next(p mirror.Phase, seen Seen) (mirror.Phase, error) {
	guard := func(format string, args ...any) (mirror.Phase, error) {
		return p, fmt.Errorf("%s: %w: %s", c, ErrGuard, fmt.Sprintf(format, args...))
	}
	n := p
	n.Epoch++
	switch {
	case c == Start && p.Name == mirror.Passthrough:
		n.Name, n.Baseline, n.Backfilled = mirror.Mirroring, seen.Empty, false
	case c == Cancel && p.Name == mirror.Mirroring:
		n.Name, n.Baseline, n.Backfilled = mirror.Passthrough, false, false
	case c == Switch && p.Name == mirror.Mirroring:
		if !p.Baseline {
			return guard("the new store was not empty when mirroring started, and what it held has not been compared")
		}
		n.Name = mirror.Switched
	case c == Rollback && p.Name == mirror.Switched:
		if seen.ReadOnly {
			return guard("the old store is read-only: it lacks what was written since the switch")
		}
		n.Name = mirror.Mirroring
	case c == Complete && p.Name == mirror.Switched:
		if !p.Backfilled && !seen.GivenUp {
			return guard("the backfill is not complete: the old store may hold the only copy of some objects")
		}
		n.Name = mirror.Completed
	default:
		return p, fmt.Errorf("%s: %w: the bucket is %s", c, ErrWrongPhase, p.Name)
	}
	return n, nil
}

// Migration changes a bucket's phase. The record in the state is the decision; the
// markers in the stores follow it. One change runs at a time.
type Migration struct {
	Bucket *mirror.Bucket
	State  *State
	Log    *slog.Logger
	// Hold answers how long writes may be held for a change.
	Hold func() time.Duration
	// Life is held while the bucket is opened, commanded or removed. What a finished crawl
	// has proven is recorded under it, too: it must not come back after its bucket went.
	Life *sync.Mutex
}

// Do changes the phase by a command, if that loses nothing.
func (m *Migration) Do(ctx context.Context, c Command) error {
	_, err := m.do(ctx, c, false)
	return err
}

// do also answers how long writes were held.
func (m *Migration) do(ctx context.Context, c Command, givenUp bool) (held time.Duration, err error) {
	seen := Seen{ReadOnly: m.Bucket.Old().ReadOnly, GivenUp: givenUp}
	if c == Start && m.Bucket.Phase().Name == mirror.Passthrough {
		// Nothing of ours writes to new in this phase.
		if seen.Empty, err = Empty(ctx, m.Bucket.New()); err != nil {
			return 0, err
		}
	}
	began := time.Now()
	err = m.change(ctx, func(p mirror.Phase) (mirror.Phase, error) { return c.Next(p, seen) })
	return time.Since(began), err
}

// Crawled records what a whole crawl has shown, with nothing pending: with baseline, that
// new holds nothing that old lacks or has otherwise (R11); with backfilled, that new
// holds every object: reads no longer fall back to old, and Complete is allowed.
func (m *Migration) Crawled(ctx context.Context, baseline, backfilled bool) error {
	next := func(p mirror.Phase) (mirror.Phase, error) {
		if _, known := m.State.Phase(m.Bucket.Name); !known || !needsCrawl(p) {
			return p, errLeft // or the bucket is being removed
		}
		p.Baseline = p.Baseline || baseline
		p.Backfilled = p.Backfilled || backfilled && p.Baseline
		return p, nil
	}
	p, err := next(m.Bucket.Phase())
	if err != nil || p == m.Bucket.Phase() {
		return err
	}
	return m.change(ctx, func(p mirror.Phase) (mirror.Phase, error) {
		p, err := next(p)
		p.Epoch++
		return p, err
	})
}

func (m *Migration) change(ctx context.Context, next func(mirror.Phase) (mirror.Phase, error)) error {
	return m.Bucket.ChangePhase(ctx, m.Hold(), func(ctx context.Context, p mirror.Phase) (mirror.Phase, error) {
		n, err := next(p)
		if err != nil {
			return p, err
		}
		if err := m.State.SetPhase(m.Bucket.Name, n); err != nil {
			return p, err
		}
		m.Log.Info("phase changed", "bucket", m.Bucket.Name, "from", p.Name, "to", n.Name, "epoch", n.Epoch)
		if err := mark(ctx, m.Bucket, Marker{Bucket: m.Bucket.Name, ID: m.State.ID(), Phase: n}); err != nil {
			// The record counts; the markers are written again at the next start.
			m.Log.Warn("a store's marker does not show the new phase yet", "bucket", m.Bucket.Name, "error", err)
		}
		return n, nil
	})
}
