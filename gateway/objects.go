package gateway

import (
	"cmp"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"sluice/backends"
	"sluice/gateway/mirror"
	"sluice/gateway/s3api"
)

// readRequest reads GetObject and HeadObject. Like S3 it lets nobody who does not
// sign choose the answer's headers: anyone could make a page of somebody's object.
func (c *call) readRequest() (s3api.GetRequest, error) {
	r, err := c.Get()
	if err == nil && c.who.Anonymous && len(r.ResponseHeaders) > 0 {
		err = s3api.ErrorFor("InvalidRequest", "Request specific response headers cannot be used for anonymous GET requests.")
	}
	return r, err
}

func (c *call) getObject() error {
	r, err := c.readRequest()
	if err != nil {
		return err
	}
	o, served, err := openObject(c.r.Context(), c.bucket, r)
	if o != nil {
		setServed(c.w.Header(), served)
	}
	if notModified(err) {
		s3api.WriteNotModified(c.w, &o.Info)
		return nil
	}
	if err != nil {
		return err
	}
	defer o.Body.Close()
	s3api.WriteObject(c.w, o, r.ResponseHeaders)
	sendBody(c.w, c.r, o)
	return nil
}

func (c *call) headObject() error {
	r, err := c.readRequest()
	if err != nil {
		return err
	}
	rng := r.Range
	r.Range = ""
	info, served, err := c.bucket.Head(c.r.Context(), r.GetRequest)
	if err != nil {
		return err
	}
	setServed(c.w.Header(), served)
	if err := r.Conditions.Check(info.ETag, info.LastModified); notModified(err) {
		s3api.WriteNotModified(c.w, info)
		return nil
	} else if err != nil {
		return err
	}
	s3api.WriteHead(c.w, info, rng, r.ResponseHeaders)
	return nil
}

var (
	cacheHit   = []string{"HIT"}
	cacheMiss  = []string{"MISS"}
	cacheStale = []string{"STALE"}
)

// setServed says where an answer came from (RFC 9211).
func setServed(h http.Header, s mirror.Served) {
	status, word := "Sluice; hit", cacheHit
	switch {
	case s.Cache && s.Stale:
		status, word = "Sluice; hit; detail=stale", cacheStale
	case !s.Cache:
		kept, collapsed := "", ""
		if s.Kept {
			kept = "; stored"
		}
		if s.Collapsed {
			collapsed = "; collapsed"
		}
		status, word = "Sluice; fwd="+cmp.Or(s.Missed, "bypass")+kept+collapsed+"; detail="+strconv.Quote(s.Store), cacheMiss
	}
	if s.Cache {
		h["Age"] = []string{strconv.Itoa(int(s.Age / time.Second))}
	}
	h["Cache-Status"] = []string{status}
	h["X-Cache"] = word
}

func (c *call) putObject() error {
	return c.upload(func(body io.Reader) (*backends.PutResult, error) {
		r, err := c.Put(body, c.body.Size)
		if err != nil {
			return nil, err
		}
		r.Trailer = c.trailer()
		return c.bucket.Put(c.r.Context(), r)
	})
}

// trailer is the checksum that the client announces behind the body, or nil.
func (c *call) trailer() *backends.Trailer {
	name, value := c.body.Trailer()
	if name == "" {
		return nil
	}
	return &backends.Trailer{Name: name, Value: value}
}

// upload answers an operation that stores the request's body.
func (c *call) upload(send func(body io.Reader) (*backends.PutResult, error)) error {
	body := keepAlive(c.w, c.r, c.body)
	result, err := send(body)
	body.stop()
	if err != nil {
		return err
	}
	s3api.WritePut(c.w, result)
	return nil
}

func (c *call) copyObject() error {
	r, err := c.Copy()
	if err != nil {
		return err
	}
	return c.copy(r.SourceBucket, r.SourceKey, func(from *mirror.Bucket) (*backends.CopyResult, error) {
		return c.bucket.Copy(c.r.Context(), from, r.CopyRequest)
	})
}

// copy answers an operation that copies on the stores' own servers.
func (c *call) copy(sourceBucket, sourceKey string, run func(from *mirror.Bucket) (*backends.CopyResult, error)) error {
	from, err := c.source(sourceBucket, sourceKey)
	if err != nil {
		return err
	}
	if err := c.drain(); err != nil {
		return err
	}
	body := keepAlive(c.w, c.r, c.body)
	body.begin()
	result, err := run(from)
	body.stop()
	if err != nil {
		return err
	}
	s3api.WriteCopyResult(c.w, c.Request, result)
	return nil
}

// source opens the bucket a copy reads from, if the client may read the key there.
func (c *call) source(bucket, key string) (*mirror.Bucket, error) {
	if !c.g.rightsOf(c.who, bucket).mayUse(key) {
		return nil, s3api.ErrorFor("AccessDenied", "")
	}
	from, err := c.g.buckets.get(c.r.Context(), bucket)
	if err == nil {
		err = c.checkOwner(from, "X-Amz-Source-Expected-Bucket-Owner")
	}
	return from, c.g.bucketError(bucket, err)
}

// drain reads the body of a request that should have none, so that what its
// headers promise of it is checked before anything happens.
func (c *call) drain() error {
	_, err := io.Copy(io.Discard, io.LimitReader(c.body, maxDrain))
	return err
}

const maxDrain = 1 << 20

func (c *call) deleteObject() error {
	r, err := c.Delete()
	if err != nil {
		return err
	}
	if err := c.drain(); err != nil {
		return err
	}
	result, err := c.bucket.Delete(c.r.Context(), r)
	if err != nil {
		return err
	}
	s3api.WriteDelete(c.w, result)
	return nil
}

// selectContent passes a query on, and its answer as it comes: between records a
// store says that it is still at work.
func (c *call) selectContent() error {
	r, err := c.Subresource(c.r.Method, c.body)
	if err != nil {
		return err
	}
	result, err := c.bucket.Select(c.r.Context(), r)
	if err != nil {
		return err
	}
	defer result.Events.Close()
	s3api.WriteSelect(c.w, result)
	flush := http.NewResponseController(c.w)
	buf := make([]byte, 32<<10)
	for {
		n, err := result.Events.Read(buf)
		if _, gone := c.w.Write(buf[:n]); gone != nil {
			return nil
		}
		_ = flush.Flush() // without a Flusher the client waits for the end
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && c.r.Context().Err() == nil:
			panic(http.ErrAbortHandler) // half an answer must not look like a whole one
		case err != nil:
			return nil
		}
	}
}

func (c *call) deleteObjects() error {
	r, err := c.DeleteMany(c.body)
	if err != nil {
		return err
	}
	results, err := c.deleteMany(r.DeleteManyRequest)
	if err != nil {
		return err
	}
	s3api.WriteDeleteResult(c.w, r, results)
	return nil
}

// deleteMany deletes what the client may delete, and answers for all that was asked.
func (c *call) deleteMany(r backends.DeleteManyRequest) ([]backends.DeleteResult, error) {
	results := make([]backends.DeleteResult, len(r.Objects))
	allowed := backends.DeleteManyRequest{Header: r.Header}
	var places []int // of the allowed, in r.Objects
	for i, o := range r.Objects {
		if c.rights.mayUse(o.Key) {
			allowed.Objects, places = append(allowed.Objects, o), append(places, i)
		} else {
			results[i] = backends.DeleteResult{Key: o.Key, Err: s3api.ErrorFor("AccessDenied", "")}
		}
	}
	if len(places) == 0 {
		return results, nil
	}
	done, err := c.bucket.DeleteMany(c.r.Context(), allowed)
	if err != nil {
		return nil, err
	}
	for i, place := range places {
		results[place] = done[i]
	}
	return results, nil
}
