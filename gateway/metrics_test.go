package gateway

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"sluice/gateway/cache"
)

func TestMetrics(t *testing.T) {
	problems, err := testutil.GatherAndLint(newMetrics(cache.New(cache.Options{MaxBytes: 1 << 20})))
	if err != nil || len(problems) > 0 {
		t.Errorf("%v %v", err, problems)
	}
	n, err := testutil.GatherAndCount(newMetrics(nil), "sluice_cache_hits_total", "sluice_cache_bytes")
	if err != nil || n != 3 {
		t.Errorf("without a cache: %d, %v", n, err)
	}
}
