package main

import (
	"slices"
	"testing"

	"sluice/gateway/admin"
	"sluice/gateway/cache"
)

func TestCache(t *testing.T) {
	f := newFake(t, map[string][]any{"GET /v1/cache": {cache.Stats{
		Hits: 90, Misses: 10, Collapsed: 1, Saved: 5 << 30, Evicted: 3, Items: 40, Bytes: 250 << 20,
		Disk: cache.DiskStats{Hits: 7, Dropped: 2, Items: 1, Bytes: 1 << 20},
	}}})
	f.run(t, 0, "cache").expect(t, 0, `
answered   90 of 100 reads (90.0 %)
saved      5.0 GiB
collapsed  1 read
memory     250 MiB in 40 items, 3 evicted
disk       1.0 MiB in 1 item, 0 evicted
           7 came back, 2 not written, 0 broken
`, "")
}

func TestCachePurge(t *testing.T) {
	const at = "POST /v1/buckets/media/purge"
	for _, c := range []struct {
		name string
		args []string
		body string
	}{
		{"keys", []string{"a", "b/c"}, `{"keys":["a","b/c"]}`},
		{"prefix", []string{"--prefix", "cache/"}, `{"prefix":"cache/"}`},
		{"all", []string{"--all"}, `{"prefix":""}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t, map[string][]any{at: {admin.PurgeReport{Purged: 2}}})
			o := f.run(t, 0, append([]string{"cache", "purge", "media"}, c.args...)...)
			o.expect(t, 0, "purged 2 keys\n", "")
			if want := []string{at + " " + c.body}; !slices.Equal(o.requests, want) {
				t.Errorf("asked %q, not %q", o.requests, want)
			}
		})
	}
	f := newFake(t, map[string][]any{})
	for _, args := range [][]string{{}, {"--all", "k"}, {"--all", "--prefix", "p"}} {
		f.run(t, 0, append([]string{"cache", "purge", "media"}, args...)...).expect(t, exitUsage, "", "sluice: name keys, a --prefix, or --all\n")
	}
}
