package migrate

import (
	"context"
	"errors"
	"time"

	"sluice/backends"
	"sluice/gateway/config"
	"sluice/gateway/migrate/throttle"
	"sluice/gateway/mirror"
)

// Crawl copies to new everything that only old has, in sweeps over both stores: one
// after the start of a migration, and one whenever an operator asks for it.
type Crawl struct {
	runner
	migration *Migration
	rules     func() []config.Rule // of the next sweep
}

// NewCrawl is a bucket's crawl, going on where the record in the directory ends.
func NewCrawl(m *Migration, t *throttle.Throttle, rules func() []config.Rule, dir string) (*Crawl, error) {
	c := &Crawl{migration: m, rules: rules, runner: runner{
		bucket: m.Bucket, throttle: t, path: recordPath(dir, "crawl", m.Bucket.Name), log: m.Log,
		visitor: func(s *sweep) visitor { return &copier{m.Bucket, t, s} },
	}}
	c.due, c.finish = c.needed, c.finished
	return c, c.open()
}

// needed begins the first sweep of a migration.
func (c *Crawl) needed() bool {
	if !needsCrawl(c.bucket.Phase()) {
		return false
	}
	if c.sweep == nil {
		c.begin(c.anew())
	}
	return true
}

// anew begins a crawl. Until there is a baseline it looks at what the rules leave to
// reads too: what new holds of that must be compared like everything else (R11).
func (c *Crawl) anew() record { return newRecord("", c.rules(), !c.bucket.Phase().Baseline) }

func needsCrawl(p mirror.Phase) bool {
	return p.Name == mirror.Mirroring || p.Name == mirror.Switched && !p.Backfilled
}

// finished records what a whole sweep has proven. That takes a moment at which no write
// is pending.
func (c *Crawl) finished(ctx context.Context, s *sweep) {
	s.setState(Waiting)
	for ctx.Err() == nil {
		// While a write is open it would be refused, and have held the others; and somebody
		// may be about to remove the bucket.
		if c.bucket.Unsettled() > 0 || !c.migration.Life.TryLock() {
			_ = pause(ctx, time.Second)
			continue
		}
		p := s.progress()
		err := c.migration.Crawled(ctx, p.Extra == 0, everything(s.rec.Rules))
		c.migration.Life.Unlock()
		var pending *mirror.PendingError
		switch {
		case err == nil, errors.Is(err, errLeft):
			if err := s.finished(); err != nil {
				s.log.Error("that the backfill is finished could not be recorded", "error", err)
			}
			s.log.Info("backfill finished", "objects", p.Done.Objects, "copied", p.Copied.Objects,
				"extra", p.Extra, "took", time.Since(p.Started).Round(time.Second))
			return
		case !errors.As(err, &pending) && !errors.Is(err, context.DeadlineExceeded):
			s.log.Warn("that the backfill is complete could not be recorded; it is tried again", "error", err)
		}
		_ = pause(ctx, time.Second)
	}
}

// everything tells whether rules leave nothing to reads.
func everything(rules []config.Rule) bool {
	for _, r := range rules {
		if r.Mode != config.Copy {
			return false
		}
	}
	return true
}

// swept are the rules of the crawl under way, or of the last: the configuration may say
// otherwise by now.
func (c *Crawl) swept() []config.Rule {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sweep == nil {
		return c.rules()
	}
	return c.sweep.rec.Rules
}

// Lazily tells whether keys of a lazy rule may be on old alone still.
func (c *Crawl) Lazily() bool {
	for _, r := range c.swept() {
		if r.Mode == config.Lazy {
			return true
		}
	}
	return false
}

// Pause stops the crawl where it is.
func (c *Crawl) Pause() error {
	c.mu.Lock()
	c.needed() // one that has not begun must not begin after this
	c.mu.Unlock()
	return c.halt(Paused)
}

// Resume goes on where the crawl was paused; one that is finished begins anew.
func (c *Crawl) Resume() {
	c.mu.Lock()
	if s := c.sweep; s != nil && !c.underWay() {
		if s.state() == Finished {
			rec := c.anew()
			rec.Total, rec.Counted = s.progress().Total, true
			c.begin(rec)
		} else {
			s.setState(Running)
		}
	}
	c.mu.Unlock()
	c.Wake()
}

// Progress is how far the crawl is; nil before the first.
func (c *Crawl) Progress() *Progress {
	p := c.runner.Progress()
	if p == nil {
		return nil
	}
	for _, r := range c.swept() {
		if r.Mode != config.Copy {
			p.Passed = append(p.Passed, r)
		}
	}
	return p
}

// copier is the crawl's visitor.
type copier struct {
	bucket   *mirror.Bucket
	throttle *throttle.Throttle
	sweep    *sweep
}

// skew is how much later old may be about an object that both were given at once.
const skew = time.Minute

func (v *copier) look(p pair) (result, bool) {
	phase := v.bucket.Phase()
	mirroring := phase.Name == mirror.Mirroring
	switch {
	case p.new == nil && v.sweep.leftOut(p.key):
		return result{found: equal, size: p.old.Size}, false // it is left to reads
	case p.old == nil && !mirroring:
		return result{found: equal, size: p.new.Size}, false // new is right
	case p.old == nil, p.new == nil:
		return result{}, true
	case mirroring && !phase.Baseline, mirroring && !alike(v.bucket, p.old, p.new),
		mirroring && p.old.LastModified.After(p.new.LastModified.Add(skew)): // its headers may have changed
		return result{}, true
	}
	return result{found: equal, size: p.old.Size}, false
}

// alike tells whether by the listings new holds what old does. Where ETags tell
// nothing, a later change on old alone shows in the times.
func alike(b *mirror.Bucket, old, new *backends.ListedObject) bool {
	return old.Size == new.Size &&
		(old.ETag == new.ETag || !b.ComparableETags() && !old.LastModified.After(new.LastModified))
}

func (v *copier) visit(ctx context.Context, p pair) (result, error) {
	if err := v.throttle.Request(ctx, 2); err != nil {
		return result{}, err
	}
	listed := p.old != nil && p.new == nil
	r := result{}
	if p.old != nil {
		r.size = p.old.Size
	}
	copied, err := v.bucket.Backfill(ctx, mirror.Copy{Key: p.key, Size: r.size, Listed: listed, Replace: !listed, Pace: v.throttle.Bytes})
	switch copied {
	case mirror.NotNow:
		return r, errLeft
	case mirror.Created:
		r.found, r.copied = missing, true
	case mirror.Replaced:
		r.found, r.copied = different, true
	case mirror.OnlyOnNew:
		r.found = extra
	}
	return r, err
}

func (v *copier) found(string, result) {}
