// Package spans tells an OpenTelemetry collector of requests, of the calls to stores that
// they lead to, and of background copies. The environment says whether and where to, by the
// variables of OpenTelemetry (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/).
package spans

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	otrace "go.opentelemetry.io/otel/trace"

	"sluice/gateway/trace"
)

// Spans tells. A nil *Spans tells nothing, and costs nothing.
type Spans struct {
	provider *sdk.TracerProvider
	tracer   otrace.Tracer
	parents  propagation.TraceContext
}

// Open is what the environment asks for; nil if it asks for nothing.
func Open(ctx context.Context, env func(string) string, log *slog.Logger) (*Spans, error) {
	if on, err := wanted(env); !on || err != nil {
		return nil, err
	}
	otel.SetLogger(logr.Discard()) // it quotes variables that it can not read, and some are secret
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("OpenTelemetry: %w", err)
	}
	from, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", "sluice")), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("OpenTelemetry: %w", err)
	}
	s := &Spans{provider: sdk.NewTracerProvider(sdk.WithBatcher(told{exporter, log}), sdk.WithResource(from))}
	s.tracer = s.provider.Tracer("sluice")
	return s, nil
}

// wanted tells whether the environment asks for traces.
func wanted(env func(string) string) (bool, error) {
	const exporter, protocol = "OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_PROTOCOL"
	somewhere := env("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
	switch how := env(exporter); {
	case env("OTEL_SDK_DISABLED") == "true", how == "none", how == "" && !somewhere:
		return false, nil
	case how != "" && how != "otlp":
		return false, fmt.Errorf("%s: %q is not one of otlp, none", exporter, how)
	}
	for _, name := range []string{protocol, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"} {
		if how := env(name); how != "" && how != "http/protobuf" {
			return false, fmt.Errorf("%s: %q is not spoken here, but http/protobuf is", name, how)
		}
	}
	return true, nil
}

// told logs what goes wrong with sending, without the collector's URL. The SDK would tell a
// handler that all of the process shares.
type told struct {
	sdk.SpanExporter
	log *slog.Logger
}

func (e told) ExportSpans(ctx context.Context, list []sdk.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, list)
	var sent *url.Error
	if errors.As(err, &sent) {
		err = sent.Err
	}
	if err != nil {
		e.log.Warn("traces were not sent", "spans", len(list), "error", err)
	}
	return nil
}

// Close sends what is left, and ends.
func (s *Spans) Close() {
	if s != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = s.provider.Shutdown(ctx) // what could not be sent was logged
	}
}

// Request begins the span of a client's request: below the client's own, if it names one.
func (s *Spans) Request(ctx context.Context, r *http.Request) context.Context {
	if s == nil {
		return ctx
	}
	ctx = s.parents.Extract(ctx, propagation.HeaderCarrier(r.Header))
	ctx, _ = s.tracer.Start(ctx, r.Method, otrace.WithSpanKind(otrace.SpanKindServer))
	return ctx
}

// Answered ends the span of a request. Of the request it tells what the access log does.
func (s *Spans) Answered(ctx context.Context, r *trace.Record) {
	if s == nil {
		return
	}
	span := otrace.SpanFromContext(ctx)
	defer span.End()
	if !span.IsRecording() {
		return
	}
	span.SetName(r.Operation)
	span.SetAttributes(
		attribute.String("http.request.method", r.Method), attribute.String("url.path", r.Path), attribute.String("server.address", r.Host),
		attribute.String("client.address", r.Client), attribute.String("user_agent.original", r.Agent),
		attribute.Int("http.response.status_code", r.Status), attribute.Int64("http.response.body.size", r.Bytes),
		attribute.String("aws.request_id", r.Request), attribute.String("aws.s3.bucket", r.Bucket), attribute.String("aws.s3.key", r.Key),
		attribute.String("sluice.cache", r.Cache), attribute.Float64("sluice.first_byte_ms", r.FirstByte.Seconds()*1000),
	)
	if r.Status >= http.StatusInternalServerError || !r.Whole {
		span.SetStatus(codes.Error, "")
	}
}

// Call begins the span of a call to a store, if it is part of something that has one; else
// it answers nil.
func (s *Spans) Call(ctx context.Context, store, op string) (end func(outcome string, failed bool)) {
	if s == nil || !otrace.SpanFromContext(ctx).IsRecording() {
		return nil
	}
	_, span := s.tracer.Start(ctx, op, otrace.WithSpanKind(otrace.SpanKindClient), otrace.WithAttributes(attribute.String("sluice.store", store)))
	return func(outcome string, failed bool) {
		span.SetAttributes(attribute.String("sluice.outcome", outcome))
		if failed {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

// Background begins the span of work on an object that nobody waits for.
func (s *Spans) Background(ctx context.Context, name, bucket, key string) (context.Context, func(error)) {
	if s == nil {
		return ctx, func(error) {}
	}
	ctx, span := s.tracer.Start(ctx, name, otrace.WithAttributes(attribute.String("aws.s3.bucket", bucket), attribute.String("aws.s3.key", key)))
	return ctx, func(err error) {
		if err != nil {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}
