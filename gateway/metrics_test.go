package gateway

import (
	"bytes"
	"log/slog"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"sluice/backends/embedded"
	"sluice/gateway/config"
)

// TestMetrics: every metric is one that Prometheus' own checks find no fault with, and what
// was answered is counted by host, operation and class.
func TestMetrics(t *testing.T) {
	server, err := embedded.Start(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if _, err := server.Store(t.Context(), "any", "bucket"); err != nil {
		t.Fatal(err)
	}
	c := config.Default()
	c.StateDir = t.TempDir()
	c.Stores = map[string]config.Store{"old": {Endpoint: server.Endpoint(), Bucket: "bucket", AccessKeyID: "any", SecretAccessKey: "any"}}
	c.Buckets = map[string]config.Bucket{"media": {Old: "old", Anonymous: config.AnonymousRead}}
	c.Credentials = []config.Credential{{AccessKeyID: "a", SecretAccessKey: "b"}}
	c.Hosts = map[string]config.Host{"s3.test": {Serve: "s3"}, "files.test": {Serve: "public", Bucket: "media"}}
	g, err := Open(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	for _, ask := range []string{"GET http://s3.test/media/absent", "DELETE http://s3.test/media/absent", "GET http://files.test/absent", "BREW http://files.test/"} {
		method, url, _ := strings.Cut(ask, " ")
		g.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), method, url, nil))
	}
	problems, err := testutil.GatherAndLint(g.metrics.registry)
	if err != nil || len(problems) > 0 {
		t.Errorf("%v %v", err, problems)
	}
	want := `
# HELP sluice_requests_total Requests of clients, by the class of what they were answered.
# TYPE sluice_requests_total counter
sluice_requests_total{host="public",operation="GET",status="2xx"} 0
sluice_requests_total{host="public",operation="GET",status="4xx"} 1
sluice_requests_total{host="public",operation="other",status="4xx"} 1
sluice_requests_total{host="s3",operation="DeleteObject",status="4xx"} 1
sluice_requests_total{host="s3",operation="GetObject",status="4xx"} 1
# HELP sluice_bucket_phase 1 for the phase that a bucket is in.
# TYPE sluice_bucket_phase gauge
sluice_bucket_phase{bucket="media",phase="passthrough"} 1
# HELP sluice_store_available 0 while no request to a store has a usable answer.
# TYPE sluice_store_available gauge
sluice_store_available{store="old"} 1
`
	if err := testutil.GatherAndCompare(g.metrics.registry, bytes.NewBufferString(want), "sluice_requests_total", "sluice_bucket_phase", "sluice_store_available"); err != nil {
		t.Error(err)
	}
	if n, err := testutil.GatherAndCount(g.metrics.registry, "sluice_cache_bytes", "sluice_store_request_duration_seconds"); err != nil || n < 3 {
		t.Errorf("%d, %v", n, err)
	}
}

// TestAlerts: the alerts that come with Sluice speak of metrics that there are.
func TestAlerts(t *testing.T) {
	raw, err := os.ReadFile("../deploy/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.UnmarshalWithOptions(raw, &file, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	known := described()
	for _, rule := range file.Groups[0].Rules {
		if rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" || rule.Labels["severity"] == "" {
			t.Errorf("%s does not say what is wrong, what to do, and how bad it is", rule.Alert)
		}
		for _, metric := range metricName.FindAllString(rule.Expr, -1) {
			if !known[metric] {
				t.Errorf("%s: there is no metric %s", rule.Alert, metric)
			}
		}
	}
}

// TestDashboard: the dashboard shows every metric of Sluice's own that there is, or says here
// why not, and none that there is not.
func TestDashboard(t *testing.T) {
	raw, err := os.ReadFile("../deploy/grafana.json")
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{
		"sluice_cache_rejected_total": true, "sluice_cache_items": true, "sluice_cache_disk_hits_total": true, // details of sluice cache
		"sluice_certificate_trouble": true, // an alert
	}
	known := described()
	for _, metric := range metricName.FindAllString(string(raw), -1) {
		for _, part := range []string{"_bucket", "_count", "_sum"} {
			if base, ok := strings.CutSuffix(metric, part); ok && known[base] {
				metric = base // of a histogram
			}
		}
		if !known[metric] {
			t.Errorf("there is no metric %s", metric)
		}
		shown[metric] = true
	}
	for metric := range known {
		if !shown[metric] {
			t.Errorf("%s is not shown", metric)
		}
	}
}

var metricName = regexp.MustCompile(`sluice_\w+`)

// described are the names of Sluice's own metrics.
func described() map[string]bool {
	m := newMetrics()
	m.registry.MustRegister(cacheMetrics{}, stateMetrics{})
	descriptions := make(chan *prometheus.Desc)
	go func() {
		m.registry.Describe(descriptions)
		close(descriptions)
	}()
	known := make(map[string]bool)
	for d := range descriptions {
		if name := metricName.FindString(d.String()); name != "" {
			known[name] = true
		}
	}
	return known
}
