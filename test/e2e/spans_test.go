package e2e

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	spanproto "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"sluice/backends"
	"sluice/gateway/config"
)

// collected is an OpenTelemetry collector.
type collected struct {
	mu      sync.Mutex
	spans   []*spanproto.Span
	service string
}

func newCollector(t *testing.T) *collected {
	c := new(collected)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		var sent collector.ExportTraceServiceRequest
		if err := proto.Unmarshal(raw, &sent); err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", r.URL, err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, from := range sent.ResourceSpans {
			c.service = fmt.Sprint(from.Resource)
			for _, scope := range from.ScopeSpans {
				c.spans = append(c.spans, scope.Spans...)
			}
		}
	}))
	t.Cleanup(s.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", s.URL)
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
	return c
}

// find waits for a span by its name, with words in its attributes, and its children's names.
func (c *collected) find(t *testing.T, name string, words ...string) (span *spanproto.Span, children []string) {
	t.Helper()
	eventually(t, func(context.Context) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, s := range c.spans {
			has := s.Name == name
			for _, w := range words {
				has = has && strings.Contains(fmt.Sprint(s.Attributes), w)
			}
			if has {
				span = s
			}
		}
		if span == nil {
			return fmt.Errorf("no span %s with %q in %v", name, words, c.spans)
		}
		children = nil
		for _, s := range c.spans {
			if string(s.ParentSpanId) == string(span.SpanId) {
				children = append(children, s.Name+" "+fmt.Sprint(s.Attributes))
			}
		}
		return nil
	})
	return span, children
}

// TestSpans: where the environment asks for it, a collector gets a span for each request,
// below the client's own, with the calls to stores below it, and one for each background
// copy. No signature is in them.
func TestSpans(t *testing.T) {
	c := newCollector(t)
	_, _, settings := twoServers(t)
	settings.Hosts = map[string]config.Host{"s3.test": {Serve: "s3"}, "files.test": {Serve: "public", Bucket: "media"}}
	r := startRig(t, settings)
	parent := "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	r.must(t, 200, "", ask{method: "PUT", path: "/media/k", body: "content", header: map[string]string{"Traceparent": parent}})
	put, calls := c.find(t, "PutObject", "aws.s3.key", "/media/k", "int_value:200")
	if hex.EncodeToString(put.TraceId) != parent[3:35] || hex.EncodeToString(put.ParentSpanId) != parent[36:52] {
		t.Errorf("it is not below the client's: %v", put)
	}
	if text := strings.Join(calls, "\n"); len(calls) != 2 || !strings.Contains(text, `"old"`) || !strings.Contains(text, `"new"`) || strings.Count(text, `"ok"`) != 2 {
		t.Errorf("below it are %q", calls)
	}
	if err := put.EndTimeUnixNano - put.StartTimeUnixNano; put.EndTimeUnixNano <= put.StartTimeUnixNano {
		t.Errorf("it took %d", err)
	}
	r.must(t, 403, "SignatureDoesNotMatch", ask{method: "GET", path: "/media/k?X-Amz-Meaning=hush", key: accessKey, secret: "wrong"})
	c.find(t, "GetObject", "int_value:403")
	if _, err := r.store(t, "old", "").Put(t.Context(), backends.PutRequest{Key: "lazy", Body: strings.NewReader("content"), Size: 7}); err != nil {
		t.Fatal(err)
	}
	r.show(t, "GET", "files.test", "/lazy?X-Amz-Signature=hush", nil)
	c.find(t, "GET", "files.test", "lazy")
	if _, calls := c.find(t, "copy of what a client reads", "lazy"); len(calls) != 1 || !strings.HasPrefix(calls[0], "PutObject") {
		t.Errorf("below the copy are %q", calls)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !strings.Contains(c.service, "sluice") {
		t.Errorf("it is said to be of %s", c.service)
	}
	for _, s := range c.spans {
		for _, secret := range []string{"hush", "Signature", "AWS4-HMAC", secretKey} {
			if strings.Contains(s.String(), secret) {
				t.Errorf("%q is in %v", secret, s)
			}
		}
	}
}

// TestCollectorIsAway: that nobody collects costs no request anything, and is logged
// without the collector's URL.
func TestCollectorIsAway(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://hush:hush@127.0.0.1:1/hush")
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=hush,hush")
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
	t.Setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "100")
	_, _, settings := twoServers(t)
	r := startRig(t, settings)
	r.must(t, 200, "", ask{method: "PUT", path: "/media/k", body: "content"})
	eventually(t, func(context.Context) error {
		if !r.log.has("traces were not sent", "refused") {
			return fmt.Errorf("it is not logged")
		}
		return nil
	})
	if r.log.has("hush") {
		t.Error("a secret was logged")
	}
}
