// Package admin is the operator's way in: a small HTTP API, never on a listener that
// clients reach.
package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"sluice/backends"
	"sluice/gateway/migrate"
	"sluice/gateway/mirror"
)

// Bucket is a bucket's state as operators see it.
type Bucket struct {
	Name string `json:"bucket"`
	mirror.Phase
	Pending int `json:"pending"` // writes that are open or wait for the repairer
}

// Control is what the API reaches.
type Control struct {
	Status  func() []Bucket
	Command func(ctx context.Context, bucket string, c migrate.Command) error
}

// Handler serves
//
//	GET  /v1/buckets                    every open bucket's state
//	POST /v1/buckets/{bucket}/{command} a migrate.Command; 204, or what is in its way
func (c Control) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/buckets", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, c.Status())
	})
	mux.HandleFunc("POST /v1/buckets/{bucket}/{command}", func(w http.ResponseWriter, r *http.Request) {
		err := c.Command(r.Context(), r.PathValue("bucket"), migrate.Command(r.PathValue("command")))
		if err != nil {
			answer(w, statusOf(err), map[string]string{"error": err.Error()})
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	return mux
}

// statusOf tells refusals from failures.
func statusOf(err error) int {
	var pending *mirror.PendingError
	switch {
	case errors.Is(err, backends.ErrNoBucket):
		return http.StatusNotFound
	case errors.Is(err, migrate.ErrWrongPhase), errors.Is(err, migrate.ErrGuard), errors.As(err, &pending):
		return http.StatusConflict
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

func answer(w http.ResponseWriter, status int, document any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(document) // the client is gone, or not
}
