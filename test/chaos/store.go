package chaos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"sluice/backends"
	"sluice/backends/memory"
)

// store is a store whose operations wait for the scheduler: it decides when each
// takes effect, when it is answered, and with what.
type store struct {
	*memory.Store
	w    *world
	life int // of the gateway that uses it: one that crashed reaches nothing
}

var _ backends.Store = (*store)(nil)

// request is one operation that a store was asked for.
type request struct {
	store     *memory.Store
	name      string // of the operation and the key, for the trace
	mutating  bool
	run       func() error // makes it take effect
	decision  chan verdict
	life      int
	effective bool // it took effect and waits to be answered
	err       error
}

// verdict is what the scheduler made of a request.
type verdict int

const (
	answered verdict = iota // as run says
	refused                 // definitely without effect
	lost                    // no answer; it may have taken effect, or may yet
)

// submit puts a request before the scheduler and waits for its end.
func submit[T any](ctx context.Context, s *store, op, key string, mutating bool, run func(context.Context) (T, error)) (T, error) {
	var result, none T
	r := &request{store: s.Store, name: fmt.Sprintf("%s %s %q", s.Name(), op, key), mutating: mutating, life: s.life, decision: make(chan verdict)}
	r.run = func() (err error) {
		result, err = run(context.WithoutCancel(ctx))
		return err
	}
	fail := func(kind error, maybe bool, why string) error {
		return &backends.Error{Store: s.Name(), Op: op, Key: key, Kind: kind, Message: why, MaybeApplied: maybe && mutating}
	}
	if !s.w.enter(r) {
		return none, fail(backends.ErrUnavailable, true, "the gateway is dead")
	}
	select {
	case v := <-r.decision:
		switch {
		case v == refused:
			return none, fail(backends.ErrUnavailable, false, "refused")
		case v == lost:
			return none, fail(backends.ErrUnavailable, true, "no answer")
		case r.err != nil:
			return none, r.err
		}
		return result, nil
	case <-ctx.Done():
		s.w.abandon(r)
		return none, &backends.Error{
			Store: s.Name(), Op: op, Key: key, Kind: backends.ErrUnavailable, Err: ctx.Err(), MaybeApplied: mutating,
		}
	}
}

// take reads a request's body, which the gateway releases when it sees fit.
func (s *store) take(op, key string, body io.Reader, size int64) ([]byte, error) {
	content, err := io.ReadAll(body)
	if err == nil && int64(len(content)) != size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, &backends.Error{Store: s.Name(), Op: op, Key: key, Kind: backends.ErrUnavailable, Err: err}
	}
	return content, nil
}

// Get opens an object. Its body comes later, and may be cut short.
func (s *store) Get(ctx context.Context, r backends.GetRequest) (*backends.Object, error) {
	o, err := submit(ctx, s, "GetObject", r.Key, false, func(ctx context.Context) (*backends.Object, error) { return s.Store.Get(ctx, r) })
	if err != nil {
		return nil, err
	}
	if !s.w.plan.ACLs {
		o.ACL = backends.NoACL // as where the gateway keeps them itself
	}
	o.Body = &lateBody{ReadCloser: o.Body, wait: func() (cut bool, err error) {
		return submit(ctx, s, "GetObject's body", r.Key, false, func(context.Context) (bool, error) {
			return o.Length > 0 && s.w.truncates(), nil
		})
	}, short: o.Length - 1}
	return o, nil
}

// lateBody is a body that waits for the scheduler, which may cut its end off.
type lateBody struct {
	io.ReadCloser
	wait  func() (cut bool, err error)
	short int64
	rest  io.Reader // nil until the wait is over
}

func (b *lateBody) Read(p []byte) (int, error) {
	if b.rest == nil {
		cut, err := b.wait()
		if err != nil {
			return 0, err
		}
		if b.rest = b.ReadCloser; cut {
			b.rest = io.MultiReader(io.LimitReader(b.ReadCloser, b.short), broken{})
		}
	}
	return b.rest.Read(p)
}

// broken is where a connection broke.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// Head describes an object.
func (s *store) Head(ctx context.Context, r backends.GetRequest) (*backends.Info, error) {
	return submit(ctx, s, "HeadObject", r.Key, false, func(ctx context.Context) (*backends.Info, error) { return s.Store.Head(ctx, r) })
}

// List lists.
func (s *store) List(ctx context.Context, r backends.ListRequest) (*backends.ListPage, error) {
	return submit(ctx, s, "ListObjectsV2", r.Prefix, false, func(ctx context.Context) (*backends.ListPage, error) { return s.Store.List(ctx, r) })
}

// ListParts lists an upload's parts.
func (s *store) ListParts(ctx context.Context, r backends.ListPartsRequest) (*backends.PartsPage, error) {
	return submit(ctx, s, "ListParts", r.Key, false, func(ctx context.Context) (*backends.PartsPage, error) { return s.Store.ListParts(ctx, r) })
}

// Put stores an object.
func (s *store) Put(ctx context.Context, r backends.PutRequest) (*backends.PutResult, error) {
	content, err := s.take("PutObject", r.Key, r.Body, r.Size)
	if err != nil {
		return nil, err
	}
	return submit(ctx, s, "PutObject", r.Key, true, func(ctx context.Context) (*backends.PutResult, error) {
		r.Body = bytes.NewReader(content)
		return s.Store.Put(ctx, r)
	})
}

// Delete removes an object.
func (s *store) Delete(ctx context.Context, r backends.DeleteRequest) (*backends.DeleteResult, error) {
	return submit(ctx, s, "DeleteObject", r.Key, true, func(ctx context.Context) (*backends.DeleteResult, error) { return s.Store.Delete(ctx, r) })
}

// DeleteMany removes objects.
func (s *store) DeleteMany(ctx context.Context, r backends.DeleteManyRequest) ([]backends.DeleteResult, error) {
	return submit(ctx, s, "DeleteObjects", fmt.Sprint(r.Objects), true, func(ctx context.Context) ([]backends.DeleteResult, error) {
		return s.Store.DeleteMany(ctx, r)
	})
}

// Copy copies an object.
func (s *store) Copy(ctx context.Context, r backends.CopyRequest) (*backends.CopyResult, error) {
	return submit(ctx, s, "CopyObject", r.Key, true, func(ctx context.Context) (*backends.CopyResult, error) { return s.Store.Copy(ctx, r) })
}

// CreateUpload opens an upload.
func (s *store) CreateUpload(ctx context.Context, r backends.CreateUploadRequest) (*backends.CreateUploadResult, error) {
	return submit(ctx, s, "CreateMultipartUpload", r.Key, true, func(ctx context.Context) (*backends.CreateUploadResult, error) {
		return s.Store.CreateUpload(ctx, r)
	})
}

// UploadPart stores a part.
func (s *store) UploadPart(ctx context.Context, r backends.PartRequest) (*backends.PutResult, error) {
	content, err := s.take("UploadPart", r.Key, r.Body, r.Size)
	if err != nil {
		return nil, err
	}
	return submit(ctx, s, "UploadPart", r.Key, true, func(ctx context.Context) (*backends.PutResult, error) {
		r.Body = bytes.NewReader(content)
		return s.Store.UploadPart(ctx, r)
	})
}

// CopyPart stores a range of an object as a part.
func (s *store) CopyPart(ctx context.Context, r backends.CopyPartRequest) (*backends.CopyResult, error) {
	return submit(ctx, s, "UploadPartCopy", r.Key, true, func(ctx context.Context) (*backends.CopyResult, error) { return s.Store.CopyPart(ctx, r) })
}

// CompleteUpload completes an upload. As at Amazon, to complete it once more is a
// success without effect.
func (s *store) CompleteUpload(ctx context.Context, r backends.CompleteRequest) (*backends.PutResult, error) {
	return submit(ctx, s, "CompleteMultipartUpload", r.Key, true, func(ctx context.Context) (*backends.PutResult, error) {
		result, err := s.Store.CompleteUpload(ctx, r)
		id := s.Name() + r.UploadID
		if before := s.w.completed[id]; before != nil && errors.Is(err, backends.ErrNoUpload) {
			return before, nil
		}
		if err == nil {
			s.w.completed[id] = result
		}
		return result, err
	})
}

// AbortUpload drops an upload.
func (s *store) AbortUpload(ctx context.Context, key, id string) error {
	_, err := submit(ctx, s, "AbortMultipartUpload", key, true, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, s.Store.AbortUpload(ctx, key, id)
	})
	return err
}

// Subresource reads a document.
func (s *store) Subresource(ctx context.Context, r backends.SubresourceRequest) (*backends.SubresourceResult, error) {
	return submit(ctx, s, r.Op, r.Key, false, func(ctx context.Context) (*backends.SubresourceResult, error) { return s.Store.Subresource(ctx, r) })
}

// ChangeSubresource sets or removes one.
func (s *store) ChangeSubresource(ctx context.Context, r backends.SubresourceRequest) (*backends.SubresourceResult, error) {
	return submit(ctx, s, r.Op, r.Key, true, func(ctx context.Context) (*backends.SubresourceResult, error) {
		return s.Store.ChangeSubresource(ctx, r)
	})
}

// zombie is a request that nobody waits for any more and that may land until its
// time is up.
type zombie struct {
	*request
	until time.Time
}
