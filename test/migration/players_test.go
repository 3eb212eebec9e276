package migration

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"

	"sluice/backends"
	"sluice/backends/s3"
)

// object is one version of a key. Its content follows from both.
type object struct {
	key     string
	version uint64
	size    int64
	parts   bool // it was uploaded in parts
}

const (
	partSize = 8 << 20
	gone     = ^uint64(0) // the version of a deleted key
)

// body is the object's content, made as it is read.
func (o object) body() io.Reader {
	seed := sha256.Sum256(binary.BigEndian.AppendUint64([]byte(o.key), o.version))
	return io.LimitReader(rand.NewChaCha8(seed), o.size)
}

func (o object) header() http.Header {
	return http.Header{"Content-Type": {"image/jpeg"}, "X-Amz-Meta-Version": {fmt.Sprint(o.version)}}
}

// put stores the object.
func (o object) put(ctx context.Context, s backends.Store) error {
	if !o.parts {
		raw, err := io.ReadAll(o.body())
		if err != nil {
			return err
		}
		_, err = s.Put(ctx, backends.PutRequest{Key: o.key, Body: bytes.NewReader(raw), Size: o.size, Header: o.header()})
		return err
	}
	up, err := s.CreateUpload(ctx, backends.CreateUploadRequest{Key: o.key, Header: o.header()})
	if err != nil {
		return err
	}
	done := backends.CompleteRequest{Key: o.key, UploadID: up.UploadID}
	body := o.body()
	for left := o.size; left > 0; left -= partSize {
		size := min(left, partSize)
		part, err := s.UploadPart(ctx, backends.PartRequest{
			Key: o.key, UploadID: up.UploadID, Number: len(done.Parts) + 1, Body: io.LimitReader(body, size), Size: size,
		})
		if err != nil {
			return err
		}
		done.Parts = append(done.Parts, backends.CompletedPart{Number: len(done.Parts) + 1, ETag: part.ETag})
	}
	_, err = s.CompleteUpload(ctx, done)
	return err
}

// check reads the object and compares every byte.
func (o object) check(ctx context.Context, s backends.Reader) error {
	got, err := s.Get(ctx, backends.GetRequest{Key: o.key})
	if o.version == gone {
		if errors.Is(err, backends.ErrNotFound) {
			return nil
		}
		if err == nil {
			got.Body.Close()
		}
		return fmt.Errorf("%q was deleted and answers %v", o.key, err)
	}
	if err != nil {
		return err
	}
	defer got.Body.Close()
	have, want := sha256.New(), sha256.New()
	if _, err := io.Copy(have, got.Body); err != nil {
		return err
	}
	_, _ = io.Copy(want, o.body())
	if !bytes.Equal(have.Sum(nil), want.Sum(nil)) {
		return fmt.Errorf("%q on %s does not hold version %d", o.key, s.Name(), o.version)
	}
	if v := got.Header.Get("X-Amz-Meta-Version"); v != fmt.Sprint(o.version) {
		return fmt.Errorf("%q on %s has the metadata of version %s, not %d", o.key, s.Name(), v, o.version)
	}
	return nil
}

// library is what an old store holds: many small objects, a few large ones, every other
// of them uploaded in parts.
func library(small, large int, largeSize int64) []object {
	r := rand.New(rand.NewPCG(1, 1))
	var all []object
	for i := range small {
		all = append(all, object{key: fmt.Sprintf("media/%03d/%04d", i%97, i), size: 8<<10 + r.Int64N(56<<10)})
	}
	for i := range large {
		all = append(all, object{key: fmt.Sprintf("videos/%d", i), size: largeSize, parts: i%2 == 0})
	}
	return all
}

const playerN = 6

// players read, replace and delete what is in the library, and add to it. Each key is
// one player's, who knows what must be there.
type players struct {
	client *s3.Store
	known  [playerN]map[string]object
	order  [playerN][]string
	random [playerN]*rand.Rand

	stop   context.CancelFunc
	group  sync.WaitGroup
	serial atomic.Uint64

	requests, failed atomic.Int64
	mu               sync.Mutex
	errors           []error
}

func newPlayers(client *s3.Store, library []object) *players {
	p := &players{client: client}
	for i := range playerN {
		p.known[i] = make(map[string]object)
		p.random[i] = rand.New(rand.NewPCG(uint64(i), 2))
	}
	for i, o := range library {
		p.learn(i%playerN, o)
	}
	return p
}

func (p *players) learn(player int, o object) {
	if _, known := p.known[player][o.key]; !known {
		p.order[player] = append(p.order[player], o.key)
	}
	p.known[player][o.key] = o
}

func (p *players) String() string {
	return fmt.Sprintf("%d requests, %d failed", p.requests.Load(), p.failed.Load())
}

func (p *players) start(ctx context.Context) {
	ctx, p.stop = context.WithCancel(ctx)
	for i := range playerN {
		p.group.Go(func() {
			for ctx.Err() == nil {
				p.play(context.WithoutCancel(ctx), i)
			}
		})
	}
}

// end lets everyone finish their request.
func (p *players) end() {
	p.stop()
	p.group.Wait()
}

func (p *players) play(ctx context.Context, player int) {
	r := p.random[player]
	o := p.known[player][p.order[player][r.IntN(len(p.order[player]))]]
	if o.size > 1<<20 {
		return
	}
	switch n := r.IntN(10); {
	case n < 5:
		p.try(o.check(ctx, p.client))
	case n < 7:
		o.version, o.parts = p.serial.Add(1), false
		o.size = 1<<10 + r.Int64N(60<<10)
		p.write(ctx, player, o, o.put(ctx, p.client))
	case n < 8:
		_, err := p.client.Delete(ctx, backends.DeleteRequest{Key: o.key})
		o.version = gone
		p.write(ctx, player, o, err)
	default:
		o = object{key: fmt.Sprintf("media/%03d/new-%d-%d", r.IntN(97), player, len(p.order[player])), size: r.Int64N(40 << 10)}
		o.version = p.serial.Add(1)
		p.write(ctx, player, o, o.put(ctx, p.client))
	}
}

// write takes note of a write, and reads it back.
func (p *players) write(ctx context.Context, player int, o object, err error) {
	p.try(err)
	if err == nil {
		p.learn(player, o)
		p.try(o.check(ctx, p.client))
	}
}

func (p *players) try(err error) {
	p.requests.Add(1)
	if err == nil {
		return
	}
	p.failed.Add(1)
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.errors) < 5 {
		p.errors = append(p.errors, err)
	}
}

func (p *players) failures() []error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.errors
}

// holds compares a store with what the players know.
func (p *players) holds(ctx context.Context, t *testing.T, s *s3.Store) {
	t.Helper()
	left, err := keys(ctx, s)
	if err != nil {
		t.Fatal(err)
	}
	checks, ctx := errgroup.WithContext(ctx)
	checks.SetLimit(8)
	for _, known := range p.known {
		for _, o := range known {
			delete(left, o.key)
			checks.Go(func() error { return o.check(ctx, s) })
		}
	}
	if err := checks.Wait(); err != nil {
		t.Error(err)
	}
	for key := range left {
		t.Errorf("%q is on %s, and nobody put it there", key, s.Name())
	}
}
