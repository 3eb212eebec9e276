package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/backends/embedded"
	"sluice/gateway/admin"
	"sluice/gateway/config"
	"sluice/gateway/events"
	"sluice/gateway/migrate"
	"sluice/gateway/trace"
)

// desk is an operator's client of a rig.
func (r *rig) desk(t *testing.T) *admin.Client {
	t.Helper()
	c := admin.NewClient(filepath.Join(r.config.StateDir, admin.SocketName))
	t.Cleanup(c.Close)
	return c
}

// twoServers are embedded stores that a test can stop.
func twoServers(t *testing.T) (old, new *embedded.Server, c config.Config) {
	t.Helper()
	var stores []config.Store
	var servers []*embedded.Server
	for range 2 {
		s, err := embedded.Start(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		if _, err := s.Store(t.Context(), "any", "bucket"); err != nil {
			t.Fatal(err)
		}
		servers = append(servers, s)
		stores = append(stores, config.Store{Endpoint: s.Endpoint(), Bucket: "bucket", AccessKeyID: "any", SecretAccessKey: "any"})
	}
	return servers[0], servers[1], settings(t, stores[0], stores[1])
}

// happened are all events that are kept.
func happened(t *testing.T, desk *admin.Client) (list []events.Event) {
	t.Helper()
	err := desk.Events(t.Context(), "", false, func(e events.Event) error {
		list = append(list, e)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestEvents: commands, done and refused, with who gave them, phases, outages, backfills and
// verifications are told as they happen, and commands are known after a restart.
func TestEvents(t *testing.T) {
	_, second, c := twoServers(t)
	r := startRig(t, c)
	desk := r.desk(t)
	told := func(kind events.Kind, level events.Level, words string) {
		t.Helper()
		eventually(t, func(context.Context) error {
			list := happened(t, desk)
			if !slices.ContainsFunc(list, func(e events.Event) bool {
				return e.Kind == kind && e.Level == level && strings.Contains(e.Message, words)
			}) {
				return fmt.Errorf("no %s %s with %q in %+v", kind, level, words, list)
			}
			return nil
		})
	}
	told(events.Gateway, events.Info, "started")
	told(events.Backfill, events.Info, "backfill finished: ")
	r.must(t, 200, "", ask{method: "PUT", path: "/media/k", body: "x"})
	if _, err := desk.Command(t.Context(), "media", migrate.Switch, migrate.Order{}); err == nil {
		t.Fatal("nothing refused the switch")
	}
	told(events.Command, events.Warn, "switch refused by the guard ")
	if err := desk.Verify(t.Context(), "media", migrate.VerifyOrder{Level: migrate.List}); err != nil {
		t.Fatal(err)
	}
	told(events.Command, events.Info, "verify, level list")
	told(events.Verify, events.Info, "verify started, level list")
	told(events.Verify, events.Info, "verify ended: 1 same")
	told(events.Condition, events.Info, "verified holds: 1 objects are the same")
	if _, err := desk.Command(t.Context(), "media", migrate.Switch, migrate.Order{}); err != nil {
		t.Fatal(err)
	}
	told(events.Phase, events.Info, "switch: mirroring → switched")
	if err := second.Stop(); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		r.do(t, ask{method: "GET", path: fmt.Sprintf("/media/absent-%d", i)})
	}
	told(events.Store, events.Error, "store new does not answer")
	if err := second.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	told(events.Store, events.Info, "store new answers again")
	r.restart(t)
	told(events.Phase, events.Info, "switch: mirroring → switched")
	told(events.Gateway, events.Info, "started")
	for _, e := range happened(t, desk) {
		if (e.Kind == events.Phase || e.Kind == events.Command) && e.By == "" {
			t.Errorf("who did it is not told: %+v", e)
		}
	}
}

// TestFollowedEvents: who follows hears of what happens, the end too, and nothing of others'
// buckets.
func TestFollowedEvents(t *testing.T) {
	_, _, c := twoServers(t)
	r := startRig(t, c)
	desk := r.desk(t)
	heard := make(chan events.Event, 100)
	ended := make(chan error, 1)
	go func() {
		ended <- desk.Events(t.Context(), "another", true, func(e events.Event) error { heard <- e; return nil })
	}()
	if e := <-heard; e.Kind != events.Gateway {
		t.Errorf("first %+v", e)
	}
	for _, command := range []migrate.Command{migrate.Pause, migrate.Cancel} {
		if _, err := r.desk(t).Command(t.Context(), "media", command, migrate.Order{}); err != nil {
			t.Fatal(err)
		}
	}
	r.end(t)
	if e := <-heard; !strings.Contains(e.Message, "ending") {
		t.Errorf("then %+v", e)
	}
	if err := <-ended; err != nil && !errors.Is(err, admin.ErrUnreachable) {
		t.Error(err)
	}
}

// TestTrace: a request shows as it ends, with the stores that it asked, to whom its filter
// lets it through; also one that the cache answered on the connection itself.
func TestTrace(t *testing.T) {
	_, second, c := twoServers(t)
	c.Hosts = map[string]config.Host{"s3.test": {Serve: "s3"}, "files.test": {Serve: "public", Bucket: "media"}, "127.0.0.1": {Serve: "s3"}}
	r := startRig(t, c)
	r.must(t, 200, "", ask{method: "PUT", path: "/media/before", body: "x"}) // which nobody sees
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var mu sync.Mutex
	seen := make(map[string][]trace.Record)
	var looking sync.WaitGroup
	look := func(name string, f trace.Filter) {
		desk := r.desk(t)
		begun := make(chan struct{})
		looking.Go(func() {
			close(begun)
			_ = desk.Trace(ctx, f, func(record trace.Record) error {
				mu.Lock()
				defer mu.Unlock()
				seen[name] = append(seen[name], record)
				return nil
			}, func(n int64) error { t.Errorf("%d missed", n); return nil })
		})
		<-begun
	}
	look("all", trace.Filter{})
	look("puts", trace.Filter{Operation: "putobject", Prefix: "a/"})
	look("errors", trace.Filter{Errors: true})
	look("public", trace.Filter{Bucket: "media", Operation: "GET", Status: "2xx"})
	look("slow", trace.Filter{Slower: time.Hour})
	shows := func(name, words string, is func(trace.Record) bool) {
		t.Helper()
		eventually(t, func(context.Context) error {
			mu.Lock()
			defer mu.Unlock()
			if !slices.ContainsFunc(seen[name], is) {
				return fmt.Errorf("%s: no record of %s in %+v", name, words, seen[name])
			}
			return nil
		})
	}
	eventually(t, func(context.Context) error { // all five look
		r.must(t, 404, "NoSuchKey", ask{method: "GET", path: "/media/absent"})
		mu.Lock()
		defer mu.Unlock()
		if len(seen["all"]) == 0 || len(seen["errors"]) == 0 {
			return errors.New("nobody looks yet")
		}
		return nil
	})
	put := r.must(t, 200, "", ask{method: "PUT", path: "/media/a/key?x-id=PutObject", body: "content"})
	for _, name := range []string{"all", "puts"} {
		shows(name, "a PUT", func(p trace.Record) bool {
			return p.Request == put.header.Get("X-Amz-Request-Id") && p.Operation == "PutObject" && p.Bucket == "media" && p.Key == "a/key" &&
				p.Path == "/media/a/key" && p.Method == "PUT" && p.Status == 200 && p.Whole && p.Client != "" && p.Took > 0 &&
				p.FirstByte > 0 && p.FirstByte <= p.Took && len(p.Stores) == 2 && p.Stores[0].Outcome == "ok" && p.Stores[1].Outcome == "ok" &&
				p.Stores[0].Store != p.Stores[1].Store && p.Stores[0].Took > 0
		})
	}
	r.quiet(t)
	r.show(t, "GET", "files.test", "/a/key", nil)
	req := r.request(t, ask{method: "GET", path: "/a/key", unsigned: true})
	req.Host = "files.test"
	req.Header = http.Header{}
	read(t, &http.Client{Transport: new(http.Transport)}, req) // that of others was passed on to net/http
	shows("public", "a miss", func(p trace.Record) bool {
		return p.Status == 200 && p.Key == "a/key" && strings.Contains(p.Cache, "fwd=uri-miss") && len(p.Stores) > 0 && p.Client != ""
	})
	shows("public", "a hit on the connection", func(p trace.Record) bool {
		return p.Express && p.Key == "a/key" && p.Cache == "Sluice; hit" && p.Bytes == 7 && len(p.Stores) == 0
	})
	if err := second.Stop(); err != nil {
		t.Fatal(err)
	}
	r.must(t, 200, "", ask{method: "PUT", path: "/media/a/alone", body: "content"})
	shows("all", "a PUT that one store missed", func(p trace.Record) bool {
		return p.Key == "a/alone" && slices.ContainsFunc(p.Stores, func(s trace.Call) bool { return s.Store == "new" && s.Outcome == "unavailable" })
	})
	mu.Lock()
	for name, list := range seen {
		for _, p := range list {
			if p.Key == "before" || name == "slow" || name == "errors" && p.Status < 400 || name == "puts" && p.Operation != "PutObject" {
				t.Errorf("%s was shown %+v", name, p)
			}
		}
	}
	mu.Unlock()
	stop()
	looking.Wait()
	if err := r.desk(t).Trace(t.Context(), trace.Filter{Status: "many"}, nil, nil); err == nil {
		t.Error("a status that is none was taken")
	}
}
