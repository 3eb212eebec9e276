package gateway

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"sluice/gateway/admin"
)

// traffic tells what the metrics counted over the last seconds. Readings are kept only from
// who watches: the first one after a while tells nothing yet.
type traffic struct {
	metrics  *metrics
	readings []reading // the oldest first
}

// reading is what was counted until a moment.
type reading struct {
	at      time.Time
	clients counts
	stores  map[string]counts
}

type counts struct {
	requests, errors uint64
	within           []uint64 // requests by the metrics' bounds (seconds), each with those of the bounds below
}

const (
	trafficWindow = 10 * time.Second
	// trafficGap without a reading means that nobody watched.
	trafficGap = 5 * time.Second
)

// until answers the traffic of the window that ends now.
func (t *traffic) until(now time.Time) admin.Traffic {
	if n := len(t.readings); n > 0 && now.Sub(t.readings[n-1].at) > trafficGap {
		t.readings = nil
	}
	t.readings = append(t.readings, t.metrics.read(now))
	t.readings = slices.DeleteFunc(t.readings, func(r reading) bool { return now.Sub(r.at) > trafficWindow })
	first, last := t.readings[0], t.readings[len(t.readings)-1]
	took := last.at.Sub(first.at).Seconds()
	answer := admin.Traffic{Seconds: took, Stores: make(map[string]admin.Flow)}
	if took <= 0 {
		return answer
	}
	answer.Clients = last.clients.since(first.clients, took)
	for name, counted := range last.stores {
		answer.Stores[name] = counted.since(first.stores[name], took)
	}
	return answer
}

// read adds up what was counted. Requests that were answered on their connection (express)
// are counted, but not timed.
func (m *metrics) read(now time.Time) reading {
	r := reading{at: now, stores: make(map[string]counts)}
	each(m.requests, func(label map[string]string, metric *dto.Metric) {
		n := uint64(metric.GetCounter().GetValue())
		r.clients.requests += n
		if label["status"] == "5xx" {
			r.clients.errors += n
		}
	})
	each(m.took, func(_ map[string]string, metric *dto.Metric) { r.clients.add(metric.GetHistogram()) })
	each(m.stores, func(label map[string]string, metric *dto.Metric) {
		c, h := r.stores[label["store"]], metric.GetHistogram()
		c.add(h)
		c.requests += h.GetSampleCount()
		if label["result"] != "ok" && label["result"] != "refused" {
			c.errors += h.GetSampleCount()
		}
		r.stores[label["store"]] = c
	})
	return r
}

// each goes over a collector's metrics.
func each(c prometheus.Collector, use func(label map[string]string, metric *dto.Metric)) {
	metrics := make(chan prometheus.Metric)
	go func() {
		defer close(metrics)
		c.Collect(metrics)
	}()
	for metric := range metrics {
		var written dto.Metric
		if metric.Write(&written) != nil {
			continue // ours can be written
		}
		label := make(map[string]string)
		for _, pair := range written.GetLabel() {
			label[pair.GetName()] = pair.GetValue()
		}
		use(label, &written)
	}
}

func (c *counts) add(h *dto.Histogram) {
	if c.within == nil {
		c.within = make([]uint64, len(seconds))
	}
	for i, b := range h.GetBucket() {
		c.within[i] += b.GetCumulativeCount()
	}
}

// since is what was counted after before, over so many seconds.
func (c counts) since(before counts, took float64) admin.Flow {
	within := slices.Clone(c.within)
	for i := range before.within {
		within[i] -= before.within[i]
	}
	return admin.Flow{
		Requests: float64(c.requests-before.requests) / took, Errors: float64(c.errors-before.errors) / took, P95: p95(within),
	}
}

// p95 is where 95 % of what is within the highest bound are reached, evenly spread between
// bounds, as Prometheus' histogram_quantile has it.
func p95(within []uint64) float64 {
	if len(within) == 0 || within[len(within)-1] == 0 {
		return 0
	}
	rank := .95 * float64(within[len(within)-1])
	var below float64
	var from float64
	for i, n := range within {
		if float64(n) >= rank {
			return from + (seconds[i]-from)*(rank-below)/(float64(n)-below)
		}
		below, from = float64(n), seconds[i]
	}
	return from
}
