package gateway

import (
	"github.com/prometheus/client_golang/prometheus"

	"sluice/gateway/cache"
	"sluice/gateway/config"
	"sluice/gateway/migrate"
	"sluice/tls"
)

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

// stateMetrics tell of buckets, stores and certificates as they are when it is asked.
type stateMetrics struct{ g *Gateway }

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("sluice_"+name, help, labels, nil)
}

var (
	phaseDesc     = describe("bucket_phase", "1 for the phase that a bucket is in.", "bucket", "phase")
	pendingDesc   = describe("bucket_pending_writes", "Writes that are open or wait for the repairer.", "bucket")
	conditionDesc = describe("bucket_condition", "Whether a condition of a bucket holds, as in sluice status.", "bucket", "condition")
	objectsDesc   = describe("backfill_objects", "Objects that the backfill is to go over, has done, and failed to copy.", "bucket", "what")
	bytesDesc     = describe("backfill_bytes", "Bytes that the backfill is to go over, and has done.", "bucket", "what")
	journalDesc   = describe("journal_pending", "Keys that wait for the repairer.")
	inFlightDesc  = describe("requests_in_flight", "S3 requests that are being answered.")
	availableDesc = describe("store_available", "0 while no request to a store has a usable answer.", "store")
	expiryDesc    = describe("certificate_expiry_timestamp_seconds", "When a name's certificate ends.", "name")
	// As Prometheus calls its own.
	reloadedDesc   = describe("config_last_reload_successful", "Whether the last attempt to reload the configuration went well.")
	reloadTimeDesc = describe("config_last_reload_success_timestamp_seconds", "When the configuration in force was loaded.")
	troubleDesc    = describe("certificate_trouble", "1 while a name's certificate can not be had or renewed.", "name")
)

// Describe names the metrics.
func (stateMetrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		phaseDesc, pendingDesc, conditionDesc, objectsDesc, bytesDesc, journalDesc, inFlightDesc, availableDesc, expiryDesc, troubleDesc,
		reloadedDesc, reloadTimeDesc,
	} {
		to <- d
	}
}

// Collect tells their values.
func (s stateMetrics) Collect(to chan<- prometheus.Metric) {
	tell := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	g := s.g.now.Load()
	for _, b := range g.status() {
		if _, named := g.config.Buckets[b.Bucket]; named && b.Bucket != config.Wildcard {
			tellBucket(b, tell)
		}
	}
	tell(journalDesc, float64(g.journal.Pending()))
	tell(inFlightDesc, float64(g.requests.taken.Load()))
	for name, store := range g.stores {
		tell(availableDesc, number(store.reach.condition("").Status), name)
	}
	good, at := g.reloads.last()
	tell(reloadedDesc, number(good))
	tell(reloadTimeDesc, float64(at.Unix()))
	if g.certificates.Mode() == tls.Off {
		return
	}
	for _, c := range g.certificates.Certificates() {
		tell(troubleDesc, number(c.Error != ""), c.Name)
		if !c.NotAfter.IsZero() {
			tell(expiryDesc, float64(c.NotAfter.Unix()), c.Name)
		}
	}
}

func tellBucket(b migrate.Status, tell func(d *prometheus.Desc, value float64, labels ...string)) {
	tell(phaseDesc, 1, b.Bucket, string(b.Name))
	tell(pendingDesc, float64(b.Pending), b.Bucket)
	for _, c := range b.Conditions {
		tell(conditionDesc, number(c.Status), b.Bucket, c.Type)
	}
	if p := b.Backfill; p != nil {
		tell(objectsDesc, float64(p.Total.Objects), b.Bucket, "total")
		tell(objectsDesc, float64(p.Done.Objects), b.Bucket, "done")
		tell(objectsDesc, float64(p.Failed), b.Bucket, "failed")
		tell(bytesDesc, float64(p.Total.Bytes), b.Bucket, "total")
		tell(bytesDesc, float64(p.Done.Bytes), b.Bucket, "done")
	}
}

func number(holds bool) float64 {
	if holds {
		return 1
	}
	return 0
}
