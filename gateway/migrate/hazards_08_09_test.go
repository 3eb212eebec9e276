package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"sluice/backends"
	"sluice/backends/faulty"
)

// hang is a store that gives no answer.
func hang(ctx context.Context) error {
	<-ctx.Done()
	return &backends.Error{Kind: backends.ErrUnavailable, Err: context.Cause(ctx), MaybeApplied: true}
}

// within fails the test if something takes longer than a client may be made to wait for
// the secondary.
func (r *rig) within(what string, limit time.Duration, run func()) {
	r.t.Helper()
	began := time.Now()
	run()
	if took := time.Since(began); took > limit {
		r.t.Errorf("%s took %v, more than %v", what, took, limit)
	}
}

// TestHazard08StoreDown: a store can not be reached.
func TestHazard08StoreDown(t *testing.T) {
	// With an intent that settles although the outcomes differ (Intent.End) reads show
	// new's former state.
	t.Run("the secondary", func(t *testing.T) {
		hazard(t, func(t *testing.T, r *rig) {
			r.mustPut("k", "one")
			r.mustPut("gone", "one")
			r.new.SetDown(true)
			r.mustPut("k", "two")
			r.ok(r.delete("gone"))
			r.want("read while new is down", r.read("k"), "two")
			r.new.SetDown(false)
			r.want("read of a dirty key", r.read("k"), "two")
			r.want("read of a deleted key that new still holds", r.read("gone"), absent)
			r.settled("k", "two")
			r.settled("gone", absent)
		})
	})
	// With a secondaryMayStandIn that always refuses the clean key can not be read; with
	// a secondaryMayAnswer that takes dirty keys the former state is.
	t.Run("the primary", func(t *testing.T) {
		hazard(t, func(t *testing.T, r *rig) {
			r.mustPut("clean", "one")
			r.mustPut("dirty", "one")
			refuse(r.old, "PutObject", backends.ErrDenied)
			r.mustPut("dirty", "two")
			r.new.SetDown(true)
			r.want("read of a clean key", r.read("clean"), "one")
			if got := r.read("dirty"); !strings.HasPrefix(got, "error") {
				t.Errorf("read of a dirty key: %q", got)
			}
			r.failed("write", r.put("clean", "two"))
		}, complete)
	})
}

// TestHazard08StoreSlow: the secondary does not answer in time, and no client waits
// longer than sync_timeout for it.
func TestHazard08StoreSlow(t *testing.T) {
	// With a finishSecondary that waits for StoreTimeout.
	t.Run("to answer a write", func(t *testing.T) {
		hazard(t, func(t *testing.T, r *rig) {
			r.new.Fail(faulty.Fault{Op: "PutObject", Before: hang})
			r.within("a write", r.settings.SyncTimeout, func() { r.mustPut("k", "one") })
			r.within("a read", 0, func() { r.want("read", r.read("k"), "one") })
			r.new.Heal()
			r.settled("k", "one")
		})
	})
	// With store_timeout in place of the budget of handSecondary.
	t.Run("to take a body", func(t *testing.T) {
		hazard(t, func(t *testing.T, r *rig) {
			large := strings.Repeat("0123456789abcdef", 400<<10)
			r.old.Store, r.new.Store = slowBody{r.old.Store, time.Millisecond}, slowBody{r.new.Store, time.Second}
			r.within("a write", r.settings.SyncTimeout+time.Second, func() { r.mustPut("k", large) }) // and the primary's pauses
			r.want("read", r.read("k"), large)
		})
	})
	// Without the timer of ask.
	t.Run("to answer a read", func(t *testing.T) {
		hazard(t, func(t *testing.T, r *rig) {
			r.mustPut("k", "one")
			r.new.Fail(faulty.Fault{Op: "GetObject", Before: hang})
			r.within("a read", r.settings.SyncTimeout, func() { r.want("read", r.read("k"), "one") })
		})
	})
	// Without the circuit's judgement in mutate every write waits.
	t.Run("again and again", func(t *testing.T) {
		hazard(t, func(t *testing.T, r *rig) {
			r.new.Fail(faulty.Fault{Before: func(context.Context) error {
				time.Sleep(500 * time.Millisecond) // of the bubble
				return &backends.Error{Kind: backends.ErrUnavailable, Message: "no connection"}
			}})
			r.within("100 writes", 10*time.Second, func() {
				for i := range 100 {
					r.mustPut(fmt.Sprint("k", i), "one")
				}
			})
			r.new.Heal()
			r.settled("k99", "one")
		})
	})
}

// slowBody is a store that takes a body in small pieces, and waits before each.
type slowBody struct {
	backends.Store
	pause time.Duration
}

func (s slowBody) Put(ctx context.Context, r backends.PutRequest) (*backends.PutResult, error) {
	r.Body = slowly{r.Body, ctx, s.pause}
	return s.Store.Put(ctx, r)
}

type slowly struct {
	io.Reader
	ctx   context.Context
	pause time.Duration
}

func (s slowly) Read(p []byte) (int, error) {
	select {
	case <-time.After(s.pause): // of the bubble
	case <-s.ctx.Done():
		return 0, s.ctx.Err()
	}
	return s.Reader.Read(p[:min(len(p), 64<<10)])
}

// TestHazard08StoreFlapping: the secondary comes and goes. With an intent that settles
// although the outcomes differ (Intent.End) keys stay different.
func TestHazard08StoreFlapping(t *testing.T) {
	hazard(t, func(t *testing.T, r *rig) {
		for i := range 200 {
			r.new.SetDown(i%7 < 3)
			key := fmt.Sprint("k", i%10)
			if i%4 == 3 {
				r.ok(r.delete(key))
				r.want("read", r.read(key), absent)
			} else {
				r.mustPut(key, fmt.Sprint(i))
				r.want("read", r.read(key), fmt.Sprint(i))
			}
			time.Sleep(300 * time.Millisecond) // of the bubble: the circuit opens and closes
		}
		r.new.SetDown(false)
		r.quiet()
		for i := range 10 {
			key := fmt.Sprint("k", i)
			r.settled(key, r.on(r.old, key))
		}
	})
}

// TestHazard09ConditionalPut is judged by the primary alone.
func TestHazard09ConditionalPut(t *testing.T) {
	match := func(r *rig, key, content, etag string) error {
		_, err := r.bucket.Put(r.t.Context(), backends.PutRequest{Key: key, Body: strings.NewReader(content), Size: int64(len(content)), IfMatch: etag})
		return err
	}
	etagOf := func(r *rig, key string) string {
		info, _, err := r.bucket.Head(r.t.Context(), backends.GetRequest{Key: key})
		r.ok(err)
		return info.ETag
	}
	refused := func(r *rig, err error) {
		r.t.Helper()
		if !errors.Is(err, backends.ErrPrecondition) {
			r.t.Errorf("error %v, want a failed precondition", err)
		}
	}
	// With a conditional Put that is not ordered new takes what old refuses.
	t.Run("refused by the primary", func(t *testing.T) {
		hazard(t, func(t *testing.T, r *rig) {
			r.direct(r.old, "k", "old") // not yet on new
			refused(r, r.send("k", "mine", nil, nil, true))
			refused(r, match(r, "k", "mine", "0123456789abcdef0123456789abcdef"))
			r.want("new", r.on(r.new, "k"), absent)
			r.want("read", r.read("k"), "old")
			r.settled("k", "old")
		})
	})
	// Where the condition goes to the secondary as well (Put's run), new refuses what
	// old took.
	t.Run("taken by the primary", func(t *testing.T) {
		hazard(t, func(t *testing.T, r *rig) {
			r.mustPut("k", "one")
			r.mustPut("gone", "one")
			r.new.Fail(faulty.Fault{Op: "PutObject", Times: 1, Before: denied})
			r.new.Fail(faulty.Fault{Op: "DeleteObject", Times: 1, Before: denied})
			refuse(r.new, "HeadObject", backends.ErrDenied) // no repair comes through
			r.mustPut("k", "two")
			r.ok(r.delete("gone"))
			r.ok(match(r, "k", "three", etagOf(r, "k")))
			r.ok(r.send("gone", "back", nil, nil, true))
			r.want("new", r.on(r.new, "k"), "three")
			r.want("new", r.on(r.new, "gone"), "back")
			r.new.Heal()
			r.settled("k", "three")
			r.settled("gone", "back")
		})
	})
	// Without the needs of Put and Delete an incomplete new judges without the object
	// that only old has.
	t.Run("by an incomplete primary", func(t *testing.T) {
		hazard(t, func(t *testing.T, r *rig) {
			for _, key := range []string{"create", "match", "other", "deleted"} {
				r.direct(r.old, key, "old")
			}
			refused(r, r.send("create", "mine", nil, nil, true))
			r.ok(match(r, "match", "mine", etagOf(r, "match")))
			refused(r, match(r, "other", "mine", "0123456789abcdef0123456789abcdef"))
			_, err := r.bucket.Delete(t.Context(), backends.DeleteRequest{Key: "deleted", IfMatch: "0123456789abcdef0123456789abcdef"})
			if !errors.Is(err, backends.ErrPrecondition) && !errors.Is(err, backends.ErrNotSupported) {
				t.Errorf("delete: %v", err)
			}
			r.settled("create", "old")
			r.settled("match", "mine")
			r.settled("other", "old")
			r.settled("deleted", "old")
		}, switched)
	})
	// Without bring's look at Deleted an object that was deleted is brought back, and
	// the create refused.
	t.Run("of a deleted object", func(t *testing.T) {
		hazard(t, func(t *testing.T, r *rig) {
			r.direct(r.old, "k", "old")
			r.ok(r.delete("k"))
			r.quiet()
			r.ok(r.send("k", "mine", nil, nil, true))
			r.want("read", r.read("k"), "mine")
		}, switched, readOnly)
	})
	// Without the list of conditions that header leaves out, new judges a condition that
	// is sent as a header.
	t.Run("by a header", func(t *testing.T) {
		hazard(t, func(t *testing.T, r *rig) {
			r.mustPut("k", "one")
			r.new.Store = unconditionalOnly{r.new.Store, t}
			r.old.Store = withoutConditions{r.old.Store}
			_, err := r.bucket.Put(t.Context(), backends.PutRequest{
				Key: "k", Body: strings.NewReader("two"), Size: 3, Header: http.Header{"If-Unmodified-Since": {"Fri, 01 Jan 2100 00:00:00 GMT"}},
			})
			r.ok(err)
			r.settled("k", "two")
		})
	})
}

// unconditionalOnly fails the test at a write with a condition.
type unconditionalOnly struct {
	backends.Store
	t *testing.T
}

func (s unconditionalOnly) Put(ctx context.Context, r backends.PutRequest) (*backends.PutResult, error) {
	if r.Header.Get("If-Unmodified-Since") != "" {
		s.t.Error("the secondary is asked to judge")
	}
	return s.Store.Put(ctx, r)
}

// withoutConditions is a store to which every condition holds.
type withoutConditions struct{ backends.Store }

func (s withoutConditions) Put(ctx context.Context, r backends.PutRequest) (*backends.PutResult, error) {
	r.Header = r.Header.Clone()
	r.Header.Del("If-Unmodified-Since")
	return s.Store.Put(ctx, r)
}

// TestHazard08HangingSecondary: the secondary takes connections and answers nothing. The
// circuit opens, so that only some writes wait for it. Where Circuit.count took the end
// that call.cut puts to a request for a client that went away, it never did.
func TestHazard08HangingSecondary(t *testing.T) {
	hazard(t, func(t *testing.T, r *rig) {
		r.new.Fail(faulty.Fault{Op: "PutObject", Before: hang})
		r.within("100 writes", 60*time.Second, func() {
			for i := range 100 {
				r.mustPut(fmt.Sprint("k", i), "one")
			}
		})
		r.new.Heal()
		r.settled("k99", "one")
	})
}

// TestHazard08SecondaryTakesNoBody: the secondary stops taking a large body. The client
// waits for it no longer than sync_timeout. Where handSecondary dropped the primary's
// word that it was idle, it waited for as long as a store may stall (store_timeout).
func TestHazard08SecondaryTakesNoBody(t *testing.T) {
	hazard(t, func(t *testing.T, r *rig) {
		r.new.Fail(faulty.Fault{Op: "PutObject", Before: hang})
		r.within("a write", r.settings.SyncTimeout, func() { r.mustPut("k", strings.Repeat("0123456789abcdef", 400<<10)) })
	})
}

// TestHazard08KeysAreRepairedSoonAfterALongOutage: however long the new store was away,
// what it has missed is there soon after it is back. With Backoff in the place of Rest
// (repair) the last key waits for half a minute.
func TestHazard08KeysAreRepairedSoonAfterALongOutage(t *testing.T) {
	hazard(t, func(t *testing.T, r *rig) {
		r.new.SetDown(true)
		for i := range 50 {
			r.mustPut(fmt.Sprint(i), "one")
			time.Sleep(10 * time.Second) // virtual
		}
		r.new.SetDown(false)
		r.within("the repair", 16*time.Second, func() {
			r.quiet()
		})
	})
}
