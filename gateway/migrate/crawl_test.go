package migrate

import (
	"context"
	"fmt"
	"net/http"
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
		c, err := NewCrawl(y.Migration, unlimited(t), func() []config.Rule { return nil }, t.TempDir()) // nobody runs it yet
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
		for range 100 {
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
