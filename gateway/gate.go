package gateway

import (
	"crypto/sha256"
	"maps"
	"reflect"
	"slices"
	"sync/atomic"
	"time"

	"sluice/gateway/config"
	"sluice/gateway/mirror"
	"sluice/gateway/notify"
	"sluice/gateway/s3api"
	"sluice/gateway/sigv4"
)

// gate is the gateway under one configuration. It never changes: a reload puts another in
// its place. A request is answered by one gate from its beginning to its end; what runs in
// the background asks Gateway.now for the one in force whenever it needs a setting.
type gate struct {
	*Gateway
	config      config.Config
	stores      map[string]*store      // kept from one gate to the next
	hosts       []string               // that serve S3; none: every name does
	public      map[string]*publicHost // by name
	proxies     proxies
	credentials map[string]config.Credential
	verifier    *sigv4.Verifier
	mirror      mirror.Settings
	sides       map[string]sides // of the throttle, by store
	notifier    *notify.Notifier
}

// sides says whether a store is the old or the new one of some bucket, or both.
type sides struct{ old, new bool }

// newGate is a gate without its stores. former is the one in force; nil at the start.
func newGate(g *Gateway, c config.Config, former *gate) (*gate, error) {
	m := c.Migration.Mirror
	n := &gate{
		Gateway: g, config: c, public: make(map[string]*publicHost), credentials: make(map[string]config.Credential),
		sides: make(map[string]sides),
		mirror: mirror.Settings{
			SyncTimeout: time.Duration(m.SyncTimeout), StoreTimeout: time.Duration(m.StoreTimeout),
			FailOnSecondary: m.OnSecondaryError == "fail", ReadPrimary: m.Reads == "primary",
		},
	}
	var err error
	if n.proxies, err = c.Proxies(); err != nil {
		return nil, err
	}
	for _, b := range c.Buckets {
		if b.New != "" {
			o, w := n.sides[b.Old], n.sides[b.New]
			o.old, w.new = true, true
			n.sides[b.Old], n.sides[b.New] = o, w
		}
	}
	n.identify(former)
	return n, n.openNotifier(former)
}

// maxUploadKeys bounds the secrets that upload ids are authenticated with.
const maxUploadKeys = 256

// identify sets up who may sign requests and what for, and what the hosts serve.
func (g *gate) identify(former *gate) {
	c := g.config
	var keys [][]byte
	for _, k := range c.Credentials {
		g.credentials[k.AccessKeyID] = k
		// Upload ids are authenticated with the clients' secrets: those are the
		// same on every gateway and survive the loss of the state directory.
		key := sha256.Sum256([]byte("sluice upload ids\x00" + k.SecretAccessKey))
		keys = append(keys, key[:])
	}
	if former != nil {
		// Uploads go on that were begun before a key pair was exchanged. An id alone
		// opens nothing: requests are signed by a pair of now.
		for _, key := range former.mirror.UploadKeys {
			known := slices.ContainsFunc(keys, func(k []byte) bool { return string(k) == string(key) })
			if !known && len(keys) < maxUploadKeys {
				keys = append(keys, key)
			}
		}
	}
	g.mirror.UploadKeys = keys
	g.verifier = &sigv4.Verifier{
		Key: func(id string) (sigv4.Key, bool) {
			k, ok := g.credentials[id]
			return sigv4.Key{Secret: k.SecretAccessKey, SessionToken: k.SessionToken, Expires: k.Expires}, ok
		},
		Version2: c.Version2, HostBucket: g.bucketOf,
	}
	for _, name := range slices.Sorted(maps.Keys(c.Hosts)) {
		h := c.Hosts[name]
		if name = hostName(name); h.Serve == config.ServePublic {
			var before *publicHost
			if former != nil {
				before = former.public[name]
			}
			g.public[name] = newPublicHost(g, h, before)
		} else {
			g.hosts = append(g.hosts, name)
		}
	}
}

// openNotifier prepares to tell operators of trouble; the former notifier goes on if it is
// to tell the same people.
func (g *gate) openNotifier(former *gate) (err error) {
	c := g.config.Notify
	if former != nil && reflect.DeepEqual(former.config.Notify, c) {
		g.notifier = former.notifier
		return nil
	}
	g.notifier, err = notify.New(notify.Options{
		URLs: c.URLs, Secret: c.WebhookSecret, Heartbeat: c.Heartbeat.URL, Every: time.Duration(c.Heartbeat.Every),
		Repeat: time.Duration(c.Repeat), Subjects: func() []notify.Subject { return g.now.Load().look() }, Log: g.log,
	})
	return err
}

// slots bounds what is under way at once; the bound may change meanwhile.
type slots struct{ taken atomic.Int64 }

// admit bounds the requests in flight: past the bound a client is asked to slow down instead
// of being queued.
func (s *slots) admit(limit int, serve func() error) error {
	defer s.taken.Add(-1) // a torn body ends in a panic
	if s.taken.Add(1) > int64(limit) {
		return s3api.ErrorFor("SlowDown", "")
	}
	return serve()
}
