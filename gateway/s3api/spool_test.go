package s3api

import (
	"errors"
	"io"
	"math"
	"os"
	"strings"
	"testing"
	"testing/iotest"
)

func TestSpool(t *testing.T) {
	for name, size := range map[string]int{
		"empty": 0, "small": 5, "memory full": spoolMemory, "one more": spoolMemory + 1, "large": 3*spoolMemory + 7,
	} {
		t.Run(name, func(t *testing.T) {
			dir, content := t.TempDir(), strings.Repeat("0123456789abcdef", size/16+1)[:size]
			s, err := SpoolFile(iotest.HalfReader(strings.NewReader(content)), dir, 0, math.MaxInt64)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(s)
			if err != nil || string(got) != content || s.Size != int64(size) {
				t.Errorf("%d of %d bytes, error %v", len(got), s.Size, err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			wantEmpty(t, dir)
		})
	}
}

func wantEmpty(t *testing.T, dir string) {
	t.Helper()
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// endless is a client that does not stop sending.
type endless struct{ sent int64 }

func (e *endless) Read(p []byte) (int, error) {
	e.sent += int64(len(p))
	return len(p), nil
}

func TestSpoolBounds(t *testing.T) {
	for name, c := range map[string]struct {
		size        int
		least, most int64
		code        string
	}{
		"least":               {5, 5, 10, ""},
		"most":                {10, 5, 10, ""},
		"too small":           {4, 5, 10, "EntityTooSmall"},
		"too large":           {11, 5, 10, "EntityTooLarge"},
		"nothing":             {0, 0, 0, ""},
		"more than nothing":   {1, 0, 0, "EntityTooLarge"},
		"all that fits":       {spoolMemory, 0, spoolMemory, ""},
		"more than fits":      {spoolMemory + 1, 0, spoolMemory, "EntityTooLarge"},
		"too large, on disk":  {3 * spoolMemory, 0, 2 * spoolMemory, "EntityTooLarge"},
		"too small, on disk":  {2 * spoolMemory, 3 * spoolMemory, math.MaxInt64, "EntityTooSmall"},
		"a range upside down": {7, 10, 5, "EntityTooLarge"},
	} {
		dir := t.TempDir()
		_, err := SpoolFile(strings.NewReader(strings.Repeat("x", c.size)), dir, c.least, c.most)
		wantCode(t, name, err, c.code)
		wantEmpty(t, dir)
	}
	source := new(endless)
	_, err := SpoolFile(source, t.TempDir(), 0, 100)
	wantCode(t, "without end", err, "EntityTooLarge")
	if source.sent > 1<<16 {
		t.Errorf("%d bytes of a file that may have 100 were read", source.sent)
	}
}

func TestSpoolErrors(t *testing.T) {
	wrong := ErrorFor("BadDigest", "")
	for name, size := range map[string]int{"at once": 0, "in memory": 5, "where memory ends": spoolMemory, "on disk": 2 * spoolMemory} {
		dir := t.TempDir()
		_, err := SpoolFile(io.MultiReader(strings.NewReader(strings.Repeat("x", size)), iotest.ErrReader(wrong)), dir, 0, math.MaxInt64)
		wantCode(t, name, err, "BadDigest")
		wantEmpty(t, dir)
	}
	_, err := SpoolFile(new(endless), t.TempDir()+"/none", 0, math.MaxInt64)
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no directory: got %v", err)
	}
}
