package s3_test

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"sluice/backends"
	"sluice/backends/s3"
	"sluice/backends/storetest"
	"sluice/test/servers"
)

func TestMinIO(t *testing.T) {
	server := servers.MinIO(t)
	storetest.Run(t, func(t *testing.T) backends.Store {
		return server.Store(t, "minio", strings.ToLower(rand.Text()))
	}, storetest.FileLikeKeys, storetest.AbortErrors, storetest.UploadPages)
}

func TestVersity(t *testing.T) {
	server := servers.Versity(t)
	storetest.Run(t, func(t *testing.T) backends.Store {
		return server.Store(t, "versity", strings.ToLower(rand.Text()))
	}, storetest.FileLikeKeys, storetest.LongKeys, storetest.UploadPages)
}

// TestStrangerIsNotObserved: a stranger's question tells nothing of how the store does.
func TestStrangerIsNotObserved(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	defer server.Close()
	s, err := s3.New(t.Context(), s3.Config{
		Name: "any", Endpoint: server.URL, Bucket: "bucket", AccessKeyID: "any", SecretAccessKey: "any",
		Observe: func(_ time.Duration, err error) { t.Errorf("it was observed: %v", err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if open, err := s.ListsToAnyone(t.Context()); open || err != nil {
		t.Errorf("%t, %v", open, err)
	}
}

// TestListsToAnyone: only a policy opens a bucket's listing to strangers, and that a
// server does not answer proves nothing.
func TestListsToAnyone(t *testing.T) {
	server := servers.MinIO(t)
	s := server.Store(t, "minio", "bucket")
	policy := func(effect string) {
		t.Helper()
		_, err := s.ChangeSubresource(t.Context(), backends.SubresourceRequest{
			Op: "PutBucketPolicy", Method: http.MethodPut, Query: url.Values{"policy": {""}},
			Body: fmt.Appendf(nil, `{"Version": "2012-10-17", "Statement": [
				{"Effect": %q, "Principal": "*", "Action": ["s3:ListBucket"], "Resource": ["arn:aws:s3:::bucket"]}]}`, effect),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	lists := func(want bool) {
		t.Helper()
		if got, err := s.ListsToAnyone(t.Context()); err != nil || got != want {
			t.Errorf("%t, %v; want %t", got, err, want)
		}
	}
	lists(false)
	policy("Allow")
	lists(true)
	policy("Deny")
	lists(false)
	server.Stop(t)
	if got, err := s.ListsToAnyone(t.Context()); err == nil || got {
		t.Errorf("a server that is down: %t, %v", got, err)
	}
}
