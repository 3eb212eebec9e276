package memory_test

import (
	"testing"

	"sluice/backends"
	"sluice/backends/memory"
	"sluice/backends/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) backends.Store { return memory.New("memory") })
}

func TestProfile(t *testing.T) {
	got, err := backends.Probe(t.Context(), memory.New("memory"))
	want := backends.Profile{
		ConditionalCreate: true, Checksums: true, Trailers: true, ACLs: true, Tags: true, TagCounts: true, Subresources: true, MD5ETags: true,
	}
	if err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
}
