package migrate

import (
	"context"
	"strings"

	"sluice/gateway/config"
	"sluice/gateway/mirror"
)

// Locate tells where an object is.
func (o *Operator) Locate(ctx context.Context, key string) mirror.Located {
	return o.Bucket.Locate(ctx, key, o.Crawl.coming(key))
}

// coming says what will bring a key to new that only old has.
func (c *Crawl) coming(key string) string {
	for _, rule := range c.swept() {
		if !strings.HasPrefix(key, rule.Prefix) {
			continue
		}
		if rule.Mode == config.Lazy {
			return "the next read copies it (its rule says lazy)"
		}
		if rule.Mode == config.Skip {
			return "the backfill leaves it out (its rule says skip)"
		}
		break
	}
	switch p := c.Progress(); {
	case p == nil || p.State == Running || p.State == Waiting:
		return "the backfill copies it when it comes to it, or the next read does"
	case p.State == Paused:
		return "the backfill is paused, but the next read copies it"
	}
	return "the next read copies it, or another backfill (sluice resume)"
}
