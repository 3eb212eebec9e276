package config

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Changes are the settings in which one configuration differs from another, by their paths
// in the file. Values are not told: they may be secret.
type Changes struct {
	Settings []string `json:"settings"` // all of them
	// Restart are those of Settings that can not change while the gateway runs.
	Restart []string `json:"restart,omitempty"`
}

// ErrKept says that a configuration was not taken, and the one before stays in force.
var ErrKept = errors.New("nothing was changed")

// Err refuses changes that need a restart.
func (c Changes) Err() error {
	if len(c.Restart) == 0 {
		return nil
	}
	return fmt.Errorf("%s can only change with a restart of the gateway", strings.Join(c.Restart, ", "))
}

// live are the settings that take effect while the gateway runs, with all that is below
// them; * is any name. What is not here needs a restart, as a setting does that nobody
// thought of: addresses and directories are in use, the bounds of the journal and of the
// cache are those of what they hold, and which store an open bucket is on is what its state
// means (I12).
var live = paths(
	"tls.cert_file", "tls.key_file", "tls.names", "tls.email", "tls.acme.ca_file", "tls.acme.eab", "tls.dns", "tls.redirect", "tls.hsts",
	"stores.*.region", "stores.*.access_key_id", "stores.*.secret_access_key", "stores.*.secret_access_key_file",
	"stores.*.session_token", "stores.*.credentials_file", "stores.*.profile", "stores.*.addressing", "stores.*.ca_file",
	"stores.*.max_connections",
	"buckets.*.anonymous", "hosts", "trusted_proxies", "credentials", "version2_signatures",
	"cache.max_object_size", "cache.ttl", "cache.stale", "cache.negative_ttl",
	"migration.hold", "migration.mirror.sync_timeout", "migration.mirror.store_timeout",
	"migration.mirror.on_secondary_error", "migration.mirror.reads", "migration.backfill",
	"limits", "notify", "log",
)

func paths(list ...string) (all [][]string) {
	for _, path := range list {
		all = append(all, strings.Split(path, "."))
	}
	return all
}

// Compare answers what changes from c to next.
func (c *Config) Compare(next *Config) Changes {
	changes := Changes{Settings: []string{}}
	compare(nil, reflect.ValueOf(*c), reflect.ValueOf(*next), func(path []string) {
		name := strings.Join(path, ".")
		changes.Settings = append(changes.Settings, name)
		if !c.mayChange(next, path) {
			changes.Restart = append(changes.Restart, name)
		}
	})
	return changes
}

// mayChange tells whether the gateway can go on with a setting changed.
func (c *Config) mayChange(next *Config, path []string) bool {
	if len(path) == 2 {
		_, was := c.Stores[path[1]]
		_, is := next.Buckets[path[1]]
		switch {
		case path[0] == "stores": // one that is new, or that no bucket is on any more
			return !was || !c.uses(path[1])
		case path[0] == "buckets" && is:
			return c.mayAdd(path[1], next.Buckets[path[1]])
		}
	}
	return slices.ContainsFunc(live, func(pattern []string) bool {
		if len(pattern) > len(path) {
			return false
		}
		for i, name := range pattern {
			if name != "*" && name != path[i] {
				return false
			}
		}
		return true
	})
}

// mayAdd tells whether a bucket may be named. One that the wildcard has served so far stays
// on its stores.
func (c *Config) mayAdd(name string, b Bucket) bool {
	any, served := c.Buckets[Wildcard]
	return !served || name == Wildcard || b.Old == any.Old && b.New == any.New
}

// uses tells whether a bucket is on a store.
func (c *Config) uses(store string) bool {
	for _, b := range c.Buckets {
		if b.Old == store || b.New == store {
			return true
		}
	}
	return false
}

// compare tells of each setting that differs. Structures and maps are gone into, lists are
// one setting.
func compare(path []string, a, b reflect.Value, differs func(path []string)) {
	below := func(name string) []string { return append(slices.Clip(path), name) }
	switch a.Kind() {
	case reflect.Struct:
		for i := range a.NumField() {
			compare(below(a.Type().Field(i).Tag.Get("yaml")), a.Field(i), b.Field(i), differs)
		}
	case reflect.Map:
		names := make(map[string]bool)
		for _, m := range []reflect.Value{a, b} {
			for _, key := range m.MapKeys() {
				names[key.String()] = true
			}
		}
		for _, name := range slices.Sorted(maps.Keys(names)) {
			was, is := a.MapIndex(reflect.ValueOf(name)), b.MapIndex(reflect.ValueOf(name))
			if was.IsValid() && is.IsValid() {
				compare(below(name), was, is, differs)
			} else {
				differs(below(name))
			}
		}
	case reflect.Slice:
		if a.Len()+b.Len() > 0 && !reflect.DeepEqual(a.Interface(), b.Interface()) {
			differs(path)
		}
	default:
		if !a.Equal(b) {
			differs(path)
		}
	}
}
