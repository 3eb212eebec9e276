package throttle

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// hindrance is something that Run sees and that work has to give way to; the zero value
// is nothing.
type hindrance struct {
	reason string
	hold   bool // no copy may begin
	fewer  bool // half of the workers each second, but one to see by whether it gets better
}

// Run watches the conditions, once a second, until ctx is done.
func (t *Throttle) Run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		t.step()
	}
}

// step is what Run does each second.
func (t *Throttle) step() {
	t.watch.Lock()
	defer t.watch.Unlock()
	t.recent.turn(&t.counting)
	seen := t.look(t.Limits())
	t.mu.Lock()
	defer t.mu.Unlock()
	t.hindrance = seen
	if seen.fewer {
		t.halve()
	}
	t.admit()
}

// look finds what hinders work now: first what holds all of it, then what is first in
// this order. The caller holds watch.
func (t *Throttle) look(l Limits) (found hindrance) {
	for _, h := range []hindrance{
		paused(l.PauseFile),
		outside(l.Windows),
		loaded(t.loadFile, l.LoadAverage),
		t.failing(l.ErrorRate),
		t.slow(OldStore, l.OldLatency),
		t.slow(NewStore, l.NewLatency),
	} {
		if found.reason == "" || h.hold && !found.hold {
			found = h
		}
	}
	return found
}

func paused(file string) hindrance {
	if file == "" {
		return hindrance{}
	}
	_, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return hindrance{}
	case err != nil: // it may exist: to rest is the safe side
		return hindrance{reason: fmt.Sprintf("pause file: %v", err), hold: true}
	}
	return hindrance{reason: fmt.Sprintf("pause file %s exists", file), hold: true}
}

func outside(windows []string) hindrance {
	if len(windows) == 0 {
		return hindrance{}
	}
	now := time.Now()
	for _, text := range windows {
		if w, ok := parseWindow(text); ok && w.contains(now) {
			return hindrance{}
		}
	}
	return hindrance{reason: "outside the window " + strings.Join(windows, ", "), hold: true}
}

// loaded holds everything at once: it takes no copy to see that the load went down.
func loaded(file string, allowed float64) hindrance {
	if allowed == 0 {
		return hindrance{}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return hindrance{} // not on this system
	}
	minute, _, _ := strings.Cut(string(text), " ")
	load, err := strconv.ParseFloat(minute, 64)
	if err != nil || load <= allowed {
		return hindrance{}
	}
	return hindrance{
		reason: fmt.Sprintf("load average %s, allowed %s", number(load), number(allowed)),
		hold:   true, fewer: true,
	}
}

func (t *Throttle) failing(allowed float64) hindrance {
	if allowed == 0 {
		return hindrance{}
	}
	percent := t.recent.errorRate()
	if percent <= allowed {
		return hindrance{}
	}
	return hindrance{
		reason: fmt.Sprintf("%s %% of the stores' answers are errors, allowed %s %%", number(percent), number(allowed)),
		hold:   percent > 2*allowed, fewer: true,
	}
}

func (t *Throttle) slow(s Side, allowed time.Duration) hindrance {
	if allowed == 0 {
		return hindrance{}
	}
	p95 := t.recent.p95(s)
	if p95 <= allowed {
		return hindrance{}
	}
	return hindrance{
		reason: fmt.Sprintf("%v store answers slowly: p95 %d ms, allowed %d ms", s, p95.Milliseconds(), allowed.Milliseconds()),
		hold:   p95 > 2*allowed, fewer: true,
	}
}

func number(x float64) string { return humanize.FtoaWithDigits(x, 2) }
