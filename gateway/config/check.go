package config

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// check answers everything that is wrong, each with its path in the file.
func (c *Config) check() error {
	var errs []error
	bad := func(path, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", path, fmt.Sprintf(format, args...)))
	}
	checkWords(reflect.ValueOf(*c), "", bad)
	if c.StateDir == "" {
		bad("state_dir", "is required: it holds the journal of writes not yet on both stores")
	}
	if len(c.Buckets) == 0 {
		bad("buckets", "name at least one bucket")
	}
	if len(c.Credentials) == 0 {
		bad("credentials", "name at least one key pair for clients to sign with")
	}
	if c.Listen.HTTP == "" && c.Listen.HTTPS == "" {
		bad("listen", "name an http or an https address")
	}
	if a := c.Listen.Admin; a != "" && (a == c.Listen.HTTP || a == c.Listen.HTTPS) {
		bad("listen.admin", "%s is where clients come", a)
	}
	c.checkTLS(bad)
	for name, s := range c.Stores {
		c.checkStore("stores."+name, s, bad)
	}
	for name, b := range c.Buckets {
		path := "buckets." + name
		for _, ref := range []struct{ field, store string }{{"old", b.Old}, {"new", b.New}} {
			if _, ok := c.Stores[ref.store]; !ok && (ref.store != "" || ref.field == "old") {
				bad(path+"."+ref.field, "there is no store %q under stores", ref.store)
			}
		}
		if c.Stores[b.New].ReadOnly {
			bad(path+".new", "stores.%s is read_only: only an old store can be", b.New)
		}
		if b.Old == b.New {
			bad(path, "old and new are the same store")
		}
		for _, store := range []string{b.Old, b.New} {
			if bucket := c.Stores[store].Bucket; name == Wildcard && bucket != "" {
				bad(path, "stores.%s.bucket is %q, but \"*\" stands for many buckets: leave it out", store, bucket)
			}
		}
	}
	for i, k := range c.Credentials {
		path := fmt.Sprintf("credentials[%d]", i)
		if k.AccessKeyID == "" || k.SecretAccessKey == "" {
			bad(path, "access_key_id and secret_access_key are required")
		}
		for _, b := range k.Buckets {
			c.checkBucket(path+".buckets", b, bad)
		}
	}
	for name, h := range c.Hosts {
		c.checkHost("hosts."+name, h, bad)
	}
	if _, err := c.Proxies(); err != nil {
		bad("trusted_proxies", "%v", err)
	}
	m := c.Migration.Mirror
	if m.MaxPending < 1000 {
		bad("migration.mirror.max_pending", "%d is less than 1000, which one DeleteObjects may need", m.MaxPending)
	}
	if m.SyncTimeout <= 0 || m.StoreTimeout <= 0 || m.Quarantine <= 0 {
		bad("migration.mirror", "sync_timeout, store_timeout and quarantine must be above 0")
	}
	if c.Migration.Hold <= 0 {
		bad("migration.hold", "must be above 0")
	}
	c.Migration.Backfill.check("migration.backfill", bad)
	c.Notify.check(bad)
	if c.Limits.Requests < 1 || c.Limits.ClientTimeout <= 0 || c.Limits.Drain <= 0 {
		bad("limits", "requests, client_timeout and drain must be above 0")
	}
	return errors.Join(errs...)
}

func (c *Config) checkStore(path string, s Store, bad func(path, format string, args ...any)) {
	u, err := url.Parse(s.Endpoint)
	if strings.Contains(s.Endpoint, "@") { // which would be shown with it
		bad(path+".endpoint", "it has a user name or a password; the keys go to %s.access_key_id and %s.secret_access_key", path, path)
	} else if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		bad(path+".endpoint", "%q is not an http or https URL", s.Endpoint)
	} else if u.Path != "" && u.Path != "/" {
		bad(path+".endpoint", "%q has a path; the bucket goes to %s.bucket", s.Endpoint, path)
	}
	if (s.AccessKeyID == "") != (s.SecretAccessKey == "") {
		bad(path, "access_key_id and secret_access_key go together")
	}
}

func (c *Config) checkHost(path string, h Host, bad func(path, format string, args ...any)) {
	if h.Serve != ServePublic {
		if len(h.Paths) > 0 || h.Bucket != "" || h.CacheControl != "" || len(h.Headers) > 0 || h.Purge.Secret != "" {
			bad(path, "paths, bucket, cache_control, headers and purge are a public host's: serve: public")
		}
		return
	}
	if (len(h.Paths) == 0) == (h.Bucket == "") {
		bad(path, "name the bucket it shows, or paths with a bucket each")
	}
	if h.Bucket != "" {
		c.checkBucket(path+".bucket", h.Bucket, bad)
	}
	for _, name := range slices.Sorted(maps.Keys(h.Headers)) {
		switch {
		case !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(h.Headers[name]):
			bad(path+".headers", "%q can not be sent as a header", name+": "+h.Headers[name])
		case slices.Contains(ofOneAnswer, http.CanonicalHeaderKey(name)):
			bad(path+".headers", "%s is another from one answer to the next", name)
		}
	}
	for prefix, bucket := range h.Paths {
		if !strings.HasPrefix(prefix, "/") || !strings.HasSuffix(prefix, "/") {
			bad(path+".paths", "%q does not begin and end with \"/\"", prefix)
		}
		c.checkBucket(path+".paths."+prefix, bucket, bad)
	}
}

// ofOneAnswer are headers that nobody can set for all of them.
var ofOneAnswer = []string{
	"Age", "Cache-Status", "Connection", "Content-Length", "Content-Range", "Date", "Etag", "Keep-Alive", "Last-Modified", "Trailer",
	"Transfer-Encoding", "Upgrade", "X-Cache", "X-Cache-Status",
}

// Proxies are the trusted ones.
func (c *Config) Proxies() (list []netip.Prefix, err error) {
	for _, text := range c.TrustedProxies {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			var a netip.Addr
			if a, err = netip.ParseAddr(text); err != nil {
				return nil, fmt.Errorf("%q is not an address, nor a range like 10.0.0.0/8", text)
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		list = append(list, p)
	}
	return list, nil
}

// checkBucket: a bucket that another setting names must be there.
func (c *Config) checkBucket(path, bucket string, bad func(path, format string, args ...any)) {
	_, named := c.Buckets[bucket]
	if _, any := c.Buckets[Wildcard]; bucket == Wildcard || !named && !any {
		bad(path, "there is no bucket %q under buckets", bucket)
	}
}

// checkWords looks at every setting that is one of a few words, which its tag has; an empty
// word among them is for a setting that is left out.
func checkWords(v reflect.Value, path string, bad func(path, format string, args ...any)) {
	switch v.Kind() {
	case reflect.Map:
		for _, k := range v.MapKeys() {
			checkWords(v.MapIndex(k), path+"."+k.String(), bad)
		}
	case reflect.Slice:
		for i := range v.Len() {
			checkWords(v.Index(i), fmt.Sprintf("%s[%d]", path, i), bad)
		}
	case reflect.Struct:
		for field, value := range v.Fields() {
			at := strings.TrimPrefix(path+"."+field.Tag.Get("yaml"), ".")
			if words, ok := field.Tag.Lookup("enum"); ok && !slices.Contains(strings.Split(words, ","), value.String()) {
				bad(at, "%q is not one of %s", value, strings.ReplaceAll(strings.TrimSuffix(words, ","), ",", ", "))
			}
			checkWords(value, at, bad)
		}
	}
}

var unknownField = regexp.MustCompile(`unknown field "([^"]+)"`)

// suggest adds the nearest known key to the complaint about an unknown one.
func suggest(message string) string {
	m := unknownField.FindStringSubmatch(message)
	if m == nil {
		return message
	}
	best, distance := "", 4
	for _, name := range fieldNames(reflect.TypeFor[Config](), nil) {
		if d := editDistance(m[1], name); d < distance {
			best, distance = name, d
		}
	}
	if best == "" {
		return message
	}
	return strings.Replace(message, m[0], m[0]+fmt.Sprintf(" (did you mean %q?)", best), 1)
}

func fieldNames(t reflect.Type, names []string) []string {
	switch t.Kind() {
	case reflect.Map, reflect.Slice:
		return fieldNames(t.Elem(), names)
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			names = fieldNames(f.Type, append(names, f.Tag.Get("yaml")))
		}
	}
	return names
}

// editDistance is Levenshtein's.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
