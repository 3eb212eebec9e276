package migrate

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sluice/backends"
	"sluice/backends/faulty"
	"sluice/gateway/config"
	"sluice/gateway/mirror"
)

func numbered(format string, n int) (keys []string) {
	for i := range n {
		keys = append(keys, fmt.Sprintf(format, i))
	}
	return keys
}

// calls counts everything but listings that the stores were asked.
func (y *yard) calls() (n int) {
	for _, s := range []*faulty.Store{y.old, y.new} {
		for _, op := range []string{
			"GetObject", "HeadObject", "PutObject", "DeleteObject", "CopyObject", "CreateMultipartUpload",
			"GetObjectTagging", "GetObjectAcl", "PutObjectAcl", "PutObjectTagging",
		} {
			n += s.Calls(op)
		}
	}
	return n
}

// TestCrawlCopiesEverything, with what describes it; a second pass over what did not
// change asks for listings alone, and one after changes behind our back copies those and
// nothing else. Seen to fail with look always true and
// without skew in look (the changed headers).
func TestCrawlCopiesEverything(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard) {
		keys := numbered("media/%03d", 150)
		fill(t, y.oldStore, keys...)
		putOn(t, y.oldStore, "dressed", "x", http.Header{
			"Content-Type": {"image/png"}, "Cache-Control": {"max-age=1"}, "X-Amz-Meta-A": {"b"}, "X-Amz-Tagging": {"c=d"}, "X-Amz-Acl": {"public-read"},
		})
		putOn(t, y.oldStore, "empty", "", nil)
		y.must(Start)
		p := y.crawled()
		y.same()
		if p.Copied.Objects != 152 || p.Done.Objects != 152 || p.Missing != 152 || !y.Bucket.Phase().Backfilled {
			t.Errorf("%+v in %+v", p, y.Bucket.Phase())
		}
		info, err := y.newStore.Head(t.Context(), backends.GetRequest{Key: "dressed"})
		y.ok(err)
		tags, err := backends.Tags(t.Context(), y.newStore, "dressed")
		y.ok(err)
		acl, err := backends.CannedACL(t.Context(), y.newStore, "dressed")
		y.ok(err)
		h := info.Header
		if h.Get("Content-Type") != "image/png" || h.Get("Cache-Control") != "max-age=1" || h.Get("X-Amz-Meta-A") != "b" || tags.Get("c") != "d" || acl != "public-read" {
			t.Errorf("the copy has %v, tags %v, ACL %s", h, tags, acl)
		}

		asked := y.calls()
		y.must(Resume)
		p = y.crawled()
		if y.calls() != asked || p.Copied.Objects != 0 || p.Same != 152 {
			t.Errorf("a second pass made %d requests: %+v", y.calls()-asked, p)
		}

		time.Sleep(time.Hour)
		fill(t, y.oldStore, "behind/new")
		putOn(t, y.oldStore, "media/001", "changed", nil)
		putOn(t, y.oldStore, "media/002", "media/002", http.Header{"Content-Type": {"text/new"}})
		y.must(Resume)
		p = y.crawled()
		y.same()
		info, err = y.newStore.Head(t.Context(), backends.GetRequest{Key: "media/002"})
		y.ok(err)
		if p.Copied.Objects != 3 || p.Different != 2 || p.Missing != 1 || info.Header.Get("Content-Type") != "text/new" {
			t.Errorf("a pass after three changes: %+v; %v", p, info.Header)
		}
	})
}

// TestCrawlForgetsNoKey: what fails is shown with its error, tried again, and keeps the
// backfill from being complete, over a restart too; when the fault is gone it is copied
// and counted once. Seen to fail with Later left out of the record, and with an end of
// the sweep that does not look at it.
func TestCrawlForgetsNoKey(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard) {
		fill(t, y.oldStore, numbered("k/%02d", 30)...)
		y.old.Fail(fails(y.old, faulty.Fault{Op: "GetObject", Key: "k/07"}))
		y.new.Fail(fails(y.new, faulty.Fault{Op: "PutObject", Key: "k/11"}))
		y.must(Start)
		for round := range 3 {
			time.Sleep(10 * time.Minute)
			synctest.Wait()
			p := y.Crawl.Progress()
			if p.State != Running || p.Failed != 2 || len(p.Failures) != 2 || p.Failures[0].Key != "k/07" || p.Failures[1].Key != "k/11" ||
				!strings.Contains(p.Failures[0].Error, "refused") || p.Failures[0].Attempts < 2 {
				t.Fatalf("round %d: %+v", round, p)
			}
			if p.Done.Objects != 28 || y.Bucket.Phase().Backfilled {
				t.Errorf("round %d: %d done in %+v", round, p.Done.Objects, y.Bucket.Phase())
			}
			y.restart()
		}
		y.old.Heal()
		y.new.Heal()
		p := y.crawled()
		y.same()
		if p.Done.Objects != 30 || p.Failed != 0 || p.Copied.Objects != 30 || p.Done.Bytes != 30*4 || !y.Bucket.Phase().Backfilled {
			t.Errorf("%+v", p)
		}
	})
}

// TestCrawlOutlivesOutages of either store, begun anywhere in it: it waits, and goes on.
// Seen to fail with run ending at a listing's error, and with a failing key that is
// dropped.
func TestCrawlOutlivesOutages(t *testing.T) {
	for _, side := range []string{"old", "new"} {
		for _, after := range []int{0, 1, 20, 90} {
			t.Run(fmt.Sprint(side, " after ", after), func(t *testing.T) {
				inYard(t, func(t *testing.T, y *yard) {
					fill(t, y.oldStore, numbered("k/%03d", 120)...)
					down := map[string]*faulty.Store{"old": y.old, "new": y.new}[side]
					var copies atomic.Int64
					y.new.Fail(faulty.Fault{Op: "PutObject", Before: func(context.Context) error {
						if copies.Add(1) == int64(after)+2 { // the markers are put first
							down.SetDown(true)
						}
						return nil
					}})
					y.must(Start)
					if after == 0 {
						down.SetDown(true)
					}
					time.Sleep(3 * time.Minute)
					synctest.Wait()
					if p := y.Crawl.Progress(); p != nil && p.State == Finished {
						t.Errorf("finished without %s: %+v", side, p)
					}
					y.old.Heal()
					y.new.Heal()
					p := y.crawled()
					y.same()
					if p.Done.Objects != 120 || !y.Bucket.Phase().Backfilled {
						t.Errorf("%+v", p)
					}
				})
			})
		}
	}
}

// TestCrawlUnderTraffic: clients write and delete while it runs, in every phase; at the
// end both stores hold what the last acknowledged write of each key left, and nothing
// else. Seen to fail, on plain stores, with BeginCopy's refusal of dirty keys taken out.
func TestCrawlUnderTraffic(t *testing.T) {
	for _, c := range []struct{ early, plain bool }{{false, false}, {false, true}, {true, false}, {true, true}} {
		early := c.early
		t.Run(fmt.Sprintf("switched early %v, plain stores %v", early, c.plain), func(t *testing.T) {
			inYard(t, func(t *testing.T, y *yard) {
				truth := map[string]string{}
				for _, key := range numbered("k/%03d", 200) {
					fill(t, y.oldStore, key)
					truth[key] = key
				}
				var calls atomic.Int64
				slow := faulty.Fault{Op: "PutObject", Before: func(context.Context) error {
					time.Sleep(time.Duration(calls.Add(1)*37%140) * time.Millisecond) // so that answers pass each other
					return nil
				}}
				y.new.Fail(slow)
				y.old.Fail(slow)
				y.old.Fail(faulty.Fault{Op: "GetObject", Before: slow.Before})
				y.must(Start)
				if early {
					time.Sleep(150 * time.Millisecond)
					y.must(Switch)
				}
				var clientsOf sync.WaitGroup
				var mu sync.Mutex // of truth
				for client := range 6 {
					clientsOf.Go(func() {
						for i := range 60 {
							key := fmt.Sprintf("k/%03d", i*37%38*6+client) // its own, and new ones too
							content := fmt.Sprintf("written %d by %d", i, client)
							if i%3 == 0 {
								content = ""
							}
							var err error
							if content == "" {
								err = y.delete(key)
							} else {
								err = y.write(key, content)
							}
							mu.Lock()
							switch {
							case err != nil && !early:
								t.Errorf("%s: %v", key, err)
							case err != nil:
							case content == "":
								delete(truth, key)
							default:
								truth[key] = content
							}
							mu.Unlock()
						}
					})
				}
				clientsOf.Wait()
				p := y.crawled()
				y.until("everything is settled", func() bool { return y.Bucket.Pending() == 0 })
				y.same()
				for key, want := range truth {
					if got := y.on(y.newStore, key); got != want {
						t.Errorf("%s is %q, want %q", key, got, want)
					}
				}
				if n := len(clients(y.newStore)); n != len(truth) || !y.Bucket.Phase().Backfilled {
					t.Errorf("%d objects, want %d; %+v", n, len(truth), p)
				}
			}, func(y *yard) { y.noProfile = c.plain })
		})
	}
}

// TestPauseAndResume: a paused crawl copies nothing, not after a restart either, until it
// is resumed; it goes on where it was. (A copy made just before counts as the same after
// it, where the record had not passed the key.) Seen to fail without
// halts in next.
func TestPauseAndResume(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard) {
		if _, err := y.order(Pause, Order{}); err == nil {
			t.Error("paused in passthrough")
		}
		fill(t, y.oldStore, numbered("k/%04d", 600)...)
		y.must(Start, Pause) // perhaps before it began
		done := y.Crawl.Progress().Done
		for round := range 12 {
			time.Sleep(10 * time.Second)
			synctest.Wait()
			if p := y.Crawl.Progress(); p.State != Paused || p.Done != done || !y.Crawl.idle() {
				t.Fatalf("round %d: %+v, was %+v", round, p, done)
			}
			if round%3 == 2 {
				y.restart()
				continue
			}
			y.must(Resume)
			time.Sleep(time.Duration(round) * 30 * time.Millisecond / 10)
			y.must(Pause)
			now := y.Crawl.Progress()
			if now.Done.Objects < done.Objects {
				t.Errorf("round %d: back from %+v to %+v", round, done, now.Done)
			}
			done = now.Done
			if now.State == Finished {
				break
			}
		}
		if p := y.Crawl.Progress(); p.State == Paused {
			y.must(Resume)
		}
		if p := y.crawled(); p.Done.Objects != 600 || p.Same+p.Missing != 600 {
			t.Errorf("%+v", p)
		}
		y.same()
	})
}

// TestPauseBeforeItBegan holds too. Seen to fail without needed in Pause.
func TestPauseBeforeItBegan(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard) {
		c, err := NewCrawl(y.Migration, unlimited(t), nil, t.TempDir()) // nobody runs it yet
		y.ok(err)
		y.ok(c.Pause())
		if p := c.Progress(); p == nil || p.State != Paused {
			t.Errorf("%+v", p)
		}
	}, func(y *yard) { y.lifted = mirror.Phase{Name: mirror.Mirroring, Epoch: 2, Baseline: true} })
}

// TestHaltAgainstRun: whenever a pause comes, the crawl rests after it. Seen to fail, in
// a few of the rounds, without halts in next.
func TestHaltAgainstRun(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard) {
		fill(t, y.oldStore, numbered("k/%d", 5)...)
		y.old.Fail(fails(y.old, faulty.Fault{Op: "GetObject"})) // it never ends
		y.must(Start)
		for range 200 {
			y.Crawl.Resume()
			synctest.Wait()
			y.ok(y.Crawl.Pause())
			synctest.Wait()
			if p := y.Crawl.Progress(); p.State != Paused || !y.Crawl.idle() {
				t.Fatalf("%+v", p)
			}
		}
	})
}

// TestCancelBeginsAnew: after cancel and start the crawl compares everything again: what
// was done between is on old alone. A cancel that is refused forgets nothing. Seen to
// fail without Forget at Start and at Cancel, and with Forget before a cancel's change.
func TestCancelBeginsAnew(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard) {
		fill(t, y.oldStore, numbered("k/%02d", 20)...)
		y.must(Start)
		y.crawled()
		y.verify(VerifyOrder{Level: List})
		state := y.State.path
		y.State.path = y.dir + "/gone/state.json"
		if _, err := y.order(Cancel, Order{}); err == nil {
			t.Fatal("cancelled without a record")
		}
		y.State.path = state
		y.old.Fail(faulty.Fault{Op: "PutObject", Key: "k/05", Times: 1, Before: func(context.Context) error { time.Sleep(4 * time.Second); return nil }})
		slow := make(chan error)
		go func() { slow <- y.write("k/05", "k/05") }()
		time.Sleep(time.Second)
		if _, err := y.order(Cancel, Order{}); err == nil || errors.Is(err, ErrGuard) {
			t.Fatalf("cancelled under a write: %v", err)
		}
		y.ok(<-slow)
		if p := y.Crawl.Progress(); p == nil || p.State != Finished || y.Verify.Progress() == nil {
			t.Errorf("after a refused cancel: %+v", p)
		}
		record, err := os.ReadFile(y.Crawl.path)
		y.ok(err)
		y.must(Cancel)
		if y.Crawl.Progress() != nil || y.Verify.Progress() != nil {
			t.Error("after the cancel something is known of the crawl")
		}
		y.ok(y.write("k/03", "between"))
		y.ok(y.delete("k/04"))
		y.stop()
		y.ok(os.WriteFile(y.Crawl.path, record, 0o600)) // as a crash in the cancel leaves it
		y.start()
		y.must(Start)
		p := y.crawled()
		if p.Same != 18 || p.Different != 1 || p.Extra != 1 || y.Bucket.Phase().Baseline || y.Bucket.Phase().Backfilled {
			t.Errorf("%+v in %+v", p, y.Bucket.Phase())
		}
		if got := y.on(y.newStore, "k/03"); got != "between" {
			t.Errorf("new holds %q", got)
		}
	})
}

// TestBaseline: what new held before counts for nothing until it was compared: it is made
// equal, what is missing is copied, and with something extra there is no way to a switch;
// without, the baseline is proven. That holds of what rules leave to reads too. Seen to
// fail with look trusting listings without a baseline, with Extra not asked in finished,
// and with the spans of copy rules alone (All).
func TestBaseline(t *testing.T) {
	lazy := config.Rule{Prefix: "cache/", Mode: config.Lazy}
	for name, c := range map[string]struct {
		rules    []config.Rule
		key      string
		extra    bool
		complete bool // with it all is backfilled
	}{
		"different":                 {nil, "k/1", false, true},
		"extra":                     {nil, "k/x", true, true},
		"different, left to reads":  {[]config.Rule{lazy}, "cache/1", false, false},
		"extra, left to reads":      {[]config.Rule{lazy}, "cache/x", true, false},
		"different, behind a rule":  {[]config.Rule{lazy}, "k/1", false, false},
		"an extra, rule of skipped": {[]config.Rule{{Prefix: "cache/", Mode: config.Skip}}, "cache/x", true, false},
	} {
		t.Run(name, func(t *testing.T) {
			inYard(t, func(t *testing.T, y *yard) {
				fill(t, y.oldStore, "k/1", "k/2", "k/3", "cache/1", "cache/2")
				foreign := http.Header{"X-Amz-Meta-Foreign": {"yes"}}
				putOn(t, y.newStore, c.key, c.key, foreign) // listed like old's
				y.must(Start)
				y.crawled()
				if y.Bucket.Phase().Baseline == c.extra || y.Bucket.Phase().Backfilled != (c.complete && !c.extra) {
					t.Errorf("%+v", y.Bucket.Phase())
				}
				info, err := y.newStore.Head(t.Context(), backends.GetRequest{Key: c.key})
				y.ok(err)
				if kept := info.Header.Get("X-Amz-Meta-Foreign") != ""; kept != c.extra {
					t.Errorf("the foreign object was kept: %v", kept)
				}
				if len(c.rules) > 0 && slices.Contains(clients(y.newStore), "cache/2") {
					t.Error("what is left to reads was copied")
				}
				_, err = y.order(Switch, Order{Override: []string{guardVerified, guardBackfilled}})
				if (err != nil) != c.extra || c.extra && !strings.Contains(err.Error(), guardBaseline) {
					t.Fatalf("switch: %v", err)
				}
				if !c.extra {
					return
				}
				_, err = y.newStore.Delete(t.Context(), backends.DeleteRequest{Key: c.key})
				y.ok(err)
				y.must(Resume)
				y.crawled()
				y.must(Switch)
			}, ruled(c.rules...))
		})
	}
}

// TestEarlySwitch: the crawl goes on after a switch that did not wait for it, and ends
// with everything on new. Seen to fail with needsCrawl of mirroring alone.
func TestEarlySwitch(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard) {
		fill(t, y.oldStore, numbered("k/%03d", 50)...)
		y.must(Start, Pause, Switch)
		y.ok(y.delete("k/001"))
		y.ok(y.write("k/002", "later"))
		if _, err := y.order(Complete, Order{}); err == nil {
			t.Error("completed with objects on old alone")
		}
		y.must(Resume)
		y.crawled()
		y.same()
		if p := y.Bucket.Phase(); !p.Backfilled || p.Name != mirror.Switched || len(clients(y.newStore)) != 49 || y.on(y.newStore, "k/002") != "later" {
			t.Errorf("%+v; %q", p, clients(y.newStore))
		}
		y.must(Complete)
	})
}

// TestReadOnlyOld: the crawl fills new without bringing back what was deleted there, and
// nothing is ever written to old. Seen to fail with Tombstoned left out of Backfill.
func TestReadOnlyOld(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard) {
		y.must(Pause)
		y.ok(y.delete("k/01"))
		y.ok(y.write("k/02", "later"))
		fill(t, y.oldStore, numbered("k/%02d", 20)...)
		y.restart()
		y.ok(y.delete("k/03"))
		y.must(Resume)
		y.crawled()
		want := slices.DeleteFunc(numbered("k/%02d", 20), func(k string) bool { return k == "k/01" || k == "k/03" })
		if got := clients(y.newStore); !slices.Equal(got, want) || y.on(y.newStore, "k/02") != "later" {
			t.Errorf("new holds %q", got)
		}
		if n := y.old.Calls("PutObject") + y.old.Calls("DeleteObject"); n > 0 || len(y.oldStore.Keys()) != 20 {
			t.Errorf("old was written to %d times", n)
		}
	}, frozen)
}

// TestRulesThatChanged: what a crawl has proven is what it looked at, by the rules it ran
// with; a configuration changed since proves nothing. Seen to fail with everything and
// Lazily asking the rules of now.
func TestRulesThatChanged(t *testing.T) {
	lazy := config.Rule{Prefix: "cache/", Mode: config.Lazy}
	inYard(t, func(t *testing.T, y *yard) {
		fill(t, y.oldStore, "cache/1", "k")
		y.old.Fail(fails(y.old, faulty.Fault{Op: "GetObject", Key: "k"}))
		y.must(Start)
		time.Sleep(time.Minute)
		y.rules = nil
		y.restart()
		y.old.Heal()
		y.crawled()
		if y.Bucket.Phase().Backfilled {
			t.Error("backfilled, and cache/1 is on old alone")
		}
		y.must(Switch)
		if _, err := y.order(Complete, Order{}); err == nil {
			t.Fatal("completed, and cache/1 was on old alone")
		}
		y.must(Resume)
		y.crawled()
		y.must(Complete)
		if got := clients(y.newStore); !slices.Equal(got, []string{"cache/1", "k"}) {
			t.Errorf("new holds %q", got)
		}
	}, ruled(lazy))
}
