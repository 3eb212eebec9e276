package config

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// small is a configuration to change.
func small() *Config {
	c := Default()
	c.Stores = map[string]Store{
		"a": {Endpoint: "http://a.test", AccessKeyID: "id", SecretAccessKey: "s3cret"}, "b": {Endpoint: "http://b.test"}, "spare": {Endpoint: "http://spare.test"},
	}
	c.Buckets = map[string]Bucket{"media": {Old: "a", New: "b"}}
	c.Hosts = map[string]Host{"files.test": {Serve: ServePublic, Bucket: "media", Headers: map[string]string{"X-A": "1"}}}
	c.Credentials = []Credential{{AccessKeyID: "app", SecretAccessKey: "s3cret"}}
	c.TLS.DNS = map[string]string{"provider": "hetzner", "api_token": "s3cret"}
	return &c
}

// TestCompare: what differs is named, without values, and what means something else to the
// state or is in use is refused.
func TestCompare(t *testing.T) {
	store := func(c *Config, change func(*Store)) {
		s := c.Stores["a"]
		change(&s)
		c.Stores["a"] = s
	}
	bucket := func(c *Config, b Bucket) { c.Buckets["media"] = b }
	for _, c := range []struct {
		change        func(*Config)
		live, restart string
	}{
		{func(*Config) {}, "", ""},
		{func(c *Config) { c.Notify.URLs = []string{} }, "", ""}, // as good as none
		{func(c *Config) { c.Credentials[0].SecretAccessKey = "other" }, "credentials", ""},
		{func(c *Config) { c.Credentials[0].Expires = time.Now() }, "credentials", ""},
		{func(c *Config) { store(c, func(s *Store) { s.SecretAccessKey, s.SessionToken = "x", "y" }) }, "stores.a.secret_access_key stores.a.session_token", ""},
		{func(c *Config) { store(c, func(s *Store) { s.CAFile, s.MaxConnections = "f", 3 }) }, "stores.a.ca_file stores.a.max_connections", ""},
		{func(c *Config) { store(c, func(s *Store) { s.Endpoint = "http://c.test" }) }, "", "stores.a.endpoint"},
		{func(c *Config) { store(c, func(s *Store) { s.Bucket, s.ACLs, s.ReadOnly = "b", "sluice", true }) }, "", "stores.a.bucket stores.a.acls stores.a.read_only"},
		{func(c *Config) { c.Stores["c"] = Store{} }, "stores.c", ""},
		{func(c *Config) { delete(c.Stores, "spare") }, "stores.spare", ""},
		{func(c *Config) { delete(c.Stores, "b") }, "", "stores.b"},
		{func(c *Config) { c.Buckets["more"] = Bucket{Old: "b"} }, "buckets.more", ""},
		{func(c *Config) { c.Buckets["*"] = Bucket{Old: "b"} }, "buckets.*", ""},
		{func(c *Config) { delete(c.Buckets, "media") }, "", "buckets.media"},
		{func(c *Config) { bucket(c, Bucket{Old: "a", New: "b", Anonymous: "read"}) }, "buckets.media.anonymous", ""},
		{func(c *Config) { bucket(c, Bucket{Old: "b", New: "a"}) }, "", "buckets.media.old buckets.media.new"},
		{func(c *Config) { c.Hosts["files.test"].Headers["X-B"] = "2" }, "hosts.files.test.headers.X-B", ""},
		{func(c *Config) { c.TLS.DNS["api_token"] = "x" }, "tls.dns.api_token", ""},
		{func(c *Config) { c.TLS.Mode, c.TLS.HSTS = "auto", 1 }, "tls.hsts", "tls.mode"},
		{func(c *Config) { c.Migration.Backfill.Order = []Rule{{"x/", Skip}} }, "migration.backfill.order", ""},
		{func(c *Config) { c.Listen.HTTP, c.Log.Level = ":81", "debug" }, "log.level", "listen.http"},
	} {
		next := small()
		c.change(next)
		changes := small().Compare(next)
		live := slices.DeleteFunc(slices.Clone(changes.Settings), func(s string) bool { return slices.Contains(changes.Restart, s) })
		if got := strings.Join(live, " "); got != c.live {
			t.Errorf("applied %q, want %q", got, c.live)
		}
		if got := strings.Join(changes.Restart, " "); got != c.restart {
			t.Errorf("with a restart %q, want %q", got, c.restart)
		}
		if err := changes.Err(); (err != nil) != (c.restart != "") || err != nil && !strings.Contains(err.Error(), changes.Restart[0]) {
			t.Errorf("%+v: %v", changes, err)
		}
	}
}

// TestNamingWhatTheWildcardServes does not move it to other stores.
func TestNamingWhatTheWildcardServes(t *testing.T) {
	for b, restart := range map[Bucket]bool{{Old: "a", New: "b", Anonymous: "read"}: false, {Old: "a"}: true, {Old: "b", New: "a"}: true} {
		c, next := small(), small()
		c.Buckets["*"], next.Buckets["*"] = Bucket{Old: "a", New: "b"}, Bucket{Old: "a", New: "b"}
		next.Buckets["served"] = b
		if changes := c.Compare(next); len(changes.Settings) != 1 || len(changes.Restart) == 1 != restart {
			t.Errorf("%+v: %+v", b, changes)
		}
	}
}

// TestEverySettingIsDecidedOn: a setting that is added either takes effect at run time or is
// named here.
func TestEverySettingIsDecidedOn(t *testing.T) {
	want := []string{
		"state_dir", "listen.http", "listen.https", "listen.admin", "tls.mode", "tls.acme.directory",
		"stores.*.endpoint", "stores.*.bucket", "stores.*.acls", "stores.*.read_only", "buckets.*.old", "buckets.*.new",
		"cache.memory", "cache.disk", "cache.directory", "cache.spool", "migration.mirror.quarantine", "migration.mirror.max_pending",
	}
	var got []string
	var walk func(path []string, of reflect.Type)
	walk = func(path []string, of reflect.Type) {
		switch {
		case of.Kind() == reflect.Struct:
			for i := range of.NumField() {
				walk(append(slices.Clip(path), of.Field(i).Tag.Get("yaml")), of.Field(i).Type)
			}
		case of.Kind() == reflect.Map && of.Elem().Kind() == reflect.Struct:
			walk(append(slices.Clip(path), "*"), of.Elem())
		case !small().mayChange(small(), path):
			got = append(got, strings.Join(path, "."))
		}
	}
	walk(nil, reflect.TypeFor[Config]())
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("settings that need a restart:\n%q\nwant\n%q", got, want)
	}
}
