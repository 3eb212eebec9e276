package s3api

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
)

// spoolMemory is how much of a file is kept in memory before it goes to disk.
const spoolMemory = 1 << 20

// Spool holds a form's file: a store must be told a size, and a form does not
// say it.
type Spool struct {
	io.Reader
	Size int64
	file *os.File // nil when all of it is in memory
}

// SpoolFile reads src to its end. What does not fit into memory goes to a file in
// dir ("": the system's place for them). least and most are the sizes that the
// form's policy allows.
func SpoolFile(src io.Reader, dir string, least, most int64) (*Spool, error) {
	most = min(most, MaxPutSize)
	// One byte more tells a file that is too large; and a smaller one is read to
	// its true end, where src may find that it is not what was promised.
	bounded := io.LimitReader(src, most+1)
	var memory bytes.Buffer
	n, err := io.CopyN(&memory, bounded, spoolMemory)
	s := &Spool{Reader: &memory, Size: n}
	switch {
	case errors.Is(err, io.EOF):
	case err != nil:
		return nil, fmt.Errorf("reading a form's file: %w", err)
	default:
		if err := s.spill(&memory, bounded, dir); err != nil {
			return nil, err
		}
	}
	if err := checkRange(s.Size, least, most); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func checkRange(size, least, most int64) error {
	switch {
	case size > most:
		return ErrorFor("EntityTooLarge", "").with("ProposedSize", strconv.FormatInt(size, 10)).
			with("MaxSizeAllowed", strconv.FormatInt(most, 10))
	case size < least:
		return ErrorFor("EntityTooSmall", "").with("ProposedSize", strconv.FormatInt(size, 10)).
			with("MinSizeAllowed", strconv.FormatInt(least, 10))
	}
	return nil
}

// spill writes what is in memory, and then the rest, to a file.
func (s *Spool) spill(memory, rest io.Reader, dir string) error {
	file, err := os.CreateTemp(dir, "form-*")
	if err != nil {
		return fmt.Errorf("spooling a form's file: %w", err)
	}
	s.file, s.Reader = file, file
	// Without a name from the start: not even a crash leaves it behind.
	if err = os.Remove(file.Name()); err == nil {
		s.Size, err = io.Copy(file, io.MultiReader(memory, rest))
	}
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("spooling a form's file: %w", err), s.Close())
	}
	return nil
}

// Close frees what the file takes up on disk.
func (s *Spool) Close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}
