package config

import (
	"fmt"
	"time"

	"sluice/gateway/migrate/throttle"
)

// Migration holds the settings of mirroring and backfill.
type Migration struct {
	// How long writes may be held while the phase changes; a change that would need
	// longer does not happen.
	Hold Duration `yaml:"hold"`
	// The dual write, and the order of reads.
	Mirror Mirror `yaml:"mirror"`
	// Copying old to new.
	Backfill Backfill `yaml:"backfill"`
}

// Mirror holds the settings of the dual write and the read order.
type Mirror struct {
	// How long the secondary store may make a client wait after the primary answered.
	// What it misses is on record, and repaired.
	SyncTimeout Duration `yaml:"sync_timeout"`
	// How long to wait for a store's answer, or for a store that takes no more of a body.
	StoreTimeout Duration `yaml:"store_timeout"`
	// How long a request whose answer was lost may still take effect on a store. It must
	// be longer than a store, or a proxy before it, keeps a dead connection's request.
	Quarantine Duration `yaml:"quarantine"`
	// What a client is told when the secondary fails. `queue`: success, and the write is
	// repaired later. `fail`: an error, and it is repaired all the same.
	OnSecondaryError string `yaml:"on_secondary_error" enum:"queue,fail"`
	// Which store is asked first for a key that both hold. `new`: new, then old. `primary`:
	// the one that is right by definition.
	Reads string `yaml:"reads" enum:"new,primary"`
	// How many writes may wait for repair before clients are slowed down; at least 1000.
	MaxPending int `yaml:"max_pending"`
}

// Backfill holds the settings of copying old to new.
type Backfill struct {
	// Copies at once, at most.
	Workers int `yaml:"workers"`
	// What copying is allowed; what is left out is not limited. `sluice throttle` changes
	// it at run time. Clients are never throttled.
	Throttle Throttle `yaml:"throttle"`
	// What comes first and what is left out. Keys without a rule are copied, after those
	// that have one.
	Order []Rule `yaml:"order" example:"[ { prefix: media_attachments/ }, { prefix: cache/, mode: lazy } ]"`
}

// Throttle says what copying is allowed.
type Throttle struct {
	// Bytes a second.
	Bandwidth Size `yaml:"bandwidth" example:"50MiB"`
	// Requests to the stores, a second.
	Requests float64 `yaml:"requests"`
	// The 95th percentile of the old store's answers above which copying slows down;
	// clients' requests count, too. At least 1ms.
	OldLatency Duration `yaml:"old_latency_p95" example:"500ms"`
	// The same of the new store.
	NewLatency Duration `yaml:"new_latency_p95" example:"500ms"`
	// Percent of the stores' answers that may be errors.
	ErrorRate float64 `yaml:"error_rate" example:"1"`
	// The load of this machine, over one minute.
	LoadAverage float64 `yaml:"load_average" example:"4"`
	// When to work, in local time; none named: always.
	Windows []string `yaml:"windows" example:"['22:00-06:00']"`
	// Work rests while this file exists.
	PauseFile string `yaml:"pause_file" example:"/run/sluice.pause"`
}

// Limits are the settings as the throttle takes them.
func (b Backfill) Limits() throttle.Limits {
	t := b.Throttle
	return throttle.Limits{
		Bandwidth: int64(t.Bandwidth), Requests: t.Requests, Workers: b.Workers,
		OldLatency: time.Duration(t.OldLatency), NewLatency: time.Duration(t.NewLatency),
		ErrorRate: t.ErrorRate, LoadAverage: t.LoadAverage,
		Windows: t.Windows, PauseFile: t.PauseFile,
	}
}

// Rule says what becomes of the keys with a prefix.
type Rule struct {
	// What the keys begin with; empty: every key.
	Prefix string `yaml:"prefix"`
	// How they come to new. `copy`: the crawl copies them. `lazy`: a read copies what it asks
	// for. `skip`: they are not copied at all.
	Mode Mode `yaml:"mode" enum:"copy,lazy,skip," default:"copy"`
}

// Mode is how keys come to the new store.
type Mode string

// The modes.
const (
	Copy Mode = "copy" // the crawl copies them
	Lazy Mode = "lazy" // a read copies what it asks for
	Skip Mode = "skip" // they are not copied at all
)

func (b Backfill) check(path string, bad func(path, format string, args ...any)) {
	b.Limits().Check(func(setting, format string, args ...any) {
		place := path + ".throttle."
		if setting == "workers" {
			place = path + "."
		}
		bad(place+setting, format, args...)
	})
	rules := make(map[string]int, len(b.Order))
	for i, r := range b.Order {
		place := fmt.Sprintf("%s.order[%d]", path, i)
		if first, twice := rules[r.Prefix]; twice {
			bad(place+".prefix", "%q has a rule already: order[%d]", r.Prefix, first)
		} else {
			rules[r.Prefix] = i
		}
	}
}
