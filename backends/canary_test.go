package backends_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"sluice/backends"
	"sluice/backends/faulty"
	"sluice/backends/memory"
)

// TestCanaryIsRemoved: whatever was tried, whatever failed, and whoever interrupted it,
// nothing of a canary stays, its versions included.
func TestCanaryIsRemoved(t *testing.T) {
	for _, lost := range []string{"", "PutObject", "CopyObject", "CompleteMultipartUpload", "DeleteObject"} {
		t.Run("lost answer to "+lost, func(t *testing.T) {
			store := faulty.Wrap(memory.New("memory"))
			if lost != "" {
				store.Fail(faulty.Fault{Op: lost, Times: 1, After: errors.New("the answer was lost")})
			}
			ctx, interrupt := context.WithCancel(t.Context())
			c := backends.NewCanary(store)
			for _, try := range []func(context.Context) error{c.Put, c.Put, c.Get, c.GetRange, c.SetACL, c.Copy, c.Upload} {
				_ = try(ctx)
			}
			interrupt()
			for range 2 { // the first removal's answer may be the one that is lost
				_ = c.Remove(ctx)
			}
			empty(t, store)
		})
	}
}

// TestCanaryOfAReader: where nothing could be stored there is nothing to remove.
func TestCanaryOfAReader(t *testing.T) {
	store := faulty.Wrap(memory.New("memory"))
	denied := &backends.Error{Op: "PutObject", Kind: backends.ErrDenied}
	store.Fail(faulty.Fault{Op: "PutObject", Before: func(context.Context) error { return denied }})
	store.Fail(faulty.Fault{Op: "DeleteObject", Before: func(context.Context) error { return errors.New("a removal was asked for") }})
	c := backends.NewCanary(store)
	if err := c.Put(t.Context()); !errors.Is(err, backends.ErrDenied) {
		t.Error(err)
	}
	if err := c.Remove(t.Context()); err != nil {
		t.Error(err)
	}
}

func empty(t *testing.T, store backends.Store) {
	t.Helper()
	for o, err := range backends.Walk(t.Context(), store, backends.ListRequest{}) {
		t.Errorf("%q stays (%v)", o.Key, err)
	}
	page, err := store.ListUploads(t.Context(), backends.ListUploadsRequest{})
	if err != nil || len(page.Uploads) > 0 {
		t.Errorf("uploads stay: %v, %v", page, err)
	}
}

// TestForgottenCanaries: what was left behind goes, what somebody tries on now stays.
func TestForgottenCanaries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New("memory")
		leave := func() string {
			c := backends.NewCanary(store)
			if err := c.Put(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := store.CreateUpload(t.Context(), backends.CreateUploadRequest{Key: c.Key}); err != nil {
				t.Fatal(err)
			}
			return c.Key
		}
		leave()
		time.Sleep(2 * time.Hour) // of the bubble
		fresh := leave()
		if err := backends.RemoveForgotten(t.Context(), store); err != nil {
			t.Fatal(err)
		}
		page, err := store.List(t.Context(), backends.ListRequest{MaxKeys: 10})
		if err != nil || len(page.Objects) != 1 || page.Objects[0].Key != fresh {
			t.Errorf("%v, %v", page, err)
		}
		uploads, err := store.ListUploads(t.Context(), backends.ListUploadsRequest{})
		if err != nil || len(uploads.Uploads) != 1 || uploads.Uploads[0].Key != fresh {
			t.Errorf("%v, %v", uploads, err)
		}
	})
}
