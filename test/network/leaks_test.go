package network

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sluice/backends"
	"sluice/backends/s3"
	"sluice/gateway"
	"sluice/gateway/config"
	"sluice/test/process"
)

// TestNothingRunsOnWhenTheGatewayHasEnded: a gateway that served while its networks were
// sick leaves no goroutine behind.
func TestNothingRunsOnWhenTheGatewayHasEnded(t *testing.T) {
	_, _, oldUp := process.Embedded(t, "old")
	_, _, newUp := process.Embedded(t, "new")
	nets := []*proxy{newProxy(t, "old", oldUp.Endpoint, false), newProxy(t, "new", newUp.Endpoint, false)}
	c, err := config.Parse(fmt.Appendf(nil, `
state_dir: %q
stores:
  old: { endpoint: %q, bucket: bucket, access_key_id: any, secret_access_key: any }
  new: { endpoint: %q, bucket: bucket, access_key_id: any, secret_access_key: any }
buckets: { media: { old: old, new: new } }
credentials: [ { access_key_id: %s, secret_access_key: %s } ]
%s`, t.TempDir(), nets[0].endpoint(), nets[1].endpoint(), process.AccessKey, process.SecretKey, settings), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	process.Mirroring(t, c.StateDir, "media")
	before := goleak.IgnoreCurrent()

	ctx, end := context.WithCancel(t.Context())
	defer end()
	g, err := gateway.Open(ctx, c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- g.Serve(ctx, l) }()
	client, err := s3.New(t.Context(), s3.Config{
		Name: "gateway", Endpoint: "http://" + l.Addr().String(), Bucket: process.Bucket, Region: "us-east-1",
		AccessKeyID: process.AccessKey, SecretAccessKey: process.SecretKey,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []weather{{end: stall}, {end: cut, after: 5000}, {rate: 30_000, slice: 1000}} {
		for _, p := range nets {
			for way := range p.skies {
				p.turns(way, w)
				ask(t, client)
				p.heal(t)
			}
		}
	}
	client.Close()
	end()
	if err := <-served; err != nil {
		t.Error(err)
	}
	for _, p := range nets {
		p.Stop()
	}
	// The library's list of what browsers were told has one goroutine, and no end.
	lru := goleak.IgnoreTopFunction("github.com/hashicorp/golang-lru/v2/expirable.NewLRU[...].func1")
	process.Eventually(t, 20*time.Second, func(context.Context) error { return goleak.Find(before, lru) })
}

// ask sends the gateway some of everything; what it answers does not matter here.
func ask(t *testing.T, client *s3.Store) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	var group sync.WaitGroup
	for i := range 10 {
		group.Go(func() {
			key := fmt.Sprint("key/", i)
			size := 1000 + i*300_000
			_, _ = client.Put(ctx, backends.PutRequest{Key: key, Body: bytes.NewReader(make([]byte, size)), Size: int64(size)})
			if o, err := client.Get(ctx, backends.GetRequest{Key: key}); err == nil {
				_, _ = hashOf(o.Body)
				o.Body.Close()
			}
			_, _ = client.Head(ctx, backends.GetRequest{Key: key})
			_, _ = client.List(ctx, backends.ListRequest{})
			_, _ = client.Delete(ctx, backends.DeleteRequest{Key: key})
		})
	}
	group.Wait()
}
