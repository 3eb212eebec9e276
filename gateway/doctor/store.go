package doctor

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/backends/s3"
	"sluice/gateway/config"
)

// patience bounds each question to a store. Applications wait no longer (Mastodon: 5 s).
const patience = 5 * time.Second

// store looks at a store, and then at what the buckets have there.
func (d *doctor) store(ctx context.Context, name string) {
	p := place{subject: subject{Store, name, d.report}, storeName: name, config: d.Config.Stores[name]}
	o := p.config.S3(name)
	transport, err := s3.NewTransport(o)
	if err != nil {
		p.fail("endpoint", p.explain(err))
		return
	}
	defer transport.CloseIdleConnections()
	if !p.endpoint(ctx, transport) {
		return
	}
	if p.config.AccessKeyID == "" {
		p.ok("key pair", "none is in the configuration: it is looked for in the environment, in a shared file, and at the machine's provider")
	}
	o.Transport = transport
	asking, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if p.store, err = s3.New(asking, o); err != nil {
		p.fail("region", p.explain(err))
		return
	}
	var places errgroup.Group
	places.SetLimit(atOnce)
	for _, at := range d.places(asking, p) {
		places.Go(func() error { at.examine(ctx); return nil })
	}
	_ = places.Wait()
}

// endpoint asks, unsigned, for anything: who answers is there, and says what time it is.
func (p *place) endpoint(ctx context.Context, transport http.RoundTripper) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(p.config.Endpoint, "/")+"/", nil)
	var resp *http.Response
	began := time.Now()
	if err == nil {
		r.Header.Set("User-Agent", "sluice")
		resp, err = transport.RoundTrip(r)
	}
	if err != nil {
		p.fail("endpoint", p.explainNetwork(err))
		return false
	}
	resp.Body.Close()
	took := time.Since(began)
	// MinIO answers 403 about ACLs to who may not change policies, and knows no right to them.
	p.noACLs = p.config.ACLs == config.ACLsKept || strings.HasPrefix(resp.Header.Get("Server"), "MinIO")
	p.ok("endpoint", fmt.Sprintf("%s answers within %v", p.address(), took.Round(100*time.Microsecond)))
	p.clock(resp.Header.Get("Date"), began.Add(took/2))
	return true
}

const (
	skewWarned = time.Minute
	skewFailed = 5 * time.Minute // at 15 a store refuses what is signed
)

// clock compares the store's time, of which it tells whole seconds, with ours.
func (p *place) clock(date string, ours time.Time) {
	theirs, err := http.ParseTime(date)
	if err != nil {
		p.ok("clock", "the store does not say what time it is")
		return
	}
	skew := theirs.Add(500 * time.Millisecond).Sub(ours)
	seen := fmt.Sprintf("this machine's clock is %v behind the store's", skew.Round(time.Second))
	if skew < 0 {
		seen = fmt.Sprintf("this machine's clock is %v ahead of the store's", -skew.Round(time.Second))
	}
	switch {
	case skew.Abs() > skewFailed:
		p.fail("clock", trouble{seen + "; at 15 minutes stores refuse what is signed", setClock, ""})
	case skew.Abs() > skewWarned:
		p.warn("clock", seen, setClock)
	case skew.Abs() > 2*time.Second:
		p.ok("clock", seen)
	default:
		p.ok("clock", "it is the same as the store's")
	}
}

// fromWildcard is how many buckets of a wildcard are looked at.
const fromWildcard = 3

// places are the store's buckets that the configuration maps to it.
func (d *doctor) places(ctx context.Context, of place) (list []*place) {
	mapped := false
	for _, name := range slices.Sorted(maps.Keys(d.Config.Buckets)) {
		b := d.Config.Buckets[name]
		if b.Old != of.storeName && b.New != of.storeName {
			continue
		}
		mapped = true
		names := []string{name}
		if name == config.Wildcard {
			names = d.wildcard(ctx, of)
		}
		for _, name := range names {
			p := of
			p.isNew = b.New == of.storeName
			p.bucket = cmp.Or(of.config.Bucket, name)
			role := "old"
			if p.isNew {
				role = "new"
			}
			p.subject = subject{Bucket, fmt.Sprintf("%s on %s (%s)", name, of.storeName, role), d.report}
			p.store = of.store.WithBucket(p.bucket)
			list = append(list, &p)
		}
	}
	if !mapped {
		of.warn("buckets", "no bucket of the configuration is on it", "name it as old or new of a bucket, or take it out")
	}
	return list
}

// wildcard names the first of the buckets that a mapping "*" finds on a store.
func (d *doctor) wildcard(ctx context.Context, of place) (names []string) {
	found, err := of.store.ListBuckets(ctx)
	if err != nil {
		t := of.explain(err)
		if t.cause == Denied {
			t.todo += `; the mapping "*" needs s3:ListAllMyBuckets`
		}
		of.fail("buckets", t)
		return nil
	}
	for _, b := range found {
		if _, named := d.Config.Buckets[b.Name]; !named && len(names) < fromWildcard {
			names = append(names, b.Name)
		}
	}
	of.ok("buckets", fmt.Sprintf(`the mapping "*" finds %d; the first %d of them are looked at`, len(found), len(names)))
	return names
}

// place is a bucket on a store.
type place struct {
	subject
	store             *s3.Store
	storeName, bucket string
	config            config.Store
	isNew             bool
	noACLs            bool // the store has none, as far as is known

	// What examine finds out:

	missing   []string // rights
	versioned bool
	gone      bool // the store answers no more
}

// keyPairs tells what the applications' key pairs may do.
func (d *doctor) keyPairs() {
	for _, name := range slices.Sorted(maps.Keys(d.Config.Buckets)) {
		s := subject{Bucket, name, d.report}
		var writers, readers, over []string
		for _, k := range d.Config.Credentials {
			who := k.AccessKeyID
			if len(k.Prefixes) > 0 {
				who += " (keys that begin with " + strings.Join(k.Prefixes, ", ") + ")"
			}
			switch {
			case !d.concerns(k, name):
			case !k.Expires.IsZero() && time.Now().After(k.Expires):
				over = append(over, k.AccessKeyID)
			case k.ReadOnly:
				readers = append(readers, who)
			default:
				writers = append(writers, who)
			}
		}
		todo := "add one under credentials, or the bucket's name to the buckets of one"
		switch {
		case len(writers) > 0 && len(readers) > 0:
			s.ok("key pairs", fmt.Sprintf("%s may read and write, %s may read", strings.Join(writers, ", "), strings.Join(readers, ", ")))
		case len(writers) > 0:
			s.ok("key pairs", strings.Join(writers, ", ")+" may read and write")
		case len(readers) > 0:
			s.warn("key pairs", "nobody may write; "+strings.Join(readers, ", ")+" may read", todo+", if an application is to write")
		case len(over) > 0:
			s.warn("key pairs", "the time of "+strings.Join(over, ", ")+" is over, and there is no other", todo)
		default:
			s.warn("key pairs", "none may use the bucket", todo)
		}
	}
}

// concerns tells whether a key pair is for a bucket of the configuration; for "*", if it is
// for any that has no name there.
func (d *doctor) concerns(k config.Credential, bucket string) bool {
	return len(k.Buckets) == 0 || slices.ContainsFunc(k.Buckets, func(name string) bool {
		_, named := d.Config.Buckets[name]
		return name == bucket || bucket == config.Wildcard && !named
	})
}
