package network

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"sluice/backends"
	"sluice/test/process"
)

// enough is much longer than store_timeout, after which a store that is silent is
// given up.
const enough = 5 * storeTimeout

// stalled makes a network forget its connections after some bytes of each.
func (r *rig) stalled(store, direction string, bytes int) {
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

func (r *rig) reads(key string) func(context.Context) error {
	return func(ctx context.Context) error {
		o, err := r.client.Get(ctx, backends.GetRequest{Key: key})
		if err != nil {
			return err
		}
		defer o.Body.Close()
		_, err = io.Copy(io.Discard, o.Body)
		return err
	}
}

// TestNoReadWaitsForEverForAStalledStore: a store that stops before or within its
// answer is given up after store_timeout at the latest.
func TestNoReadWaitsForEverForAStalledStore(t *testing.T) {
	for _, store := range []string{"old", "new"} {
		t.Run(store, func(t *testing.T) {
			r := newRig(t, false)
			r.put("large", make([]byte, 6<<20))
			process.Eventually(t, 10*time.Second, r.equal)
			if store == "old" {
				r.net["new"].power(t, false) // the primary must answer
			}
			r.stalled(store, downstream, 2<<20)
			r.ends("GET, in the body", r.reads("large"))
			r.net[store].heal(t)
			r.stalled(store, downstream, 0)
			r.ends("GET", r.reads("large"))
			r.ends("HEAD", func(ctx context.Context) error {
				_, err := r.client.Head(ctx, backends.GetRequest{Key: "large"})
				return err
			})
			r.ends("LIST", func(ctx context.Context) error {
				_, err := r.client.List(ctx, backends.ListRequest{})
				return err
			})
		})
	}
}

// TestNoWriteWaitsForEverForAStalledStore: the same of writes, those of sub-resources
// and uploads too.
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

// TestAStalledConnectionDoesNotKeepTheStoresApart: repairs that were under way when
// the network forgot their connections are given up and made again.
func TestAStalledConnectionDoesNotKeepTheStoresApart(t *testing.T) {
	r := newRig(t, false)
	r.stalled("new", upstream, 0)
	var group sync.WaitGroup
	for i := range 50 {
		group.Go(func() { r.put(fmt.Sprint("key/", i), fmt.Append(nil, i)) })
	}
	group.Wait()
	lasts(storeTimeout + time.Second) // the writes' own requests are given up, and repaired in vain
	r.net["new"].heal(t)
	process.Eventually(t, 15*time.Second, r.equal)
}

// TestAStalledConnectionDoesNotStopTheBackfill: the same of copies of what only old
// has.
func TestAStalledConnectionDoesNotStopTheBackfill(t *testing.T) {
	for _, store := range []string{"old", "new"} {
		t.Run(store, func(t *testing.T) {
			r := newRig(t, false)
			for i := range 20 {
				key := fmt.Sprint("key/", i)
				_, err := r.oldStore.Put(t.Context(), backends.PutRequest{Key: key, Body: bytes.NewReader([]byte(key)), Size: int64(len(key))})
				if err != nil {
					t.Fatal(err)
				}
			}
			look := func(ctx context.Context) {
				for i := range 20 {
					ctx, cancel := context.WithTimeout(ctx, time.Second)
					_, _ = r.client.Head(ctx, backends.GetRequest{Key: fmt.Sprint("key/", i)})
					cancel()
				}
			}
			look(t.Context()) // has them copied in the background
			r.stalled(store, upstream, 0)
			look(t.Context())
			r.net[store].heal(t)
			process.Eventually(t, 15*time.Second, func(ctx context.Context) error {
				look(ctx)
				return r.equal(ctx)
			})
		})
	}
}
