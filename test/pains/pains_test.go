// Package pains reproduces what went wrong for people who moved media between stores by
// other means, each on real servers, and shows what happens, and what the operator sees,
// where Sluice does it. Three more stand where their parts are: TestPain2 (what a policy
// lacks) and TestPain6 (what strangers can list) in gateway/doctor, TestPain3 (challenges
// that a redirect swallows) in test/acme. The ninth needs a store over a directory.
package pains

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/backends"
	"sluice/backends/s3"
	"sluice/test/process"
	"sluice/test/servers"
)

// stand is a gateway between MinIO and versitygw, with what the old store held before.
type stand struct {
	gateway          *process.Gateway
	app              *s3.Store // the application, through the gateway
	old, new         *s3.Store
	oldSide, newSide *servers.Server
}

// before starts a stand that has not begun to migrate; extra is further configuration.
func before(t *testing.T, held []string, extra string) *stand {
	t.Helper()
	s := &stand{oldSide: servers.MinIO(t), newSide: servers.Versity(t)}
	s.old, s.new = s.oldSide.Store(t, "old", process.Bucket), s.newSide.Store(t, "new", process.Bucket)
	for _, key := range held {
		put(t, s.old, key, "public-read")
	}
	s.gateway = process.StartBefore(t, process.Of(s.oldSide, process.Bucket), process.Of(s.newSide, process.Bucket), extra)
	s.app = s.gateway.Client(t)
	return s
}

// run runs a command that must end with a code, and answers all that it printed.
func (s *stand) run(t *testing.T, code int, words ...string) string {
	t.Helper()
	stdout, stderr, got := s.gateway.Sluice(t, words...)
	if got != code {
		t.Fatalf("sluice %s ended with %d, want %d\n%s%s", strings.Join(words, " "), got, code, stdout, stderr)
	}
	return stdout + stderr
}

// says runs a command again until it ends with a code and says all the words.
func (s *stand) says(t *testing.T, code int, command string, words ...string) {
	t.Helper()
	process.Eventually(t, time.Minute, func(context.Context) error {
		stdout, stderr, got := s.gateway.Sluice(t, strings.Fields(command)...)
		if got != code {
			return fmt.Errorf("sluice %s ended with %d, want %d\n%s%s", command, got, code, stdout, stderr)
		}
		for _, w := range words {
			if !strings.Contains(stdout+stderr, w) {
				return fmt.Errorf("sluice %s does not say %q:\n%s%s", command, w, stdout, stderr)
			}
		}
		return nil
	})
}

func put(t *testing.T, s backends.Store, key, acl string) {
	t.Helper()
	content := "content of " + key
	_, err := s.Put(t.Context(), backends.PutRequest{
		Key: key, Body: strings.NewReader(content), Size: int64(len(content)),
		Header: http.Header{"Content-Type": {"image/png"}, "X-Amz-Acl": {acl}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, s backends.Store, key string) {
	t.Helper()
	if _, err := s.Delete(t.Context(), backends.DeleteRequest{Key: key}); err != nil {
		t.Fatal(err)
	}
}

// keys lists what a store holds.
func keys(t *testing.T, s backends.Reader) []string {
	t.Helper()
	page, err := s.List(t.Context(), backends.ListRequest{MaxKeys: 1000})
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, o := range page.Objects {
		if !strings.HasPrefix(o.Key, ".sluice/") {
			list = append(list, o.Key)
		}
	}
	return list
}

func numbered(prefix string, n int) []string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf("%s%03d.png", prefix, i))
	}
	return list
}

// copyOnce is what people do: list, then copy what was listed. between happens in the
// middle.
func copyOnce(t *testing.T, from, to *s3.Store, between func()) {
	t.Helper()
	listed := keys(t, from)
	for i, key := range listed {
		if i == len(listed)/2 {
			between()
		}
		o, err := from.Get(t.Context(), backends.GetRequest{Key: key})
		if errors.Is(err, backends.ErrNotFound) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(o.Body)
		o.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		_, err = to.Put(t.Context(), backends.PutRequest{Key: key, Body: strings.NewReader(string(raw)), Size: int64(len(raw))})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestPain1: media that was uploaded while the copy ran was missed, and a second pass was
// needed. Here the stores are the same when the backfill ends.
func TestPain1UploadsWhileTheCopyRuns(t *testing.T) {
	t.Parallel()
	s := before(t, numbered("media/", 60), "")
	late := "media/late.png"

	pain := s.newSide.Store(t, "pain", "pain")
	copyOnce(t, s.old, pain, func() { put(t, s.old, late, "public-read") })
	if slices.Contains(keys(t, pain), late) {
		t.Fatal("a copy by list did not miss the upload: there is no pain to take away")
	}
	remove(t, s.old, late)

	s.run(t, 0, "throttle", "--requests", "20")
	s.run(t, 0, "start")
	s.says(t, 0, "status", "backfill", "running")
	put(t, s.app, late, "public-read")
	s.run(t, 0, "throttle", "--none")
	s.says(t, 0, "status", "new holds every object of old", "no write waits for the repairer")
	s.says(t, 0, "verify --level content", "61 same, 0 missing, 0 extra, 0 different, 0 failed")
	if got := keys(t, s.new); !slices.Contains(got, late) || len(got) != 61 {
		t.Errorf("new holds %d objects: %v", len(got), got)
	}
	s.says(t, 0, "switch", "to go back: sluice rollback")
}

// TestPain4: the copy took all the disk's and network's time until the host stalled. Here it
// is held back by limits, status names the one that is felt, and clients feel none.
func TestPain4TheCopyIsHeldBackAndClientsAreNot(t *testing.T) {
	t.Parallel()
	s := before(t, numbered("media/", 60), "")
	s.run(t, 0, "throttle", "--bandwidth", "1KiB", "--requests", "1")
	s.run(t, 0, "start")
	s.says(t, 0, "status", "throttled", "requests limit 1/s")
	s.says(t, 0, "throttle", "requests limit 1/s")

	// At 1 KiB a second these would take more than two hours.
	body := strings.Repeat("x", 8<<20)
	_, err := s.app.Put(t.Context(), backends.PutRequest{Key: "large", Body: strings.NewReader(body), Size: int64(len(body))})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range numbered("clients/", 100) {
		put(t, s.app, key, "public-read")
	}
	if got := keys(t, s.new); !slices.Contains(got, "large") {
		t.Errorf("the new store has not got what a client wrote: %v", got)
	}
	s.says(t, 0, "status", "throttled", "of 60 objects")
}

// TestPain5: nobody could tell whether the mirror and the first copy had drifted apart.
func TestPain5DriftIsFound(t *testing.T) {
	t.Parallel()
	s := before(t, numbered("media/", 20), "")
	s.run(t, 0, "start")
	s.says(t, 0, "status", "new holds every object of old")
	s.says(t, 0, "verify", "20 same, 0 missing")

	// Behind our back: lost, changed, added.
	remove(t, s.new, "media/003.png")
	_, err := s.new.Put(t.Context(), backends.PutRequest{Key: "media/004.png", Body: strings.NewReader("other"), Size: 5})
	if err != nil {
		t.Fatal(err)
	}
	put(t, s.new, "media/extra.png", "private")
	s.says(t, 4, "verify --restart",
		`+ "media/003.png"`, `* "media/004.png"`, `- "media/extra.png"`, "the stores differ in 3 objects")
	s.says(t, 3, "switch", "found 3 differences", "verify --fix")
	s.says(t, 0, "verify --fix --delete-extra --max-delete 1", "3 fixed")
	s.says(t, 0, "verify --level content --restart", "20 same, 0 missing, 0 extra, 0 different, 0 failed")
}

// TestPain7: much of a bucket is a cache that is fetched again anyway, and was copied for
// days. Here rules say what is copied, what is copied when it is read, and what is left.
func TestPain7CachesAreLeftOut(t *testing.T) {
	t.Parallel()
	held := slices.Concat(numbered("media/", 5), numbered("cache/", 5), numbered("tmp/", 5))
	s := before(t, held, `
migration: { backfill: { order: [ { prefix: media/ }, { prefix: cache/, mode: lazy }, { prefix: tmp/, mode: skip } ] } }`)
	s.run(t, 0, "start")
	s.says(t, 0, "status", "backfill", "finished", "new holds every object that the rules want copied")
	if got, want := keys(t, s.new), numbered("media/", 5); !slices.Equal(got, want) {
		t.Fatalf("the crawl copied %v, want %v", got, want)
	}
	if _, err := s.app.Get(t.Context(), backends.GetRequest{Key: "cache/002.png"}); err != nil {
		t.Fatal(err)
	}
	want := append([]string{"cache/002.png"}, numbered("media/", 5)...)
	process.Eventually(t, 20*time.Second, func(context.Context) error {
		if got := keys(t, s.new); !slices.Equal(got, want) {
			return fmt.Errorf("after a read new holds %v, want %v", got, want)
		}
		return nil
	})
	if _, err := s.app.Get(t.Context(), backends.GetRequest{Key: "tmp/002.png"}); err != nil {
		t.Errorf("what is not copied is still read from old: %v", err)
	}
}

// TestPain8: what was deleted or made private during a move came back with it, or stayed
// public in a cache for years.
func TestPain8NothingComesBack(t *testing.T) {
	t.Parallel()
	held := numbered("media/", 40)
	s := before(t, held, `
hosts: { 127.0.0.1: { serve: s3 }, files.test: { serve: public, bucket: media } }`)
	deleted, private := held[30], held[31]

	pain := s.newSide.Store(t, "pain", "pain")
	copyOnce(t, s.old, pain, func() { remove(t, s.old, held[2]) })
	if !slices.Contains(keys(t, pain), held[2]) {
		t.Fatal("a copy by list did not bring the deleted object back: there is no pain to take away")
	}

	shown := func(key string, want int) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.gateway.Endpoint+"/"+key, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "files.test"
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("everyone is answered %d for %s, want %d", resp.StatusCode, key, want)
		}
	}
	s.run(t, 0, "throttle", "--requests", "10") // so that both are still to be copied
	s.run(t, 0, "start")
	for range 2 { // the second time from the cache
		shown(deleted, 200)
		shown(private, 200)
	}
	remove(t, s.app, deleted)
	if err := backends.SetCannedACL(t.Context(), s.app, private, "private"); err != nil {
		t.Fatal(err)
	}
	shown(deleted, 404)
	shown(private, 403)
	s.run(t, 0, "throttle", "--none")
	s.says(t, 0, "status", "new holds every object of old", "no write waits for the repairer")
	s.says(t, 0, "verify --level content", "38 same, 0 missing, 0 extra, 0 different, 0 failed")
	s.says(t, 0, "switch", "switched now")
	shown(deleted, 404)
	shown(private, 403)
	if slices.Contains(keys(t, s.new), deleted) || slices.Contains(keys(t, s.old), deleted) {
		t.Error("the deleted object is there again")
	}
}

// TestPain10: that a store was out was noticed when users complained. Here operators are told,
// status names store and reason, metrics show it, clients notice nothing, and what the
// store missed is repaired.
func TestPain10AnOutageIsNoticed(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var told []string
	box := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		told = append(told, string(raw))
	}))
	t.Cleanup(box.Close)
	s := before(t, numbered("media/", 5), fmt.Sprintf(`
notify: { urls: [ "generic+%s/hook" ] }
migration: { mirror: { quarantine: 1s } }`, box.URL))
	s.run(t, 0, "start")
	s.says(t, 0, "status", "new holds every object of old")

	s.newSide.Stop(t)
	for _, key := range numbered("outage/", 10) {
		put(t, s.app, key, "public-read")
	}
	if _, err := s.app.Get(t.Context(), backends.GetRequest{Key: "media/001.png"}); err != nil {
		t.Errorf("a client notices the outage: %v", err)
	}
	s.says(t, 0, "status", "store new", "requests in a row had no usable answer", "connection refused", "10 writes wait for the repairer")
	s.says(t, 3, "switch --dry-run", "caught-up", "new-writable")
	hears := func(words ...string) {
		t.Helper()
		process.Eventually(t, time.Minute, func(context.Context) error {
			mu.Lock()
			defer mu.Unlock()
			if !slices.ContainsFunc(told, func(m string) bool {
				return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(m, w) })
			}) {
				return fmt.Errorf("nobody was told %q, but %q", words, told)
			}
			return nil
		})
	}
	hears("Problem: a store does not answer (store new)", "What to do: ")

	s.newSide.Restart(t)
	hears("Good again: a store does not answer (store new)")
	s.says(t, 0, "status", "no write waits for the repairer")
	s.says(t, 0, "verify --level content --restart", "15 same, 0 missing, 0 extra, 0 different, 0 failed")
}
