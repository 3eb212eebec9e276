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
	"sluice/gateway/migrate"
	"sluice/gateway/migrate/throttle"
	"sluice/gateway/mirror"
	"sluice/gateway/notify"
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
	Conditions   func() []migrate.Condition        // of the gateway itself
	Doctor       func(ctx context.Context) []Check // looks at everything that can be wrong around it
	TestNotify   func(ctx context.Context) []notify.Result

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
//	POST   /v1/doctor                            a list of Check
//	POST   /v1/notify/test                       a list of notify.Result
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
	handle("POST /v1/doctor", func(w http.ResponseWriter, r *http.Request) error {
		return answer(w, http.StatusOK, c.Doctor(r.Context()))
	})
	handle("POST /v1/notify/test", func(w http.ResponseWriter, r *http.Request) error {
		return answer(w, http.StatusOK, c.TestNotify(r.Context()))
	})
	handle("GET /v1/live", newFeed(c).serve)
	return mux
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
	return answer(w, http.StatusOK, report)
}

func (c Control) setThrottle(w http.ResponseWriter, r *http.Request) error {
	var l throttle.Limits
	if err := decode(r, &l); err != nil {
		return err
	}
	if err := c.Throttle.Set(l); err != nil {
		return fmt.Errorf("%w: %w", migrate.ErrInvalid, err)
	}
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
