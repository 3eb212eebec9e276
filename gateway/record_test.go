package gateway

import (
	"context"
	"net/http/httptest"
	"testing"

	"sluice/gateway/trace"
)

// TestNobodyLooks: a request that nobody looks at goes its way without a record, and so do
// its calls to stores, at no cost.
func TestNobodyLooks(t *testing.T) {
	g := &gate{Gateway: new(Gateway)}
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/k", nil)
	a := &asked{host: "s3"}
	call := g.call("old")
	if n := testing.AllocsPerRun(100, func() {
		if g.watch(a, r) != r || a.calls != nil || call(r.Context(), "GetObject") != nil {
			t.Fatal("there is a record")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	tracer, err := g.traces.Look(trace.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	watched := g.watch(a, r)
	if a.calls == nil || call(watched.Context(), "GetObject") == nil || call(context.WithoutCancel(watched.Context()), "PutObject") == nil {
		t.Error("there is none now that somebody does")
	}
	tracer.Close()
	if g.watch(new(asked), r) != r {
		t.Error("there is one still")
	}
}
