package e2e

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/minio-go/v7/pkg/signer"

	"sluice/gateway/config"
)

// keyring is which of the rotating keys the configuration has, by their numbers.
type keyring struct {
	newest  atomic.Int64 // is in force
	removed atomic.Int64 // it and all below may be refused
}

func rotating(n int64) (key, secret string) { return fmt.Sprint("ROT", n), fmt.Sprint("secret ", n) }

// TestReloadsUnderLoad: while the configuration is reloaded again and again, with other
// keys, hosts, store keys, limits and throttle each time, no request fails but for those
// signed with a key that was removed before they ended. Afterwards nothing of the former
// configurations is in use.
func TestReloadsUnderLoad(t *testing.T) {
	r, f, stores := startReloading(t)
	var keys keyring
	var asked atomic.Int64
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	defer client.CloseIdleConnections()
	send := func(method, path, body, key, secret, host string) (int, string, http.Header, error) {
		req, err := http.NewRequestWithContext(t.Context(), method, r.url+path, strings.NewReader(body))
		if err != nil {
			return 0, "", nil, err
		}
		if key != "" {
			req.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
			req = signer.SignV4(*req, key, secret, "", "us-east-1")
		} else {
			req.Host = host
		}
		resp, err := client.Do(req)
		if err != nil {
			return 0, "", nil, err
		}
		defer resp.Body.Close()
		raw, err := io.ReadAll(resp.Body)
		asked.Add(1)
		return resp.StatusCode, string(raw), resp.Header, err
	}
	must := func(method, path, body, key, secret string) (string, http.Header, error) {
		status, got, header, err := send(method, path, body, key, secret, "")
		if err == nil && status/100 != 2 {
			err = fmt.Errorf("%s %s: %d %s", method, path, status, got)
		}
		return got, header, err
	}
	if _, _, err := must("PUT", "/media/shown", "shown", accessKey, secretKey); err != nil {
		t.Fatal(err)
	}

	set := func(i int64) {
		key, secret := rotating(i)
		// The rotating pair is the first, which upload ids are made with.
		f.Credentials = []config.Credential{{AccessKeyID: key, SecretAccessKey: secret}, {AccessKeyID: accessKey, SecretAccessKey: secretKey}}
		f.Hosts["files.test"] = host(func(h *config.Host) { h.CacheControl = fmt.Sprint("max-age=", i) })
		delete(f.Hosts, fmt.Sprintf("h%d.test", i-1))
		f.Hosts[fmt.Sprintf("h%d.test", i)] = host(nil)
		valid := []string{"first"} // a while longer, for requests under way
		for n := max(i-50, 1); n <= i; n++ {
			valid = append(valid, fmt.Sprint("store", n))
		}
		for s, name := range []string{"old", "new"} {
			stores[s].take(valid...)
			f.Stores[name] = stores[s].store(fmt.Sprint("store", i))
		}
		f.Migration.Backfill.Workers = int(4 + i%8)
		f.Limits.Requests = int(1000 + i%7)
		f.Cache.TTL = config.Duration(time.Duration(1+i%50) * time.Minute)
		f.Migration.Mirror.SyncTimeout = config.Duration(time.Duration(5+i%3) * time.Second)
		keys.removed.Store(i - 1)
		r.reload(t)
		keys.newest.Store(i)
	}
	set(1)

	clients := map[string]func(worker int) error{
		"a stable key": func(worker int) error {
			path := fmt.Sprint("/media/stable", worker)
			if _, _, err := must("PUT", path, "body", accessKey, secretKey); err != nil {
				return err
			}
			if got, _, err := must("GET", path, "", accessKey, secretKey); err != nil || got != "body" {
				return fmt.Errorf("read %q: %w", got, err)
			}
			_, _, err := must("DELETE", path, "", accessKey, secretKey)
			return err
		},
		"an upload in parts": func(worker int) error {
			path := fmt.Sprint("/media/parts", worker)
			begun, _, err := must("POST", path+"?uploads=", "", accessKey, secretKey)
			if err != nil {
				return err
			}
			_, id, _ := strings.Cut(begun, "<UploadId>")
			id, _, _ = strings.Cut(id, "<")
			time.Sleep(20 * time.Millisecond) // a reload comes in between
			_, header, err := must("PUT", path+"?partNumber=1&uploadId="+id, "part", accessKey, secretKey)
			if err != nil {
				return err
			}
			got, _, err := must("POST", path+"?uploadId="+id, "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"+header.Get("ETag")+
				"</ETag></Part></CompleteMultipartUpload>", accessKey, secretKey)
			if err == nil && !strings.Contains(got, "<CompleteMultipartUploadResult") {
				err = errors.New(got)
			}
			return err
		},
		"a key that is exchanged": func(int) error {
			i := keys.newest.Load()
			key, secret := rotating(i)
			status, got, _, err := send("GET", "/media/shown", "", key, secret, "")
			switch {
			case err != nil:
				return err
			case status == 200 && got == "shown", status == 403 && keys.removed.Load() >= i:
				return nil
			}
			return fmt.Errorf("key %d: %d %s", i, status, got)
		},
		"everyone": func(int) error {
			before := keys.newest.Load()
			status, got, header, err := send("GET", "/shown", "", "", "", "files.test")
			if err != nil || status != 200 || got != "shown" {
				return fmt.Errorf("%d %s: %w", status, got, err)
			}
			var age int64
			if _, err := fmt.Sscanf(header.Get("Cache-Control"), "max-age=%d", &age); err != nil || age < before {
				return fmt.Errorf("Cache-Control: %s, but configuration %d was in force", header.Get("Cache-Control"), before)
			}
			return nil
		},
	}
	stop := make(chan struct{})
	var working sync.WaitGroup
	for name, work := range clients {
		for worker := range 2 {
			working.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					if err := work(worker); err != nil {
						t.Errorf("%s: %v", name, err)
						return
					}
				}
			})
		}
	}
	last := int64(1)
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end) && !t.Failed(); {
		last++
		set(last)
	}
	close(stop)
	working.Wait()
	t.Logf("%d requests during %d reloads", asked.Load(), last)
	r.quiet(t)

	key, secret := rotating(last - 1)
	if status, _, _, err := send("GET", "/media/shown", "", key, secret, ""); status != 403 || err != nil {
		t.Errorf("a removed key: %d, %v", status, err)
	}
	if status, got, _, _ := send("GET", "/shown", "", "", "", fmt.Sprintf("h%d.test", last-1)); got == "shown" {
		t.Errorf("a removed host: %d %s", status, got)
	}
	former, now := fmt.Sprint("store", last-1), fmt.Sprint("store", last)
	for i, s := range stores {
		before, used := s.uses(former), s.uses(now)
		if _, _, err := must("PUT", "/media/after", "x", accessKey, secretKey); err != nil {
			t.Error(err)
		}
		r.quiet(t)
		if s.uses(former) != before || s.uses(now) == used {
			t.Errorf("store %d is asked with the former key", i)
		}
	}
	if n := runningRequests(t, r); n != 0 {
		t.Errorf("%d slots are still taken", n)
	}
}

// runningRequests are those that the bound counts; none once all are answered.
func runningRequests(t *testing.T, r *rig) int {
	t.Helper()
	f := clone(r.config)
	f.Limits.Requests = 1
	r.gateway.ReloadFrom(func() (config.Config, error) { return f, nil }, func(config.Config) {})
	r.reload(t)
	if a := r.do(t, ask{method: "GET", path: "/media/shown"}); a.status == 503 {
		return 1
	}
	return 0
}
