package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sluice/backends"
)

// list is every key a listing answers, over all its pages.
func list(t *testing.T, s backends.Store, r backends.ListRequest) []string {
	t.Helper()
	keys := []string{}
	for o, err := range backends.Walk(t.Context(), s, r) {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, o.Key)
	}
	return keys
}

func page(t *testing.T, s backends.Store, r backends.ListRequest) *backends.ListPage {
	t.Helper()
	p, err := s.List(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func keysOf(p *backends.ListPage) []string {
	keys := []string{}
	for _, o := range p.Objects {
		keys = append(keys, o.Key)
	}
	return keys
}

var listed = []string{"a/1", "a/2", "b", "c/x/1", "c/y/1", "d é/ü", "z"}

func lists(t *testing.T, s backends.Store) {
	for _, key := range slices.Backward(listed) {
		put(t, s, key, "content of "+key)
	}
	equal := func(what string, got, want []string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	equal("all", list(t, s, backends.ListRequest{}), listed)
	equal("all, two a page", list(t, s, backends.ListRequest{MaxKeys: 2}), listed)
	equal("prefix", list(t, s, backends.ListRequest{Prefix: "c/"}), []string{"c/x/1", "c/y/1"})
	equal("odd prefix", list(t, s, backends.ListRequest{Prefix: "d é/"}), []string{"d é/ü"})
	equal("after a key", list(t, s, backends.ListRequest{After: "a/2"}), listed[2:])
	equal("after no key", list(t, s, backends.ListRequest{After: "a/1x"}), listed[1:])

	p := page(t, s, backends.ListRequest{Delimiter: "/", MaxKeys: 1000})
	equal("objects of the first level", keysOf(p), []string{"b", "z"})
	equal("prefixes of the first level", p.Prefixes, []string{"a/", "c/", "d é/"})
	p = page(t, s, backends.ListRequest{Prefix: "c/", Delimiter: "/", MaxKeys: 1000})
	equal("prefixes below c/", p.Prefixes, []string{"c/x/", "c/y/"})
	p = page(t, s, backends.ListRequest{MaxKeys: 1})
	equal("one", keysOf(p), listed[:1])
	if !p.Truncated || p.NextToken == "" {
		t.Errorf("the first page of many: %+v", p)
	}
	o := p.Objects[0]
	if o.Size != int64(len("content of a/1")) || o.ETag == "" || o.LastModified.IsZero() {
		t.Errorf("listed as %+v", o)
	}
}

func emptyPage(t *testing.T, s backends.Store) {
	put(t, s, "k", "content")
	if p := page(t, s, backends.ListRequest{MaxKeys: 0}); len(p.Objects) != 0 {
		t.Errorf("max-keys 0 answers %q", keysOf(p))
	}
}

func listsV1(t *testing.T, s backends.Store) {
	for _, key := range listed {
		put(t, s, key, "content")
	}
	for _, size := range []int{1, 2, 1000} {
		if got := list(t, s, backends.ListRequest{V1: true, MaxKeys: size}); !slices.Equal(got, listed) {
			t.Errorf("%d a page: %q", size, got)
		}
	}
	var got []string
	r := backends.ListRequest{V1: true, Delimiter: "/", MaxKeys: 1}
	for range 10 {
		p := page(t, s, r)
		got = append(append(got, keysOf(p)...), p.Prefixes...)
		if !p.Truncated {
			break
		}
		r.After = p.NextMarker
	}
	if want := []string{"a/", "b", "c/", "d é/", "z"}; !slices.Equal(got, want) {
		t.Errorf("first level, one a page: %q, want %q", got, want)
	}
}

func roundTripKeys(t *testing.T, s backends.Store, keys []string) {
	for i, key := range keys {
		put(t, s, key, fmt.Sprint(i))
	}
	for i, key := range keys {
		holds(t, s, key, fmt.Sprint(i))
	}
	slices.Sort(keys)
	if got := list(t, s, backends.ListRequest{MaxKeys: 3}); !slices.Equal(got, keys) {
		t.Errorf("listed: %q\nwant: %q", got, keys)
	}
	results, err := s.DeleteMany(t.Context(), named(keys))
	for i := range results {
		if err == nil {
			err = results[i].Err
		}
	}
	if err != nil {
		t.Error(err)
	}
	if left := list(t, s, backends.ListRequest{}); len(left) > 0 {
		t.Errorf("not deleted: %q", left)
	}
}

func plainOddKeys(t *testing.T, s backends.Store) {
	roundTripKeys(t, s, []string{
		"space in it", "plus+sign", "percent%2Fslash", "percent%20", "amp&ersand=equals?question#hash", "日本語/🦈.png",
		"\u00e9", "e\u0301", "~tilde-_.", "semi;colon,comma", "'quotes\"", "<xml>&amp;", "back\\slash", "UPPER", "upper", "ÿ",
	})
}

func oddKeys(t *testing.T, s backends.Store) {
	roundTripKeys(t, s, []string{"a//b", "a/", "a", "a/../b", "./c", "..", "//", "tab\there"})
}

func longKey(t *testing.T, s backends.Store) {
	roundTripKeys(t, s, []string{strings.Repeat("long/key/", 113) + strings.Repeat("k", 7)})
}
