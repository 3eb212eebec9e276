package doctor_test

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/gateway/config"
	"sluice/gateway/doctor"
	"sluice/tls"
)

// quiet is a store that has nothing to do with what is looked at.
func quiet(t *testing.T) config.Store {
	t.Helper()
	at, _ := fronted(t, func(http.ResponseWriter, *http.Request) bool { return false })
	return at
}

// TestStateDirectory: it is there or can be made, is durable, on a disk that stays, with
// room; looking at it leaves nothing behind.
func TestStateDirectory(t *testing.T) {
	c := settings(t, quiet(t), config.Store{})
	there := t.TempDir()
	file := filepath.Join(there, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, d := range []struct {
		dir, check string
		result     doctor.Result
		says       string
	}{
		{there, "writable", doctor.OK, "it can be written to"},
		{there, "fsync", doctor.OK, "durable in"},
		{there, "free space", doctor.OK, "are free"},
		{filepath.Join(there, "a", "b"), "writable", doctor.OK, "it is not there yet, and can be made"},
		{filepath.Join(file, "a"), "writable", doctor.Failed, "install -d -m 700 -o USER"},
		{"/proc/sluice", "writable", doctor.Failed, "can not write there"},
		{"/dev/shm/sluice", "disk", doctor.Warning, "tmpfs (memory), which is gone"},
	} {
		c.StateDir = d.dir
		examine(t, c).expect(t, "state directory "+d.dir, d.check, d.result, d.says)
	}
	left, err := os.ReadDir(there)
	if err != nil || len(left) != 1 {
		t.Errorf("it left %v (%v)", left, err)
	}
}

// TestRoom: the cache's directory, and how much may be asked of the machine.
func TestRoom(t *testing.T) {
	c := settings(t, quiet(t), config.Store{})
	c.Cache.Disk, c.Cache.Directory = 1<<60, t.TempDir()
	c.Limits.Requests = 1 << 40
	found := examine(t, c)
	found.expect(t, "cache directory "+c.Cache.Directory, "writable", doctor.OK)
	found.expect(t, "cache directory "+c.Cache.Directory, "free space", doctor.Warning, "1.0 EiB are asked for", "lower cache.disk")
	found.expect(t, "gateway", "open files", doctor.Warning, "limits.requests", "LimitNOFILE=")
}

// TestPorts: before the first start something else may listen where the gateway is to.
func TestPorts(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := settings(t, quiet(t), config.Store{})
	c.Listen.Admin = l.Addr().String()
	found := examine(t, c)
	found.expect(t, "gateway", "listen.http", doctor.OK, "is free")
	found.expect(t, "gateway", "listen.admin", doctor.Failed, "something else listens at "+c.Listen.Admin)
	found.expect(t, "gateway", "running", doctor.Warning, "no gateway runs", "ask again")
}

type names map[string]string

func (n names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	if n[host] == "" {
		return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
	}
	return []netip.Addr{netip.MustParseAddr(n[host])}, nil
}

// TestNames: without a gateway the DNS is asked; with one its own view counts, and the DNS
// for what it needs no certificate for.
func TestNames(t *testing.T) {
	c := settings(t, quiet(t), config.Store{})
	c.Hosts = map[string]config.Host{"s3.test": {Serve: config.ServeS3}, "new.test": {Serve: config.ServeS3}, "127.0.0.1": {Serve: config.ServeS3}}
	resolver := func(o *doctor.Options) { o.Resolver = names{"s3.test": "192.0.2.1"} }
	found := examine(t, c, resolver)
	found.expect(t, "s3.test", "dns", doctor.OK, "192.0.2.1")
	found.expect(t, "new.test", "dns", doctor.Failed, "new.test has no address", "give it A or AAAA records that point here")
	if strings.Contains(found.String(), "127.0.0.1 | dns") {
		t.Errorf("an address was looked for in the DNS:\n%s", found)
	}
	found = examine(t, c, resolver, func(o *doctor.Options) {
		o.Names = func(context.Context) []tls.Check {
			return []tls.Check{{Subject: "new.test", Check: "port 80", Message: "at 192.0.2.1 nobody answers"}}
		}
	})
	found.expect(t, "gateway", "running", doctor.OK, "it runs")
	found.expect(t, "s3.test", "dns", doctor.OK, "192.0.2.1")
	found.expect(t, "new.test", "port 80", doctor.Failed, "nobody answers", "let port 80")
	if strings.Contains(found.String(), "new.test | dns") || strings.Contains(found.String(), "gateway | listen") {
		t.Errorf("asked is what the gateway knows:\n%s", found)
	}
}

// TestEstimate: what was counted, what leaves the old store, how long it takes at a rate
// that was measured; and what was not counted is said.
func TestEstimate(t *testing.T) {
	slow := make(chan struct{})
	pages := 0
	old, oldBucket := fronted(t, func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Get("continuation-token") == "" && r.URL.Query().Get("marker") == "" {
			return false
		}
		if pages++; pages == 1 {
			return false
		}
		select { // from the third page on
		case <-slow:
		case <-r.Context().Done():
		}
		return true
	})
	defer close(slow)
	after, afterBucket := fronted(t, func(http.ResponseWriter, *http.Request) bool { return false })
	c := settings(t, old, after)
	c.Migration.Backfill.Workers = 2
	estimate := func(o *doctor.Options) { o.Estimate = 500 * time.Millisecond }

	found := examine(t, c, estimate)
	found.expect(t, "media", "objects", doctor.OK, "0 objects, 0 B")
	for i := range 3 {
		store(t, oldBucket, string(rune('a'+i)), strings.Repeat("x", 1000))
	}
	found = examine(t, c, estimate)
	found.expect(t, "media", "objects", doctor.OK, "3 objects, 2.9 KiB")
	found.expect(t, "media", "egress", doctor.OK, "3.0 kB leave the old store; what that costs is its provider's to say")
	found.expect(t, "media", "estimate", doctor.OK, "about a minute, by ", "2 at once")
	nothingStays(t, oldBucket, afterBucket)

	for i := range 2100 {
		store(t, oldBucket, "more/"+time.Duration(i).String(), "x")
	}
	found = examine(t, c, estimate)
	found.expect(t, "media", "objects", doctor.OK, "at least 2,000 objects", "so much was counted in 500ms")
	found.expect(t, "media", "estimate", doctor.OK, "for what was counted, by")
	nothingStays(t, oldBucket, afterBucket)

	c.Stores["new"], _ = fronted(t, func(w http.ResponseWriter, r *http.Request) bool {
		return r.Method == http.MethodPut && refuse(w, 403, "AccessDenied")
	})
	found = examine(t, c, estimate)
	found.expect(t, "media", "estimate", doctor.Warning, "no object could be copied to measure it")
}
