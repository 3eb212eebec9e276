package embedded_test

import (
	"crypto/rand"
	"io"
	"strings"
	"testing"

	"sluice/backends"
	"sluice/backends/embedded"
	"sluice/backends/faulty"
	"sluice/backends/storetest"
)

// gofakes3 hashes the whole object, never parts, and gives none out.
// Its pages of no keys are full, and a marker that is a prefix is answered again.
var lacks = []storetest.Feature{storetest.PartReads, storetest.PartETags, storetest.EmptyPages, storetest.V1Pages}

func start(t *testing.T, dir string) *embedded.Server {
	t.Helper()
	s, err := embedded.Start(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func bucket(t *testing.T, s *embedded.Server, name string) backends.Store {
	t.Helper()
	store, err := s.Store(t.Context(), "embedded", name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	return store
}

func TestMemory(t *testing.T) {
	server := start(t, "")
	storetest.Run(t, func(t *testing.T) backends.Store { return bucket(t, server, strings.ToLower(rand.Text())) }, lacks...)
}

func TestDisk(t *testing.T) {
	server := start(t, t.TempDir())
	storetest.Run(t, func(t *testing.T) backends.Store { return bucket(t, server, strings.ToLower(rand.Text())) }, lacks...)
}

func TestFaultyWithoutFaults(t *testing.T) {
	server := start(t, "")
	storetest.Run(t, func(t *testing.T) backends.Store {
		return faulty.Wrap(bucket(t, server, strings.ToLower(rand.Text())))
	}, lacks...)
}

func TestDiskSurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	s, err := embedded.Start(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = bucket(t, s, "bucket").Put(t.Context(), backends.PutRequest{Key: "k", Body: strings.NewReader("content"), Size: 7})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	o, err := bucket(t, start(t, dir), "bucket").Get(t.Context(), backends.GetRequest{Key: "k"})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Body.Close()
	if got, err := io.ReadAll(o.Body); string(got) != "content" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}
