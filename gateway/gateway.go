// Package gateway is Sluice's front: it takes S3 requests and runs each on a
// bucket's two stores. The request's way is ServeHTTP → serve → dispatch, then
// one short function per operation, which calls the mirror.
package gateway

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sluice/backends"
	"sluice/backends/acl"
	"sluice/gateway/cache"
	"sluice/gateway/events"
	"sluice/gateway/journal"
	"sluice/gateway/migrate"
	"sluice/gateway/migrate/throttle"
	"sluice/gateway/mirror"
	"sluice/gateway/s3api"
	"sluice/gateway/sigv4"
	"sluice/gateway/spans"
	"sluice/gateway/trace"
	"sluice/tls"
)

// Gateway serves S3 on the buckets of a configuration. It is an http.Handler. What follows
// from the configuration is in the gate; here is what outlives it.
type Gateway struct {
	now      atomic.Pointer[gate]
	log      *slog.Logger
	state    *migrate.State
	buckets  bucketSet
	acls     *acl.Records
	journal  *journal.Journal
	cache    *cache.Cache
	repairer *migrate.Repairer
	throttle *throttle.Throttle // of background work
	requests slots              // in flight
	forms    chan struct{}      // a slot for each form whose file is taken in
	cors     *corsAnswers
	metrics  *metrics
	events   events.Log
	changes  changes
	traces   trace.Hub
	spans    *spans.Spans // nil: nobody collects them
	draining atomic.Bool  // no further requests should come
	reloads  reloads

	certificates *tls.Keeper
	examination  chan struct{} // by the doctor: a slot for the one that there may be
}

var serverHeader = []string{"Sluice"}

// Run repairs and copies in the background until ctx is done, waits for what is
// under way, and closes the journal. The listeners must be closed by then.
func (g *Gateway) Run(ctx context.Context) error {
	var rooms sync.WaitGroup
	rooms.Go(func() { g.repairer.Run(ctx) })
	rooms.Go(func() { g.buckets.run(ctx) })
	rooms.Go(func() { g.throttle.Run(ctx) })
	rooms.Go(func() { g.cache.Run(ctx) })
	rooms.Go(func() { g.certificates.Run(ctx) })
	rooms.Go(func() { g.askAway(ctx) })
	rooms.Go(func() { g.notify(ctx) })
	rooms.Wait()
	return g.Close()
}

// Close gives up a gateway that was opened but never served.
func (g *Gateway) Close() error {
	g.reloads.end()
	err := errors.Join(g.journal.Close(), g.acls.Close())
	g.spans.Close()
	if g.certificates != nil {
		g.certificates.Close()
	}
	return err
}

// ServeHTTP answers one request.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) { g.now.Load().answer(w, r) }

func (g *gate) answer(w http.ResponseWriter, r *http.Request) {
	r = g.proxies.believe(r)
	if h := g.public[hostName(r.Host)]; h != nil {
		h.ServeHTTP(w, r)
		return
	}
	w.Header()["Server"] = serverHeader
	id := rand.Text()
	w.Header().Set("X-Amz-Request-Id", id)
	if r.ContentLength == 0 && r.Header.Get("Expect") == "100-continue" {
		// net/http leaves it out where there is no body to wait for, as it may;
		// but botocore then misreads the next answer on the connection.
		w.WriteHeader(http.StatusContinue)
	}
	a := &asked{host: "s3", start: time.Now()}
	p, r := newPatience(w, g.watch(a, r), time.Duration(g.config.Limits.ClientTimeout))
	defer p.end()
	defer func() { g.answered(a, p, r) }()
	w = p
	err := g.requests.admit(g.config.Limits.Requests, func() error { return g.serve(w, r, a) })
	if err != nil {
		answer := s3Error(err)
		s3api.WriteError(w, r, answer, r.URL.Path, id)
		if answer.Status >= http.StatusInternalServerError && answer.Status != http.StatusNotImplemented {
			g.log.Warn("request failed", "request", id, "method", r.Method, "path", r.URL.Path, "client", r.RemoteAddr, "code", answer.Code, "error", err)
		}
	}
	p.whole = true
	g.log.Debug("request", "request", id, "method", r.Method, "path", r.URL.Path, "took", time.Since(a.start), "error", err)
}

// call is one request on its way: what is asked, of which bucket, by whom.
type call struct {
	*s3api.Request
	g      *gate
	w      http.ResponseWriter
	r      *http.Request
	who    *sigv4.Identity
	rights rights
	body   *sigv4.Body // reads to io.EOF only if everything promised about it holds
	bucket *mirror.Bucket
}

// serve reads the request, finds out who asks and whether they may, and runs it. What is
// asked for is in a at once.
func (g *gate) serve(w http.ResponseWriter, r *http.Request, a *asked) error {
	req, err := s3api.Parse(r, g.bucketOf(r.Host))
	if err != nil {
		return err
	}
	a.s3 = req
	switch req.Op { // neither is signed as a request
	case s3api.Preflight:
		return g.bucketError(req.Bucket, g.preflight(w, r, req))
	case s3api.PostObject:
		return g.bucketError(req.Bucket, g.postObject(w, r, req))
	}
	who, err := g.verifier.Verify(r)
	if err != nil {
		return err
	}
	c := &call{Request: req, g: g, w: w, r: r, who: who, rights: g.rightsOf(who, req.Bucket)}
	if err := c.allowed(); err != nil {
		return err
	}
	if c.body, err = who.Body(r); err != nil {
		return err
	}
	return g.bucketError(req.Bucket, g.run(c))
}

// run finds the bucket and runs the operation on it.
func (g *gate) run(c *call) (err error) {
	if c.Bucket != "" && c.Op != s3api.CreateBucket {
		if c.bucket, err = g.buckets.get(c.r.Context(), c.Bucket); err != nil {
			return err
		}
	}
	g.shareWithOrigin(c)
	if err := c.checkOwner(c.bucket, "X-Amz-Expected-Bucket-Owner"); err != nil {
		return err
	}
	return g.dispatch(c)
}

// bucketError is what a client is told when a bucket is not there. If its name is
// in the configuration that is the operator's trouble, and clients hear of it as
// of an outage.
func (g *gate) bucketError(name string, err error) error {
	if _, named := g.config.Buckets[name]; named || !errors.Is(err, backends.ErrNoBucket) {
		return err
	}
	g.buckets.forget(name)
	if err := g.drop(name); err != nil {
		return err
	}
	return s3api.ErrorFor("NoSuchBucket", "")
}

// drop gives up what is known of a bucket that is not there any more: what new still
// holds is no mirror of a later bucket of this name.
func (g *Gateway) drop(name string) error {
	return errors.Join(g.state.Drop(name), g.acls.Drop(name))
}

// bucketOf is the bucket that a host name carries in front of one of ours
// (virtual-host style), or "". A port is ignored.
func (g *gate) bucketOf(host string) string {
	host = hostName(host)
	for _, ours := range g.hosts {
		if bucket, ok := strings.CutSuffix(host, "."+ours); ok {
			return bucket
		}
	}
	return ""
}

// dispatch runs the operation.
func (g *gate) dispatch(c *call) error {
	switch c.Op {
	case s3api.GetObject:
		return c.getObject()
	case s3api.HeadObject:
		return c.headObject()
	case s3api.PutObject:
		return c.putObject()
	case s3api.CopyObject:
		return c.copyObject()
	case s3api.DeleteObject:
		return c.deleteObject()
	case s3api.DeleteObjects:
		return c.deleteObjects()

	case s3api.SelectObjectContent:
		return c.selectContent()

	case s3api.CreateMultipartUpload:
		return c.createUpload()
	case s3api.UploadPart:
		return c.uploadPart()
	case s3api.UploadPartCopy:
		return c.copyPart()
	case s3api.CompleteMultipartUpload:
		return c.completeUpload()
	case s3api.AbortMultipartUpload:
		return c.abortUpload()
	case s3api.ListParts:
		return c.listParts()
	case s3api.ListMultipartUploads:
		return c.listUploads()

	case s3api.ListObjects, s3api.ListObjectsV2:
		return c.list()
	case s3api.HeadBucket:
		return c.headBucket()
	case s3api.GetBucketLocation:
		return c.location()
	case s3api.ListBuckets:
		return g.listBuckets(c)
	case s3api.CreateBucket:
		return g.createBucket(c)
	case s3api.DeleteBucket:
		return g.deleteBucket(c)
	case s3api.ListObjectVersions:
		return c.listVersions()
	}
	if !c.Op.Implemented() {
		return s3api.ErrorFor("NotImplemented", string(c.Op)+" is not implemented.")
	}
	return c.subresource()
}

// s3Error is what a client is told of err.
func s3Error(err error) *s3api.Error {
	var auth *sigv4.Error
	switch {
	case errors.As(err, &auth):
		return authError(auth)
	case errors.Is(err, journal.ErrFull), errors.Is(err, journal.ErrBusy), errors.Is(err, mirror.ErrPhaseChanged):
		return s3api.ErrorFor("SlowDown", "")
	case errors.Is(err, mirror.ErrUndecided):
		return s3api.ErrorFor("ServiceUnavailable", "")
	case errors.Is(err, mirror.ErrSecondary):
		return s3api.ErrorFor("ServiceUnavailable", "The write reached only one of the two stores; send it again.")
	}
	return s3api.FromError(err)
}

// authError shows the client what S3 shows of a refused signature.
func authError(auth *sigv4.Error) *s3api.Error {
	answer := s3api.ErrorFor(auth.Code, auth.Message)
	for _, d := range []backends.Detail{
		{Name: "AWSAccessKeyId", Value: auth.AccessKeyID},
		{Name: "StringToSign", Value: auth.StringToSign},
		{Name: "SignatureProvided", Value: auth.SignatureProvided},
		{Name: "CanonicalRequest", Value: auth.CanonicalRequest},
		{Name: "HeadersNotSigned", Value: auth.HeadersNotSigned},
		{Name: "ArgumentName", Value: auth.ArgumentName},
		{Name: "ArgumentValue", Value: auth.ArgumentValue},
	} {
		if d.Value != "" {
			answer.Details = append(answer.Details, d)
		}
	}
	return answer
}

// Journal holds the intents.
func (g *Gateway) Journal() *journal.Journal { return g.journal }

// Cache is the object cache; nil when it is off.
func (g *Gateway) Cache() *cache.Cache { return g.cache }

// Repairer settles what writes left behind.
func (g *Gateway) Repairer() *migrate.Repairer { return g.repairer }

// Bucket is the bucket that clients know by name.
func (g *Gateway) Bucket(ctx context.Context, name string) (*mirror.Bucket, error) {
	return g.buckets.get(ctx, name)
}

// Throttle holds back the background work of all buckets.
func (g *Gateway) Throttle() *throttle.Throttle { return g.throttle }
