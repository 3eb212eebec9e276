package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"sluice/backends"
	"sluice/gateway/migrate"
	"sluice/gateway/mirror"
)

// notAbsence are the errors that prove nothing about a key.
var notAbsence = map[string]error{
	"denied": backends.ErrDenied, "no bucket": backends.ErrNoBucket, "unavailable": backends.ErrUnavailable, "slow down": backends.ErrSlowDown,
}

// TestHazard06ErrorReadAsAbsence: a store answers an error where it should say what it
// holds.
func TestHazard06ErrorReadAsAbsence(t *testing.T) {
	for name, c := range map[string]struct {
		play   func(t *testing.T, r *rig, kind error)
		change []func(*rig, *mirror.Phase)
	}{
		"read of what new lacks":              {readOfWhatNewLacks, nil},
		"read of what an incomplete new had":  {readOfIncompleteNew, []func(*rig, *mirror.Phase){switched, readOnly}},
		"read of what only old may hold":      {readOfWhatNewLacks, []func(*rig, *mirror.Phase){switched, readOnly}},
		"repair that can not see the primary": {repairWithoutThePrimary, nil},
		"backfill":                            {backfillWithoutOld, nil},
		"backfill that can not see new":       {backfillWithoutNew, []func(*rig, *mirror.Phase){unconditional}},
		"conditional write":                   {createWithoutOld, []func(*rig, *mirror.Phase){switched}},
	} {
		for kind, err := range notAbsence {
			t.Run(name+", "+kind, func(t *testing.T) {
				hazard(t, func(t *testing.T, r *rig) { c.play(t, r, err) }, c.change...)
			})
		}
	}
}

// With a readPrimary that answers notFound for every error of the primary a client is
// told that the object does not exist.
func readOfWhatNewLacks(t *testing.T, r *rig, kind error) {
	r.want("absent on both", r.read("k"), absent)
	r.direct(r.old, "k", "one")
	refuse(r.old, "GetObject", kind)
	if got := r.read("k"); !strings.HasPrefix(got, "error") {
		t.Errorf("old can not be asked, and new lacks the key: the client is told %q", got)
	}
	r.old.Heal()
	r.want("old is back", r.read("k"), "one")
}

// With an ofKey that turns to old for every error of new the client gets the state
// before the switch.
func readOfIncompleteNew(t *testing.T, r *rig, kind error) {
	r.direct(r.old, "k", "one")
	r.mustPut("k", "two")
	refuse(r.new, "GetObject", kind)
	if got := r.read("k"); !strings.HasPrefix(got, "error") {
		t.Errorf("new can not be asked: the client is told %q", got)
	}
	r.new.Heal()
	r.want("new is back", r.read("k"), "two")
}

// With a headOrAbsent that takes every error for absence the repair deletes the object
// on new; the copy is never made; the object is replaced on new, or created although it
// exists.
func repairWithoutThePrimary(_ *testing.T, r *rig, kind error) {
	r.mustPut("k", "one")
	r.new.SetDown(true)
	r.mustPut("k", "two")
	refuse(r.old, "HeadObject", kind)
	r.new.SetDown(false)
	synctest.Wait()
	r.want("new", r.on(r.new, "k"), "one")
	r.old.Heal()
	r.settled("k", "two")
}

func backfillWithoutOld(_ *testing.T, r *rig, kind error) {
	r.direct(r.old, "k", "one")
	refuse(r.old, "GetObject", kind)
	r.failed("backfill", r.backfill("k"))
}

func backfillWithoutNew(_ *testing.T, r *rig, kind error) {
	r.mustPut("k", "one")
	r.direct(r.old, "k", "behind our back")
	refuse(r.new, "HeadObject", kind)
	r.failed("backfill", r.backfill("k"))
	r.want("new", r.on(r.new, "k"), "one")
}

func createWithoutOld(_ *testing.T, r *rig, kind error) {
	r.direct(r.old, "k", "one")
	refuse(r.old, "HeadObject", kind)
	r.failed("create", r.send("k", "two", nil, nil, true))
	r.want("new", r.on(r.new, "k"), absent)
}

// TestHazard07PartialListing: the listings of two stores are put together, and are whole
// or an error.
func TestHazard07PartialListing(t *testing.T) {
	// Without the deletion of what lies behind the shorter page (entries) keys come
	// twice, or are left out.
	t.Run("pages of two stores", func(t *testing.T) {
		hazard(t, func(t *testing.T, r *rig) {
			var want []string
			for i := range 30 {
				key := fmt.Sprintf("k%02d", i)
				want = append(want, key)
				switch i % 5 {
				case 0:
					r.direct(r.new, key, "new")
				case 1:
					r.mustPut(key, "both")
				default:
					r.direct(r.old, key, "old")
				}
			}
			r.old.Store = shortList{r.old.Store}
			for _, size := range []int{1, 2, 3, 7, 29, 30, 31} {
				got, err := r.listed(backends.ListRequest{MaxKeys: size})
				r.ok(err)
				r.want(fmt.Sprintf("in pages of %d", size), strings.Join(got, " "), strings.Join(want, " "))
			}
		}, switched)
	})
	// With an entries that takes a store's failure, or a page that only claims to go on,
	// for the listing's end, keys are missing without a word.
	for name, broken := range map[string]func(backends.Store) backends.Store{
		"second page fails":       func(s backends.Store) backends.Store { return brokenList{s, "k0"} },
		"first page fails":        func(s backends.Store) backends.Store { return brokenList{s, ""} },
		"truncated, without keys": func(s backends.Store) backends.Store { return emptyList{s} },
	} {
		for _, which := range []string{"old", "new"} {
			t.Run(name+", "+which, func(t *testing.T) {
				hazard(t, func(t *testing.T, r *rig) {
					for i := range 5 {
						r.direct(r.old, fmt.Sprint("k", i), "old")
						r.direct(r.new, fmt.Sprint("k", i), "new")
					}
					s := map[string]*backends.Store{"old": &r.old.Store, "new": &r.new.Store}[which]
					*s = broken(*s)
					if got, err := r.listed(backends.ListRequest{MaxKeys: 1}); err == nil {
						t.Errorf("listed %q without an error", got)
					}
				}, switched)
			})
		}
	}
	// With an Empty that ends at an error the baseline counts as proven.
	t.Run("baseline", func(t *testing.T) {
		hazard(t, func(t *testing.T, r *rig) {
			r.direct(r.new, "foreign", "content")
			r.new.Store = brokenList{r.new.Store, ""}
			m, _ := r.operator()
			if err := m.Do(t.Context(), migrate.Start); err == nil || r.bucket.Phase().Name != mirror.Passthrough {
				t.Errorf("start: %v, and the bucket is %s", err, r.bucket.Phase().Name)
			}
		}, passthrough)
	})
	// With an anyLeft that ends at an error the prefix is missing without a word.
	t.Run("deleted below a prefix", func(t *testing.T) {
		hazard(t, func(t *testing.T, r *rig) {
			r.direct(r.old, "dir/a", "one")
			r.direct(r.old, "dir/b", "one")
			r.ok(r.delete("dir/a"))
			r.old.Store = brokenPrefix{r.old.Store}
			if page, err := r.bucket.List(t.Context(), backends.ListRequest{Delimiter: "/", MaxKeys: 10}); err == nil {
				t.Errorf("listed %q without an error", page.Prefixes)
			}
		}, switched, readOnly)
	})
}

// passthrough is a bucket before its migration.
func passthrough(_ *rig, p *mirror.Phase) { p.Name, p.Baseline = mirror.Passthrough, false }

var errList = &backends.Error{Op: "ListObjectsV2", Kind: backends.ErrUnavailable, Message: "cut off", Err: errors.New("no more")}

// shortList answers three keys a page at most.
type shortList struct{ backends.Store }

func (s shortList) List(ctx context.Context, r backends.ListRequest) (*backends.ListPage, error) {
	r.MaxKeys = min(r.MaxKeys, 3)
	return s.Store.List(ctx, r)
}

// brokenList fails from the page after a key on.
type brokenList struct {
	backends.Store
	from string
}

func (s brokenList) List(ctx context.Context, r backends.ListRequest) (*backends.ListPage, error) {
	if r.After >= s.from {
		return nil, errList
	}
	return s.Store.List(ctx, r)
}

// emptyList answers pages that hold nothing and claim to go on.
type emptyList struct{ backends.Store }

func (emptyList) List(context.Context, backends.ListRequest) (*backends.ListPage, error) {
	return &backends.ListPage{Truncated: true, NextToken: "more"}, nil
}

// brokenPrefix fails to list a prefix.
type brokenPrefix struct{ backends.Store }

func (s brokenPrefix) List(ctx context.Context, r backends.ListRequest) (*backends.ListPage, error) {
	if r.Prefix != "" {
		return nil, errList
	}
	return s.Store.List(ctx, r)
}
