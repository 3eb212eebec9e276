package network

import (
	"testing"
	"time"
)

// TestTheCheckerTellsRightHistoriesFromWrong: what all other tests rely on.
func TestTheCheckerTellsRightHistoriesFromWrong(t *testing.T) {
	put := func(value string, begin, end time.Duration) write { return write{value, begin, end, true} }
	lost := func(value string, begin, end time.Duration) write { return write{value, begin, end, false} }
	get := func(value string, begin, end time.Duration) read { return read{value, begin, end, "GET"} }
	const late = 100
	for _, c := range []struct {
		name   string
		writes []write
		reads  []read
		wrong  int
	}{
		{"nothing yet", nil, []read{get(absent, 0, 1)}, 0},
		{"the last write", []write{put("a", 0, 1), put("b", 2, 3)}, []read{get("b", 4, 5)}, 0},
		{"a replaced write", []write{put("a", 0, 1), put("b", 2, 3)}, []read{get("a", 4, 5)}, 1},
		{"either of two at once", []write{put("a", 0, 9), put("b", 0, 9)}, []read{get("a", 10, 11)}, 0},
		{"the old one during a write", []write{put("a", 0, 1), put("b", 2, 9)}, []read{get("a", 3, 4), get("b", 5, 6)}, 0},
		{"the old one after the new one was seen", []write{put("a", 0, 1), put("b", 2, 9)}, []read{get("b", 3, 4), get("a", 5, 6)}, 1},
		{"an acknowledged write is lost", []write{put("a", 0, 1)}, []read{get(absent, 2, 3)}, 1},
		{"a deleted object", []write{put("a", 0, 1), put(absent, 2, 3)}, []read{get(absent, 4, 5)}, 0},
		{"a deleted object is back", []write{put("a", 0, 1), put(absent, 2, 3)}, []read{get("a", 4, 5)}, 1},
		{"unknown, came", []write{put("a", 0, 1), lost("b", 2, 3)}, []read{get("b", 4, 5)}, 0},
		{"unknown, came not", []write{put("a", 0, 1), lost("b", 2, 3)}, []read{get("a", 4, 5)}, 0},
		{"unknown, came late", []write{lost("b", 2, 3), put("a", 4, 5)}, []read{get("a", 6, 7), get("b", 8, 9)}, 0},
		{"unknown, came and went", []write{put("a", 0, 1), lost("b", 2, 3)}, []read{get("b", 4, 5), get("a", 6, 7)}, 1},
		{"unknown, too late", []write{lost("b", 2, 3), put("a", 200, 201)}, []read{get("b", 202, 203)}, 1},
		{"unknown delete", []write{put("a", 0, 1), lost(absent, 2, 3)}, []read{get("a", 4, 5), get(absent, 6, 7)}, 0},
		{"absent between a delete and a write seen", []write{put(absent, 0, 1), lost("b", 2, 3)}, []read{get("b", 4, 5), get(absent, 6, 7)}, 1},
		{"nobody's", nil, []read{get("x", 0, 1)}, 1},
		{"before it was written", []write{put("a", 5, 6)}, []read{get("a", 1, 2)}, 1},
	} {
		h := &history{writes: c.writes, reads: c.reads}
		if wrong := h.violations(late); len(wrong) != c.wrong {
			t.Errorf("%s: %d violations, not %d: %v", c.name, len(wrong), c.wrong, wrong)
		}
	}
}
