package gateway

import (
	"errors"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"sluice/backends"
)

// metrics are what Prometheus is told. Labels have few values: hosts are "s3" and "public",
// operations are S3's, statuses are classes; buckets are those the configuration names.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	took     *prometheus.HistogramVec
	stores   *prometheus.HistogramVec
	held     prometheus.Counter // requests that were answered on their connection
}

// seconds are the buckets of histograms.
var seconds = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_requests_total", Help: "Requests of clients, by the class of what they were answered.",
		}, []string{"host", "operation", "status"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "sluice_request_duration_seconds", Help: "From a request's headers to the end of its answer.", Buckets: seconds,
		}, []string{"host", "operation"}),
		stores: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "sluice_store_request_duration_seconds", Help: "From a request to a store to the headers of its answer, without the time in which a client sends.", Buckets: seconds,
		}, []string{"store", "result"}),
	}
	m.held = m.requests.WithLabelValues("public", "GET", "2xx")
	m.registry.MustRegister(m.requests, m.took, m.stores,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// answered counts a request, also one whose answer broke off.
func (m *metrics) answered(host, operation string, p *patience, took time.Duration) {
	class := "torn"
	if p.whole {
		class = strconv.Itoa(p.status/100) + "xx"
	}
	m.requests.WithLabelValues(host, operation, class).Inc()
	m.took.WithLabelValues(host, operation).Observe(took.Seconds())
}

// asked counts a request to a store.
func (m *metrics) asked(store string, took time.Duration, err error) {
	m.stores.WithLabelValues(store, result(err)).Observe(took.Seconds())
}

func result(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, backends.ErrUnavailable):
		return "unavailable"
	case errors.Is(err, backends.ErrSlowDown):
		return "slow_down"
	case errors.Is(err, backends.ErrDenied):
		return "denied"
	}
	return "refused" // a key that is not there, a condition that does not hold
}
