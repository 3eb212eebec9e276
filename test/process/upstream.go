package process

import (
	"testing"

	"sluice/backends/embedded"
	"sluice/backends/s3"
	"sluice/test/servers"
)

// Upstream is a store as the configuration names it. Without a bucket it holds any, under
// the name that clients use.
type Upstream struct {
	Endpoint, Bucket, AccessKey, SecretKey string
	ReadOnly                               bool
}

// Of is a server's bucket as a gateway is told of it.
func Of(s *servers.Server, bucket string) Upstream {
	return Upstream{Endpoint: s.Endpoint, Bucket: bucket, AccessKey: s.AccessKey, SecretKey: s.SecretKey}
}

// Embedded starts a store of the name in the test's own process, with one bucket.
func Embedded(t testing.TB, name string) (*embedded.Server, *s3.Store, Upstream) {
	t.Helper()
	server, err := embedded.Start(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	store, err := server.Store(t.Context(), name, "bucket")
	if err != nil {
		t.Fatal(err)
	}
	return server, store, Upstream{Endpoint: server.Endpoint(), Bucket: "bucket", AccessKey: "any", SecretKey: "any"}
}
