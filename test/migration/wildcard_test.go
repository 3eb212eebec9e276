package migration

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"sluice/backends/s3"
	"sluice/gateway/admin"
	"sluice/gateway/migrate"
	"sluice/gateway/mirror"
	"sluice/test/process"
	"sluice/test/servers"
)

// TestAllBuckets moves every bucket of a server by commands on "*". One that is created
// after the switch begins switched, and is on the new store.
func TestAllBuckets(t *testing.T) {
	t.Parallel()
	oldServer, newServer := servers.MinIO(t), servers.Versity(t)
	stored := make(map[string]object)
	for _, name := range []string{"one", "two"} {
		stored[name] = object{key: "in " + name, size: 1000}
		if err := stored[name].put(t.Context(), oldServer.Store(t, "old", name)); err != nil {
			t.Fatal(err)
		}
	}
	g := process.StartWildcardBefore(t, process.Of(oldServer, ""), process.Of(newServer, ""), "migration: { mirror: { quarantine: 300ms } }")
	operator := g.Operator(t)
	client := func(endpoint, accessKey, secretKey, bucket string) *s3.Store {
		c, err := s3.New(t.Context(), s3.Config{
			Name: "client", Endpoint: endpoint, Bucket: bucket, Region: "us-east-1", AccessKeyID: accessKey, SecretAccessKey: secretKey,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		return c
	}
	through := func(bucket string) *s3.Store {
		return client(g.Endpoint, oldServer.AccessKey, oldServer.SecretKey, bucket)
	}
	command := func(c migrate.Command, override ...string) {
		t.Helper()
		process.Eventually(t, 30*time.Second, func(ctx context.Context) error {
			_, err := operator.Command(ctx, "*", c, migrate.Order{Override: override})
			return err
		})
	}
	all := func(what string, is func(migrate.Status) bool) {
		t.Helper()
		process.Eventually(t, 30*time.Second, func(ctx context.Context) error {
			list, err := operator.Buckets(ctx)
			if err == nil && len(list) != len(stored) {
				err = fmt.Errorf("%d buckets are open", len(list))
			}
			for _, s := range list {
				if !is(s) {
					err = errors.Join(err, fmt.Errorf("%s: not yet %s: %+v", s.Bucket, what, s))
				}
			}
			return err
		})
	}
	_, err := operator.Command(t.Context(), "*", migrate.Switch, migrate.Order{})
	var refused *admin.Error
	if !errors.As(err, &refused) || refused.Kind != admin.WrongPhase {
		t.Errorf("a switch before the start: %v", err)
	}
	command(migrate.Start)
	all("backfilled", func(s migrate.Status) bool { return s.Name == mirror.Mirroring && s.Backfilled && s.Pending == 0 })
	command(migrate.Switch, "verified")
	all("switched", func(s migrate.Status) bool { return s.Name == mirror.Switched })

	stored["three"] = object{key: "in three", size: 1000}
	if err := through("three").CreateBucket(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := stored["three"].put(t.Context(), through("three")); err != nil {
		t.Fatal(err)
	}
	all("switched too", func(s migrate.Status) bool { return s.Name == mirror.Switched && s.Pending == 0 })
	command(migrate.Complete)
	all("completed", func(s migrate.Status) bool { return s.Name == mirror.Completed })
	for name, o := range stored {
		for _, s := range []*s3.Store{through(name), client(newServer.Endpoint, newServer.AccessKey, newServer.SecretKey, name)} {
			if err := o.check(t.Context(), s); err != nil {
				t.Error(err)
			}
		}
	}
}
