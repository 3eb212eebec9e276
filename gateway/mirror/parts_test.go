package mirror

import (
	"fmt"
	"testing"
)

func TestRanges(t *testing.T) {
	for _, size := range []int64{1, smallestPart, smallestPart + 1, 6 << 30, 100 << 30, 4 << 40, 5 << 40} {
		pieces := ranges(size)
		next, first := int64(0), int64(0)
		for i, p := range pieces {
			var start, end int64
			if _, err := fmt.Sscanf(p.Range, "bytes=%d-%d", &start, &end); err != nil || start != next || end < start {
				t.Fatalf("size %d: part %d is %q after byte %d (%v)", size, i+1, p.Range, next, err)
			}
			length := end - start + 1
			if i == 0 {
				first = length
			}
			last := i == len(pieces)-1
			if length > largestPut || length > first || !last && (length != first || length < smallestPart) {
				t.Errorf("size %d: part %d of %d has %d bytes, the first %d", size, i+1, len(pieces), length, first)
			}
			next = end + 1
		}
		if next != size || len(pieces) > 10000 || size <= 4<<40 && len(pieces) > 1000 {
			t.Errorf("size %d: %d parts reach byte %d", size, len(pieces), next)
		}
	}
}
