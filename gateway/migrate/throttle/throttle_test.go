package throttle

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/backends"
)

// running is a throttle that watches until the test ends.
func running(t *testing.T, l Limits) *Throttle {
	t.Helper()
	th, err := New(l)
	if err != nil {
		t.Fatal(err)
	}
	go th.Run(t.Context())
	return th
}

// expect compares a status; reason is what it begins with.
func expect(t *testing.T, th *Throttle, reason string, workers int) {
	t.Helper()
	synctest.Wait()
	r, n := th.Status()
	if n != workers || !strings.HasPrefix(r, reason) || reason == "" && r != "" {
		t.Errorf("%d workers and the reason %q, want %d and %q", n, r, workers, reason)
	}
}

// begin waits for a place, and fails after a minute.
func begin(t *testing.T, th *Throttle) (end func(error)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	end, err := th.Begin(ctx)
	if err != nil {
		t.Fatal("no place within a minute:", err)
	}
	return end
}

// full fails if there is a place.
func full(t *testing.T, th *Throttle) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := th.Begin(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Begin beyond the places: %v", err)
	}
}

// work has so many callers copy one after the other, each copy with result after took,
// until stop.
func work(t *testing.T, th *Throttle, callers int, took time.Duration, result error) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	for range callers {
		go func() {
			for {
				end, err := th.Begin(ctx)
				if err != nil {
					return
				}
				time.Sleep(took)
				end(result)
			}
		}()
	}
	return func() {
		cancel()
		time.Sleep(took)
		synctest.Wait()
	}
}

func TestPlacesAreBounded(t *testing.T) {
	for _, c := range []struct{ limit, start int }{{0, 8}, {3, 3}, {100, 8}} {
		synctest.Test(t, func(t *testing.T) {
			th := running(t, Limits{Workers: c.limit})
			for range c.start - 1 {
				begin(t, th)
			}
			end := begin(t, th)
			full(t, th)
			end(nil)
			end(nil) // must not give a second place
			begin(t, th)
			full(t, th)
		})
	}
}

// TestGrowsWhileSomebodyWaits: one more place for each round that went well, up to the
// limit, but only if places are what is missing.
func TestGrowsWhileSomebodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := running(t, Limits{})
		stop := work(t, th, 8, time.Second, nil)
		time.Sleep(time.Minute)
		expect(t, th, "", 8) // nobody waited
		stop()

		stop = work(t, th, 100, time.Second, errors.New("failed"))
		time.Sleep(time.Minute)
		expect(t, th, "", 8) // nothing went well
		stop()

		stop = work(t, th, 100, time.Second, nil)
		time.Sleep(4500 * time.Millisecond)
		if _, n := th.Status(); n < 11 || n > 12 {
			t.Errorf("%d workers after 4 rounds with 8", n)
		}
		time.Sleep(time.Minute)
		expect(t, th, "", DefaultWorkers)
		stop()
	})
}

// TestStoreAsksToSlowDown: half of the workers at once, once for all the copies that
// hear it in one second, and no growth for a while.
func TestStoreAsksToSlowDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := running(t, Limits{})
		slowDown := fmt.Errorf("copy: %w", &backends.Error{Kind: backends.ErrSlowDown})
		var ends []func(error)
		for range 8 {
			ends = append(ends, begin(t, th))
		}
		for _, end := range ends[:4] {
			end(slowDown)
		}
		expect(t, th, "store asks to slow down", 4)
		full(t, th) // four are still under way
		time.Sleep(time.Second)
		ends[4](slowDown)
		expect(t, th, "store asks to slow down", 2)
		time.Sleep(time.Second)
		ends[5](slowDown)
		time.Sleep(time.Second)
		ends[6](slowDown)
		expect(t, th, "store asks to slow down", 1) // never none
		ends[7](nil)

		stop := work(t, th, 100, time.Second/10, nil)
		time.Sleep(slowDownRest - time.Second)
		expect(t, th, "store asks to slow down", 1)
		time.Sleep(time.Minute)
		expect(t, th, "", DefaultWorkers)
		stop()
	})
}

// TestFirstComeFirstServed: who waits is let in in order, however many come later.
func TestFirstComeFirstServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := running(t, Limits{Workers: 1})
		end := begin(t, th)
		var order []int
		for i := range 100 {
			go func() {
				end := begin(t, th)
				order = append(order, i) // one place: one at a time
				end(nil)
			}()
			synctest.Wait()
		}
		end(nil)
		synctest.Wait()
		for i, n := range order {
			if i != n {
				t.Fatalf("served in the order %v", order)
			}
		}
		if len(order) != 100 {
			t.Errorf("%d of 100 were served", len(order))
		}
	})
}

// TestCancellationLeaksNoPlace: whenever a waiter gives up, also in the moment in which
// it is served, every place is there again in the end and nobody is forgotten.
func TestCancellationLeaksNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := running(t, Limits{Workers: 3})
		done := make(chan int)
		for i := range 2000 {
			go func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(200))*time.Millisecond)
				defer cancel()
				if end, err := th.Begin(ctx); err == nil {
					time.Sleep(time.Duration(rand.IntN(3)) * time.Millisecond) // many end as others give up
					end(nil)
				}
				done <- i
			}()
		}
		for range 2000 {
			<-done
		}
		if th.busy != 0 || th.queue.Len() != 0 {
			t.Errorf("%d places taken and %d waiting at the end", th.busy, th.queue.Len())
		}
		for range 3 {
			begin(t, th)
		}
		full(t, th)
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		th.Set(Limits{Workers: 8})
		if _, err := th.Begin(cancelled); !errors.Is(err, context.Canceled) {
			t.Errorf("a place for who is gone: %v", err)
		}
	})
}

// TestPlaceGrantedAndCancelled: of a place and a cancellation that come in the same
// moment the waiter may see either; the place is not lost.
func TestPlaceGrantedAndCancelled(t *testing.T) {
	for range 500 {
		th, err := New(Limits{Workers: 1})
		if err != nil {
			t.Fatal(err)
		}
		first, err := th.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			if end, err := th.Begin(ctx); err == nil {
				end(nil)
			}
		}()
		go cancel()
		first(nil)
		<-gone
		if th.busy != 0 {
			t.Fatal("the place is lost")
		}
	}
}

// TestLimitsChangeAtOnce, for who waits already too and without Run's help.
func TestLimitsChangeAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th, err := New(Limits{Workers: 1, Windows: []string{"12:00-12:01"}})
		if err != nil {
			t.Fatal(err)
		}
		begun := 0
		for range 10 {
			go func() {
				if _, err := th.Begin(t.Context()); err == nil {
					th.mu.Lock()
					begun++
					th.mu.Unlock()
				}
			}()
		}
		for _, step := range []struct {
			limits         Limits
			begun, workers int
		}{
			{Limits{Workers: 1, Windows: []string{"12:00-12:01"}}, 0, 0},
			{Limits{Workers: 1}, 1, 1},
			{Limits{Workers: 4}, 4, 4},
			{Limits{Workers: 2}, 4, 2},
			{Limits{Workers: 100}, 8, 8},
		} {
			if err := th.Set(step.limits); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if _, workers := th.Status(); begun != step.begun || workers != step.workers {
				t.Errorf("%+v: %d begun, %d workers; want %d, %d", step.limits, begun, workers, step.begun, step.workers)
			}
		}
	})
}

func TestWrongLimitsChangeNothing(t *testing.T) {
	right := Limits{Workers: 5, Windows: []string{"00:00-24:00"}, OldLatency: time.Second}
	th, err := New(right)
	if err != nil {
		t.Fatal(err)
	}
	for want, l := range map[string]Limits{
		"bandwidth":       {Bandwidth: -1},
		"requests":        {Requests: -0.5},
		"requests: NaN":   {Requests: math.NaN()},
		"workers":         {Workers: -1},
		"old_latency_p95": {OldLatency: -time.Second},
		"new_latency_p95": {NewLatency: 500}, // milliseconds were meant
		"error_rate":      {ErrorRate: 101},
		"load_average":    {LoadAverage: math.Inf(1)},
		"windows[1]":      {Windows: []string{"22:00-06:00", "22-06"}},
	} {
		if err := th.Set(l); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%+v: error %v, want %s", l, err, want)
		}
		if th, err := New(l); err == nil || th != nil {
			t.Errorf("New(%+v) takes it", l)
		}
	}
	if got := th.Limits(); !reflect.DeepEqual(got, right) {
		t.Errorf("%+v", got)
	}
	th.Limits().Windows[0] = "nonsense"
	right.Windows[0] = "nonsense"
	if got := th.Limits().Windows[0]; got != "00:00-24:00" {
		t.Errorf("the caller's slice reaches into the throttle: %s", got)
	}
}

// TestNoLimitsCostNothing: no wait, no reason, no allocation.
func TestNoLimitsCostNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := running(t, Limits{})
		ctx := t.Context()
		failure := errors.New("failed")
		start := time.Now()
		if n := testing.AllocsPerRun(100, func() {
			th.Request(ctx, 1000)
			th.Bytes(ctx, 1<<40)
			th.Observe(OldStore, time.Minute, failure)
		}); n != 0 {
			t.Errorf("%v allocations", n)
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("it took %v", d)
		}
		if n := th.counting[OldStore].took[spanOf(time.Minute)].Load(); n != 0 {
			t.Errorf("%d answers were counted", n)
		}
		time.Sleep(2 * time.Second)
		expect(t, th, "", 8)
	})
}
