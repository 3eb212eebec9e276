package backends

import (
	"strconv"
	"strings"
)

// ParseRange reads a byte range of one part (RFC 9110, section 14.1.2) against
// an object of size bytes. ok is false when r is not such a range: S3 then
// answers the whole object. A range that lies outside the object is an error of
// kind ErrInvalidRange.
func ParseRange(r string, size int64) (start, length int64, ok bool, err error) {
	spec, isBytes := strings.CutPrefix(r, "bytes=")
	from, to, isRange := strings.Cut(spec, "-")
	if !isBytes || !isRange {
		return 0, 0, false, nil
	}
	first, errFirst := strconv.ParseUint(from, 10, 63)
	last, errLast := strconv.ParseUint(to, 10, 63)
	switch {
	case from == "" && errLast == nil: // the last bytes
		if last == 0 || size == 0 {
			return 0, 0, true, outside(r, size)
		}
		length = min(int64(last), size)
		return size - length, length, true, nil
	case errFirst != nil || to != "" && (errLast != nil || last < first):
		return 0, 0, false, nil
	case int64(first) >= size:
		return 0, 0, true, outside(r, size)
	case to == "":
		return int64(first), size - int64(first), true, nil
	default:
		return int64(first), min(int64(last), size-1) - int64(first) + 1, true, nil
	}
}

func outside(r string, size int64) error {
	return &Error{
		Op: "GetObject", Kind: ErrInvalidRange, Status: 416, Code: "InvalidRange",
		Details: []Detail{{"RangeRequested", r}, {"ActualObjectSize", strconv.FormatInt(size, 10)}},
	}
}
