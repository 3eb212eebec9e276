package gateway

import (
	"errors"
	"math"
	"testing"
	"time"

	"sluice/backends"
)

// TestTraffic: rates, errors and the 95th percentile are those of the last ten seconds.
func TestTraffic(t *testing.T) {
	m := newMetrics()
	watched := &traffic{metrics: m}
	now := time.Unix(1000, 0)
	ok := &patience{status: 200, whole: true}
	m.answered("s3", "GetObject", ok, time.Minute) // before anybody watched
	if got := watched.until(now); got.Seconds != 0 || got.Clients.Requests != 0 {
		t.Errorf("the first look tells %+v", got)
	}
	for range 95 {
		m.answered("s3", "GetObject", ok, 3*time.Millisecond)
		m.asked("old", 3*time.Millisecond, nil)
	}
	for range 5 {
		m.answered("s3", "PutObject", &patience{status: 503, whole: true}, 40*time.Millisecond)
		m.asked("old", 40*time.Millisecond, backends.ErrUnavailable)
	}
	m.asked("new", time.Millisecond, errors.New("a key that is not there"))
	m.held.Add(100)
	got := watched.until(now.Add(5 * time.Second))
	if got.Seconds != 5 || got.Clients.Requests != 40 || got.Clients.Errors != 1 || !near(got.Clients.P95, .005) {
		t.Errorf("clients: %+v over %v s", got.Clients, got.Seconds)
	}
	if old := got.Stores["old"]; old.Requests != 20 || old.Errors != 1 || !near(old.P95, .005) {
		t.Errorf("old: %+v", old)
	}
	if new := got.Stores["new"]; !near(new.Requests, .2) || new.Errors != 0 {
		t.Errorf("new: %+v", new)
	}
	for second := 6; second <= 16; second++ {
		got = watched.until(now.Add(time.Duration(second) * time.Second))
	}
	if got.Seconds != 10 || got.Clients.Requests != 0 || got.Clients.P95 != 0 || len(watched.readings) != 11 {
		t.Errorf("ten quiet seconds: %+v, %d readings", got, len(watched.readings))
	}
	if got := watched.until(now.Add(time.Minute)); got.Seconds != 0 || len(watched.readings) != 1 {
		t.Errorf("after a while without viewers: %+v", got)
	}
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 }
