// Package demo plays a migration on one machine: two stores in this process, a
// gateway between them, and a Mastodon that never stops working. It says what it
// does, and ends with what came of it.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"golang.org/x/sync/errgroup"

	"sluice/backends/embedded"
	"sluice/backends/s3"
	"sluice/gateway"
	"sluice/gateway/config"
)

const (
	bucketName = "mastodata"
	accessKey  = "MASTODONDEMO"
	secretKey  = "mastodon-demo-secret"
	playerN    = 6
	playTime   = 6 * time.Second
	outage     = 6 * time.Second
	// quarantine is short here: the stores run in this process and keep no
	// request alive whose connection is gone.
	quarantine = 3 * time.Second
)

// ErrWrong is the demo's verdict when an answer was wrong or the stores differ.
var ErrWrong = errors.New("the demo found something wrong")

// Options are what the command line chooses.
type Options struct {
	Out  io.Writer
	Keep bool // stay up at the end
	// State is an empty directory for the gateway's state.
	State string
}

// stage is the demo's set: the stores, the gateway and the players.
type stage struct {
	o              Options
	began          time.Time
	oldNew         [2]*embedded.Server
	oldRaw, newRaw *s3.Store
	gateway        *gateway.Gateway
	endpoint       string
	library        []object
	players        *players
	repairTook     time.Duration
}

// Run plays the demo. It answers ErrWrong if a single answer was wrong.
func Run(ctx context.Context, o Options) error {
	s := &stage{o: o, began: time.Now(), library: library()}
	if err := s.openStores(ctx); err != nil {
		return err
	}
	defer func() {
		for _, server := range s.oldNew {
			_ = server.Close()
		}
	}()
	stopGateway, err := s.openGateway(ctx)
	if err != nil {
		return err
	}
	verdict, err := s.play(ctx)
	if err == nil && o.Keep {
		s.keep(ctx)
	}
	return errors.Join(err, stopGateway(), verdict)
}

func (s *stage) say(format string, args ...any) {
	fmt.Fprintf(s.o.Out, "%6.1f s  %s\n", time.Since(s.began).Seconds(), fmt.Sprintf(format, args...))
}

func (s *stage) openStores(ctx context.Context) error {
	for i := range s.oldNew {
		server, err := embedded.Start(ctx, "")
		if err != nil {
			return fmt.Errorf("starting an embedded store: %w", err)
		}
		s.oldNew[i] = server
	}
	var err error
	if s.oldRaw, err = s.oldNew[0].Store(ctx, "old", "old-bucket"); err != nil {
		return err
	}
	if s.newRaw, err = s.oldNew[1].Store(ctx, "new", "new-bucket"); err != nil {
		return err
	}
	s.say("Two empty object stores run in this process: old and new.")

	var bytes int64
	upload, ctx := errgroup.WithContext(ctx)
	upload.SetLimit(8)
	for _, o := range s.library {
		bytes += int64(o.size)
		upload.Go(func() error { return put(ctx, s.oldRaw, o) })
	}
	if err := upload.Wait(); err != nil {
		return fmt.Errorf("filling the old store: %w", err)
	}
	s.say("Old now holds %d objects (%d MiB), as a small Mastodon server would: avatars, media, a video in parts.",
		len(s.library), bytes>>20)
	return nil
}

func (s *stage) openGateway(ctx context.Context) (stop func() error, err error) {
	log, err := os.Create(filepath.Join(s.o.State, "gateway.log"))
	if err != nil {
		return nil, err
	}
	c := config.Default()
	c.StateDir = s.o.State
	c.Stores = map[string]config.Store{
		"old": {Endpoint: s.oldNew[0].Endpoint(), Bucket: "old-bucket", AccessKeyID: "any", SecretAccessKey: "any"},
		"new": {Endpoint: s.oldNew[1].Endpoint(), Bucket: "new-bucket", AccessKeyID: "any", SecretAccessKey: "any"},
	}
	c.Buckets = map[string]config.Bucket{bucketName: {Old: "old", New: "new"}}
	c.Credentials = []config.Credential{{AccessKeyID: accessKey, SecretAccessKey: secretKey}}
	c.Cache.Memory = 64 << 20
	c.Migration.Mirror.Quarantine = config.Duration(quarantine)
	if s.gateway, err = gateway.Open(ctx, c, slog.New(slog.NewTextHandler(log, nil))); err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, s.gateway.Close())
	}
	s.endpoint = listener.Addr().String()
	client, err := minio.NewCore(s.endpoint, &minio.Options{
		Creds: credentials.NewStaticV4(accessKey, secretKey, ""), Region: "us-east-1", MaxRetries: 1,
	})
	if err != nil {
		return nil, errors.Join(err, s.gateway.Close())
	}
	s.players = &players{client: client, bucket: bucketName, old: s.library}

	serveCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- s.gateway.Serve(serveCtx, listener) }()
	s.say("Sluice serves the bucket %q at http://%s: old is the primary, writes go to both.", bucketName, s.endpoint)
	return func() error {
		cancel()
		return errors.Join(<-ended, log.Close())
	}, nil
}

// play runs the plot. The verdict is what was wrong with the answers; err is why
// the plot could not go on.
func (s *stage) play(ctx context.Context) (verdict, err error) {
	s.players.start(ctx, playerN)
	s.say("%d players upload, replace, read, list and delete, and check every answer.", playerN)
	if err := pause(ctx, playTime); err != nil {
		return nil, err
	}
	s.say("%d requests so far, %d failed. Now the new store goes down.", s.players.requests.Load(), s.players.failed.Load())
	if err := s.oldNew[1].Stop(); err != nil {
		return nil, err
	}
	if err := pause(ctx, outage); err != nil {
		return nil, err
	}
	s.say("%d requests so far, %d failed. The journal remembers %d keys that new has missed. New comes back.",
		s.players.requests.Load(), s.players.failed.Load(), s.gateway.Journal().Pending())
	if err := s.oldNew[1].Restart(ctx); err != nil {
		return nil, err
	}
	if err := pause(ctx, playTime/2); err != nil {
		return nil, err
	}
	s.players.end()
	if err := s.settle(ctx); err != nil {
		return nil, err
	}
	if err := s.readEverything(ctx); err != nil {
		return nil, err
	}
	return s.report(ctx)
}

// settle waits until the journal is empty.
func (s *stage) settle(ctx context.Context) error {
	began := time.Now()
	s.say("The players rest. %d keys still wait for the repairer.", s.gateway.Journal().Pending())
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := s.gateway.Journal().Quiet(ctx); err != nil {
		return fmt.Errorf("the repairs did not end: %w", err)
	}
	s.repairTook = time.Since(began)
	repaired, _ := s.gateway.Repairer().Repaired()
	s.say("Repaired: %d keys; nobody asked for it.", repaired)
	return nil
}

// readEverything reads every old object once, as visitors would over the weeks:
// what new lacks is copied from the same read.
func (s *stage) readEverything(ctx context.Context) error {
	visitors, ctx := errgroup.WithContext(ctx)
	visitors.SetLimit(playerN)
	for _, o := range s.library {
		visitors.Go(func() error {
			s.players.get(ctx, o)
			return ctx.Err()
		})
	}
	if err := visitors.Wait(); err != nil {
		return err
	}
	s.say("Visitors have looked at every old object once; each was copied to new on its way.")
	settled, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	bucket, err := s.gateway.Bucket(settled, bucketName)
	if err != nil {
		return err
	}
	return bucket.CopiesDone(settled)
}

// keep leaves everything running until the user ends it.
func (s *stage) keep(ctx context.Context) {
	fmt.Fprintf(s.o.Out, `
Still serving. Try it:
  export AWS_ACCESS_KEY_ID=%s AWS_SECRET_ACCESS_KEY=%s AWS_DEFAULT_REGION=us-east-1
  aws --endpoint-url http://%s s3 ls s3://%s/ --recursive
Ctrl-C ends it.
`, accessKey, secretKey, s.endpoint, bucketName)
	<-ctx.Done()
}

// pause lets the players play.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
