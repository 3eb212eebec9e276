package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Size is a number of bytes, written as "256MiB", "1.5GiB", "10MB" or "4096".
type Size int64

var sizeUnits = []struct {
	suffix string
	bytes  float64
}{
	{"KiB", 1 << 10},
	{"MiB", 1 << 20},
	{"GiB", 1 << 30},
	{"TiB", 1 << 40},
	{"kB", 1e3},
	{"KB", 1e3},
	{"MB", 1e6},
	{"GB", 1e9},
	{"TB", 1e12},
	{"B", 1},
	{"", 1},
}

// UnmarshalText reads a size.
func (s *Size) UnmarshalText(text []byte) error {
	word := strings.TrimSpace(string(text))
	for _, u := range sizeUnits {
		number, ok := strings.CutSuffix(word, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || n < 0 || n*u.bytes >= 1<<62 {
			break
		}
		*s = Size(n * u.bytes)
		return nil
	}
	return fmt.Errorf("%q is not a size such as 256MiB", word)
}

// MarshalText writes a size as UnmarshalText reads it, in the largest unit that is exact.
func (s Size) MarshalText() ([]byte, error) {
	for i, unit := range []string{"TiB", "GiB", "MiB", "KiB"} {
		if bytes := int64(1) << (40 - 10*i); s != 0 && int64(s)%bytes == 0 {
			return fmt.Appendf(nil, "%d%s", int64(s)/bytes, unit), nil
		}
	}
	return fmt.Appendf(nil, "%dB", int64(s)), nil
}

// Duration is a time span, written as "2s", "1h30m" or "500ms".
type Duration time.Duration

// UnmarshalText reads a duration.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is not a duration such as 2s or 500ms", text)
	}
	*d = Duration(v)
	return nil
}

// MarshalText writes a duration as UnmarshalText reads it.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }
