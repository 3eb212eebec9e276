package mirror

import (
	"context"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"sluice/backends"
	"sluice/backends/memory"
)

// TestReservedKeysAreNotListed: whatever is asked for, by whatever delimiter, the pages
// are those of a store that does not have Sluice's own objects. Seen to fail without the
// question for what is below a prefix, and without filling up a page (hideReserved, list).
func TestReservedKeysAreNotListed(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 5))
		b, stores := incomplete(t)
		b.phase.Store(&Phase{Name: Mirroring, Epoch: 2, Baseline: true})
		there := memory.New("there")
		for range random.IntN(12) {
			put(t, randomKey(random), stores[0], stores[1], there)
		}
		put(t, Reserved+"marker.json", stores[0], stores[1])
		put(t, Reserved+"probe", stores[0])
		for range 10 {
			r := backends.ListRequest{MaxKeys: 1 + random.IntN(4), V1: random.IntN(2) == 0}
			r.Delimiter = []string{"", "/", "i", "l", ".", "s", "sl"}[random.IntN(7)]
			r.Prefix = []string{"", "", ".", ".s", ".sl", "a"}[random.IntN(6)]
			want, got := pages(t, r, there.List), pages(t, r, b.List)
			if !slices.Equal(got, want) {
				t.Fatalf("seed %d, %+v:\ngot  %q\nwant %q", seed, r, got, want)
			}
		}
	}
}

// TestReservedVersionsAreNotListed: a common prefix that stands for versions of Sluice's
// own objects alone does not show, however many there are. Seen to fail with prefixes that
// are only compared.
func TestReservedVersionsAreNotListed(t *testing.T) {
	b, _ := incomplete(t)
	b.phase.Store(&Phase{Name: Mirroring, Epoch: 2, Baseline: true})
	versions := &versioned{Store: b.old.Store}
	b.old.Store = versions
	for i := range 1500 {
		versions.all = append(versions.all, version(Reserved+"marker.json", i))
	}
	shown := func(want ...string) {
		t.Helper()
		page, err := b.ListVersions(t.Context(), backends.ListVersionsRequest{Delimiter: "u", MaxKeys: 10})
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Versions) > 0 || !slices.Equal(page.Prefixes, want) {
			t.Errorf("%q and %v are listed, want %q", page.Prefixes, page.Versions, want)
		}
	}
	shown()
	versions.all = append(versions.all, version(".slump", 1))
	shown(".slu")
}

func version(key string, n int) backends.Version {
	return backends.Version{ListedObject: backends.ListedObject{Key: key}, VersionID: strconv.Itoa(n)}
}

// versioned is a store that keeps versions.
type versioned struct {
	backends.Store
	all []backends.Version // ordered by key
}

// ListVersions knows the prefix and the delimiter of the test.
func (s *versioned) ListVersions(_ context.Context, r backends.ListVersionsRequest) (*backends.VersionsPage, error) {
	if r.Delimiter != "" {
		return &backends.VersionsPage{Prefixes: []string{".slu"}}, nil
	}
	at, _ := strconv.Atoi(r.VersionIDMarker)
	rest := s.all[at:]
	n := min(len(rest), r.MaxKeys)
	page := &backends.VersionsPage{Versions: rest[:n], Truncated: n < len(rest)}
	if page.Truncated {
		page.NextKeyMarker, page.NextVersionIDMarker = rest[n-1].Key, strconv.Itoa(at+n)
	}
	return page, nil
}
