package gateway

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/hashicorp/golang-lru/v2/expirable"

	"sluice/backends"
	"sluice/gateway/mirror"
	"sluice/gateway/s3api"
)

// Who may use a bucket from a page of another origin is the bucket's configuration,
// which the primary keeps and evaluates; some stores that have none answer for all
// buckets alike. So preflights are passed on to it
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html).

// corsAnswers remembers what the primary lets the pages of an origin do.
type corsAnswers = expirable.LRU[corsQuestion, http.Header]

type corsQuestion struct{ bucket, origin, method string }

const (
	corsMemory = 1024             // answers
	corsTTL    = 30 * time.Second // a change behind our back shows after that
)

func newCORSAnswers() *corsAnswers {
	return expirable.NewLRU[corsQuestion, http.Header](corsMemory, nil, corsTTL)
}

// preflight answers a browser's question with the primary's answer. Nobody signs
// preflights.
func (g *Gateway) preflight(w http.ResponseWriter, r *http.Request, req *s3api.Request) error {
	if r.Header.Get("Origin") == "" {
		return s3api.ErrorFor("BadRequest", "Insufficient information. Origin request header needed.")
	}
	b, err := g.buckets.get(r.Context(), req.Bucket)
	if err != nil {
		return err
	}
	answer, err := askOrigin(r.Context(), b, req.Key, r.Header)
	if err != nil {
		return err
	}
	s3api.WriteSubresource(w, answer)
	return nil
}

var preflightHeaders = []string{"Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers"}

func askOrigin(ctx context.Context, b *mirror.Bucket, key string, from http.Header) (*backends.SubresourceResult, error) {
	h := make(http.Header)
	for _, name := range preflightHeaders {
		if values := from[name]; len(values) > 0 {
			h[name] = values
		}
	}
	return b.Subresource(ctx, backends.SubresourceRequest{
		Op: string(s3api.Preflight), Method: http.MethodOptions, Key: key, Query: make(url.Values), Header: h,
	})
}

// shareWithOrigin lets the page that sent a request read the answer, if the bucket
// is open to its origin.
func (g *Gateway) shareWithOrigin(c *call) {
	q := corsQuestion{c.Bucket, c.r.Header.Get("Origin"), c.r.Method}
	if q.origin == "" || c.bucket == nil {
		return
	}
	h, known := g.cors.Get(q)
	if !known {
		ask := http.Header{"Origin": {q.origin}, "Access-Control-Request-Method": {q.method}}
		answer, err := askOrigin(c.r.Context(), c.bucket, c.Key, ask)
		if err == nil {
			h = answer.Header
		}
		g.cors.Add(q, h)
	}
	for name, values := range h {
		if slices.Contains(sharedHeaders, name) {
			c.w.Header()[name] = slices.Clip(values)
		}
	}
}

// sharedHeaders are those of a preflight's answer that belong to the request's own.
var sharedHeaders = []string{
	"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Expose-Headers", "Vary",
}
