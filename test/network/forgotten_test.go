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
	lasts(storeTimeout + 5*time.Second) // the writes' own requests are given up, and repaired in vain
	r.net["new"].heal(t)
	process.Eventually(t, 20*time.Second, r.equal)
}

// TestAStalledConnectionDoesNotStopTheBackfill: the same of copies of what only old
// has.
func TestAStalledConnectionDoesNotStopTheBackfill(t *testing.T) {
	for _, store := range []string{"old", "new"} {
		t.Run(store, func(t *testing.T) {
			r := newRig(t, false)
			for i := range 5 {
				key := fmt.Sprint("key/", i)
				_, err := r.oldStore.Put(t.Context(), backends.PutRequest{Key: key, Body: bytes.NewReader([]byte(key)), Size: int64(len(key))})
				if err != nil {
					t.Fatal(err)
				}
			}
			look := func(ctx context.Context) {
				for i := range 5 {
					ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
					_, _ = r.client.Head(ctx, backends.GetRequest{Key: fmt.Sprint("key/", i)})
					cancel()
				}
			}
			look(t.Context()) // has them copied in the background
			r.stalled(store, upstream, 0)
			look(t.Context())
			r.net[store].heal(t)
			process.Eventually(t, 20*time.Second, func(ctx context.Context) error {
				look(ctx)
				return r.equal(ctx)
			})
		})
	}
}

// TestAReplacedCopyHasItsOwnETag: an object that a repair copied is replaced by a
// client; nobody sees the copy's ETag any more, whatever store the copy was on.
func TestAReplacedCopyHasItsOwnETag(t *testing.T) {
	_, old, oldUp := process.Embedded(t, "old")
	_, new, newUp := process.Embedded(t, "new")
	r := &rig{t: t, oldStore: old, newStore: new, net: map[string]*proxy{"new": newProxy(t, "new", newUp.Endpoint, false)}}
	newUp.Endpoint = r.net["new"].endpoint()
	r.gateway = process.Start(t, oldUp, newUp, settings)
	r.client = r.gateway.Client(t)
	r.net["new"].power(t, false)
	r.put("k", []byte("first"))
	r.net["new"].heal(t)
	process.Eventually(t, 20*time.Second, r.equal)
	r.put("k", []byte("second"))
	process.Eventually(t, 20*time.Second, r.equal)
	got, err := r.client.Head(t.Context(), backends.GetRequest{Key: "k"})
	if err != nil {
		t.Fatal(err)
	}
	if want, _ := hashOf(bytes.NewReader([]byte("second"))); got.ETag != want {
		t.Errorf("the ETag is %s, not %s", got.ETag, want)
	}
}
