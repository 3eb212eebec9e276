package main

import (
	"slices"
	"testing"
	"time"

	"sluice/gateway/admin"
	"sluice/gateway/migrate/throttle"
)

func TestThrottle(t *testing.T) {
	const at = "/v1/throttle"
	now := admin.ThrottleStatus{Limits: throttle.Limits{Bandwidth: 5 << 20, Workers: 4, Windows: []string{"22:00-06:00"}, OldLatency: time.Second}, Workers: 2, Reason: "OldLatency"}
	for _, c := range []struct {
		name    string
		args    []string
		request string
	}{
		{"shown", nil, ""},
		{"changed", []string{"--bandwidth", "10MiB", "--old-latency", "0"}, `{"bandwidth":10485760,"workers":4,"windows":["22:00-06:00"]}`},
		{"everything", []string{
			"--requests", "50", "--workers", "8", "--new-latency", "500ms", "--error-rate", "1.5", "--load-average", "4",
			"--window", "", "--pause-file", "/run/rest", "--bandwidth", "0", "--old-latency", "2s",
		}, `{"requests":50,"workers":8,"old_latency_p95_ns":2000000000,"new_latency_p95_ns":500000000,"error_rate":1.5,"load_average":4,"pause_file":"/run/rest"}`},
		{"none", []string{"--none"}, `{}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t, map[string][]any{"GET " + at: {now}, "PUT " + at: {now}})
			o := f.run(t, 0, append([]string{"throttle"}, c.args...)...)
			o.expect(t, 0, `
bandwidth     5.0 MiB/s
requests      no limit
workers       4
old-latency   1s
new-latency   no limit
error-rate    no limit
load-average  no limit
window        22:00-06:00
pause-file    none
now           2 workers, held back by OldLatency
`, "")
			var want []string
			if c.request != "" {
				want = []string{"PUT " + at + " " + c.request}
			}
			if !slices.Equal(o.requests, want) {
				t.Errorf("asked %q, not %q", o.requests, want)
			}
		})
	}
	f := newFake(t, map[string][]any{"GET " + at: {now}})
	f.run(t, 0, "throttle", "-o", "json").expect(t, 0, `
{
  "limits": {
    "bandwidth": 5242880,
    "workers": 4,
    "old_latency_p95_ns": 1000000000,
    "windows": [
      "22:00-06:00"
    ]
  },
  "reason": "OldLatency",
  "workers": 2
}
`, "")
}
