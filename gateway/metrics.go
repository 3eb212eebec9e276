package gateway

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"sluice/gateway/cache"
)

// newMetrics are what Prometheus is told.
func newMetrics(c *cache.Cache) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(cacheMetrics{c}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// cacheMetrics tells of the cache what it counts itself.
type cacheMetrics struct{ cache *cache.Cache }

type metric struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(cache.Stats) int64
	tier  string
}

func counter(name, help, tier string, value func(cache.Stats) int64) metric {
	return newMetric("sluice_cache_"+name+"_total", help, tier, prometheus.CounterValue, value)
}

func gauge(name, help, tier string, value func(cache.Stats) int64) metric {
	return newMetric("sluice_cache_"+name, help, tier, prometheus.GaugeValue, value)
}

func newMetric(name, help, tier string, kind prometheus.ValueType, value func(cache.Stats) int64) metric {
	var labels []string
	if tier != "" {
		labels = []string{"tier"}
	}
	return metric{prometheus.NewDesc(name, help, labels, nil), kind, value, tier}
}

var ofCache = []metric{
	counter("hits", "Reads that were answered from the cache.", "", func(s cache.Stats) int64 { return s.Hits }),
	counter("misses", "Reads for which the stores were asked.", "", func(s cache.Stats) int64 { return s.Misses }),
	counter("collapsed", "Misses that shared a read of the stores with others.", "", func(s cache.Stats) int64 { return s.Collapsed }),
	counter("saved_bytes", "Bytes that the stores did not have to send.", "", func(s cache.Stats) int64 { return s.Saved }),
	counter("rejected", "Objects not kept because they were written to while they were read.", "", func(s cache.Stats) int64 { return s.Rejected }),
	gauge("fetches", "Reads of the stores under way.", "", func(s cache.Stats) int64 { return s.Fetches }),
	counter("evicted", "Objects and blocks that made room for others.", "memory", func(s cache.Stats) int64 { return s.Evicted }),
	counter("evicted", "Objects and blocks that made room for others.", "disk", func(s cache.Stats) int64 { return s.Disk.Evicted }),
	gauge("items", "Objects and blocks that are held.", "memory", func(s cache.Stats) int64 { return s.Items }),
	gauge("items", "Objects and blocks that are held.", "disk", func(s cache.Stats) int64 { return s.Disk.Items }),
	gauge("bytes", "Bytes that are held.", "memory", func(s cache.Stats) int64 { return s.Bytes }),
	gauge("bytes", "Bytes that are held.", "disk", func(s cache.Stats) int64 { return s.Disk.Bytes }),
	counter("disk_hits", "Objects and blocks that came back from disk.", "", func(s cache.Stats) int64 { return s.Disk.Hits }),
	counter("disk_dropped", "Objects and blocks that could not be written to disk.", "", func(s cache.Stats) int64 { return s.Disk.Dropped }),
	counter("disk_broken", "Files on disk that were not as they were written.", "", func(s cache.Stats) int64 { return s.Disk.Broken }),
}

// Describe names the metrics.
func (c cacheMetrics) Describe(to chan<- *prometheus.Desc) {
	for _, m := range ofCache {
		to <- m.desc
	}
}

// Collect tells their values.
func (c cacheMetrics) Collect(to chan<- prometheus.Metric) {
	s := c.cache.Stats()
	for _, m := range ofCache {
		var labels []string
		if m.tier != "" {
			labels = []string{m.tier}
		}
		to <- prometheus.MustNewConstMetric(m.desc, m.kind, float64(m.value(s)), labels...)
	}
}
