// Package throttle keeps background work from being felt: it decides how many copies
// run at once and how fast, and names the reason when it holds them back. Live traffic
// never passes through here.
package throttle

import "time"

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
