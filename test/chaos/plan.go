package chaos

import (
	"math/rand/v2"
	"strings"

	"sluice/gateway/migrate"
	"sluice/gateway/mirror"
)

// plan is what a history is made of; everything else follows from its seed.
type plan struct {
	Seed, Schedule                     uint64 // what is done, and in which order
	Phase                              mirror.Phase
	Conditional, ReadOnly, ReadPrimary bool
	ACLs                               bool // without them reads are copied on their way
	Faults                             int  // percent of the requests
	Crashes                            int
	Outages                            bool    // stores go down for a while, and come back
	Before                             []place // where the keys are when the history begins
	Changes                            []migrate.Command
	Clients                            [][]op
}

type place int

const (
	nowhere place = iota
	onOld
	onBoth
)

// newPlan draws a plan.
func newPlan(seed uint64) plan {
	random := rand.New(rand.NewPCG(seed, 0))
	p := plan{
		Seed: seed, Schedule: 1, ACLs: random.IntN(2) == 0, Conditional: random.IntN(2) == 0, ReadPrimary: random.IntN(5) == 0,
		Faults: []int{0, 5, 15, 40}[random.IntN(4)], Crashes: max(0, random.IntN(4)-1), Outages: random.IntN(3) == 0,
	}
	p.Phase = mirror.Phase{Name: mirror.Mirroring, Epoch: 1, Baseline: true}
	switch random.IntN(6) {
	case 0, 1:
		p.Changes = changes(random, migrate.Switch, backfilled, migrate.Rollback, migrate.Switch, migrate.Complete)
	case 2, 3:
		p.Phase.Name = mirror.Switched
		p.Changes = changes(random, backfilled, migrate.Rollback, migrate.Switch, backfilled, migrate.Complete)
	case 4:
		p.Phase.Name, p.ReadOnly = mirror.Switched, true
		p.Changes = changes(random, backfilled, migrate.Complete)
	case 5:
		p.Phase = mirror.Phase{Name: mirror.Passthrough, Epoch: 1}
		p.Changes = changes(random, migrate.Start, migrate.Switch, migrate.Rollback, migrate.Cancel, migrate.Start)
	}
	p.Phase.Backfilled = p.Phase.Name == mirror.Switched && random.IntN(4) == 0
	for range keys {
		at := place(random.IntN(3))
		if at == onOld && p.Phase.Backfilled || at == onBoth && p.Phase.Name == mirror.Passthrough {
			at = nowhere
		}
		p.Before = append(p.Before, at)
	}
	hot := 1 + random.IntN(len(keys)) // the fewer keys, the more meets on each
	for range 2 + random.IntN(3) {
		var ops []op
		for range 2 + random.IntN(5) {
			ops = append(ops, op{draw(random, p.ACLs), random.IntN(hot), random.IntN(hot)})
		}
		p.Clients = append(p.Clients, ops)
	}
	return p
}

// backfilled is the crawl's word that new holds everything, when it is true.
const backfilled migrate.Command = "backfilled"

// changes are some of the ways, in their order.
func changes(random *rand.Rand, names ...migrate.Command) []migrate.Command {
	return names[:random.IntN(len(names)+1)]
}

// draw is an operation's name; that of a read where it would be about an ACL and the
// stores have none.
func draw(random *rand.Rand, acls bool) string {
	total := 0
	for _, o := range operations {
		total += o.weight
	}
	n := random.IntN(total)
	for _, o := range operations {
		if n -= o.weight; n < 0 {
			if !acls && strings.HasSuffix(o.name, "acl") {
				return "get"
			}
			return o.name
		}
	}
	panic("unreachable")
}
