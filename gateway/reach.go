package gateway

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"sluice/backends"
	"sluice/gateway/config"
	"sluice/gateway/migrate"
	"sluice/gateway/mirror"
)

// reach is what was last heard of a store, whoever asked it.
type reach struct {
	mu       sync.Mutex
	failures int // in a row
	err      error
	since    time.Time // of the first of them, or of the first answer after them
}

const (
	// awayAfter is how many requests in a row must fail for a store to be away.
	awayAfter = 5
	askEvery  = 10 * time.Second
)

// observe counts an answer. A refusal is one, too.
func (r *reach) observe(err error) {
	if errors.Is(err, context.Canceled) { // who gave up is no answer of the store
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	failed := errors.Is(err, backends.ErrUnavailable)
	if failed != (r.failures > 0) || r.since.IsZero() {
		r.since = time.Now().UTC()
	}
	if r.failures++; !failed {
		r.failures = 0
	}
	r.err = err
}

// condition tells whether the store answers.
func (r *reach) condition(kind string) migrate.Condition {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := migrate.Condition{Type: kind, Status: r.failures < awayAfter, Message: "it answers", Since: r.since}
	if !c.Status {
		c.Message = fmt.Sprintf("%d requests in a row had no usable answer; the last: %s", r.failures, cause(r.err))
	}
	return c
}

// cause is why a request failed, without the object's key, which is nobody's business.
func cause(err error) string {
	var sent *url.Error
	var answered *backends.Error
	switch {
	case errors.As(err, &sent):
		return sent.Err.Error()
	case !errors.As(err, &answered):
		return err.Error()
	case answered.Status != 0:
		return strings.TrimSpace(fmt.Sprintf("HTTP %d %s", answered.Status, answered.Code))
	case answered.Err != nil:
		return answered.Err.Error()
	}
	return answered.Kind.Error()
}

// inUse names the stores that the buckets are on in their phases, each with a bucket there.
func (g *gate) inUse() map[string]string {
	used := make(map[string]string)
	for _, name := range slices.Sorted(maps.Keys(g.config.Buckets)) {
		b := g.config.Buckets[name]
		phase, _ := g.state.Phase(name)
		if phase.Name != mirror.Completed {
			used[b.Old] = name
		}
		if phase.Name != "" && phase.Name != mirror.Passthrough {
			used[b.New] = name
		}
	}
	delete(used, "")
	return used
}

// failed tells whether the last request failed.
func (r *reach) failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failures > 0
}

// askAway asks stores whose last request failed: where nobody else does, nobody would learn
// that they are away, nor that they are back.
func (g *Gateway) askAway(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(askEvery):
		}
		var asking sync.WaitGroup
		now := g.now.Load()
		for store, bucket := range now.inUse() {
			if now.stores[store].reach.failed() {
				asking.Go(func() { now.ask(ctx, store, bucket) })
			}
		}
		asking.Wait()
	}
}

// ask asks a store anything; the answer is observed.
func (g *gate) ask(ctx context.Context, store, bucket string) {
	ctx, cancel := context.WithTimeout(ctx, askEvery)
	defer cancel()
	if bucket == config.Wildcard {
		_, _ = g.stores[store].ListBuckets(ctx)
		return
	}
	_ = exists(ctx, g.bucket(store, bucket))
}
