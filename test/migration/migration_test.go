// Package migration moves buckets between real stores by the program, from start to
// complete, with clients that never stop and check every answer.
package migration

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/backends"
	"sluice/backends/embedded"
	"sluice/backends/s3"
	"sluice/gateway/admin"
	"sluice/gateway/migrate"
	"sluice/gateway/mirror"
	"sluice/test/process"
	"sluice/test/servers"
)

var (
	objects   = flag.Int("objects", 500, "how many small objects the old store holds at first")
	large     = flag.Int("large", 2, "how many large objects the old store holds at first")
	largeSize = flag.Int64("large-size", 24<<20, "bytes of a large object")
)

// life is a migration under way.
type life struct {
	t         *testing.T
	gateway   *process.Gateway
	operator  *admin.Client
	old, new  *s3.Store
	library   []object
	players   *players
	longest   time.Duration    // that writes were held
	newServer *embedded.Server // where it is in this process
}

// TestWholeLife moves a bucket from MinIO to versitygw: start, backfill, verify, switch,
// rollback, switch, complete. No client's request fails, no write waits for long, and in
// the end nothing is lost and nothing has come back.
func TestWholeLife(t *testing.T) {
	oldServer, newServer := servers.MinIO(t), servers.Versity(t)
	l := &life{t: t, old: oldServer.Store(t, "old", process.Bucket), new: newServer.Store(t, "new", process.Bucket)}
	l.fill()
	l.gateway = process.StartBefore(t,
		process.Of(oldServer, process.Bucket),
		process.Of(newServer, process.Bucket),
		"migration: { mirror: { quarantine: 2s } }")
	l.operator = l.gateway.Operator(t)
	l.players = newPlayers(l.gateway.Client(t), l.library)
	l.players.start(t.Context())
	defer l.players.end()
	l.asked(300)

	began := time.Now()
	l.run(migrate.Start)
	status := l.until("the backfill is finished", func(s migrate.Status) bool {
		return s.Backfilled && s.Backfill != nil && s.Backfill.State == migrate.Finished
	})
	t.Logf("backfill: %d objects, %d MiB copied of %d seen in %v, %d put off; %v",
		status.Backfill.Copied.Objects, status.Backfill.Copied.Bytes>>20, status.Backfill.Done.Objects,
		time.Since(began).Round(time.Millisecond), status.Backfill.Failed, l.players)
	l.verify()
	l.run(migrate.Switch)
	l.asked(300)
	l.run(migrate.Rollback)
	l.asked(300)
	l.run(migrate.Switch)
	l.asked(300)
	l.players.end()
	l.quiet()
	l.equal()
	l.players.start(t.Context())
	l.run(migrate.Complete)
	l.asked(300)
	l.players.end()
	l.players.holds(t.Context(), t, l.new)
	t.Logf("%v; writes were held for %v at the longest", l.players, l.longest)
	if failures := l.players.failures(); len(failures) > 0 {
		t.Errorf("%d requests failed: %v", l.players.failed.Load(), errors.Join(failures...))
	}
	if l.longest > 2*time.Second {
		t.Errorf("writes were held for %v", l.longest)
	}
}

// fill puts the library on the old store.
func (l *life) fill() {
	l.t.Helper()
	l.library = library(*objects, *large, *largeSize)
	var puts errgroup.Group
	puts.SetLimit(8)
	for _, o := range l.library {
		puts.Go(func() error { return o.put(l.t.Context(), l.old) })
	}
	if err := puts.Wait(); err != nil {
		l.t.Fatal(err)
	}
}

// asked waits until the players have made so many requests more.
func (l *life) asked(more int64) {
	l.t.Helper()
	want := l.players.requests.Load() + more
	process.Eventually(l.t, time.Minute, func(context.Context) error {
		if n := l.players.requests.Load(); n < want {
			return fmt.Errorf("%d requests, not yet %d", n, want)
		}
		return nil
	})
}

// run runs a command, again while writes that are just being repaired are in its way.
func (l *life) run(c migrate.Command) {
	l.t.Helper()
	process.Eventually(l.t, time.Minute, func(ctx context.Context) error {
		r, err := l.operator.Command(ctx, process.Bucket, c, migrate.Order{})
		if err == nil {
			l.longest = max(l.longest, r.Held)
			l.t.Logf("%s: writes were held for %v", c, r.Held.Round(time.Millisecond))
		}
		return err
	})
}

func (l *life) until(what string, is func(migrate.Status) bool) (status migrate.Status) {
	l.t.Helper()
	process.Eventually(l.t, 20*time.Minute, func(ctx context.Context) error {
		list, err := l.operator.Buckets(ctx)
		if err != nil {
			return err
		}
		if status = list[0]; !is(status) {
			return fmt.Errorf("%s: not yet: %+v", what, status)
		}
		return nil
	})
	return status
}

// verify compares every byte while the players go on.
func (l *life) verify() {
	l.t.Helper()
	began := time.Now()
	if err := l.operator.Verify(l.t.Context(), process.Bucket, migrate.VerifyOrder{Level: migrate.Content}); err != nil {
		l.t.Fatal(err)
	}
	v := l.until("the verification is finished", func(s migrate.Status) bool {
		return s.Verify != nil && s.Verify.State == migrate.Finished
	}).Verify
	if v.Missing+v.Extra+v.Different+v.Failed > 0 || v.Read.Objects == 0 {
		l.t.Errorf("verification: %+v", v)
	}
	l.t.Logf("verification: %d objects the same, %d MiB compared in %v", v.Same, v.Read.Bytes>>20, time.Since(began).Round(time.Millisecond))
}

// quiet waits until no write is pending.
func (l *life) quiet() {
	l.t.Helper()
	l.until("no write is pending", func(s migrate.Status) bool { return s.Pending == 0 })
}

// equal compares both stores with what the players know.
func (l *life) equal() {
	l.t.Helper()
	for _, s := range []*s3.Store{l.old, l.new} {
		l.players.holds(l.t.Context(), l.t, s)
	}
}

// keys lists a store's keys.
func keys(ctx context.Context, s backends.Reader) (map[string]bool, error) {
	found := make(map[string]bool)
	for o, err := range backends.Walk(ctx, s, backends.ListRequest{}) {
		if err != nil {
			return nil, err
		}
		if !mirror.IsReserved(o.Key) {
			found[o.Key] = true
		}
	}
	return found, nil
}
