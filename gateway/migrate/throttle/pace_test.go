package throttle

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// near tells whether a time is right up to what the burst lets through at once.
func near(d, want time.Duration) bool { return (d - want).Abs() <= 150*time.Millisecond }

// TestBandwidth: bytes pass at the rate, in pieces of any size and from many copies.
func TestBandwidth(t *testing.T) {
	for name, c := range map[string]struct{ copies, pieces, piece int }{
		"one piece, far beyond the burst": {1, 1, 100 << 20},
		"as io.Copy reads":                {1, 100 << 5, 32 << 10},
		"many copies":                     {25, 4, 1 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				th := running(t, Limits{Bandwidth: 10 << 20})
				start := time.Now()
				done := make(chan error)
				for range c.copies {
					go func() {
						for range c.pieces {
							if err := th.Bytes(t.Context(), c.piece); err != nil {
								done <- err
								return
							}
						}
						done <- nil
					}()
				}
				for range c.copies {
					if err := <-done; err != nil {
						t.Error(err)
					}
				}
				if d := time.Since(start); !near(d, 10*time.Second) {
					t.Errorf("100 MiB at 10 MiB/s took %v", d)
				}
			})
		})
	}
}

func TestRequests(t *testing.T) {
	for rate, want := range map[float64]time.Duration{50: 2 * time.Second, 0.5: 198 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			th := running(t, Limits{Requests: rate})
			start := time.Now()
			for range 50 {
				if err := th.Request(t.Context(), 2); err != nil {
					t.Fatal(err)
				}
			}
			if d := time.Since(start); !near(d, want) {
				t.Errorf("100 requests at %v/s took %v, want %v", rate, d, want)
			}
		})
	}
}

// TestPaceIsNamedWhileItIsFelt: during a wait and two seconds after, not because there
// is a limit.
func TestPaceIsNamedWhileItIsFelt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := running(t, Limits{Bandwidth: 10 << 20, Requests: 50})
		th.Bytes(t.Context(), 100<<10)
		th.Request(t.Context(), 1)
		expect(t, th, "", 8) // none waited
		go th.Bytes(t.Context(), 100<<20)
		time.Sleep(5 * time.Second)
		expect(t, th, "bandwidth limit 10 MiB/s", 8)
		time.Sleep(6 * time.Second)
		expect(t, th, "bandwidth limit 10 MiB/s", 8)
		time.Sleep(2 * time.Second)
		expect(t, th, "", 8)
		go th.Request(t.Context(), 100)
		time.Sleep(time.Second)
		expect(t, th, "requests limit 50/s", 8)
		time.Sleep(4 * time.Second)
		expect(t, th, "", 8)

		th.Set(Limits{Requests: 0.01})
		th.Request(t.Context(), 1)
		go th.Request(t.Context(), 1)
		time.Sleep(time.Minute) // the one wait is long
		expect(t, th, "requests limit 0.01/s", 8)
	})
}

// TestPaceChangesForWhoWaits: a wait of a day ends when the limit does, and one that
// became longer or shorter goes on at the new rate.
func TestPaceChangesForWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := running(t, Limits{Bandwidth: 1})
		start := time.Now()
		done := make(chan error, 3)
		go func() { done <- th.Bytes(t.Context(), 100<<20) }()
		time.Sleep(time.Minute)
		for workers := range 200 { // all but the first change another limit: no burst each
			th.Set(Limits{Bandwidth: 10 << 20, Workers: workers})
			synctest.Wait()
		}
		if err := <-done; err != nil || !near(time.Since(start), 70*time.Second) {
			t.Errorf("after %v: %v", time.Since(start), err)
		}

		th.Set(Limits{Requests: 0.001})
		th.Request(t.Context(), 1)
		start = time.Now()
		for range 3 {
			go func() { done <- th.Request(t.Context(), 1) }()
		}
		time.Sleep(time.Minute)
		th.Set(Limits{Requests: 0.1}) // one goes on at once, the others after 10 s each
		for range 3 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if d := time.Since(start); !near(d, 80*time.Second) {
			t.Errorf("three requests at 0.1/s ended %v after the start", d)
		}

		th.Set(Limits{Requests: 0.001})
		th.Request(t.Context(), 1)
		start = time.Now()
		go func() { done <- th.Request(t.Context(), 5) }()
		time.Sleep(time.Minute)
		th.Set(Limits{})
		if err := <-done; err != nil || time.Since(start) != time.Minute {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		expect(t, th, "", 8)
	})
}

// TestWhoGivesUpPaysNothing: a cancelled wait ends at once, and the others do not wait
// for it.
func TestWhoGivesUpPaysNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := running(t, Limits{Requests: 1})
		th.Request(t.Context(), 1)
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := th.Request(ctx, 1); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Millisecond {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		if err := th.Request(t.Context(), 1); err != nil || !near(time.Since(start), time.Second) {
			t.Errorf("the next one after %v: %v", time.Since(start), err)
		}
	})
}
