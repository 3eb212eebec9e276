package chaos

import (
	"slices"
	"testing"
	"time"
)

// shrink looks for a smaller plan that fails, too: with fewer crashes, phase changes,
// clients, operations and faults. It tries each under several schedules.
func shrink(t *testing.T, f *failure, limit time.Duration) *failure {
	end := time.Now().Add(limit)
	for again := true; again; {
		again = false
		for _, p := range smaller(f.plan) {
			for p.Schedule = 1; p.Schedule <= 30 && !again; p.Schedule++ {
				if time.Now().After(end) {
					return f
				}
				if less := play(t, p, nil); less != nil {
					f, again = less, true
				}
			}
			if again {
				break
			}
		}
	}
	return f
}

// smaller are the plans that have one thing less.
func smaller(p plan) []plan {
	var list []plan
	with := func(change func(*plan)) {
		less := p
		less.Clients = slices.Clone(p.Clients)
		change(&less)
		list = append(list, less)
	}
	for i := range p.Clients {
		with(func(less *plan) { less.Clients = slices.Delete(less.Clients, i, i+1) })
	}
	if p.Crashes > 0 {
		with(func(less *plan) { less.Crashes-- })
	}
	if n := len(p.Changes); n > 0 {
		with(func(less *plan) { less.Changes = less.Changes[:n-1] })
	}
	if p.Outages {
		with(func(less *plan) { less.Outages = false })
	}
	if p.Faults > 0 {
		with(func(less *plan) { less.Faults = 0 })
	}
	for i, ops := range p.Clients {
		for j := range ops {
			with(func(less *plan) { less.Clients[i] = slices.Delete(slices.Clone(ops), j, j+1) })
		}
	}
	return list
}
