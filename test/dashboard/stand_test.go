package dashboard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/backends"
	"sluice/backends/s3"
	"sluice/gateway"
	"sluice/gateway/config"
	"sluice/test/servers"
)

const (
	bucket    = "mastodata"
	oldStore  = "minio"
	newStore  = "hetzner"
	accessKey = "CLIENTKEY"
	secretKey = "client-secret"
	perObject = 64 << 10
)

// stand is a gateway between two real servers, as operators meet it.
type stand struct {
	config   config.Config
	gateway  *gateway.Gateway
	old, new *servers.Server
	oldRaw   *s3.Store
	newRaw   *s3.Store
	address  string // of the dashboard
	client   *s3.Store
	stop     func()
}

// newStand serves a bucket whose old store holds so many objects; change may change the
// configuration.
func newStand(t *testing.T, objects int, change func(*config.Config)) *stand {
	t.Helper()
	s := &stand{old: servers.MinIO(t), new: servers.Versity(t)}
	s.oldRaw, s.newRaw = s.old.Store(t, oldStore, "media"), s.new.Store(t, newStore, "media-new")
	fill, ctx := errgroup.WithContext(t.Context())
	fill.SetLimit(8)
	for i := range objects {
		fill.Go(func() error { return put(ctx, s.oldRaw, fmt.Sprintf("accounts/avatars/%06d/original/avatar.png", i)) })
	}
	must(t, fill.Wait())
	of := func(server *servers.Server, bucket string) config.Store {
		return config.Store{Endpoint: server.Endpoint, Bucket: bucket, AccessKeyID: server.AccessKey, SecretAccessKey: server.SecretKey}
	}
	c := config.Default()
	c.StateDir = t.TempDir()
	c.Listen.HTTP, c.Listen.Admin = freeAddress(t), freeAddress(t)
	c.Stores = map[string]config.Store{oldStore: of(s.old, "media"), newStore: of(s.new, "media-new")}
	c.Buckets = map[string]config.Bucket{bucket: {Old: oldStore, New: newStore}}
	c.Credentials = []config.Credential{{AccessKeyID: accessKey, SecretAccessKey: secretKey}}
	c.Migration.Mirror.Quarantine = config.Duration(200 * time.Millisecond)
	if change != nil {
		change(&c)
	}
	s.config, s.address = c, "http://"+c.Listen.Admin
	s.start(t)
	t.Cleanup(func() { s.stop() })
	client, err := s3.New(t.Context(), s3.Config{
		Name: "gateway", Endpoint: "http://" + c.Listen.HTTP, Bucket: bucket, Region: "us-east-1", AccessKeyID: accessKey, SecretAccessKey: secretKey,
	})
	must(t, err)
	t.Cleanup(client.Close)
	s.client = client
	return s
}

// start serves; after stop, once more.
func (s *stand) start(t *testing.T) {
	t.Helper()
	g, err := gateway.Open(t.Context(), s.config, slog.New(slog.DiscardHandler))
	must(t, err)
	s.gateway = g
	listeners, err := g.Listen(t.Context())
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Serve(ctx, listeners...) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("the gateway ended with %v", err)
		}
	})
}

func (s *stand) token(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(s.config.StateDir, "admin.token"))
	must(t, err)
	return strings.TrimSpace(string(raw))
}

// play has clients write and read until the test ends or the answer is called.
func (s *stand) play(t *testing.T) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var players sync.WaitGroup
	for player := range 4 {
		players.Go(func() {
			tick := time.NewTicker(40 * time.Millisecond)
			defer tick.Stop()
			for i := 0; ; i++ {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
				key := fmt.Sprintf("media_attachments/files/%d/%03d/original/photo.jpeg", player, i/4%50)
				if i%4 == 0 {
					_ = put(ctx, s.client, key) // what is not written is not read either
					continue
				}
				if got, err := s.client.Get(ctx, backends.GetRequest{Key: key}); err == nil {
					_, _ = io.Copy(io.Discard, got.Body)
					got.Body.Close()
				}
			}
		})
	}
	end = sync.OnceFunc(func() { cancel(); players.Wait() })
	t.Cleanup(end)
	return end
}

func put(ctx context.Context, store *s3.Store, key string) error {
	body := make([]byte, perObject)
	for i := range body {
		body[i] = byte(rand.IntN(256))
	}
	_, err := store.Put(ctx, backends.PutRequest{
		Key: key, Body: bytes.NewReader(body), Size: perObject, Header: http.Header{"Content-Type": {"image/png"}},
	})
	return err
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
