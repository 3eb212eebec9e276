package e2e

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/backends"
	"sluice/gateway/config"
	"sluice/test/servers"
)

// startCached is a rig with one store behind a front, and public hosts.
func startCached(t *testing.T, change ...func(*config.Config)) (*rig, *front) {
	t.Helper()
	f, store := startFront(t, servers.MinIO(t), "old-media")
	r := startPublic(t, append([]func(*config.Config){func(c *config.Config) {
		c.Stores["old"] = store
		c.Buckets["media"] = config.Bucket{Old: "old"}
	}}, change...)...)
	return r, f
}

// noise is content that no two pieces of are alike.
func noise(size int) string {
	b := make([]byte, size)
	random := rand.NewChaCha8([32]byte{1})
	_, _ = random.Read(b)
	return string(b)
}

// TestRangesOfLargeObjects: what a range asks for is kept in blocks; the store sends what is
// missing and not the whole, the bytes are the object's at every edge, and after a write
// they are the new object's.
func TestRangesOfLargeObjects(t *testing.T) {
	const mib = 1 << 20
	r, f := startCached(t)
	video := noise(100*mib + 12345)
	r.must(t, 200, "", ask{method: "PUT", path: "/media/video", body: video})
	r.quiet(t)
	read := func(from, to int, most int64, status string) {
		t.Helper()
		eventually(t, func(context.Context) error { // the end of a block is read when the client has gone
			if n := r.gateway.Cache().Stats().Fetches; n > 0 {
				return fmt.Errorf("%d reads of the store are under way", n)
			}
			return nil
		})
		before := f.sent.Load()
		got := r.show(t, "GET", "files.test", "/video", map[string]string{"Range": fmt.Sprintf("bytes=%d-%d", from, to-1)})
		if got.status != 206 || got.body != video[from:to] ||
			got.header.Get("Content-Range") != fmt.Sprintf("bytes %d-%d/%d", from, to-1, len(video)) {
			t.Fatalf("%d-%d: %d, %d bytes %v", from, to, got.status, len(got.body), got.header)
		}
		if n := f.sent.Load() - before; n > most {
			t.Errorf("%d-%d: the store sent %d bytes, more than %d", from, to, n, most)
		}
		if s := got.header.Get("Cache-Status"); !strings.HasPrefix(s, "Sluice; "+status) {
			t.Errorf("%d-%d: %s, want %s", from, to, s, status)
		}
	}
	read(5*mib+3, 6*mib-7, mib, "fwd=uri-miss; stored")
	read(5*mib, 6*mib, 0, "hit")
	read(5*mib+77, 8*mib+1, 3*mib, "fwd=partial; stored")
	read(5*mib+78, 9*mib, 0, "hit")
	read(0, 10, mib, "fwd=uri-miss; stored")
	read(len(video)-5, len(video), mib, "fwd=uri-miss; stored")
	read(len(video)-12345, len(video), 0, "hit")
	read(20*mib, 90*mib, 71*mib, "fwd=uri-miss; stored") // more than a slice
	for range 3 {
		read(30*mib+5, 70*mib-5, 41*mib, "")
	}
	got := r.show(t, "GET", "files.test", "/video", map[string]string{"Range": "bytes=-10"})
	if got.status != 206 || got.body != video[len(video)-10:] {
		t.Errorf("the last bytes: %v", got)
	}
	asked := f.reads.Load() + f.heads.Load()
	for _, c := range []struct {
		method string
		header map[string]string
		status int
	}{
		{"HEAD", nil, 200},
		{"HEAD", map[string]string{"Range": "bytes=5-9"}, 206},
		{"GET", map[string]string{"Range": "bytes=5-9", "If-None-Match": got.header.Get("ETag")}, 304},
		{"GET", map[string]string{"Range": "bytes=5-9", "If-Range": got.header.Get("ETag")}, 206},
		{"GET", map[string]string{"Range": fmt.Sprintf("bytes=%d-", len(video))}, 416},
	} {
		got := r.show(t, c.method, "files.test", "/video", c.header)
		if n := f.reads.Load() + f.heads.Load(); got.status != c.status || n != asked {
			t.Errorf("%s %v: the store was asked %d times: %v", c.method, c.header, n-asked, got)
			asked = n
		}
	}
	video = noise(30 * mib)[7:]
	r.must(t, 200, "", ask{method: "PUT", path: "/media/video", body: video})
	read(5*mib, 6*mib, 2*mib, "fwd=uri-miss")
	if got := r.show(t, "GET", "files.test", "/video", nil); got.body != video {
		t.Errorf("the whole is another: %d bytes", len(got.body))
	}
}

// TestRangesOfWhoSigns: of what is cached whole they come from the cache, also where the client
// asks for checksums, as the SDKs do; of what is not, the store sends what was asked for.
func TestRangesOfWhoSigns(t *testing.T) {
	r, f := startCached(t)
	for key, size := range map[string]int{"small": 1000, "large": 20 << 20} {
		content := noise(size)
		r.must(t, 200, "", ask{method: "PUT", path: "/media/" + key, body: content})
		r.quiet(t)
		for i, want := range []string{"MISS", "MISS", "HIT", "HIT"} {
			header := map[string]string{"X-Amz-Checksum-Mode": "ENABLED", "Range": "bytes=500-599"}
			if i == 1 {
				delete(header, "Range")
			}
			if key == "large" {
				want = "MISS"
			}
			before := f.sent.Load()
			got := r.do(t, ask{method: "GET", path: "/media/" + key, header: header})
			if i != 1 && (got.status != 206 || got.body != content[500:600]) || i == 1 && got.body != content || got.header.Get("X-Cache") != want {
				t.Errorf("%s, read %d: %d, %d bytes, %s", key, i, got.status, len(got.body), got.header.Get("X-Cache"))
			}
			if n := f.sent.Load() - before; i != 1 && n > 100 {
				t.Errorf("%s, read %d: the store sent %d bytes", key, i, n)
			}
		}
	}
}

// TestOpenRangeIsNotReadToItsEnd: a browser asks for all of a video and takes its beginning.
func TestOpenRangeIsNotReadToItsEnd(t *testing.T) {
	r, f := startCached(t)
	r.must(t, 200, "", ask{method: "PUT", path: "/media/video", body: noise(150 << 20)})
	r.quiet(t)
	req := r.request(t, ask{method: "GET", path: "/video", unsigned: true, header: map[string]string{"Range": "bytes=0-"}})
	req.Host = "files.test"
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, resp.Body, 1<<20); err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	var n int64
	eventually(t, func(context.Context) error {
		if was := n; was != f.sent.Load() || was == 0 {
			n = f.sent.Load()
			return fmt.Errorf("the store is sending, after %d bytes", was)
		}
		return nil
	})
	if n > 64<<20 {
		t.Errorf("the store sent %d MiB", n>>20)
	}
}

// TestWhatIsKnownWhileStoresAreDown: what is old is said to be, and what is not known is
// 503. Seen to fail without Stale in Get, and without confirm's look at the error.
func TestWhatIsKnownWhileStoresAreDown(t *testing.T) {
	r, f := startCached(t, func(c *config.Config) { c.Cache.TTL = config.Duration(time.Second) })
	r.must(t, 200, "", ask{method: "PUT", path: "/media/seen", body: "seen"})
	r.must(t, 200, "", ask{method: "PUT", path: "/media/unseen", body: "unseen"})
	r.quiet(t)
	r.show(t, "GET", "files.test", "/seen", nil)
	f.down.Store(true)
	eventually(t, func(context.Context) error {
		got := r.show(t, "GET", "files.test", "/seen", nil)
		if got.status != 200 || got.body != "seen" {
			t.Fatalf("%v", got)
		}
		if got.header.Get("X-Cache-Status") != "STALE" || !strings.Contains(got.header.Get("Cache-Status"), "stale") || got.header.Get("Age") == "0" {
			return fmt.Errorf("%v", got)
		}
		return nil
	})
	if got := r.must(t, 200, "", ask{method: "GET", path: "/media/seen"}); got.body != "seen" {
		t.Errorf("who signs gets %v", got)
	}
	if got := r.show(t, "GET", "files.test", "/unseen", nil); got.status != 503 || got.header.Get("Retry-After") == "" {
		t.Errorf("%v", got)
	}
	f.down.Store(false)
	eventually(t, func(context.Context) error {
		if got := r.show(t, "GET", "files.test", "/seen", nil); got.header.Get("X-Cache-Status") != "HIT" {
			return fmt.Errorf("%v", got)
		}
		return nil
	})
}

// TestBehindOurBack: what is changed on the store itself shows when the TTL is over, the
// metadata alone too; what is not changed is not read again.
func TestBehindOurBack(t *testing.T) {
	r, f := startCached(t, func(c *config.Config) { c.Cache.TTL = config.Duration(300 * time.Millisecond) })
	store := r.store(t, "old", "media")
	put := func(key, content, contentType string) {
		t.Helper()
		_, err := store.Put(t.Context(), backends.PutRequest{
			Key: key, Body: strings.NewReader(content), Size: int64(len(content)), Header: http.Header{"Content-Type": {contentType}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"same", "other", "described"} {
		put(key, "one", "text/plain")
		r.show(t, "GET", "files.test", "/"+key, nil)
	}
	put("other", "two", "text/plain")
	put("described", "one", "text/html")
	for key, want := range map[string][2]string{"other": {"two", "text/plain"}, "described": {"one", "text/html"}} {
		eventually(t, func(context.Context) error {
			if got := r.show(t, "GET", "files.test", "/"+key, nil); got.body != want[0] || got.header.Get("Content-Type") != want[1] {
				return fmt.Errorf("%v", got)
			}
			return nil
		})
	}
	reads, heads := f.reads.Load(), f.heads.Load()
	eventually(t, func(context.Context) error {
		r.show(t, "GET", "files.test", "/same", nil)
		if f.heads.Load() < heads+3 {
			return fmt.Errorf("asked again %d times", f.heads.Load()-heads)
		}
		return nil
	})
	if f.reads.Load() != reads {
		t.Error("what had not changed was read again")
	}
}

// TestAbsentForAWhile: a crowd that asks for what is not there does not reach the store, and
// a PUT ends that at once, as does what is written with the signature of its owner.
func TestAbsentForAWhile(t *testing.T) {
	r, f := startCached(t)
	for range 5 {
		if got := r.show(t, "GET", "files.test", "/later", nil); got.status != 404 {
			t.Fatalf("%v", got)
		}
	}
	if n := f.reads.Load(); n != 1 {
		t.Errorf("the store was asked %d times", n)
	}
	r.must(t, 404, "NoSuchKey", ask{method: "GET", path: "/media/later"})
	if n := f.reads.Load(); n != 2 {
		t.Errorf("who signs is told what was known")
	}
	r.must(t, 200, "", ask{method: "PUT", path: "/media/later", body: "now"})
	if got := r.show(t, "GET", "files.test", "/later", nil); got.body != "now" {
		t.Errorf("%v", got)
	}
}

// TestCacheOnDisk: after a restart the stores need not be asked again, and what was private
// or deleted stays so.
func TestCacheOnDisk(t *testing.T) {
	r, f := startCached(t, func(c *config.Config) { c.Cache.Disk = 1 << 30 })
	content := make(map[string]string)
	for i := range 20 {
		key := fmt.Sprint("k", i)
		content[key] = noise(1000 + i*50_000)[i:]
		r.must(t, 200, "", ask{method: "PUT", path: "/media/" + key, body: content[key]})
	}
	content["video"] = noise(10 << 20)
	r.must(t, 200, "", ask{method: "PUT", path: "/media/video", body: content["video"]})
	r.quiet(t)
	all := func() {
		t.Helper()
		for key, want := range content {
			if got := r.show(t, "GET", "files.test", "/"+key, map[string]string{"Range": "bytes=0-"}); got.body != want {
				t.Errorf("%s: %d, %d bytes of %d", key, got.status, len(got.body), len(want))
			}
		}
	}
	all()
	for _, key := range []string{"k1", "k2"} {
		r.must(t, 200, "", ask{method: "PUT", path: "/media/" + key + "?acl", header: map[string]string{"X-Amz-Acl": "private"}})
	}
	r.must(t, 204, "", ask{method: "DELETE", path: "/media/k3"})
	for _, key := range []string{"k1", "k2", "k3"} {
		delete(content, key)
	}
	eventually(t, func(context.Context) error {
		if s := r.gateway.Cache().Stats().Disk; s.Items < 17+11 {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	r.restart(t)
	eventually(t, func(context.Context) error {
		if s := r.gateway.Cache().Stats().Disk; s.Items < 17+11 {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	reads := f.reads.Load()
	all()
	if n := f.reads.Load() - reads; n != 0 {
		t.Errorf("the store was read %d times", n)
	}
	for key, status := range map[string]int{"k1": 403, "k2": 403, "k3": 404} {
		if got := r.show(t, "GET", "files.test", "/"+key, nil); got.status != status {
			t.Errorf("%s: %v", key, got)
		}
	}
}

// TestNoStaleAnswerAfterAnAcknowledgedChange: readers, signed and public, of whole objects
// and of ranges, beside one writer a key that overwrites, deletes, hides, shows and purges.
// What a reader sees is never older than what was acknowledged before it asked (I8).
func TestNoStaleAnswerAfterAnAcknowledgedChange(t *testing.T) {
	r := startPublic(t, func(c *config.Config) {
		c.Cache.Memory, c.Cache.Disk = 16<<20, 64<<20
		c.Cache.TTL = config.Duration(50 * time.Millisecond)
	})
	const keys, rounds = 4, 40
	type state struct {
		round  int
		public bool
		gone   bool
	}
	var acked [keys]struct {
		sync.Mutex
		state, next state // next: may be in force already
	}
	sizes := []int{100, 70_000, 1<<20 + 100, 5 << 20}
	content := func(key, round int) string {
		return strings.Repeat(fmt.Sprintf("%d %08d;", key, round), sizes[key]/11)
	}
	ctx, stop := context.WithCancel(t.Context())
	var players sync.WaitGroup
	for key := range keys {
		change := func(a ask, next state) {
			k := &acked[key]
			k.Lock()
			k.next = next
			k.Unlock()
			if got := r.do(t, a); got.status >= 300 {
				t.Errorf("%s %s: %v", a.method, a.path, got)
			}
			k.Lock()
			k.state = next
			k.Unlock()
		}
		path := fmt.Sprintf("/media/k%d", key)
		players.Go(func() {
			defer func() { acked[key].Lock(); acked[key].state.round = -1; acked[key].Unlock() }()
			for round := 1; round <= rounds; round++ {
				change(ask{method: "PUT", path: path, body: content(key, round)}, state{round: round, public: true})
				switch round % 4 {
				case 1:
					change(ask{method: "PUT", path: path + "?acl", header: map[string]string{"X-Amz-Acl": "private"}}, state{round: round})
				case 2:
					change(ask{method: "DELETE", path: path}, state{round: round, gone: true})
				case 3:
					r.show(t, "PURGE", "files.test", fmt.Sprintf("/k%d", key), map[string]string{"Secret-Header": "s3cret"})
				}
			}
		})
		for reader := range 3 {
			players.Go(func() {
				for ctx.Err() == nil {
					k := &acked[key]
					k.Lock()
					before := k.state
					k.Unlock()
					if before.round < 0 {
						return
					}
					var got answer
					if reader == 0 {
						got = r.do(t, ask{method: "GET", path: path})
					} else {
						header := map[string]string{}
						if reader == 2 {
							header["Range"] = "bytes=11-"
						}
						got = r.show(t, "GET", "files.test", fmt.Sprintf("/k%d", key), header)
					}
					k.Lock()
					after := k.next
					k.Unlock()
					still := before == after
					switch {
					case got.status == 503: // it is written to all the time
					case got.status == 200 || got.status == 206:
						var which, round int
						_, err := fmt.Sscanf(got.body, "%d %d;", &which, &round)
						want := content(key, round)
						if got.status == 206 {
							want = want[11:]
						}
						if err != nil || which != key || got.body != want {
							t.Errorf("k%d: torn or of another: %d %.40q", key, got.status, got.body)
						}
						if round < before.round || still && (before.gone || !before.public && reader > 0) {
							t.Errorf("k%d: round %d was served, acknowledged was %+v: %v", key, round, before, got.header)
						}
					case still && !before.gone && (before.public || reader == 0) && before.round > 0:
						t.Errorf("k%d: %d, acknowledged was %+v", key, got.status, before)
					}
				}
			})
		}
	}
	players.Wait()
	stop()
	s := r.gateway.Cache().Stats()
	t.Logf("%+v", s)
	if s.Hits < 100 || s.Misses < 100 || s.Rejected == 0 {
		t.Error("nothing was tested")
	}
}
