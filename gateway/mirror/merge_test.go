package mirror

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/backends"
	"sluice/backends/memory"
	"sluice/gateway/cache"
	"sluice/gateway/journal"
)

// TestListingOfAnIncompletePrimary compares the pages of a bucket whose keys are on
// new, on old, on both, or deleted while old still holds them, with those of one
// store that holds what is there: with prefixes, delimiters, page sizes, places to
// begin, in both versions of the API.
func TestListingOfAnIncompletePrimary(t *testing.T) {
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 0))
		b, stores := incomplete(t)
		there := memory.New("there")
		used := make(map[string]bool)
		for range 40 {
			key := randomKey(random)
			if used[key] {
				continue
			}
			used[key] = true
			switch random.IntN(4) {
			case 0:
				put(t, key, stores[0], there)
			case 1:
				put(t, key, stores[1], there)
			case 2:
				put(t, key, stores[0], stores[1], there)
			case 3:
				tombstone(t, b, key, stores[0], stores[1], there)
			}
		}
		put(t, Reserved+"marker.json", stores[0], stores[1])
		for range 10 {
			r := backends.ListRequest{MaxKeys: 1 + random.IntN(5), V1: random.IntN(2) == 0}
			if random.IntN(2) == 0 {
				r.Delimiter = []string{"/", "-", "/b", "i", "l", "."}[random.IntN(6)]
			}
			if random.IntN(2) == 0 {
				r.Prefix = []string{"a", "b", "/", "a/", "-", ".", ".s"}[random.IntN(7)]
			}
			if random.IntN(3) == 0 {
				r.After = randomKey(random)
			}
			want, got := pages(t, r, there.List), pages(t, r, b.List)
			if !slices.Equal(got, want) {
				t.Fatalf("seed %d, %+v:\ngot  %q\nwant %q", seed, r, got, want)
			}
		}
	}
}

// incomplete is a switched bucket whose backfill has not begun.
func incomplete(t *testing.T) (*Bucket, [2]*memory.Store) {
	stores := [2]*memory.Store{memory.New("old"), memory.New("new")}
	j := journal.New(journal.NewMemoryLog(), journal.Options{Limit: 1000, Quarantine: time.Minute})
	old, new := &Store{Store: stores[0], Circuit: &Circuit{}}, &Store{Store: stores[1], Circuit: &Circuit{}}
	b := New("b", old, new, Phase{Name: Switched, Epoch: 2, Baseline: true}, j, cache.New(cache.Options{}), slog.New(slog.DiscardHandler), Options{
		Settings: func() *Settings { return &Settings{SyncTimeout: time.Second, StoreTimeout: time.Second} },
	})
	return b, stores
}

func randomKey(random *rand.Rand) string {
	var key strings.Builder
	for range 1 + random.IntN(5) {
		key.WriteString([]string{"a", "b", "/", "-", "é", ".sl", ".s"}[random.IntN(7)])
	}
	return key.String()
}

func put(t *testing.T, key string, stores ...*memory.Store) {
	t.Helper()
	for _, s := range stores {
		if _, err := s.Put(t.Context(), backends.PutRequest{Key: key, Body: strings.NewReader(key), Size: int64(len(key))}); err != nil {
			t.Fatal(err)
		}
	}
}

// tombstone deletes a key so that only new has done it.
func tombstone(t *testing.T, b *Bucket, key string, old, new, there *memory.Store) {
	t.Helper()
	put(t, key, old)
	intents, err := b.journal.Begin(journal.Opening{Kind: journal.Delete, Epoch: 2, Incomplete: true}, "b", key)
	if err != nil {
		t.Fatal(err)
	}
	if err := intents[0].Durable(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*memory.Store{new, there} {
		if _, err := s.Delete(t.Context(), backends.DeleteRequest{Key: key}); err != nil {
			t.Fatal(err)
		}
	}
	intents[0].End(journal.Applied, journal.Untouched)
}

// pages lists page by page; the end of each page shows.
func pages(t *testing.T, r backends.ListRequest, list func(context.Context, backends.ListRequest) (*backends.ListPage, error)) []string {
	t.Helper()
	var all []string
	for {
		page, err := list(t.Context(), r)
		if err != nil {
			t.Fatalf("%+v: %v", r, err)
		}
		var names []string
		for _, o := range page.Objects {
			names = append(names, o.Key+" "+o.ETag)
		}
		for _, p := range page.Prefixes {
			names = append(names, p+" …")
		}
		slices.Sort(names)
		all = append(all, append(names, fmt.Sprint("more: ", page.Truncated))...)
		if !page.Truncated {
			return all
		}
		r.Token, r.After = page.NextToken, page.NextMarker
		if r.Token == "" && r.After == "" {
			t.Fatalf("%+v: a truncated page without a next one", r)
		}
	}
}
