package migrate_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"sluice/gateway/config"
	"sluice/gateway/migrate"
	"sluice/gateway/migrate/throttle"
)

// crawling runs a crawl over the rig's stores as fast as the limits allow, and answers
// its operator.
func (r *rig) crawling(l throttle.Limits) *migrate.Operator {
	r.t.Helper()
	dir := r.t.TempDir()
	state, err := migrate.OpenState(dir)
	if err != nil {
		r.t.Fatal(err)
	}
	slow, err := throttle.New(l)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := state.SetPhase(r.bucket.Name, r.bucket.Phase()); err != nil {
		r.t.Fatal(err)
	}
	m := &migrate.Migration{Bucket: r.bucket, State: state, Log: slog.New(slog.DiscardHandler), Hold: func() time.Duration { return 2 * time.Second }, Life: new(sync.Mutex)}
	o, err := migrate.NewOperator(m, slow, func() []config.Rule { return nil }, dir)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); o.Run(ctx) }()
	r.t.Cleanup(func() { cancel(); <-ended })
	return o
}

// A crawl that is paused rests until it is told to go on, however soon its runner looks
// for work again.
func TestPausedCrawlRests(t *testing.T) {
	r := newRig(t)
	for i := range 200 {
		r.direct(r.old, fmt.Sprintf("k%03d", i), "content")
	}
	o := r.crawling(throttle.Limits{Requests: 50})
	for range 3 {
		if _, err := o.Command(t.Context(), migrate.Pause, migrate.Order{}); err != nil {
			t.Fatal(err)
		}
		before := *o.Crawl.Progress()
		time.Sleep(100 * time.Millisecond)
		after := *o.Crawl.Progress()
		if after.State != migrate.Paused || after.Done != before.Done {
			t.Fatalf("a paused crawl is %s and went from %v to %v", after.State, before.Done, after.Done)
		}
		if _, err := o.Command(t.Context(), migrate.Resume, migrate.Order{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// What was seen of some keys proves nothing of the others.
func TestVerificationOfAPrefixIsNotEnoughForASwitch(t *testing.T) {
	r := newRig(t)
	r.mustPut("a/k", "content")
	r.direct(r.old, "b/k", "what new never got")
	o := r.crawling(throttle.Limits{})
	for prefix, enough := range map[string]bool{"a/": false, "": true} {
		if err := o.Verify.Begin(migrate.VerifyOrder{Level: migrate.Content, Prefix: prefix, Fix: true}); err != nil {
			t.Fatal(err)
		}
		for o.Verify.Progress().State != migrate.Finished {
			time.Sleep(10 * time.Millisecond)
		}
		_, err := o.Command(t.Context(), migrate.Switch, migrate.Order{DryRun: true, Override: []string{"backfilled"}})
		if (err == nil) != enough {
			t.Errorf("switch after a verification of %q: %v", prefix, err)
		}
	}
}
