// Package doctor looks at everything a gateway stands on: its machine, its stores, what its
// key pairs may do there, what strangers may, and its names. It needs the configuration
// alone, so that it can be asked before the first start; a running gateway adds what only
// it can tell. It changes nothing but canaries of its own, which it removes.
package doctor

import (
	"context"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/gateway/config"
	"sluice/tls"
)

// Check is one thing that was looked at.
type Check struct {
	Kind    Kind   `json:"kind"`    // of the subject
	Subject string `json:"subject"` // a directory, a store, a bucket, a host
	Name    string `json:"check"`
	Result  Result `json:"result"`
	Seen    string `json:"seen"`
	Todo    string `json:"todo,omitempty"` // what to do about it, unless all is well
	Cause   Cause  `json:"cause,omitempty"`
	// Policy gives a store's key pair all that is asked of it, where some of that is missing.
	Policy *Policy `json:"policy,omitempty"`
}

// Kind is what a subject is.
type Kind string

// The kinds, in the order of a report.
const (
	Machine Kind = "machine"
	Store   Kind = "store"
	Bucket  Kind = "bucket"
	Host    Kind = "host"
)

// Result is how a check ended.
type Result string

// The results. A warning stands in nobody's way yet.
const (
	OK      Result = "ok"
	Warning Result = "warning"
	Failed  Result = "failed"
)

// Cause tells failures apart, for the program's exit code.
type Cause string

// The causes; any other failure has none.
const (
	Unreachable Cause = "unreachable" // a store gave no usable answer
	Denied      Cause = "denied"      // a store does not let the key pair do what is needed
)

// Order says what is looked at beyond the usual.
type Order struct {
	// Estimate is how long the old stores' objects may be counted, to tell what their move
	// takes; 0: they are not.
	Estimate time.Duration `json:"estimate,omitempty"`
}

// Options are what is looked at.
type Options struct {
	Order
	Config config.Config
	// Names are the running gateway's view of its names and certificates; nil: none runs.
	Names func(ctx context.Context) []tls.Check

	// What tests change:

	Resolver tls.Resolver                                                         // nil: the system's
	Dial     func(ctx context.Context, network, address string) (net.Conn, error) // to public hosts
}

// atOnce bounds the subjects that are looked at at the same time.
const atOnce = 8

// Run looks at everything. Checks are handed to seen as they end, one at a time; Sort brings
// them into their order. When ctx is done no other check begins; its canaries are removed
// before Run returns.
func Run(ctx context.Context, o Options, seen func(Check)) error {
	var one sync.Mutex
	d := &doctor{Options: o, report: func(c Check) {
		one.Lock()
		defer one.Unlock()
		seen(c)
	}}
	var subjects errgroup.Group
	subjects.SetLimit(atOnce)
	subjects.Go(func() error { d.machine(ctx); return nil })
	subjects.Go(func() error { d.keyPairs(); return nil })
	for _, name := range slices.Sorted(maps.Keys(o.Config.Stores)) {
		subjects.Go(func() error { d.store(ctx, name); return nil })
	}
	subjects.Go(func() error { d.hosts(ctx); return nil })
	_ = subjects.Wait() // what went wrong is in the checks
	if o.Estimate > 0 && ctx.Err() == nil {
		d.estimates(ctx) // alone: it measures
	}
	return ctx.Err()
}

type doctor struct {
	Options
	report func(Check)
}

// subject is what checks are about.
type subject struct {
	kind   Kind
	name   string
	report func(Check)
}

func (s subject) ok(check, seen string) {
	s.report(Check{Kind: s.kind, Subject: s.name, Name: check, Result: OK, Seen: seen})
}

func (s subject) warn(check, seen, todo string) {
	s.report(Check{Kind: s.kind, Subject: s.name, Name: check, Result: Warning, Seen: seen, Todo: todo})
}

func (s subject) fail(check string, t trouble) {
	s.report(Check{Kind: s.kind, Subject: s.name, Name: check, Result: Failed, Seen: t.seen, Todo: t.todo, Cause: t.cause})
}

// Sort groups checks by their subjects, and leaves each subject's in the order they were
// made in.
func Sort(checks []Check) {
	kinds := []Kind{Machine, Store, Bucket, Host}
	slices.SortStableFunc(checks, func(a, b Check) int {
		if a.Kind != b.Kind {
			return slices.Index(kinds, a.Kind) - slices.Index(kinds, b.Kind)
		}
		return strings.Compare(a.Subject, b.Subject)
	})
}
