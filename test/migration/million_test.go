package migration

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sluice/gateway/migrate"
	"sluice/test/process"
)

var many = flag.Int("keys", 5_000, "how many tiny objects there are in the bucket of many keys")

// TestManyKeys: crawl and verification of a bucket of very many keys need little memory,
// go on where they were after a kill, and count every key once.
func TestManyKeys(t *testing.T) {
	old, new := startNumbered(t, *many, true), startNumbered(t, *many, false)
	g := process.StartBefore(t, old.upstream(), new.upstream(), "migration: { mirror: { quarantine: 300ms } }")
	l := &life{t: t, gateway: g, operator: g.Operator(t)}
	total := int64(*many)
	l.run(migrate.Start)
	began := time.Now()
	var peak int64
	for _, part := range []int64{total / 4, total / 2} {
		process.Eventually(t, 20*time.Minute, func(context.Context) error {
			if done := l.recorded(); done < part {
				return fmt.Errorf("%d keys are on record", done)
			}
			return nil
		})
		peak = max(peak, g.PeakMemory(t))
		g.Kill(t)
		want := l.recorded()
		g.Restart(t)
		s := l.until("the crawl goes on", func(s migrate.Status) bool { return s.Backfill != nil })
		if done := s.Backfill.Done.Objects; done < want {
			t.Errorf("%d keys were on record; after the kill %d are done", want, done)
		}
	}
	s := l.until("the backfill is finished", func(s migrate.Status) bool { return s.Backfilled && s.Backfill.State == migrate.Finished })
	if p := s.Backfill; p.Done.Objects != total || p.Total.Objects != total || !p.Counted || p.Failed > 0 {
		t.Errorf("%+v", p)
	}
	if n := new.count(); n != *many {
		t.Errorf("new holds %d keys of %d", n, *many)
	}
	t.Logf("%d keys crawled in %v with two kills", total, time.Since(began).Round(time.Millisecond))

	for _, level := range []migrate.Level{migrate.List, migrate.Meta} {
		began = time.Now()
		if err := l.operator.Verify(t.Context(), process.Bucket, migrate.VerifyOrder{Level: level}); err != nil {
			t.Fatal(err)
		}
		v := l.until("the verification is finished", func(s migrate.Status) bool {
			return s.Verify.Level == level && s.Verify.State == migrate.Finished
		}).Verify
		if v.Same != total || v.Missing+v.Extra+v.Different+v.Failed > 0 {
			t.Errorf("%+v", v)
		}
		t.Logf("verified at level %s in %v", level, time.Since(began).Round(time.Millisecond))
	}
	peak = max(peak, g.PeakMemory(t))
	t.Logf("at most %d MiB", peak>>20)
	if peak > 300<<20 {
		t.Errorf("the gateway used %d MiB", peak>>20)
	}
}

// recorded is how many keys are done by the crawl's record on disk.
func (l *life) recorded() int64 {
	l.t.Helper()
	raw, err := os.ReadFile(filepath.Join(l.gateway.State(), "crawl-"+process.Bucket+".json"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0
	}
	var record struct {
		Counts struct{ Done migrate.Amount }
	}
	if err == nil {
		err = json.Unmarshal(raw, &record)
	}
	if err != nil {
		l.t.Fatal(err)
	}
	return record.Counts.Done.Objects
}
