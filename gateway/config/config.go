// Package config reads the configuration file: what it may hold, what is the
// default, and what is wrong with it, in words and with the line. The migration's
// phase is not in it: that is state, changed by commands alone.
package config

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"sluice/gateway/migrate/throttle"
	"sluice/tls"
)

// Config is the file.
//
// The comments of its fields, with their tags, are the reference: docs/config.md and
// schema.json are made of them. default:"…" is for what the code takes for nothing,
// where Default can not say it; an enum with an empty word may be left out.
//
//go:generate go run ./reference
type Config struct {
	// The directory for what must survive: the journal of writes that are not on both
	// stores yet, and where each migration stands. On a disk; one gateway at a time.
	StateDir string `yaml:"state_dir"`
	// The addresses; an empty one is not opened.
	Listen Listen `yaml:"listen"`
	// Where certificates come from.
	TLS TLS `yaml:"tls"`
	// The object stores, each under a name of your choice, which status, metrics and
	// messages show.
	Stores map[string]Store `yaml:"stores" required:"true"`
	// The buckets as applications name them. `"*"` stands for every bucket that has no
	// mapping of its own, under the same name on both stores; clients may create and
	// delete those.
	Buckets map[string]Bucket `yaml:"buckets" required:"true"`
	// What host names serve. A name that is not here serves S3, with the bucket in the
	// path; a name that serves `s3` takes the bucket before the name, too.
	Hosts map[string]Host `yaml:"hosts"`
	// Addresses, or ranges of them, whose `X-Forwarded-For`, `-Proto` and `-Host` are believed.
	TrustedProxies []string `yaml:"trusted_proxies" example:"[10.0.0.0/8, 127.0.0.1]"`
	// The key pairs that applications sign with. To change one with no downtime add the
	// new pair below it first.
	Credentials []Credential `yaml:"credentials" required:"true"`
	// Whether requests signed by version 2 are taken, too.
	Version2 bool `yaml:"version2_signatures"`
	// What is kept of objects, and for how long it is believed.
	Cache Cache `yaml:"cache"`
	// Mirroring and backfill. Where a migration stands is not in the file: commands alone
	// change that.
	Migration Migration `yaml:"migration"`
	// What clients may use; beyond that they are answered `SlowDown`.
	Limits Limits `yaml:"limits"`
	// Who is told of trouble. Without URLs nobody is.
	Notify Notify `yaml:"notify"`
	// The log, which goes to stderr.
	Log Log `yaml:"log"`
}

// Listen names the addresses; an empty one is not opened.
type Listen struct {
	// The address for HTTP.
	HTTP string `yaml:"http" example:"127.0.0.1:9000"`
	// The address for HTTPS; `tls` says where certificates come from.
	HTTPS string `yaml:"https" example:":443"`
	// The address for operators, beside the socket in `state_dir`: health and metrics for
	// everyone, all else for who has the token in `admin.token` in `state_dir`.
	Admin string `yaml:"admin" example:"127.0.0.1:9180"`
}

// Store is one object store: an S3 endpoint with a bucket.
type Store struct {
	// Its URL, without the bucket.
	Endpoint string `yaml:"endpoint" required:"true" example:"https://s3.example.com"`
	// What requests are signed for. If empty Amazon is asked, and others get us-east-1.
	Region string `yaml:"region" example:"eu-central-1"`
	// The bucket's name on this store; empty: the name that clients use.
	Bucket string `yaml:"bucket"`
	// The key pair. With no keys at all they are looked for in the environment
	// (`AWS_ACCESS_KEY_ID`), then in `credentials_file`, then at the instance's metadata
	// service.
	AccessKeyID string `yaml:"access_key_id"`
	// The other half of the pair.
	SecretAccessKey string `yaml:"secret_access_key" example:"${OLD_SECRET}"`
	// A file that holds it instead.
	SecretFile string `yaml:"secret_access_key_file" example:"/run/secrets/old"`
	// The token that belongs to a temporary pair.
	SessionToken string `yaml:"session_token"`
	// A shared credentials file, as Amazon's tools have it.
	CredentialsFile string `yaml:"credentials_file" default:"~/.aws/credentials"`
	// The profile in it.
	Profile string `yaml:"profile" default:"default"`
	// Where the bucket is named: in the path, or before the host (`virtual`).
	Addressing string `yaml:"addressing" enum:"path,virtual," default:"path"`
	// A PEM file with further roots to trust this store by.
	CAFile string `yaml:"ca_file"`
	// How many idle connections to it are kept.
	MaxConnections int `yaml:"max_connections" default:"128"`
	// Who keeps the objects' ACLs. `store`: the store does where it is seen to have them.
	// `sluice`: it is not asked, and Sluice keeps them; for buckets whose objects are open
	// to everyone by a policy alone.
	ACLs string `yaml:"acls" enum:"store,sluice," default:"store"`
	// Of an old store: it is written to no more once `new` is the primary. There is then no
	// way back to it.
	ReadOnly bool `yaml:"read_only"`
}

// Bucket maps a bucket as clients name it to its stores.
type Bucket struct {
	// The store that is right until the switch.
	Old string `yaml:"old" required:"true"`
	// The store to move to; empty for a bucket with one store.
	New string `yaml:"new"`
	// What a client without a signature may do: nothing, or `read` every object. It may
	// never list.
	Anonymous string `yaml:"anonymous" enum:"read,"`
}

// Wildcard is the name of a mapping that stands for every bucket without one.
const Wildcard = "*"

// AnonymousRead opens a bucket's objects to everyone.
const AnonymousRead = "read"

// Host says what a host name serves.
type Host struct {
	// `s3`: an endpoint for applications, with BUCKET.NAME beside NAME/BUCKET. `public`:
	// objects for everyone to read, and never a listing; all that follows is for this.
	Serve string `yaml:"serve" enum:"s3,public" required:"true"`
	// The bucket whose keys the paths are.
	Bucket string `yaml:"bucket"`
	// Or the beginnings of paths, and the buckets whose keys follow them.
	Paths map[string]string `yaml:"paths" example:"{ /system/: mastodata }"`
	// Sent with objects that have no `Cache-Control` of their own.
	CacheControl string `yaml:"cache_control" default:"public, max-age=31536000"`
	// Sent with every object, in place of Sluice's; an empty one is left out. Not those
	// that differ from one answer to the next, such as `Age`.
	Headers map[string]string `yaml:"headers" example:"{ X-Robots-Tag: noindex, Access-Control-Allow-Origin: '' }"`
	// Lets who knows a secret drop what is cached of a path: with GET or PURGE, and the
	// secret in a header. Mastodon does so with `CACHE_BUSTER_ENABLED`.
	Purge Purge `yaml:"purge"`
}

// Purge says who may drop what is cached of a path.
type Purge struct {
	// The header that has the secret.
	Header string `yaml:"header" default:"Secret-Header"`
	// The secret; empty: nobody may.
	Secret string `yaml:"secret" example:"${PURGE_SECRET}"`
	// A file that holds it instead.
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
	// The pair's name.
	AccessKeyID string `yaml:"access_key_id" required:"true"`
	// The pair's secret; this or its file is required.
	SecretAccessKey string `yaml:"secret_access_key" example:"${APP_SECRET}"`
	// A file that holds it instead.
	SecretFile string `yaml:"secret_access_key_file"`
	// Makes it a temporary pair: requests must carry this token.
	SessionToken string `yaml:"session_token"`
	// The moment from which on the pair is refused.
	Expires time.Time `yaml:"expires" example:"2030-01-31T12:00:00Z"`
	// The buckets it may use; none named: all.
	Buckets []string `yaml:"buckets" example:"[mastodata]"`
	// What the keys that it may use begin with; none named: all keys.
	Prefixes []string `yaml:"prefixes" example:"[cache/]"`
	// Whether it may only read.
	ReadOnly bool `yaml:"read_only"`
}

// Cache bounds what is kept of objects, and for how long it is believed.
type Cache struct {
	// Memory for objects; 0: no cache at all.
	Memory Size `yaml:"memory"`
	// Disk for objects, which survives restarts; 0: memory alone.
	Disk Size `yaml:"disk" example:"50GiB"`
	// Where that is; `cache` in `state_dir` if empty.
	Directory string `yaml:"directory" example:"/var/cache/sluice"`
	// Disk for answers that several read at once and memory has no room for. They have
	// no names, and are gone with their last reader.
	Spool Size `yaml:"spool"`
	// Of a larger object only what ranges ask for is kept.
	MaxObjectSize Size `yaml:"max_object_size"`
	// How long an object is served before the store is asked whether it changed. What
	// goes through Sluice shows at once.
	TTL Duration `yaml:"ttl"`
	// How long after that it is served while no store answers.
	Stale Duration `yaml:"stale"`
	// How long public hosts believe that an object is not there.
	NegativeTTL Duration `yaml:"negative_ttl"`
}

// Limits bound what clients may use; beyond them they are answered SlowDown.
type Limits struct {
	// Requests in flight at once.
	Requests int `yaml:"requests"`
	// How long a client may send or take nothing of a body.
	ClientTimeout Duration `yaml:"client_timeout"`
	// Drain is how long requests in flight may go on when the gateway ends. Who ends it
	// must wait longer before they kill it.
	Drain Duration `yaml:"drain"`
}

// Log says how to log.
type Log struct {
	// How a line is written.
	Format string `yaml:"format" enum:"text,json"`
	// What is left out: everything below it.
	Level string `yaml:"level" enum:"debug,info,warn,error"`
	// Whether there is a line for every request, at level `info`.
	Access bool `yaml:"access"`
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
		Limits: Limits{Requests: 4096, ClientTimeout: Duration(time.Minute), Drain: Duration(2 * time.Minute)},
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
	c, err := Parse(raw, filepath.Dir(path), os.LookupEnv)
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

// Parse reads and checks the content of a file in dir. ${NAME} in a value stands for what
// env answers.
func Parse(raw []byte, dir string, env func(string) (string, bool)) (Config, error) {
	c := Default()
	if err := yaml.UnmarshalWithOptions(raw, &c, yaml.Strict()); err != nil {
		return Config{}, fmt.Errorf("%s", strings.TrimSpace(suggest(yaml.FormatError(err, false, false))))
	}
	if err := c.resolve(resolver{dir, env}); err != nil {
		return Config{}, err
	}
	b := &c.Migration.Backfill
	b.Workers = cmp.Or(b.Workers, throttle.DefaultWorkers)
	for i, r := range b.Order {
		b.Order[i].Mode = cmp.Or(r.Mode, Copy)
	}
	return c, c.check()
}
