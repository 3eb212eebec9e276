package migrate_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"strings"
	"testing"

	"sluice/backends"
	"sluice/backends/faulty"
)

// upload uploads content in two parts, calling between after the first.
func (r *rig) upload(key, content string, between func()) error {
	ctx := r.t.Context()
	up, err := r.bucket.CreateUpload(ctx, backends.CreateUploadRequest{Key: key})
	if err != nil {
		return err
	}
	half := cmp.Or(r.partSize, 5<<20)
	complete := backends.CompleteRequest{Key: key, UploadID: up.UploadID}
	for i, piece := range []string{content[:half], content[half:]} {
		res, err := r.bucket.UploadPart(ctx, backends.PartRequest{
			Key: key, UploadID: up.UploadID, Number: i + 1, Body: bytes.NewReader([]byte(piece)), Size: int64(len(piece)),
		})
		if err != nil {
			return err
		}
		complete.Parts = append(complete.Parts, backends.CompletedPart{Number: i + 1, ETag: res.ETag})
		if between != nil && i == 0 {
			between()
		}
	}
	_, err = r.bucket.CompleteUpload(ctx, complete)
	return err
}

func TestMultipartReachesBothStores(t *testing.T) {
	large := strings.Repeat("0123456789abcdef", 400<<10)
	for name, fault := range map[string]*faulty.Fault{
		"all well":                     nil,
		"new can not open it":          {Op: "CreateMultipartUpload", Times: 1, Before: denied},
		"new misses a part":            {Op: "UploadPart", Times: 1, Before: denied},
		"new can not complete":         {Op: "CompleteMultipartUpload", Times: 1, Before: denied},
		"new completes without a word": {Op: "CompleteMultipartUpload", Times: 1, After: unknown},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			if fault != nil {
				r.new.Fail(*fault)
			}
			if err := r.upload("video", large, nil); err != nil {
				t.Fatal(err)
			}
			r.settled("video", large)
		})
	}
}

var unknown = &backends.Error{Op: "CompleteMultipartUpload", Kind: backends.ErrUnavailable, MaybeApplied: true}

func denied(context.Context) error {
	return &backends.Error{Kind: backends.ErrDenied, Status: 403, Code: "AccessDenied"}
}

func TestUploadIDsAreSealed(t *testing.T) {
	r := newRig(t)
	up, err := r.bucket.CreateUpload(t.Context(), backends.CreateUploadRequest{Key: "k"})
	if err != nil {
		t.Fatal(err)
	}
	bent := []byte(up.UploadID)
	bent[len(bent)/2] ^= 1
	for _, c := range []struct{ key, id string }{{"other", up.UploadID}, {"k", string(bent)}, {"k", ""}, {"k", "AQ"}} {
		if err := r.bucket.AbortUpload(t.Context(), c.key, c.id); !errors.Is(err, backends.ErrNoUpload) {
			t.Errorf("key %q, id %q: error %v, want ErrNoUpload", c.key, c.id, err)
		}
	}
	r.restart()
	if err := r.bucket.AbortUpload(t.Context(), "k", up.UploadID); err != nil {
		t.Errorf("after a restart: %v", err)
	}
}
