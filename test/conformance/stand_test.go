package conformance

import (
	"context"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"sluice/test/process"
	"sluice/test/servers"
)

// stand is a pair of sides: each function starts its servers, empty.
type stand struct {
	direct, gateway func(t *testing.T) *side
}

// side is a place to run cases against.
type side struct {
	endpoint, accessKey, secretKey string

	client *minio.Client
	stop   func()
}

var minIO = stand{
	direct: func(t *testing.T) *side { return directly(t, servers.MinIO(t)) },
	gateway: func(t *testing.T) *side {
		return between(t, servers.MinIO(t), servers.MinIO(t), "")
	},
}

// The gateway reads from versitygw alone: what the two kinds of stores answer
// differs, and it is versitygw's answers that the suite is made for.
var versity = stand{
	direct: func(t *testing.T) *side { return directly(t, servers.VersityVersioned(t)) },
	gateway: func(t *testing.T) *side {
		return between(t, servers.VersityVersioned(t), servers.MinIO(t), "migration: { mirror: { reads: primary, quarantine: 2s } }")
	},
}

func directly(t *testing.T, s *servers.Server) *side {
	t.Helper()
	return newSide(t, s.Endpoint, s, func() { s.Stop(t) })
}

func between(t *testing.T, old, new *servers.Server, extra string) *side {
	t.Helper()
	g := process.StartWildcard(t, process.Of(old, ""), process.Of(new, ""), extra)
	return newSide(t, g.Endpoint, old, func() {
		g.Kill(t)
		old.Stop(t)
		new.Stop(t)
	})
}

func newSide(t *testing.T, endpoint string, keys *servers.Server, stop func()) *side {
	t.Helper()
	u, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	client, err := minio.New(u.Host, &minio.Options{Creds: credentials.NewStaticV4(keys.AccessKey, keys.SecretKey, "")})
	if err != nil {
		t.Fatal(err)
	}
	return &side{endpoint: endpoint, accessKey: keys.AccessKey, secretKey: keys.SecretKey, client: client, stop: stop}
}

// clean removes what a failed case left: the names of its buckets are the next
// case's. What it can not remove (an object under compliance retention) is an
// error.
func (s *side) clean(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	buckets, err := s.client.ListBuckets(ctx)
	if err != nil {
		return err
	}
	for _, b := range buckets {
		if err := s.removeBucket(ctx, b.Name); err != nil {
			return fmt.Errorf("%s: %w", b.Name, err)
		}
	}
	return nil
}

func (s *side) removeBucket(ctx context.Context, name string) error {
	for o := range s.client.ListObjects(ctx, name, minio.ListObjectsOptions{WithVersions: true, Recursive: true}) {
		if o.Err != nil {
			return o.Err
		}
		err := s.client.RemoveObject(ctx, name, o.Key, minio.RemoveObjectOptions{VersionID: o.VersionID, GovernanceBypass: true})
		if err != nil {
			return err
		}
	}
	for u := range s.client.ListIncompleteUploads(ctx, name, "", true) {
		if u.Err != nil {
			return u.Err
		}
		if err := s.client.RemoveIncompleteUpload(ctx, name, u.Key); err != nil {
			return err
		}
	}
	return s.client.RemoveBucket(ctx, name)
}
