package migrate

import (
	"fmt"
	"testing"
	"time"

	"sluice/backends"
)

// TestASoonReturn: when a store is back what it missed is repaired within the time in which
// a down store is tried again, whatever else waits for it. Seen to take longer without
// heardOfNew (copies of reads took the tries, and told nobody), and without Hasten.
func TestASoonReturn(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard) {
		var keys []string
		for i := range 300 {
			keys = append(keys, fmt.Sprintf("k%03d", i))
		}
		fill(t, y.oldStore, keys...)
		y.must(Start)
		y.crawled()
		for outage := range 12 {
			y.new.SetDown(true)
			for i, key := range keys {
				if i%60 == 0 {
					y.ok(y.write(key, fmt.Sprint("outage ", outage)))
				}
				o, _, err := y.Bucket.Get(t.Context(), backends.GetRequest{Key: key})
				y.ok(err)
				y.ok(o.Body.Close())
			}
			time.Sleep(time.Duration(10+3*outage) * time.Second)
			y.new.SetDown(false)
			back := time.Now()
			y.until("all is repaired", func() bool { return y.Bucket.Unsettled() == 0 })
			if took := time.Since(back); took > 10*time.Second {
				t.Errorf("it took %v", took)
			}
		}
		y.same()
	})
}
