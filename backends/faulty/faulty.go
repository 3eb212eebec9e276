// Package faulty is a store that fails as told, for tests of what stands in front
// of it.
package faulty

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"sync"

	"sluice/backends"
)

// Fault is one way to fail.
type Fault struct {
	Op    string // the operation's S3 name ("PutObject"); "" for any
	Key   string // "" for any
	Times int    // how often; 0 for always

	// Before is called first; its error is the operation's, and nothing takes
	// effect. A function that waits makes the store slow.
	Before func(ctx context.Context) error
	// After replaces the answer of an operation that took effect.
	After error
	// Zombie keeps a PutObject or DeleteObject back: the caller is told that
	// nothing is known, and Land makes it happen.
	Zombie bool
	// Truncate cuts the body that GetObject answers after so many bytes; 0 does not.
	Truncate int64
}

// Store is a store with faults.
type Store struct {
	backends.Store

	mu      sync.Mutex
	faults  []*Fault
	calls   map[string]int
	down    bool
	zombies []func() error
}

var _ backends.Store = (*Store)(nil)

// Wrap makes a store that can be told to fail.
func Wrap(s backends.Store) *Store { return &Store{Store: s, calls: make(map[string]int)} }

// Fail adds a fault; the oldest that fits an operation is used.
func (s *Store) Fail(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
}

// Heal takes all faults away.
func (s *Store) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults, s.down = nil, false
}

// SetDown makes every operation fail as if nothing listened.
func (s *Store) SetDown(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

// Calls counts the calls of an operation.
func (s *Store) Calls(op string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[op]
}

// Land makes the operations that were kept back happen now.
func (s *Store) Land() error {
	s.mu.Lock()
	zombies := s.zombies
	s.zombies = nil
	s.mu.Unlock()
	var errs []error
	for _, z := range zombies {
		errs = append(errs, z())
	}
	return errors.Join(errs...)
}

// Unknown is the error of a request whose answer never came.
func (s *Store) Unknown(op, key string) error {
	return &backends.Error{Store: s.Name(), Op: op, Key: key, Kind: backends.ErrUnavailable, Message: "no answer", MaybeApplied: true}
}

// begin counts a call and finds the fault that fits it.
func (s *Store) begin(ctx context.Context, op, key string) (Fault, error) {
	s.mu.Lock()
	s.calls[op]++
	if s.down {
		s.mu.Unlock()
		return Fault{}, &backends.Error{Store: s.Name(), Op: op, Key: key, Kind: backends.ErrUnavailable, Message: "down"}
	}
	var found Fault
	for i, f := range s.faults {
		if f.Op != "" && f.Op != op || f.Key != "" && f.Key != key {
			continue
		}
		found = *f
		if f.Times == 1 {
			s.faults = slices.Delete(s.faults, i, i+1)
		} else if f.Times > 1 {
			f.Times--
		}
		break
	}
	s.mu.Unlock()
	if found.Before != nil {
		if err := found.Before(ctx); err != nil {
			return found, err
		}
	}
	return found, nil
}

// do runs an operation that changes the store.
func do[T any](ctx context.Context, s *Store, op, key string, run func() (*T, error)) (*T, error) {
	f, err := s.begin(ctx, op, key)
	if err != nil {
		return nil, err
	}
	return answer(f, run)
}

// answer runs an operation and replaces its success if the fault says so.
func answer[T any](f Fault, run func() (T, error)) (T, error) {
	result, err := run()
	if err == nil && f.After != nil {
		err = f.After
	}
	return result, err
}

// keep puts an operation aside.
func (s *Store) keep(op, key string, run func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.zombies = append(s.zombies, run)
	return s.Unknown(op, key)
}

// Get opens an object.
func (s *Store) Get(ctx context.Context, r backends.GetRequest) (*backends.Object, error) {
	f, err := s.begin(ctx, "GetObject", r.Key)
	if err != nil {
		return nil, err
	}
	o, err := s.Store.Get(ctx, r)
	if err == nil && f.Truncate > 0 {
		o.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(io.LimitReader(o.Body, f.Truncate), cut{}), o.Body}
	}
	return o, err
}

type cut struct{}

func (cut) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// Head describes an object.
func (s *Store) Head(ctx context.Context, r backends.GetRequest) (*backends.Info, error) {
	if _, err := s.begin(ctx, "HeadObject", r.Key); err != nil {
		return nil, err
	}
	return s.Store.Head(ctx, r)
}

// List lists.
func (s *Store) List(ctx context.Context, r backends.ListRequest) (*backends.ListPage, error) {
	if _, err := s.begin(ctx, "ListObjects", ""); err != nil {
		return nil, err
	}
	return s.Store.List(ctx, r)
}

// Put stores an object.
func (s *Store) Put(ctx context.Context, r backends.PutRequest) (*backends.PutResult, error) {
	f, err := s.begin(ctx, "PutObject", r.Key)
	if err != nil {
		return nil, err
	}
	if f.Zombie {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		return nil, s.keep("PutObject", r.Key, func() error {
			r.Body = bytes.NewReader(body)
			_, err := s.Store.Put(context.WithoutCancel(ctx), r)
			return err
		})
	}
	return answer(f, func() (*backends.PutResult, error) { return s.Store.Put(ctx, r) })
}

// Delete removes an object.
func (s *Store) Delete(ctx context.Context, r backends.DeleteRequest) (*backends.DeleteResult, error) {
	f, err := s.begin(ctx, "DeleteObject", r.Key)
	if err != nil {
		return nil, err
	}
	if f.Zombie {
		return nil, s.keep("DeleteObject", r.Key, func() error {
			_, err := s.Store.Delete(context.WithoutCancel(ctx), r)
			return err
		})
	}
	return answer(f, func() (*backends.DeleteResult, error) { return s.Store.Delete(ctx, r) })
}

// DeleteMany removes objects.
func (s *Store) DeleteMany(ctx context.Context, r backends.DeleteManyRequest) ([]backends.DeleteResult, error) {
	f, err := s.begin(ctx, "DeleteObjects", "")
	if err != nil {
		return nil, err
	}
	return answer(f, func() ([]backends.DeleteResult, error) { return s.Store.DeleteMany(ctx, r) })
}

// Copy copies an object.
func (s *Store) Copy(ctx context.Context, r backends.CopyRequest) (*backends.CopyResult, error) {
	return do(ctx, s, "CopyObject", r.Key, func() (*backends.CopyResult, error) { return s.Store.Copy(ctx, r) })
}

// CreateUpload opens an upload.
func (s *Store) CreateUpload(ctx context.Context, r backends.CreateUploadRequest) (*backends.CreateUploadResult, error) {
	return do(ctx, s, "CreateMultipartUpload", r.Key, func() (*backends.CreateUploadResult, error) { return s.Store.CreateUpload(ctx, r) })
}

// UploadPart stores a part.
func (s *Store) UploadPart(ctx context.Context, r backends.PartRequest) (*backends.PutResult, error) {
	return do(ctx, s, "UploadPart", r.Key, func() (*backends.PutResult, error) { return s.Store.UploadPart(ctx, r) })
}

// CompleteUpload completes an upload.
func (s *Store) CompleteUpload(ctx context.Context, r backends.CompleteRequest) (*backends.PutResult, error) {
	return do(ctx, s, "CompleteMultipartUpload", r.Key, func() (*backends.PutResult, error) { return s.Store.CompleteUpload(ctx, r) })
}

// Subresource reads a document.
func (s *Store) Subresource(ctx context.Context, r backends.SubresourceRequest) (*backends.SubresourceResult, error) {
	return do(ctx, s, r.Op, r.Key, func() (*backends.SubresourceResult, error) { return s.Store.Subresource(ctx, r) })
}

// ChangeSubresource sets or removes one.
func (s *Store) ChangeSubresource(ctx context.Context, r backends.SubresourceRequest) (*backends.SubresourceResult, error) {
	return do(ctx, s, r.Op, r.Key, func() (*backends.SubresourceResult, error) { return s.Store.ChangeSubresource(ctx, r) })
}
