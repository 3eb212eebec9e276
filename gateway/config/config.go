// Package config reads the configuration file: what it may hold, what is the
// default, and what is wrong with it, in words and with the line. The migration's
// phase is not in it: that is state, changed by commands alone.
package config

import (
	"cmp"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"sluice/gateway/migrate/throttle"
	"sluice/tls"
)

// Config is the file. Every field's yaml name is its path in the file.
type Config struct {
	// StateDir holds what must survive: the journal and the migration's state.
	StateDir string            `yaml:"state_dir"`
	Listen   Listen            `yaml:"listen"`
	TLS      TLS               `yaml:"tls"`
	Stores   map[string]Store  `yaml:"stores"`
	Buckets  map[string]Bucket `yaml:"buckets"`
	Hosts    map[string]Host   `yaml:"hosts"`
	// TrustedProxies are the addresses whose X-Forwarded-For, -Proto and -Host are
	// believed: "10.0.0.0/8", "127.0.0.1".
	TrustedProxies []string     `yaml:"trusted_proxies"`
	Credentials    []Credential `yaml:"credentials"`
	Version2       bool         `yaml:"version2_signatures"` // takes requests signed by version 2 too
	Cache          Cache        `yaml:"cache"`
	Migration      Migration    `yaml:"migration"`
	Limits         Limits       `yaml:"limits"`
	Notify         Notify       `yaml:"notify"`
	Log            Log          `yaml:"log"`
}

// Listen names the addresses; an empty one is not opened.
type Listen struct {
	HTTP  string `yaml:"http"`
	HTTPS string `yaml:"https"`
	// Admin is for operators beside the socket in the state directory: 127.0.0.1:9180.
	// Health and metrics are for everyone there, all else for who has the token in
	// admin.token in the state directory.
	Admin string `yaml:"admin"`
}

// Store is one object store.
type Store struct {
	Endpoint        string `yaml:"endpoint"` // https://host[:port]
	Region          string `yaml:"region"`
	Bucket          string `yaml:"bucket"` // "": the name that clients use
	AccessKeyID     string `yaml:"access_key_id"`
	SecretAccessKey string `yaml:"secret_access_key"`
	SecretFile      string `yaml:"secret_access_key_file"`
	SessionToken    string `yaml:"session_token"`
	// CredentialsFile and Profile name a shared credentials file. With no keys
	// at all they are looked for in the environment, then in the shared file,
	// then at the instance's metadata service.
	CredentialsFile string `yaml:"credentials_file"`
	Profile         string `yaml:"profile"`
	Addressing      string `yaml:"addressing"` // "path" (default) or "virtual"
	CAFile          string `yaml:"ca_file"`    // further trusted roots, PEM
	MaxConnections  int    `yaml:"max_connections"`
	// ACLs: "store" (default): where the store is seen to have ACLs it keeps them;
	// "sluice": it is not asked, and Sluice keeps them. For buckets whose objects are
	// open to everyone by a policy alone.
	ACLs string `yaml:"acls"`
	// ReadOnly: an old store that is written to no more once new is the primary.
	// There is then no way back to it.
	ReadOnly bool `yaml:"read_only"`
}

// Bucket maps a bucket as clients name it to its stores. The name "*" stands for
// every bucket that has no mapping of its own, under the same name on both stores;
// clients may create and delete those.
type Bucket struct {
	Old string `yaml:"old"`
	New string `yaml:"new"` // "" for a bucket with one store
	// Anonymous is what a client without a signature may do: nothing (""), or
	// "read" every object. It may never list.
	Anonymous string `yaml:"anonymous"`
}

// Wildcard is the name of a mapping that stands for every bucket without one.
const Wildcard = "*"

// AnonymousRead opens a bucket's objects to everyone.
const AnonymousRead = "read"

// Host says what a host name serves. Without any host every name serves S3.
type Host struct {
	Serve string `yaml:"serve"` // "s3" or "public"

	// Of a public host, which shows objects to everyone:

	// Bucket is the one whose keys the paths are; or Paths maps their beginnings to the
	// buckets whose keys follow.
	Bucket string            `yaml:"bucket"`
	Paths  map[string]string `yaml:"paths"`
	// CacheControl is sent with objects that have none of their own; default a year.
	CacheControl string `yaml:"cache_control"`
	// Headers are sent with every object, in place of Sluice's; "" leaves one out.
	Headers map[string]string `yaml:"headers"`
	Purge   Purge             `yaml:"purge"`
}

// Purge lets who knows a secret drop what is cached of a path: with GET or PURGE, and the
// secret in a header. Mastodon does so with CACHE_BUSTER_ENABLED.
type Purge struct {
	Header     string `yaml:"header"` // default Secret-Header
	Secret     string `yaml:"secret"` // "": nobody may
	SecretFile string `yaml:"secret_file"`
}

// ACLsKept says that Sluice keeps a store's ACLs.
const ACLsKept = "sluice"

// What a host serves.
const (
	ServeS3     = "s3"
	ServePublic = "public"
)

// Credential is a key pair that clients sign with.
type Credential struct {
	AccessKeyID     string `yaml:"access_key_id"`
	SecretAccessKey string `yaml:"secret_access_key"`
	SecretFile      string `yaml:"secret_access_key_file"`
	// SessionToken and Expires make a temporary pair: requests must carry the
	// token, and are refused from that moment on.
	SessionToken string    `yaml:"session_token"`
	Expires      time.Time `yaml:"expires"`
	Buckets      []string  `yaml:"buckets"` // empty: all
	// Prefixes limit the keys that the pair may use; empty: all keys.
	Prefixes []string `yaml:"prefixes"`
	ReadOnly bool     `yaml:"read_only"`
}

// Cache bounds what is kept of objects, and for how long it is believed.
type Cache struct {
	Memory Size `yaml:"memory"` // 0: no cache at all
	Disk   Size `yaml:"disk"`   // 0: memory alone
	// Directory is where Disk is; default "cache" in the state directory.
	Directory string `yaml:"directory"`
	// Spool bounds, on disk, the answers that several read at once and memory has no
	// room for. They have no names, and are gone with their last reader.
	Spool Size `yaml:"spool"`
	// MaxObjectSize: of a larger object only what ranges ask for is kept.
	MaxObjectSize Size `yaml:"max_object_size"`
	// TTL is how long an object is served before the stores are asked again; Stale, how
	// long after that while no store answers.
	TTL   Duration `yaml:"ttl"`
	Stale Duration `yaml:"stale"`
	// NegativeTTL is how long public hosts believe that an object is not there.
	NegativeTTL Duration `yaml:"negative_ttl"`
}

// Migration holds the settings of mirroring and backfill.
type Migration struct {
	// Hold bounds how long writes are held while the phase changes.
	Hold     Duration `yaml:"hold"`
	Mirror   Mirror   `yaml:"mirror"`
	Backfill Backfill `yaml:"backfill"`
}

// Mirror holds the settings of the dual write and the read order.
type Mirror struct {
	SyncTimeout      Duration `yaml:"sync_timeout"`
	StoreTimeout     Duration `yaml:"store_timeout"`
	Quarantine       Duration `yaml:"quarantine"`
	OnSecondaryError string   `yaml:"on_secondary_error"` // "queue" or "fail"
	Reads            string   `yaml:"reads"`              // "new" (new, then old) or "primary"
	MaxPending       int      `yaml:"max_pending"`
}

// Backfill holds the settings of copying old to new.
type Backfill struct {
	Workers  int      `yaml:"workers"` // copies at once
	Throttle Throttle `yaml:"throttle"`
	// Order says what comes first and what is left out. Keys without a rule are
	// copied, after those that have one.
	Order []Rule `yaml:"order"`
}

// Throttle says what copying is allowed; what is left out is not limited. It can be
// changed at run time.
type Throttle struct {
	Bandwidth   Size     `yaml:"bandwidth"`       // a second
	Requests    float64  `yaml:"requests"`        // to the stores, a second
	OldLatency  Duration `yaml:"old_latency_p95"` // of a store's answers, clients' too
	NewLatency  Duration `yaml:"new_latency_p95"`
	ErrorRate   float64  `yaml:"error_rate"`   // percent of the stores' answers
	LoadAverage float64  `yaml:"load_average"` // of this machine, one minute
	Windows     []string `yaml:"windows"`      // "22:00-06:00", local time
	PauseFile   string   `yaml:"pause_file"`   // work rests while it exists
}

// Limits are the settings as the throttle takes them.
func (b Backfill) Limits() throttle.Limits {
	t := b.Throttle
	return throttle.Limits{
		Bandwidth: int64(t.Bandwidth), Requests: t.Requests, Workers: b.Workers,
		OldLatency: time.Duration(t.OldLatency), NewLatency: time.Duration(t.NewLatency),
		ErrorRate: t.ErrorRate, LoadAverage: t.LoadAverage,
		Windows: t.Windows, PauseFile: t.PauseFile,
	}
}

// Rule says what becomes of the keys with a prefix.
type Rule struct {
	Prefix string `yaml:"prefix"` // "" is every key
	Mode   Mode   `yaml:"mode"`   // copy by default
}

// Mode is how keys come to the new store.
type Mode string

// The modes.
const (
	Copy Mode = "copy" // the crawl copies them
	Lazy Mode = "lazy" // a read copies what it asks for
	Skip Mode = "skip" // they are not copied at all
)

// Limits bound what clients may use; beyond them they are answered SlowDown.
type Limits struct {
	Requests int `yaml:"requests"` // in flight at once
	// ClientTimeout is how long a client may send or take nothing of a body.
	ClientTimeout Duration `yaml:"client_timeout"`
}

// Log says how to log.
type Log struct {
	Format string `yaml:"format"` // "text" or "json"
	Level  string `yaml:"level"`  // "debug", "info", "warn" or "error"
	Access bool   `yaml:"access"` // a line for every request, at level info
}

// Default is the configuration that an empty file means.
func Default() Config {
	return Config{
		StateDir: "/var/lib/sluice",
		Listen:   Listen{HTTP: ":80"},
		TLS:      TLS{Mode: tls.Off, Redirect: true},
		Version2: true,
		Cache: Cache{
			Memory: 256 << 20, Spool: 1 << 30, MaxObjectSize: 8 << 20,
			TTL: Duration(time.Hour), Stale: Duration(24 * time.Hour), NegativeTTL: Duration(10 * time.Second),
		},
		Migration: Migration{
			Hold: Duration(2 * time.Second),
			Mirror: Mirror{
				SyncTimeout: Duration(2 * time.Second), StoreTimeout: Duration(5 * time.Minute),
				Quarantine: Duration(time.Minute), OnSecondaryError: "queue", Reads: "new",
				MaxPending: 200_000,
			},
			Backfill: Backfill{Workers: throttle.DefaultWorkers},
		},
		Limits: Limits{Requests: 4096, ClientTimeout: Duration(time.Minute)},
		Notify: Notify{Heartbeat: Heartbeat{Every: Duration(time.Minute)}, Repeat: Duration(6 * time.Hour)},
		Log:    Log{Format: "text", Level: "info"},
	}
}

// Load reads and checks a file.
func Load(path string) (Config, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("configuration: %w", err)
	}
	c, err := Parse(raw, os.LookupEnv)
	if err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// StateDir reads where the state is, and nothing else, from a file: who only asks a
// running gateway has neither its environment nor its secrets.
func StateDir(path string) (string, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("configuration: %w", err)
	}
	c := struct {
		StateDir string `yaml:"state_dir"`
	}{Default().StateDir}
	if err := yaml.Unmarshal(raw, &c); err != nil {
		return "", fmt.Errorf("%s: %s", path, strings.TrimSpace(yaml.FormatError(err, false, false)))
	}
	return c.StateDir, nil
}

// Parse reads and checks a file's content. ${NAME} in a value stands for what
// env answers.
func Parse(raw []byte, env func(string) (string, bool)) (Config, error) {
	c := Default()
	if err := yaml.UnmarshalWithOptions(raw, &c, yaml.Strict()); err != nil {
		return Config{}, fmt.Errorf("%s", strings.TrimSpace(suggest(yaml.FormatError(err, false, false))))
	}
	if err := c.resolve(env); err != nil {
		return Config{}, err
	}
	b := &c.Migration.Backfill
	b.Workers = cmp.Or(b.Workers, throttle.DefaultWorkers)
	for i, r := range b.Order {
		b.Order[i].Mode = cmp.Or(r.Mode, Copy)
	}
	return c, c.check()
}

var variable = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// resolve puts in the environment's values and the secrets from files.
func (c *Config) resolve(env func(string) (string, bool)) error {
	expand := func(path string, value *string) error {
		var missing string
		*value = variable.ReplaceAllStringFunc(*value, func(ref string) string {
			name := ref[2 : len(ref)-1]
			v, ok := env(name)
			if !ok {
				missing = name
			}
			return v
		})
		if missing != "" {
			return fmt.Errorf("%s: the environment variable %s is not set", path, missing)
		}
		return nil
	}
	secret := func(path string, value *string, file string) error {
		if file == "" {
			return nil
		}
		if *value != "" {
			return fmt.Errorf("%s: give the secret or its file, not both", path)
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("%s_file: %w", path, err)
		}
		*value = strings.TrimSpace(string(raw))
		return nil
	}
	for name, s := range c.Stores {
		path := "stores." + name
		for field, value := range map[string]*string{
			"endpoint": &s.Endpoint, "bucket": &s.Bucket, "access_key_id": &s.AccessKeyID,
			"secret_access_key": &s.SecretAccessKey, "session_token": &s.SessionToken,
		} {
			if err := expand(path+"."+field, value); err != nil {
				return err
			}
		}
		if err := secret(path+".secret_access_key", &s.SecretAccessKey, s.SecretFile); err != nil {
			return err
		}
		c.Stores[name] = s
	}
	for name, h := range c.Hosts {
		path := "hosts." + name + ".purge.secret"
		if err := expand(path, &h.Purge.Secret); err != nil {
			return err
		}
		if err := secret(path, &h.Purge.Secret, h.Purge.SecretFile); err != nil {
			return err
		}
		c.Hosts[name] = h
	}
	if err := c.TLS.resolve(expand, secret); err != nil {
		return err
	}
	if err := c.Notify.resolve(expand, secret); err != nil {
		return err
	}
	for i := range c.Credentials {
		k := &c.Credentials[i]
		path := fmt.Sprintf("credentials[%d]", i)
		if err := expand(path+".access_key_id", &k.AccessKeyID); err != nil {
			return err
		}
		if err := expand(path+".secret_access_key", &k.SecretAccessKey); err != nil {
			return err
		}
		if err := secret(path+".secret_access_key", &k.SecretAccessKey, k.SecretFile); err != nil {
			return err
		}
	}
	return nil
}
