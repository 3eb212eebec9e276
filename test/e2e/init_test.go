package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/backends"
	"sluice/backends/s3"
	"sluice/test/process"
	"sluice/test/servers"
)

// TestInit: what `sluice init` makes of a Mastodon's settings is a gateway that takes the
// Mastodon's key pair, shows its media to everyone, and moves it.
func TestInit(t *testing.T) {
	old, next := servers.MinIO(t), servers.Versity(t)
	old.Store(t, "old", "mastodata")
	moved := next.Store(t, "new", "media-new")
	env := filepath.Join(t.TempDir(), ".env.production")
	text := fmt.Sprintf("LOCAL_DOMAIN=example.social\nS3_ENABLED=true\nS3_BUCKET=mastodata\nS3_ENDPOINT=%s\nS3_ALIAS_HOST=files.test/mastodata\n"+
		"AWS_ACCESS_KEY_ID=%s\nAWS_SECRET_ACCESS_KEY='%s'\n", old.Endpoint, old.AccessKey, old.SecretKey)
	if err := os.WriteFile(env, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	g, talk := process.Init(t, fmt.Sprintf("%s\n\nmedia-new\n%s\n%s\n", next.Endpoint, next.AccessKey, next.SecretKey), "--mastodon", env)
	if want := fmt.Sprintf("change  S3_ENDPOINT=%s  →  S3_ENDPOINT=%s\n", old.Endpoint, g.Endpoint); !strings.Contains(talk, want) ||
		strings.Contains(talk, old.SecretKey) || strings.Contains(talk, next.SecretKey) {
		t.Errorf("%s", talk)
	}
	if stdout, stderr, code := g.Sluice(t, "config", "validate"); code != 0 || !strings.HasSuffix(stdout, " is good: 1 bucket, 2 stores, 1 host\n") {
		t.Fatal(stdout, stderr, code)
	}
	g.Restart(t)
	mastodon, err := s3.New(t.Context(), s3.Config{
		Name: "mastodon", Endpoint: g.Endpoint, Bucket: "mastodata", Region: "us-east-1", AccessKeyID: old.AccessKey, SecretAccessKey: old.SecretKey,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(mastodon.Close)
	const key, cat = "media_attachments/files/1/original/cat.jpg", "a cat"
	if _, err := mastodon.Put(t.Context(), backends.PutRequest{Key: key, Body: strings.NewReader(cat), Size: int64(len(cat))}); err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.Endpoint+"/mastodata/"+key, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "files.test"
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK || string(body) != cat {
		t.Errorf("everybody reads %s, %q, %v", resp.Status, body, err)
	}
	if stdout, stderr, code := g.Sluice(t, "start", "mastodata"); code != 0 {
		t.Fatal(stdout, stderr, code)
	}
	process.Eventually(t, 30*time.Second, func(ctx context.Context) error {
		_, err := moved.Head(ctx, backends.GetRequest{Key: key})
		return err
	})
}
