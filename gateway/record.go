package gateway

import (
	"context"
	"net/http"
	"strings"
	"time"

	"sluice/gateway/s3api"
	"sluice/gateway/trace"
)

// asked is a client's request as it is counted, logged and traced.
type asked struct {
	host        string // "s3" or "public"
	method      string // of a request to a public host
	start       time.Time
	s3          *s3api.Request // nil while it is not known what is asked for
	bucket, key string         // of a request to a public host
	calls       *trace.Calls   // to the stores; nil while nobody looks
}

// operation is S3's name of it, or the method on a public host.
func (a *asked) operation() string {
	switch {
	case a.host == "public":
		return a.method
	case a.s3 == nil:
		return "unknown"
	}
	return string(a.s3.Op)
}

// watch has the calls of a request noted, if anybody looks.
func (g *gate) watch(a *asked, r *http.Request) *http.Request {
	if !g.config.Log.Access && !g.traces.Active() && g.spans == nil {
		return r
	}
	ctx, calls := trace.With(g.spans.Request(r.Context(), r))
	a.calls = calls
	return r.WithContext(ctx)
}

// answered counts a request, writes it into the access log, and passes it to who looks.
func (g *gate) answered(a *asked, p *patience, r *http.Request) {
	took := time.Since(a.start)
	g.metrics.answered(a.host, a.operation(), p, took)
	if a.calls == nil {
		return
	}
	record := a.record(p, r, took)
	g.spans.Answered(r.Context(), record)
	if g.config.Log.Access {
		g.log.Info("access", attributes(record)...)
	}
	if g.traces.Active() {
		g.traces.Send(record)
	}
}

// record is all that is told of a request. Its query is left out, which may hold a
// signature.
func (a *asked) record(p *patience, r *http.Request, took time.Duration) *trace.Record {
	h := p.Header()
	record := &trace.Record{
		Time: a.start.UTC(), Request: h.Get("X-Amz-Request-Id"), Client: r.RemoteAddr, Host: r.Host, Method: r.Method,
		Path: r.URL.Path, Operation: a.operation(), Bucket: a.bucket, Key: a.key, Status: p.status, Whole: p.whole,
		Bytes: p.sent, Took: took, Cache: h.Get("Cache-Status"), Agent: r.UserAgent(),
	}
	if a.s3 != nil {
		record.Bucket, record.Key = a.s3.Bucket, a.s3.Key
	}
	if !p.first.IsZero() {
		record.FirstByte = p.first.Sub(a.start)
	}
	record.Stores, record.More = a.calls.Seen()
	return record
}

// attributes are a record in the access log.
func attributes(r *trace.Record) []any {
	stores := make([]string, len(r.Stores))
	for i, c := range r.Stores {
		stores[i] = c.String()
	}
	return []any{
		"request", r.Request, "client", r.Client, "host", r.Host, "method", r.Method, "path", r.Path, "operation", r.Operation,
		"status", r.Status, "whole", r.Whole, "bytes", r.Bytes, "took", r.Took, "first_byte", r.FirstByte, "cache", r.Cache,
		"stores", strings.Join(stores, ", "), "agent", r.Agent,
	}
}

// expressed tells who looks of an answer from the cache that no record is made of.
func (g *Gateway) expressed(host, path, bucket, key string, size int64) {
	g.traces.Send(&trace.Record{
		Time: time.Now().UTC(), Host: host, Method: http.MethodGet, Path: path, Operation: http.MethodGet, Bucket: bucket, Key: key,
		Status: http.StatusOK, Whole: true, Bytes: size, Cache: "Sluice; hit", Stores: []trace.Call{}, Express: true,
	})
}

// call has a call to a store noted where the request that it is made for is looked at.
func (g *Gateway) call(store string) func(ctx context.Context, op string) func(error) {
	return func(ctx context.Context, op string) func(error) {
		calls, span := trace.From(ctx), g.spans.Call(ctx, store, op)
		if calls == nil && span == nil {
			return nil
		}
		end := calls.Begin(store, op)
		return func(err error) {
			outcome := result(err)
			if end(outcome); span != nil {
				span(outcome, outcome != "ok" && outcome != "refused")
			}
		}
	}
}
