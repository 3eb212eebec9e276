package migrate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"sluice/gateway/mirror"
)

// State is where every bucket is in its migration: the one durable record of it.
// The configuration never holds it.
type State struct {
	path string

	mu      sync.Mutex
	buckets map[string]mirror.Phase
}

// stateFile is the record's form on disk.
type stateFile struct {
	Version int                     `json:"version"`
	Buckets map[string]mirror.Phase `json:"buckets"`
}

const stateVersion = 1

// OpenState reads the state in a directory; one that has none starts empty.
func OpenState(dir string) (*State, error) {
	s := &State{path: filepath.Join(dir, "state.json"), buckets: make(map[string]mirror.Phase)}
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
	if f.Buckets != nil {
		s.buckets = f.Buckets
	}
	return s, nil
}

// Phase is a bucket's recorded phase; ok is false if it has none yet.
func (s *State) Phase(bucket string) (p mirror.Phase, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok = s.buckets[bucket]
	return p, ok
}

// SetPhase records a bucket's phase. It is durable when SetPhase returns nil;
// after an error the former record stands.
func (s *State) SetPhase(bucket string, p mirror.Phase) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := make(map[string]mirror.Phase, len(s.buckets)+1)
	for name, phase := range s.buckets {
		next[name] = phase
	}
	next[bucket] = p
	raw, err := json.MarshalIndent(stateFile{Version: stateVersion, Buckets: next}, "", "  ")
	if err != nil {
		return err
	}
	if err := replaceFile(s.path, raw); err != nil {
		return fmt.Errorf("migration state not written: %w", err)
	}
	s.buckets = next
	return nil
}

// replaceFile makes a file's content durable in one step: written aside, synced,
// renamed, and the directory synced.
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
	if err := os.Rename(aside.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
