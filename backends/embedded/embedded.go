// Package embedded is an object store in this process: gofakes3 behind a real
// listener. The demo and the tests use it. It authenticates nobody and is not
// made for production.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3bolt"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"go.etcd.io/bbolt"

	"sluice/backends"
	"sluice/backends/s3"
)

// Server is an S3 server on a loopback port. It can be stopped and restarted
// with its data and its address.
type Server struct {
	handler http.Handler
	address string
	http    *http.Server
	served  chan error
	closeDB func() error
}

// Start starts a server on 127.0.0.1, on a port of the kernel's choice. dir ""
// keeps the objects in memory; otherwise they are kept in that directory. Of
// gofakes3's backends on disk s3bolt takes every key; s3afero makes files of
// them and can not.
func Start(ctx context.Context, dir string) (*Server, error) {
	s := &Server{address: "127.0.0.1:0", closeDB: func() error { return nil }}
	var backend gofakes3.Backend = s3mem.New()
	if dir != "" {
		db, err := bbolt.Open(filepath.Join(dir, "objects.db"), 0o600, &bbolt.Options{Timeout: time.Second})
		if err != nil {
			return nil, fmt.Errorf("embedded store in %s: %w", dir, err)
		}
		backend, s.closeDB = s3bolt.New(db), db.Close
	}
	s.handler = front(gofakes3.New(replacing{backend}, gofakes3.WithoutVersioning(), gofakes3.WithTimeSkewLimit(0),
		gofakes3.WithMetadataSizeLimit(0)).Server()) // it counts a copy's source, which may be longer, as metadata
	return s, s.Restart(ctx)
}

// Endpoint is the server's URL.
func (s *Server) Endpoint() string { return "http://" + s.address }

// Store is a store on the server's bucket, which it creates if need be.
func (s *Server) Store(ctx context.Context, name, bucket string) (*s3.Store, error) {
	store, err := s3.New(ctx, s3.Config{
		Name: name, Endpoint: s.Endpoint(), Bucket: bucket, Region: "us-east-1",
		AccessKeyID: "embedded", SecretAccessKey: "embedded",
	})
	if err != nil {
		return nil, err
	}
	err = store.CreateBucket(ctx)
	var e *backends.Error
	if errors.As(err, &e) && e.Code == "BucketAlreadyExists" {
		err = nil // there are no other owners here
	}
	return store, err
}

// Restart listens again, on the same port, after Stop.
func (s *Server) Restart(ctx context.Context) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.address)
	if err != nil {
		return fmt.Errorf("embedded store: %w", err)
	}
	s.address = listener.Addr().String()
	s.http = &http.Server{Handler: s.handler, ReadHeaderTimeout: 10 * time.Second}
	s.served = make(chan error, 1)
	go func() { s.served <- s.http.Serve(listener) }()
	return nil
}

// Stop cuts all connections and listens no more. The objects stay.
func (s *Server) Stop() error {
	if s.http == nil {
		return nil
	}
	err := s.http.Close()
	if served := <-s.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	s.http = nil
	return err
}

// Close stops the server for good.
func (s *Server) Close() error { return errors.Join(s.Stop(), s.closeDB()) }
