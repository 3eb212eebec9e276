// Package throttle keeps background work from being felt: it decides how many copies
// run at once and how fast, and names the reason when it holds them back. Live traffic
// never passes through here.
package throttle

import (
	"fmt"
	"time"
)

// Limits are what an operator allows background work. The zero value of a field is no
// limit.
type Limits struct {
	Bandwidth   int64         `json:"bandwidth,omitempty"` // bytes a second
	Requests    float64       `json:"requests,omitempty"`  // to the stores, a second
	Workers     int           `json:"workers,omitempty"`   // copies at once; 0 means DefaultWorkers
	OldLatency  time.Duration `json:"old_latency_p95_ns,omitempty"`
	NewLatency  time.Duration `json:"new_latency_p95_ns,omitempty"`
	ErrorRate   float64       `json:"error_rate,omitempty"`   // percent of the stores' answers
	LoadAverage float64       `json:"load_average,omitempty"` // of this machine, one minute
	Windows     []string      `json:"windows,omitempty"`      // "22:00-06:00", local time; empty: always
	PauseFile   string        `json:"pause_file,omitempty"`   // work rests while it exists
}

// DefaultWorkers keep a store across a network busy with small objects. A store that
// can not bear them says so, and gets fewer.
const DefaultWorkers = 32

func (l Limits) workers() int {
	if l.Workers == 0 {
		return DefaultWorkers
	}
	return l.Workers
}

// Check tells bad of everything that is wrong, with the setting's name in the
// configuration file.
func (l Limits) Check(bad func(setting, format string, args ...any)) {
	if l.Workers < 0 {
		bad("workers", "%d is negative", l.Workers)
	}
	if l.Bandwidth < 0 {
		bad("bandwidth", "%d is negative", l.Bandwidth)
	}
	amount := func(setting string, value, most float64) {
		if !(value >= 0 && value <= most) { // in these words NaN is refused too
			bad(setting, "%v is not a number from 0 to %v", value, most)
		}
	}
	amount("requests", l.Requests, 1e9)
	amount("error_rate", l.ErrorRate, 100)
	amount("load_average", l.LoadAverage, 1e9)
	for setting, value := range map[string]time.Duration{"old_latency_p95": l.OldLatency, "new_latency_p95": l.NewLatency} {
		// Milliseconds taken for nanoseconds would hold everything for ever.
		if value < 0 || value > 0 && value < time.Millisecond {
			bad(setting, "%v is less than 1ms", value)
		}
	}
	for i, text := range l.Windows {
		if _, ok := parseWindow(text); !ok {
			bad(fmt.Sprintf("windows[%d]", i), "%q is not a window such as 22:00-06:00", text)
		}
	}
}
