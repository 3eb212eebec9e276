package spans

import (
	"log/slog"
	"net/http/httptest"
	"testing"

	"sluice/gateway/trace"
)

// TestWanted: the environment says whether there are spans, and how they are sent.
func TestWanted(t *testing.T) {
	const at = "OTEL_EXPORTER_OTLP_ENDPOINT"
	for _, c := range []struct {
		env    map[string]string
		on, ok bool
	}{
		{nil, false, true},
		{map[string]string{at: "http://127.0.0.1:1"}, true, true},
		{map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1"}, true, true},
		{map[string]string{"OTEL_TRACES_EXPORTER": "otlp"}, true, true},
		{map[string]string{at: "x", "OTEL_TRACES_EXPORTER": "none"}, false, true},
		{map[string]string{at: "x", "OTEL_SDK_DISABLED": "true"}, false, true},
		{map[string]string{at: "x", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, true, true},
		{map[string]string{at: "x", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, false, false},
		{map[string]string{"OTEL_TRACES_EXPORTER": "zipkin"}, false, false},
	} {
		on, err := wanted(func(name string) string { return c.env[name] })
		if on != c.on || err == nil != c.ok {
			t.Errorf("%v: %t, %v", c.env, on, err)
		}
	}
}

// TestOff: without spans nothing is made for them.
func TestOff(t *testing.T) {
	s, err := Open(t.Context(), func(string) string { return "" }, slog.New(slog.DiscardHandler))
	if s != nil || err != nil {
		t.Fatalf("%v, %v", s, err)
	}
	ctx, r, record := t.Context(), httptest.NewRequest("GET", "/", nil), new(trace.Record)
	if n := testing.AllocsPerRun(100, func() {
		ctx := s.Request(ctx, r)
		if s.Call(ctx, "old", "GetObject") != nil {
			t.Fatal("a call is told")
		}
		_, end := s.Background(ctx, "copy", "b", "k")
		end(nil)
		s.Answered(ctx, record)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
	s.Close()
}
