package migrate

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"time"

	"sluice/backends"
	"sluice/gateway/mirror"
)

// State is what must survive beside the journal: where every bucket is in its
// migration, and what was learned of the stores. It is the one durable record of
// the phase; the configuration never holds it.
type State struct {
	path string
	sync func(dir string) error // makes a renaming durable

	mu   sync.Mutex
	file stateFile // replaced, never changed
}

// stateFile is the record's form on disk.
type stateFile struct {
	Version int                         `json:"version"`
	ID      string                      `json:"id"` // random
	Buckets map[string]mirror.Phase     `json:"buckets"`
	Since   map[string]time.Time        `json:"since,omitempty"` // of each bucket's phase
	Stores  map[string]backends.Profile `json:"stores,omitempty"`
}

const stateVersion = 1

// OpenState reads the state in a directory; one that has none starts empty.
func OpenState(dir string) (*State, error) {
	s := &State{path: filepath.Join(dir, "state.json"), sync: syncDir, file: stateFile{Version: stateVersion, ID: rand.Text()}}
	raw, err := os.ReadFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, fmt.Errorf("migration state: %w", err)
	}
	var f stateFile
	if err := json.Unmarshal(raw, &f); err != nil {
		return nil, fmt.Errorf("migration state %s is damaged (%w): restore it from a backup of the state directory", s.path, err)
	}
	if f.Version != stateVersion {
		return nil, fmt.Errorf("migration state %s has version %d, this program knows %d: run the program that wrote it", s.path, f.Version, stateVersion)
	}
	if f.ID == "" { // of an earlier program
		f.ID = s.file.ID
	}
	s.file = f
	return s, nil
}

// ID tells this state from every other one.
func (s *State) ID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.file.ID
}

// Phase is a bucket's recorded phase; ok is false if it has none yet.
func (s *State) Phase(bucket string) (p mirror.Phase, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok = s.file.Buckets[bucket]
	return p, ok
}

// Since is when a bucket entered its phase.
func (s *State) Since(bucket string) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.file.Since[bucket]
}

// SetPhase records a bucket's phase. It is durable when SetPhase returns nil. After
// mirror.ErrUndecided nobody knows which record a restart will find; after any other
// error the former record stands.
func (s *State) SetPhase(bucket string, p mirror.Phase) error {
	return s.change(func(f *stateFile) {
		if f.Buckets[bucket].Name != p.Name {
			f.Since = with(f.Since, bucket, time.Now().UTC())
		}
		f.Buckets = with(f.Buckets, bucket, p)
	})
}

// Rewrite writes the state as it is, to see whether that can be done.
func (s *State) Rewrite() error { return s.change(func(*stateFile) {}) }

// Drop forgets a bucket that no longer exists.
func (s *State) Drop(bucket string) error {
	if _, known := s.Phase(bucket); !known {
		return nil
	}
	return s.change(func(f *stateFile) {
		f.Buckets, f.Since = maps.Clone(f.Buckets), maps.Clone(f.Since)
		delete(f.Buckets, bucket)
		delete(f.Since, bucket)
	})
}

// Profile is what a store was last seen to do; the zero value if it was never
// reached.
func (s *State) Profile(store string) backends.Profile {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.file.Stores[store]
}

// SetProfile remembers what a store was seen to do.
func (s *State) SetProfile(store string, p backends.Profile) error {
	if s.Profile(store) == p {
		return nil
	}
	return s.change(func(f *stateFile) { f.Stores = with(f.Stores, store, p) })
}

func with[V any](m map[string]V, key string, value V) map[string]V {
	next := make(map[string]V, len(m)+1)
	maps.Copy(next, m)
	next[key] = value
	return next
}

// change makes the next record of the last and writes it. The maps of the last
// must stay as they are.
func (s *State) change(edit func(*stateFile)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.file
	edit(&next)
	raw, err := json.MarshalIndent(next, "", "  ")
	if err != nil {
		return err
	}
	if err := replaceFile(s.path, raw); err != nil {
		return fmt.Errorf("migration state not written: %w", err)
	}
	if err := s.sync(filepath.Dir(s.path)); err != nil {
		return fmt.Errorf("migration state %s: %w: %w", s.path, mirror.ErrUndecided, err)
	}
	s.file = next
	return nil
}

// replaceFile puts a file with the content in another's place in one step. It is
// durable when the directory is synced.
func replaceFile(path string, content []byte) error {
	aside, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(aside.Name()) // gone already after the rename
	_, err = aside.Write(content)
	err = errors.Join(err, aside.Sync(), aside.Close())
	if err != nil {
		return err
	}
	return os.Rename(aside.Name(), path)
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
