package migration

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"

	"sluice/backends"
	"sluice/gateway/migrate"
	"sluice/gateway/migrate/throttle"
	"sluice/test/process"
	"sluice/test/servers"
)

// TestOneServer: between two buckets of one server, large objects do not pass through the
// gateway, which is allowed next to no bandwidth here, and are as they were. Seen to fail
// (never to end) without OneServer.
func TestOneServer(t *testing.T) {
	t.Parallel()
	server := servers.MinIO(t)
	old, new := server.Store(t, "old", "old"), server.Store(t, "new", "new")
	objects := []object{
		{key: "whole", size: 20 << 20},
		{key: "parts", size: 20 << 20, parts: true},
		{key: "small", size: 10 << 10},
	}
	for _, o := range objects {
		if err := o.put(t.Context(), old); err != nil {
			t.Fatal(err)
		}
	}
	_, err := old.ChangeSubresource(t.Context(), backends.SubresourceRequest{
		Op: "PutObjectTagging", Method: http.MethodPut, Key: "whole", Query: url.Values{"tagging": {""}},
		Body: []byte("<Tagging><TagSet><Tag><Key>from</Key><Value>old</Value></Tag></TagSet></Tagging>"),
	})
	if err != nil {
		t.Fatal(err)
	}
	operator := process.StartBefore(t, process.Of(server, "old"), process.Of(server, "new"), "").Operator(t)
	if _, err := operator.SetThrottle(t.Context(), throttle.Limits{Bandwidth: 100 << 10}); err != nil {
		t.Fatal(err)
	}
	if _, err := operator.Command(t.Context(), process.Bucket, migrate.Start, migrate.Order{}); err != nil {
		t.Fatal(err)
	}
	process.Eventually(t, 30*time.Second, func(ctx context.Context) error {
		list, err := operator.Buckets(ctx)
		if err == nil && !list[0].Backfilled {
			err = errors.New("the backfill is not complete")
		}
		return err
	})
	for _, o := range objects {
		if err := o.check(t.Context(), new); err != nil {
			t.Error(err)
		}
		was, err := old.Head(t.Context(), backends.GetRequest{Key: o.key})
		if err != nil {
			t.Fatal(err)
		}
		is, err := new.Head(t.Context(), backends.GetRequest{Key: o.key})
		if err != nil {
			t.Fatal(err)
		}
		if was.ETag != is.ETag || was.Header.Get("Content-Type") != is.Header.Get("Content-Type") ||
			is.Header.Get("X-Amz-Meta-Version") == "" {
			t.Errorf("%s was %+v and is %+v", o.key, was, is)
		}
	}
	if tags, err := backends.Tags(t.Context(), new, "whole"); err != nil || tags.Encode() != "from=old" {
		t.Errorf("tags %v, %v", tags, err)
	}
}
