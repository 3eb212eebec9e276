// Package admin is the operator's way in: a small HTTP API, never on a listener that
// clients reach, and the client of it.
package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"sluice/backends"
	"sluice/gateway/cache"
	"sluice/gateway/config"
	"sluice/gateway/doctor"
	"sluice/gateway/events"
	"sluice/gateway/migrate"
	"sluice/gateway/migrate/throttle"
	"sluice/gateway/mirror"
	"sluice/gateway/notify"
	"sluice/gateway/trace"
)

// Control is what the API reaches.
type Control struct {
	Buckets  func() []migrate.Status
	Command  func(ctx context.Context, bucket string, c migrate.Command, o migrate.Order) (migrate.Report, error)
	Verify   func(ctx context.Context, bucket string) (*migrate.Verification, error)
	Throttle *throttle.Throttle
	Cache    *cache.Cache
	Metrics  http.Handler
	Ready    func() error // why requests are not taken now

	Certificates func() Certificates
	Conditions   func() []migrate.Condition // of the gateway itself
	Doctor       func(ctx context.Context, o doctor.Order, seen func(doctor.Check)) error
	TestNotify   func(ctx context.Context) []notify.Result
	Reload       func(ctx context.Context, dryRun bool) (config.Changes, error)

	Events *events.Log
	Traces *trace.Hub
	Locate func(ctx context.Context, bucket, key string) (mirror.Located, error)

	// Traffic tells what went on until now. It is never called twice at a time.
	Traffic func(now time.Time) Traffic
}

// Handler serves
//
//	GET    /v1/buckets                           every open bucket's migrate.Status
//	POST   /v1/buckets/{bucket}/{command}        a migrate.Command with a migrate.Order; a migrate.Report
//	POST   /v1/buckets/{bucket}/verify           a migrate.VerifyOrder; 202
//	DELETE /v1/buckets/{bucket}/verify           204
//	GET    /v1/buckets/{bucket}/verify/findings  lines as Client.Findings says
//	GET    /v1/throttle                          a ThrottleStatus
//	PUT    /v1/throttle                          throttle.Limits; a ThrottleStatus
//	GET    /v1/cache                             cache.Stats
//	POST   /v1/buckets/{bucket}/purge            a PurgeOrder; a PurgeReport
//	GET    /metrics                              for Prometheus
//	GET    /livez, /readyz                       200, or 503 with the reason
//	GET    /v1/certificates                      Certificates
//	GET    /v1/conditions                        the gateway's own []migrate.Condition
//	POST   /v1/doctor                            a doctor.Order; a line with a doctor.Check for each, as it ends
//	POST   /v1/notify/test                       a list of notify.Result
//	POST   /v1/config/reload                     a ReloadOrder; config.Changes
//	GET    /v1/events                            events.Event as server-sent events; see followEvents
//	GET    /v1/trace                             trace.Record as server-sent events; see followTrace
//	GET    /v1/buckets/{bucket}/object?key=KEY   a mirror.Located
//	GET    /v1/live                              a Live every second, as server-sent events
//
// Failures are an Error.
func (c Control) Handler() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, h func(w http.ResponseWriter, r *http.Request) error) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := h(w, r); err != nil {
				refuse(w, err)
			}
		})
	}
	handle("GET /v1/buckets", func(w http.ResponseWriter, _ *http.Request) error {
		return answer(w, http.StatusOK, c.Buckets())
	})
	handle("POST /v1/buckets/{bucket}/{command}", c.command)
	handle("POST /v1/buckets/{bucket}/verify", c.verify)
	handle("DELETE /v1/buckets/{bucket}/verify", c.stopVerify)
	handle("GET /v1/buckets/{bucket}/verify/findings", c.findings)
	handle("GET /v1/throttle", func(w http.ResponseWriter, _ *http.Request) error { return c.throttled(w) })
	handle("PUT /v1/throttle", c.setThrottle)
	handle("GET /v1/cache", func(w http.ResponseWriter, _ *http.Request) error {
		return answer(w, http.StatusOK, c.Cache.Stats())
	})
	handle("POST /v1/buckets/{bucket}/purge", c.purge)
	mux.Handle("GET /metrics", c.Metrics)
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := c.Ready(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "ok\n")
	})
	handle("GET /v1/certificates", func(w http.ResponseWriter, _ *http.Request) error {
		return answer(w, http.StatusOK, c.Certificates())
	})
	handle("GET /v1/conditions", func(w http.ResponseWriter, _ *http.Request) error {
		return answer(w, http.StatusOK, c.Conditions())
	})
	handle("POST /v1/doctor", c.doctor)
	handle("POST /v1/notify/test", func(w http.ResponseWriter, r *http.Request) error {
		return answer(w, http.StatusOK, c.TestNotify(r.Context()))
	})
	handle("POST /v1/config/reload", c.reload)
	handle("GET /v1/events", c.followEvents)
	handle("GET /v1/trace", c.followTrace)
	handle("GET /v1/buckets/{bucket}/object", c.object)
	handle("GET /v1/live", newFeed(c).serve)
	return mux
}

func (c Control) reload(w http.ResponseWriter, r *http.Request) error {
	var o ReloadOrder
	if err := decode(r, &o); err != nil {
		return err
	}
	changes, err := c.Reload(r.Context(), o.DryRun)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, changes)
}

func (c Control) command(w http.ResponseWriter, r *http.Request) error {
	var o migrate.Order
	if err := decode(r, &o); err != nil {
		return err
	}
	o.By = who(r.Context())
	report, err := c.Command(r.Context(), r.PathValue("bucket"), migrate.Command(r.PathValue("command")), o)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, report)
}

func (c Control) verify(w http.ResponseWriter, r *http.Request) error {
	var o migrate.VerifyOrder
	if err := decode(r, &o); err != nil {
		return err
	}
	v, err := c.Verify(r.Context(), r.PathValue("bucket"))
	if err == nil {
		err = v.Begin(o)
	}
	if err != nil {
		return err
	}
	c.ordered(r, r.PathValue("bucket"), "verify, level %s", o.Level)
	w.WriteHeader(http.StatusAccepted)
	return nil
}

func (c Control) stopVerify(w http.ResponseWriter, r *http.Request) error {
	v, err := c.Verify(r.Context(), r.PathValue("bucket"))
	if err == nil {
		err = v.Stop()
	}
	if err != nil {
		return err
	}
	c.ordered(r, r.PathValue("bucket"), "verify is to stop")
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (c Control) findings(w http.ResponseWriter, r *http.Request) error {
	v, err := c.Verify(r.Context(), r.PathValue("bucket"))
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	return v.Findings(w)
}

func (c Control) purge(w http.ResponseWriter, r *http.Request) error {
	var o PurgeOrder
	if err := decode(r, &o); err != nil {
		return err
	}
	var report PurgeReport
	bucket := r.PathValue("bucket")
	for _, key := range o.Keys {
		if c.Cache.Purge(cache.Key{Bucket: bucket, Name: key}) {
			report.Purged++
		}
	}
	if o.Prefix != nil {
		report.Purged += c.Cache.PurgePrefix(bucket, *o.Prefix)
	}
	c.ordered(r, bucket, "cache purge: %d keys dropped", report.Purged)
	return answer(w, http.StatusOK, report)
}

// doctor answers check after check. One that was interrupted is not to be taken for whole.
func (c Control) doctor(w http.ResponseWriter, r *http.Request) error {
	var o doctor.Order
	if err := decode(r, &o); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	lines := json.NewEncoder(w)
	err := c.Doctor(r.Context(), o, func(found doctor.Check) {
		_ = lines.Encode(found) // the client is gone, or not
		_ = http.NewResponseController(w).Flush()
	})
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	return nil
}

func (c Control) setThrottle(w http.ResponseWriter, r *http.Request) error {
	var l throttle.Limits
	if err := decode(r, &l); err != nil {
		return err
	}
	if err := c.Throttle.Set(l); err != nil {
		return fmt.Errorf("%w: %w", migrate.ErrInvalid, err)
	}
	limits, err := json.Marshal(l)
	if err != nil {
		return err
	}
	c.ordered(r, "", "throttle set to %s", limits)
	return c.throttled(w)
}

func (c Control) throttled(w http.ResponseWriter) error {
	return answer(w, http.StatusOK, c.throttleStatus())
}

func (c Control) throttleStatus() ThrottleStatus {
	reason, workers := c.Throttle.Status()
	return ThrottleStatus{Limits: c.Throttle.Limits(), Reason: reason, Workers: workers}
}

// decode reads a document; an empty body is an empty one.
func decode(r *http.Request, document any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(document); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: %w", migrate.ErrInvalid, err)
	}
	return nil
}

// refuse answers a failure.
func refuse(w http.ResponseWriter, err error) {
	e := Error{Kind: Failed, Message: err.Error()}
	status := http.StatusInternalServerError
	var pending *mirror.PendingError
	var refused *migrate.RefusedError
	switch {
	case errors.Is(err, config.ErrKept):
		e.Kind, status = BadConfig, http.StatusUnprocessableEntity
	case errors.As(err, &refused):
		e.Kind, e.Report, status = Refused, &refused.Report, http.StatusConflict
	case errors.Is(err, migrate.ErrGuard), errors.As(err, &pending):
		e.Kind, status = Refused, http.StatusConflict
	case errors.Is(err, migrate.ErrWrongPhase):
		e.Kind, status = WrongPhase, http.StatusConflict
	case errors.Is(err, backends.ErrNoBucket):
		e.Kind, status = NoBucket, http.StatusNotFound
	case errors.Is(err, migrate.ErrInvalid):
		e.Kind, status = Invalid, http.StatusBadRequest
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, backends.ErrUnavailable):
		e.Kind, status = Unavailable, http.StatusServiceUnavailable
	}
	_ = answer(w, status, e) // the client is gone, or not
}

func answer(w http.ResponseWriter, status int, document any) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(document) // as above
	return nil
}
