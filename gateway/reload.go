package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"

	"sluice/gateway/config"
	"sluice/gateway/events"
	"sluice/gateway/express"
	"sluice/gateway/migrate"
)

// reloads are what there is to know of the configuration's reloads.
type reloads struct {
	life context.Context // ends with end
	stop context.CancelFunc
	// reloaded wakes who runs what a gate brings along (Gateway.notify).
	reloaded chan struct{}

	mu   sync.Mutex // one at a time; before seen
	load func() (config.Config, error)
	done func(config.Config)

	seen   sync.Mutex          // never held for long
	fronts []*express.Listener // of Serve
	err    error               // of the last; nil: it went well
	since  time.Time           // when that became so
	good   time.Time           // when the configuration in force was loaded
}

func (r *reloads) init() {
	r.reloaded, r.since = make(chan struct{}, 1), time.Now().UTC()
	r.good = r.since
	r.life, r.stop = context.WithCancel(context.Background())
}

// reloadTimeout bounds what a reload waits for stores.
const reloadTimeout = time.Minute

var errEnding = errors.New("the gateway is ending")

// ReloadFrom says where Reload has configurations from: load is the first thing it calls.
// done is the last, with the configuration in force then, be it the new or the old one. It
// is to be called before Serve.
func (g *Gateway) ReloadFrom(load func() (config.Config, error), done func(config.Config)) {
	g.reloads.load, g.reloads.done = load, done
}

// Reload puts another configuration into force, whole or not at all: after an error, which
// is config.ErrKept, everything is as it was. It answers what changes; with dryRun it does
// nothing else, and settings that need a restart are no error.
func (g *Gateway) Reload(ctx context.Context, dryRun bool) (config.Changes, error) {
	r := &g.reloads
	r.mu.Lock()
	defer r.mu.Unlock()
	// A reload that began ends, whoever waits for it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), reloadTimeout)
	defer cancel()
	defer context.AfterFunc(r.life, cancel)()
	var changes config.Changes
	err := errEnding
	if r.life.Err() == nil {
		changes, err = g.reload(ctx, dryRun)
	}
	if err != nil {
		err = fmt.Errorf("%w; %w", err, config.ErrKept)
	}
	switch {
	case dryRun:
	case r.life.Err() != nil:
		g.log.Info("the configuration is not reloaded any more", "error", err)
	case err != nil:
		r.note(err)
		g.log.Error("the configuration could not be reloaded; the one before stays in force", "error", err)
	default:
		r.note(nil)
		changed := strings.Join(changes.Settings, ", ")
		g.log.Info("configuration reloaded", "changed", changed)
		g.happened(events.Info, "the configuration was reloaded; changed: %s", cmp.Or(changed, "nothing"))
	}
	return changes, err
}

func (g *Gateway) reload(ctx context.Context, dryRun bool) (changes config.Changes, err error) {
	if g.reloads.load == nil {
		return changes, errors.New("this gateway was not started from a file")
	}
	next, err := g.reloads.load()
	defer func() { g.reloads.done(g.now.Load().config) }()
	if err != nil {
		return changes, err
	}
	former := g.now.Load()
	changes = former.config.Compare(&next)
	if dryRun {
		return changes, nil
	}
	if err := changes.Err(); err != nil {
		return changes, err
	}
	t, err := former.turnTo(ctx, next)
	if err != nil {
		return changes, err
	}
	t.take()
	return changes, nil
}

// turn is the way from one gate to the next. Until it is taken nothing of it is in use.
type turn struct {
	former, next *gate
	clients      map[*store]*store // of whom talks as whom from then on
	added        []*openBucket
	certificates func()
	undo         []func()
}

// turnTo prepares everything that can fail.
func (g *gate) turnTo(ctx context.Context, c config.Config) (_ *turn, err error) {
	t := &turn{former: g, clients: make(map[*store]*store), certificates: func() {}}
	defer func() {
		if err != nil {
			for _, undo := range t.undo {
				undo()
			}
		}
	}()
	if t.next, err = newGate(g.Gateway, c, g); err != nil {
		return nil, err
	}
	if err := t.openStores(ctx); err != nil {
		return nil, err
	}
	if err := t.openBuckets(ctx); err != nil {
		return nil, err
	}
	was, is := g.certificateOptions(), t.next.certificateOptions()
	was.Bucket, is.Bucket = nil, nil // the same, but functions can not be compared
	if is.CAFile != "" || !reflect.DeepEqual(was, is) {
		t.certificates, err = g.certificates.Change(t.next.certificateOptions())
	}
	return t, err
}

// take puts the next gate into force. Requests that came before end by the former.
func (t *turn) take() {
	g, next := t.former.Gateway, t.next
	for s, as := range t.clients {
		s.Become(as.Store)
	}
	t.certificates()
	for _, b := range t.added { // before somebody asks for them by their names
		g.buckets.add(b)
	}
	g.now.Store(next)
	g.reloads.express(next)
	g.cache.Change(cacheOptions(next.config))
	// What `sluice throttle` has set since stays, unless the file says something new.
	if limits := next.config.Migration.Backfill.Limits(); !reflect.DeepEqual(limits, t.former.config.Migration.Backfill.Limits()) {
		_ = g.throttle.Set(limits) // the configuration was checked
	}
	for name, s := range t.former.stores {
		if next.stores[name] == nil {
			s.Close()
		}
	}
	select {
	case g.reloads.reloaded <- struct{}{}:
	default:
	}
}

// express has every express lane go by the gate.
func (r *reloads) express(g *gate) {
	r.seen.Lock()
	defer r.seen.Unlock()
	for _, front := range r.fronts {
		front.Change(g.expressOptions())
	}
}

// end waits for the reload under way, if there is one, and lets none begin any more.
func (r *reloads) end() {
	r.stop()
	r.mu.Lock()
	defer r.mu.Unlock()
}

func (r *reloads) note(err error) {
	r.seen.Lock()
	defer r.seen.Unlock()
	now := time.Now().UTC()
	if (err == nil) != (r.err == nil) {
		r.since = now
	}
	if r.err = err; err == nil {
		r.good = now
	}
}

// last tells how the last reload went, and when the configuration in force was loaded.
func (r *reloads) last() (ok bool, good time.Time) {
	r.seen.Lock()
	defer r.seen.Unlock()
	return r.err == nil, r.good
}

// conditions tell whether the file is in force that was to be reloaded last.
func (r *reloads) conditions() []migrate.Condition {
	r.seen.Lock()
	defer r.seen.Unlock()
	c := migrate.Condition{Type: "configuration", Status: r.err == nil, Message: "what was loaded last is in force", Since: r.since}
	if r.err != nil {
		c.Message = strings.ReplaceAll(r.err.Error(), "\n", "; ")
	}
	return []migrate.Condition{c}
}
