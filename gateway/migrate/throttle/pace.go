package throttle

import (
	"context"
	"math"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// feltFor is how long a pace is named as a reason after somebody waited for it: long
// enough that a status shows it although most pieces pass without a wait.
const feltFor = 2 * time.Second

// pace lets so many units pass a second. Its zero value lets everything pass.
type pace struct{ now atomic.Pointer[allowance] }

// allowance is a pace until it is changed. A reservation of x/time/rate knows the rate of
// the moment it was made, so that another rate is another limiter, and who waits goes
// over to it.
type allowance struct {
	*rate.Limiter
	changed chan struct{} // closed when another took its place
	waiting atomic.Int64  // how many wait now
	waited  atomic.Int64  // when the last of them went on, in nanoseconds
}

func (p *pace) set(perSecond float64) {
	old := p.now.Load()
	if old == nil && perSecond == 0 || old != nil && float64(old.Limit()) == perSecond {
		return
	}
	var next *allowance
	if perSecond > 0 {
		// What an idle time saves up is a tenth of a second's: a store sees no surge.
		burst := int(math.Ceil(perSecond / 10))
		next = &allowance{Limiter: rate.NewLimiter(rate.Limit(perSecond), burst), changed: make(chan struct{})}
	}
	p.now.Store(next)
	if old != nil {
		close(old.changed)
	}
}

// pay waits until n units may pass, in pieces where n is more than the burst.
func (p *pace) pay(ctx context.Context, n int) error {
	for n > 0 {
		a := p.now.Load()
		if a == nil {
			return nil
		}
		piece := min(n, a.Burst())
		paid, err := a.pay(ctx, piece)
		if err != nil {
			return err
		}
		if paid {
			n -= piece
		}
	}
	return nil
}

// pay is false if the pace changed meanwhile.
func (a *allowance) pay(ctx context.Context, n int) (paid bool, err error) {
	r := a.ReserveN(time.Now(), n)
	delay := r.Delay()
	if delay == 0 {
		return true, nil
	}
	a.waiting.Add(1)
	defer func() {
		a.waited.Store(time.Now().UnixNano())
		a.waiting.Add(-1)
	}()
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true, nil
	case <-a.changed:
		return false, nil
	case <-ctx.Done():
		r.Cancel()
		return false, ctx.Err()
	}
}

// felt tells whether somebody waits, or did in the last moments.
func (p *pace) felt() bool {
	a := p.now.Load()
	return a != nil && (a.waiting.Load() > 0 || time.Since(time.Unix(0, a.waited.Load())) < feltFor)
}
