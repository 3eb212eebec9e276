package mirror

import (
	"math/rand/v2"
	"slices"
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
