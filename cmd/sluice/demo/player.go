package demo

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/minio/minio-go/v7"
)

// players stand for a Mastodon server at work: each uploads, replaces, reads,
// lists and deletes objects of its own, and reads everybody's old ones, through
// an S3 client that never retries. Every answer is checked.
type players struct {
	client *minio.Core
	bucket string
	old    []object // of the library, the most popular first: read, never changed

	stop    chan struct{}
	curtain sync.RWMutex // read-held during a turn
	group   sync.WaitGroup

	requests, failed atomic.Int64
	mu               sync.Mutex
	errors           []error           // the first few
	slowest          time.Duration     // of one request
	present          map[string]object // what the players stored and did not delete
	deleted          map[string]bool
}

const maxErrors = 5

// think is how long a player rests after a turn, at most. It keeps the demo small
// enough for any machine's memory.
const think = 150 * time.Millisecond

func newPlayers(client *minio.Core, library []object) *players {
	p := &players{
		client: client, bucket: bucketName, stop: make(chan struct{}),
		present: make(map[string]object), deleted: make(map[string]bool),
	}
	for _, o := range library {
		if o.key != unread {
			p.old = append(p.old, o)
		}
	}
	rand.New(rand.NewPCG(4, 5)).Shuffle(len(p.old), func(i, j int) { p.old[i], p.old[j] = p.old[j], p.old[i] })
	return p
}

func (p *players) start(ctx context.Context, n int) {
	for i := range n {
		p.group.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 3))
			popular := rand.NewZipf(r, 1.2, 20, uint64(len(p.old)-1))
			for turn := 0; ; turn++ {
				select {
				case <-p.stop:
					return
				case <-ctx.Done():
					return
				case <-time.After(time.Duration(r.Int64N(int64(think)))):
					p.curtain.RLock()
					p.play(ctx, r, popular, i, turn)
					p.curtain.RUnlock()
				}
			}
		})
	}
}

// rest lets the players end their turns, and play on after f.
func (p *players) rest(f func() error) error {
	p.curtain.Lock()
	defer p.curtain.Unlock()
	return f()
}

func (p *players) end() {
	close(p.stop)
	p.group.Wait()
}

// play is one toot's worth of requests.
func (p *players) play(ctx context.Context, r *rand.Rand, popular *rand.Zipf, player, turn int) {
	o := object{
		key:  fmt.Sprintf("media_attachments/files/%02d/%05d/original/new.jpg", player, turn),
		size: 1<<10 + r.IntN(100<<10),
	}
	p.put(ctx, o)
	p.get(ctx, o)
	if turn%5 == 0 {
		o.version = 1
		p.put(ctx, o)
		p.get(ctx, o)
	}
	for range 3 {
		p.get(ctx, p.old[popular.Uint64()])
	}
	switch turn % 8 {
	case 3:
		p.delete(ctx, o)
	case 6:
		p.list(ctx, player)
	}
}

// try makes a request and counts it.
func (p *players) try(what, key string, request func() error) bool {
	start := time.Now()
	err := request()
	took := time.Since(start)
	p.requests.Add(1)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.slowest = max(p.slowest, took)
	if err == nil {
		return true
	}
	p.failed.Add(1)
	if len(p.errors) < maxErrors {
		p.errors = append(p.errors, fmt.Errorf("%s %s: %w", what, key, err))
	}
	return false
}

func (p *players) put(ctx context.Context, o object) {
	ok := p.try("upload", o.key, func() error {
		_, err := p.client.PutObject(ctx, p.bucket, o.key, bytes.NewReader(o.body()), int64(o.size), "", "",
			minio.PutObjectOptions{ContentType: "image/jpeg", CacheControl: "public, max-age=315576000, immutable"})
		return err
	})
	if ok {
		p.mu.Lock()
		p.present[o.key] = o
		p.mu.Unlock()
	}
}

func (p *players) get(ctx context.Context, o object) {
	p.try("read", o.key, func() error {
		body, _, _, err := p.client.GetObject(ctx, p.bucket, o.key, minio.GetObjectOptions{})
		if err != nil {
			return err
		}
		defer body.Close()
		return o.check(body)
	})
}

// delete removes an object and looks that it is gone.
func (p *players) delete(ctx context.Context, o object) {
	ok := p.try("delete", o.key, func() error {
		return p.client.RemoveObject(ctx, p.bucket, o.key, minio.RemoveObjectOptions{})
	})
	if !ok {
		return
	}
	p.mu.Lock()
	delete(p.present, o.key)
	p.deleted[o.key] = true
	p.mu.Unlock()
	p.try("read after delete", o.key, func() error {
		_, err := p.client.StatObject(ctx, p.bucket, o.key, minio.StatObjectOptions{})
		if minio.ToErrorResponse(err).StatusCode == 404 {
			return nil
		}
		return fmt.Errorf("a deleted object answers %v", err)
	})
}

// list looks whether a player's objects are listed, all and no others.
func (p *players) list(ctx context.Context, player int) {
	prefix := fmt.Sprintf("media_attachments/files/%02d/", player)
	p.try("list", prefix, func() error {
		var got []string
		for token := ""; ; {
			page, err := p.client.ListObjectsV2(p.bucket, prefix, "", token, "", 1000)
			if err != nil {
				return err
			}
			for _, o := range page.Contents {
				got = append(got, o.Key)
			}
			if token = page.NextContinuationToken; !page.IsTruncated {
				break
			}
		}
		var want []string
		p.mu.Lock()
		for key := range p.present {
			if len(key) > len(prefix) && key[:len(prefix)] == prefix {
				want = append(want, key)
			}
		}
		p.mu.Unlock()
		slices.Sort(want)
		if !slices.Equal(got, want) {
			return fmt.Errorf("%d objects listed, %d are there", len(got), len(want))
		}
		return nil
	})
}
