package network

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"time"

	"sluice/backends"
)

// enough is much longer than store_timeout, after which a store that is silent is
// given up.
const enough = 5 * storeTimeout

// stalled makes a network forget its connections after some bytes of each, as a router
// or a balancer does that is restarted: nobody is told.
func (r *rig) stalled(store, direction string, bytes int) {
	for _, way := range []string{upstream, downstream} {
		r.net[store].turns(way, weather{holds: true})
	}
	r.net[store].turns(direction, weather{end: forgot, after: bytes})
}

func (r *rig) put(key string, data []byte) {
	r.t.Helper()
	_, err := r.client.Put(r.t.Context(), backends.PutRequest{Key: key, Body: bytes.NewReader(data), Size: int64(len(data))})
	if err != nil {
		r.t.Fatal(err)
	}
}

// ends fails the test if a request is not answered in time, in whatever way.
func (r *rig) ends(what string, send func(context.Context) error) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), enough)
	defer cancel()
	began := time.Now()
	err := send(ctx)
	if ctx.Err() != nil {
		r.t.Errorf("%s is not answered within %v (store_timeout %v)", what, enough, storeTimeout)
		return
	}
	r.t.Logf("%s ends after %v: %v", what, time.Since(began).Round(time.Millisecond), err)
}

// TestNoWriteWaitsForEverForAStalledStore: a store that takes a request and never
// answers is given up after store_timeout at the latest.
func TestNoWriteWaitsForEverForAStalledStore(t *testing.T) {
	for _, store := range []string{"old", "new"} {
		t.Run(store, func(t *testing.T) {
			r := newRig(t, false)
			r.put("k", []byte("before"))
			r.stalled(store, upstream, 0)
			var group sync.WaitGroup
			defer group.Wait()
			for what, send := range map[string]func(context.Context) error{
				"PUT": func(ctx context.Context) error {
					_, err := r.client.Put(ctx, backends.PutRequest{Key: "a", Body: bytes.NewReader(make([]byte, 9)), Size: 9})
					return err
				},
				"a large PUT": func(ctx context.Context) error {
					_, err := r.client.Put(ctx, backends.PutRequest{Key: "b", Body: bytes.NewReader(make([]byte, 9<<20)), Size: 9 << 20})
					return err
				},
				"DELETE": func(ctx context.Context) error {
					_, err := r.client.Delete(ctx, backends.DeleteRequest{Key: "c"})
					return err
				},
				"copy": func(ctx context.Context) error {
					_, err := r.client.Copy(ctx, backends.CopyRequest{SourceKey: "k", Key: "d"})
					return err
				},
				"a conditional PUT": func(ctx context.Context) error {
					_, err := r.client.Put(ctx, backends.PutRequest{Key: "e", Body: bytes.NewReader(make([]byte, 9)), Size: 9, IfNoneMatch: true})
					return err
				},
				"CreateMultipartUpload": func(ctx context.Context) error {
					_, err := r.client.CreateUpload(ctx, backends.CreateUploadRequest{Key: "f"})
					return err
				},
			} {
				group.Go(func() { r.ends(what, send) })
			}
		})
	}
}
