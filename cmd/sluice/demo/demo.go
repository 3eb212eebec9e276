// Package demo plays a whole migration on one machine: two stores in this process, a
// gateway between them, an operator, and a Mastodon that never stops working. It says
// what it does, and ends with what came of it.
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
	"sluice/gateway/migrate"
)

const (
	bucketName = "mastodata"
	accessKey  = "MASTODONDEMO"
	secretKey  = "mastodon-demo-secret"
	playerN    = 6
	// bandwidth is what the backfill is allowed at first: little enough for the
	// throttle to be seen at work.
	bandwidth = 8 << 20
	// quarantine is short here: the stores run in this process and keep no
	// request alive whose connection is gone.
	quarantine = 2 * time.Second
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

// stage is the demo's set: the stores, the gateway, its operator and the players; and
// what the acts leave for the report.
type stage struct {
	o              Options
	began          time.Time
	oldNew         [2]*embedded.Server
	oldRaw, newRaw *s3.Store // the stores as they are behind the gateway
	gateway        *gateway.Gateway
	operator       *migrate.Operator
	endpoint       string
	library        []object
	players        *players

	longestHold time.Duration // of writes, by a change of phase
	atComplete  comparison
	leftOnOld   map[string]string // ETags by key, when old was left alone
	problems    []error           // that no player met
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
	c.Migration.Backfill.Throttle.Bandwidth = bandwidth
	if s.gateway, err = gateway.Open(ctx, c, slog.New(slog.NewTextHandler(log, nil))); err != nil {
		return nil, err
	}
	if s.operator, err = s.gateway.Operator(ctx, bucketName); err != nil {
		return nil, errors.Join(err, s.gateway.Close())
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
	s.players = newPlayers(client, s.library)

	serveCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- s.gateway.Serve(serveCtx, listener) }()
	s.say("Sluice serves the bucket %q at http://%s, from old alone: no migration was started.", bucketName, s.endpoint)
	return func() error {
		cancel()
		return errors.Join(<-ended, log.Close())
	}, nil
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
