package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"sluice/backends"
	"sluice/gateway/admin"
	"sluice/gateway/config"
	"sluice/gateway/migrate"
	"sluice/gateway/mirror"
)

// finder asks where objects are.
type finder struct {
	*rig
	desk *admin.Client
}

// is compares where an object is with where it should be.
func (f finder) is(t *testing.T, key, readFrom, verdict string, checks ...func(mirror.Located) bool) {
	t.Helper()
	eventually(t, func(ctx context.Context) error {
		l, err := f.desk.Object(ctx, "media", key)
		if err != nil {
			return err
		}
		if l.Bucket != "media" || l.Key != key || l.ReadFrom != readFrom || !strings.Contains(l.Verdict, verdict) {
			return fmt.Errorf("%q: read from %s, %q; want %s, %q", key, l.ReadFrom, l.Verdict, readFrom, verdict)
		}
		for i, check := range checks {
			if !check(l) {
				return fmt.Errorf("%q: check %d fails of %+v", key, i, l)
			}
		}
		return nil
	})
}

func (f finder) command(t *testing.T, c migrate.Command, override ...string) {
	t.Helper()
	if _, err := f.desk.Command(t.Context(), "media", c, migrate.Order{Override: override}); err != nil {
		t.Fatal(err)
	}
}

// behind puts an object on one store behind the gateway.
func (f finder) behind(t *testing.T, store, key string) {
	t.Helper()
	if _, err := f.store(t, store, "").Put(t.Context(), backends.PutRequest{Key: key, Body: strings.NewReader("behind"), Size: 6}); err != nil {
		t.Fatal(err)
	}
}

func dirty(l mirror.Located) bool { return l.Dirty && len(l.Intents) > 0 }
func clean(l mirror.Located) bool { return !l.Dirty && len(l.Intents) == 0 }
func onBoth(l mirror.Located) bool {
	return l.Old.Present && l.New.Present && l.Old.ETag == l.New.ETag && l.Old.Size == l.New.Size && !l.Old.Modified.IsZero()
}

// TestWhereAnObjectIs: in each phase it is told what the stores hold, what is pending, from
// where a read is answered, and what becomes of it.
func TestWhereAnObjectIs(t *testing.T) {
	_, second, c := twoServers(t)
	c.Migration.Backfill.Order = []config.Rule{{Prefix: "lazy/", Mode: config.Lazy}, {Prefix: "skip/", Mode: config.Skip}}
	old := c.Stores["old"]
	old.ReadOnly = true
	c.Stores["old"] = old
	r := startRig(t, c)
	f := finder{r, r.desk(t)}
	f.is(t, "absent", "none", "on neither store", clean)
	f.is(t, ".sluice/marker.json", "none", "hidden from clients")

	r.must(t, 200, "", ask{method: "PUT", path: "/media/both", body: "content", header: map[string]string{
		"Content-Type": "text/plain", "X-Amz-Meta-Of": "whom", "X-Amz-Acl": "private",
	}})
	f.is(t, "both", "new", "same on both stores. It is private (private)", clean, onBoth, func(l mirror.Located) bool {
		return l.New.Headers.Get("Content-Type") == "text/plain" && l.Old.Headers.Get("X-Amz-Meta-Of") == "whom" && l.Old.Store == "old" && l.Old.ACL == "private"
	})
	r.must(t, 200, "", ask{method: "GET", path: "/media/both"})
	f.is(t, "both", "cache", "same on both stores", func(l mirror.Located) bool {
		return l.Cached.Held && l.Cached.State == "fresh" && l.Cached.Age > 0 && l.Cached.Bytes > 7 && l.Cached.TTL > 0
	})
	for key, coming := range map[string]string{"lazy/a": "next read copies it", "skip/a": "leaves it out", "more": "copies it"} {
		f.behind(t, "old", key)
		f.is(t, key, "old", "only on store old; ", func(l mirror.Located) bool {
			return strings.Contains(l.Verdict, coming) && l.Old.Present && !l.New.Present && l.New.Error == ""
		})
	}
	f.behind(t, "new", "drift")
	f.is(t, "drift", "new", "It is only on store new, though no write is pending")
	f.behind(t, "old", "both")
	f.is(t, "both", "cache", "The stores differ, though no write is pending: a store was changed behind the gateway; store old is right")

	if err := second.Stop(); err != nil {
		t.Fatal(err)
	}
	r.must(t, 200, "", ask{method: "PUT", path: "/media/half", body: "content"})
	f.is(t, "half", "old", "store new did not say", dirty, func(l mirror.Located) bool { return l.New.Error != "" && !l.New.Present })
	if err := second.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.is(t, "half", "new", "same on both stores", clean, onBoth) // repaired

	f.command(t, migrate.Switch, "verified", "backfilled")
	r.must(t, 200, "", ask{method: "PUT", path: "/media/after", body: "content"})
	f.is(t, "after", "new", "on store new; store old is written to no more", func(l mirror.Located) bool { return !l.Old.Present })
	f.is(t, "lazy/a", "old", "only on store old; the next read copies it")
	r.must(t, 204, "", ask{method: "DELETE", path: "/media/lazy/a"})
	f.is(t, "lazy/a", "none", "It is deleted: reads and listings say so, whatever old still holds", func(l mirror.Located) bool {
		return l.Tombstone && l.Old.Present && l.Dirty && l.Intents[0].State == "tombstone" && l.Intents[0].Kind == "delete"
	})
	r.must(t, 404, "NoSuchKey", ask{method: "GET", path: "/media/lazy/a"})
	if _, err := f.desk.Object(t.Context(), "nobody", "k"); err == nil {
		t.Error("a bucket that is not there is known")
	}
	if _, err := f.desk.Object(t.Context(), "media", ""); err == nil {
		t.Error("no key was found")
	}
}

// TestWhereAnObjectIsWithOneStore: before a migration and after it one store alone counts.
func TestWhereAnObjectIsWithOneStore(t *testing.T) {
	_, _, c := twoServers(t)
	r := startRig(t, c)
	f := finder{r, r.desk(t)}
	r.must(t, 200, "", ask{method: "PUT", path: "/media/k", body: "content"})
	f.command(t, migrate.Switch, "verified", "backfilled")
	f.is(t, "k", "new", "same on both stores", onBoth)
	eventually(t, func(ctx context.Context) error {
		_, err := f.desk.Command(ctx, "media", migrate.Complete, migrate.Order{Override: []string{}})
		return err
	})
	f.is(t, "k", "new", "on store new, which alone counts in the phase completed")
	f.is(t, "other", "none", "only store new counts")

	_, _, c = twoServers(t)
	r = startRig(t, c)
	f = finder{r, r.desk(t)}
	f.command(t, migrate.Cancel)
	r.must(t, 200, "", ask{method: "PUT", path: "/media/k", body: "content"})
	f.is(t, "k", "old", "on store old, which alone counts in the phase passthrough", func(l mirror.Located) bool { return l.New != nil && !l.New.Present })
	f.is(t, "other", "none", "only store old counts")
}
