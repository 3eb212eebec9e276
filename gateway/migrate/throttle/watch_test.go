package throttle

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"sluice/backends"
)

func TestWindow(t *testing.T) {
	for text, minutes := range map[string]map[string]bool{
		"09:00-17:30": {"08:59": false, "09:00": true, "17:29": true, "17:30": false, "00:00": false},
		"22:00-06:00": {"21:59": false, "22:00": true, "23:59": true, "00:00": true, "05:59": true, "06:00": false, "12:00": false},
		"18:00-24:00": {"17:59": false, "18:00": true, "23:59": true, "00:00": false},
		"00:00-24:00": {"00:00": true, "23:59": true},
	} {
		w, ok := parseWindow(text)
		if !ok {
			t.Errorf("%s is refused", text)
		}
		for minute, want := range minutes {
			at, err := time.Parse("15:04", minute)
			if err != nil {
				t.Fatal(err)
			}
			if got := w.contains(at); got != want {
				t.Errorf("%s contains %s: %v", text, minute, got)
			}
		}
	}
	for _, text := range []string{
		"", "-", "22:00", "22-06", "22:00-", "-06:00", "25:00-06:00", "22:00-06:60", "06:00-06:00", "24:00-06:00", "22:00-06:00-07:00", "22:00 - 06:00",
	} {
		if w, ok := parseWindow(text); ok {
			t.Errorf("%q is taken for %v", text, w)
		}
	}
}

// TestOutsideTheWindowNothingBegins, by the local clock; what began goes on, and the
// workers are as many as before when the window opens.
func TestOutsideTheWindowNothingBegins(t *testing.T) {
	local := time.Local
	defer func() { time.Local = local }()
	time.Local = time.FixedZone("", 5*3600+1800)
	synctest.Test(t, func(t *testing.T) { // begins at 05:30 local time
		th := running(t, Limits{Windows: []string{"23:00-01:00", "06:00-07:00"}})
		expect(t, th, "outside the window 23:00-01:00, 06:00-07:00", 0)
		time.Sleep(30*time.Minute - time.Second)
		full(t, th)
		begin(t, th)
		expect(t, th, "", 8)
		time.Sleep(time.Hour)
		expect(t, th, "outside the window", 0)
		full(t, th)
	})
}

func TestNothingBeginsWhileThePauseFileExists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "pause")
		th := running(t, Limits{PauseFile: file})
		expect(t, th, "", 8)
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		expect(t, th, "pause file "+file+" exists", 0)
		full(t, th)
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		begin(t, th)
		expect(t, th, "", 8)

		// What can not be seen may exist.
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		th.Set(Limits{PauseFile: filepath.Join(file, "below a file")})
		expect(t, th, "pause file: stat ", 0)
	})
}

func TestLoadAverage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := running(t, Limits{})
		th.loadFile = filepath.Join(t.TempDir(), "loadavg")
		load := func(text string) {
			if err := os.WriteFile(th.loadFile, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		th.Set(Limits{LoadAverage: 4})
		expect(t, th, "", 8) // a system without a load average has no limit
		load("4.00 9.00 9.00 2/345 6789\n")
		expect(t, th, "", 8)
		load("7.25 0.10 0.10 2/345 6789\n")
		expect(t, th, "load average 7.25, allowed 4", 0)
		full(t, th)
		time.Sleep(time.Minute)
		load("3.99 9.00 9.00 2/345 6789\n")
		expect(t, th, "", 1) // and grows from there
		load("nonsense")
		expect(t, th, "", 1)
	})
}

// answer has a store answer n times.
func answer(th *Throttle, s Side, n int, took time.Duration, err error) {
	for range n {
		th.Observe(s, took, err)
	}
}

// TestASlowStoreGetsFewerCopies: half each second down to one, none while it is far too
// slow, and more again when the slow answers are ten seconds old.
func TestASlowStoreGetsFewerCopies(t *testing.T) {
	for side, c := range map[Side]struct {
		limits Limits
		name   string
	}{
		OldStore: {Limits{OldLatency: 500 * time.Millisecond}, "old"},
		NewStore: {Limits{NewLatency: 500 * time.Millisecond}, "new"},
	} {
		synctest.Test(t, func(t *testing.T) {
			th := running(t, c.limits)
			time.Sleep(time.Second / 2) // between Run's looks
			answer(th, side, 100, 500*time.Millisecond, nil)
			answer(th, 1-side, 100, time.Minute, nil) // has no limit
			time.Sleep(time.Second)
			expect(t, th, "", 8)
			answer(th, side, 7, 812*time.Millisecond, nil) // 7 of 107, in the span from 802 ms
			reason := fmt.Sprintf("%s store answers slowly: p95 802 ms, allowed 500 ms", c.name)
			for _, workers := range []int{4, 2, 1, 1, 1} {
				time.Sleep(time.Second)
				expect(t, th, reason, workers)
			}
			stop := work(t, th, 100, time.Millisecond, nil)
			time.Sleep(time.Second / 4)
			expect(t, th, reason, 1) // copies that go well do not count now
			stop()
			answer(th, side, 7, 1100*time.Millisecond, nil)
			time.Sleep(time.Second)
			expect(t, th, c.name+" store answers slowly: p95 10", 0)
			full(t, th)
			time.Sleep(10 * time.Second)
			expect(t, th, "", 1)
			stop = work(t, th, 100, time.Second/10, nil)
			time.Sleep(time.Minute)
			expect(t, th, "", DefaultWorkers)
			stop()
		})
	}
}

// TestAFewSlowAnswersProveNothing: neither the slowest 5 of 100, nor two of a store that
// is hardly used.
func TestAFewSlowAnswersProveNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := running(t, Limits{OldLatency: 500 * time.Millisecond})
		answer(th, OldStore, 2, time.Minute, nil)
		time.Sleep(time.Second)
		expect(t, th, "", 8)
		answer(th, OldStore, 95, time.Millisecond, nil)
		answer(th, OldStore, 3, time.Minute, nil)
		time.Sleep(time.Second)
		expect(t, th, "", 8)
		answer(th, OldStore, 1, time.Minute, nil)
		time.Sleep(time.Second)
		expect(t, th, "old store answers slowly: p95 ", 0)
	})
}

// TestFailingStoresGetFewerCopies, where errors are what the stores fail at, not what
// they rightly refuse or what clients gave up.
func TestFailingStoresGetFewerCopies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := running(t, Limits{ErrorRate: 2})
		failure := func(kind error) error { return &backends.Error{Kind: kind} }
		time.Sleep(time.Second / 2)
		answer(th, OldStore, 50, time.Millisecond, nil)
		answer(th, NewStore, 50, time.Millisecond, failure(backends.ErrNotFound))
		answer(th, NewStore, 50, time.Millisecond, &backends.Error{Kind: backends.ErrUnavailable, Err: context.Canceled})
		answer(th, NewStore, 2, time.Millisecond, failure(backends.ErrUnavailable))
		time.Sleep(time.Second)
		expect(t, th, "", 8)
		answer(th, OldStore, 1, time.Millisecond, failure(backends.ErrSlowDown))
		time.Sleep(time.Second)
		expect(t, th, "2.91 % of the stores' answers are errors, allowed 2 %", 4)
		answer(th, OldStore, 2, time.Millisecond, failure(backends.ErrUnavailable))
		time.Sleep(time.Second)
		expect(t, th, "4.76 % of the stores' answers are errors, allowed 2 %", 0)
		full(t, th)
		time.Sleep(10 * time.Second)
		expect(t, th, "", 1)

		answer(th, OldStore, 2, time.Millisecond, failure(backends.ErrUnavailable))
		time.Sleep(time.Second)
		expect(t, th, "", 1) // two failures alone prove nothing
	})
}

// TestTheHardestReasonIsNamed: what holds everything comes before what only slows.
func TestTheHardestReasonIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := running(t, Limits{ErrorRate: 60, OldLatency: time.Second})
		answer(th, OldStore, 10, time.Minute, backends.ErrUnavailable)
		time.Sleep(time.Second)
		expect(t, th, "old store answers slowly", 0)
	})
}

// TestSpans: each time is counted in a span that begins no more than 1/32 before it.
func TestSpans(t *testing.T) {
	for us := int64(1); us <= longest; us += 1 + us/1000 {
		took := time.Duration(us) * time.Microsecond
		if s := shortest(spanOf(took)); s > took || took-s > took/spansPerPower {
			t.Fatalf("%v is counted as %v", took, s)
		}
	}
	if first, last := spanOf(-time.Second), spanOf(24*time.Hour); first != 0 || last != spans-1 {
		t.Errorf("spans %d and %d, want 0 and %d", first, last, spans-1)
	}
}
