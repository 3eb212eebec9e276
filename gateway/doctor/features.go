package doctor

import (
	"context"
	"strings"
	"time"

	"sluice/backends"
)

// profileTime bounds the trial of what a store does; it gives way to a store that wants to
// be asked less often.
const profileTime = 30 * time.Second

// profile tells of what Sluice does differently from store to store.
func (p *place) profile(ctx context.Context) {
	if p.gone || ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), profileTime)
	defer cancel()
	found, err := backends.Probe(ctx, p.store)
	if err != nil {
		p.warn("features", "it could not be tried what the store does: "+cause(err), "try again; Sluice takes it for the simplest of stores meanwhile")
		return
	}
	var has, hasNot []string
	for _, f := range []struct {
		name string
		has  bool
	}{
		{"conditional writes", found.ConditionalCreate},
		{"checksums", found.Checksums},
		{"trailing checksums", found.Trailers},
		{"public-read ACLs", found.ACLs},
		{"tags", found.Tags},
		{"MD5 ETags", found.MD5ETags},
	} {
		if f.has {
			has = append(has, f.name)
		} else {
			hasNot = append(hasNot, f.name)
		}
	}
	seen := "has " + strings.Join(has, ", ")
	if len(hasNot) > 0 {
		seen += "; has not: " + strings.Join(hasNot, ", ") + ", which Sluice does without"
	}
	p.ok("features", seen)
}
