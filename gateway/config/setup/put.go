package setup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"sluice/gateway/config"
)

// Vacant answers an error if a file is there that Put would write over.
func Vacant(file string) error {
	files := []string{file}
	for _, name := range []string{"old", "new", "application", "purge"} {
		files = append(files, filepath.Join(filepath.Dir(file), Secret{Name: name}.File()))
	}
	for _, f := range files {
		if _, err := os.Lstat(f); err == nil {
			return fmt.Errorf("%s is there already: --force writes over it", f)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Put writes the configuration, which is for everyone to read, and, below it, its secrets,
// for their owner alone. The configuration is in place when it was seen to load, and then whole. It
// answers the files.
func (a *Answers) Put(file string) (files []string, err error) {
	dir := filepath.Dir(file)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	for _, s := range a.Secrets() {
		name := filepath.Join(dir, s.File())
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			return files, err
		}
		if err := put(name, s.Value+"\n", 0o600, func(string) error { return nil }); err != nil {
			return files, err
		}
		files = append(files, name)
	}
	err = put(file, a.Render(file), 0o644, func(written string) error {
		_, err := config.Load(written)
		return err
	})
	return append(files, file), err
}

// put writes a file beside its place, and moves it there if it is good.
func put(name, content string, mode fs.FileMode, good func(written string) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*") // 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.WriteString(content)
	if err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	if err := good(f.Name()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
