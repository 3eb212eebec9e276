package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"

	"sluice/backends"
	"sluice/gateway/mirror"
	"sluice/gateway/s3api"
)

// reader is a bucket as who asks may read it: *mirror.Bucket, or mirror.Public.
type reader interface {
	Get(ctx context.Context, r backends.GetRequest) (*backends.Object, mirror.Served, error)
	Head(ctx context.Context, r backends.GetRequest) (*backends.Info, mirror.Served, error)
}

// openObject opens what a GET asks for. When a condition of the request does not hold the
// object comes with the error, closed.
func openObject(ctx context.Context, from reader, r s3api.GetRequest) (*backends.Object, mirror.Served, error) {
	if r.Range != "" && r.Conditions.IfRange != "" {
		// If it does not hold the client gets the whole object: it would else join the
		// halves of two (RFC 9110, section 13.1.5).
		whole := r.GetRequest
		whole.Range = ""
		info, served, err := from.Head(ctx, whole)
		if err != nil {
			return nil, served, err
		}
		if !r.Conditions.KeepRange(info.ETag, info.LastModified) {
			r.Range = ""
		}
	}
	o, served, err := from.Get(ctx, r.GetRequest)
	if errors.Is(err, backends.ErrInvalidRange) && r.Conditions != (s3api.Conditions{}) {
		// A condition that does not hold goes before the range (section 13.2.2).
		whole := r.GetRequest
		whole.Range, whole.PartNumber = "", 0
		if info, _, headErr := from.Head(ctx, whole); headErr == nil {
			if failed := r.Conditions.Check(info.ETag, info.LastModified); failed != nil {
				return &backends.Object{Info: *info}, served, failed
			}
		}
	}
	if err != nil {
		return nil, served, err
	}
	if failed := r.Conditions.Check(o.ETag, o.LastModified); failed != nil {
		o.Body.Close()
		return o, served, failed
	}
	return o, served, nil
}

// notModified tells whether an error says that the client has what it asks for.
func notModified(err error) bool {
	if err == nil {
		return false // what follows makes an allocation
	}
	var e *s3api.Error
	return errors.As(err, &e) && e.Status == http.StatusNotModified
}

const (
	// smallBody is the longest body that is read whole before it is sent: in one piece it
	// costs less than in three.
	smallBody = 64 << 10
	// copySize is how much there is in memory of a longer one.
	copySize = 32 << 10
)

var (
	smallBodies = sync.Pool{New: func() any { return new([smallBody + 1]byte) }} // with room to see the end
	copyBuffers = sync.Pool{New: func() any { return new([copySize]byte) }}
)

// sendBody sends an object's body behind the headers.
func sendBody(w http.ResponseWriter, r *http.Request, o *backends.Object) {
	if err := copyBody(w, o); err != nil && r.Context().Err() == nil {
		// The headers are out: all that can be done is to break the connection,
		// so that the client does not take what it has for the whole.
		panic(http.ErrAbortHandler)
	}
}

func copyBody(w io.Writer, o *backends.Object) error {
	if _, held := o.Body.(io.WriterTo); held || o.Length > smallBody {
		buf := copyBuffers.Get().(*[copySize]byte)
		defer copyBuffers.Put(buf)
		_, err := io.CopyBuffer(w, o.Body, buf[:])
		return err
	}
	buf := smallBodies.Get().(*[smallBody + 1]byte)
	defer smallBodies.Put(buf)
	n, err := io.ReadFull(o.Body, buf[:o.Length+1])
	if int64(n) != o.Length || !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("a body of %d bytes and not of %d: %w", n, o.Length, err)
	}
	_, err = w.Write(buf[:n])
	return err
}

// describeObject is openObject for a HEAD.
func describeObject(ctx context.Context, from reader, r s3api.GetRequest) (*backends.Object, mirror.Served, error) {
	whole := r.GetRequest
	whole.Range = ""
	info, served, err := from.Head(ctx, whole)
	if err != nil {
		return nil, served, err
	}
	o := &backends.Object{Info: *info, Body: http.NoBody}
	if err := r.Conditions.Check(info.ETag, info.LastModified); err != nil {
		return o, served, err
	}
	if r.Range == "" || !r.Conditions.KeepRange(info.ETag, info.LastModified) {
		return o, served, nil
	}
	start, length, ok, err := backends.ParseRange(r.Range, info.Size)
	if err != nil {
		return nil, served, err
	}
	if ok {
		o.Length, o.ContentRange = length, fmt.Sprintf("bytes %d-%d/%d", start, start+length-1, info.Size)
	}
	return o, served, nil
}
