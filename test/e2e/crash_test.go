package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"sluice/backends"
	"sluice/gateway/mirror"
	"sluice/test/process"
)

func body(key string, version, size int) []byte {
	b := make([]byte, size)
	r := rand.NewChaCha8([32]byte(append([]byte(fmt.Sprintf("%s/%d", key, version)), make([]byte, 32)...)[:32]))
	_, _ = r.Read(b)
	return b
}

// content reads everything a store holds.
func content(ctx context.Context, s backends.Store) (map[string]string, error) {
	all := make(map[string]string)
	for o, err := range backends.Walk(ctx, s, backends.ListRequest{}) {
		if err != nil {
			return nil, err
		}
		if mirror.IsReserved(o.Key) {
			continue
		}
		got, err := s.Get(ctx, backends.GetRequest{Key: o.Key})
		if err != nil {
			return nil, err
		}
		raw, err := io.ReadAll(got.Body)
		got.Body.Close()
		if err != nil {
			return nil, err
		}
		all[o.Key] = got.Header.Get("Content-Type") + "\x00" + string(raw)
	}
	return all, nil
}

// TestKillDuringUploads kills the gateway in the middle of 200 concurrent
// uploads, some of them of one key, and starts it again: what was acknowledged is
// on both stores, and the stores differ in nothing.
func TestKillDuringUploads(t *testing.T) {
	_, oldStore, oldUp := process.Embedded(t, "old")
	_, newStore, newUp := process.Embedded(t, "new")
	g := process.Start(t, oldUp, newUp, "migration: { mirror: { quarantine: 5s } }")
	client := g.Client(t)

	const uploads = 200
	var mu sync.Mutex
	acked := make(map[string][]byte)
	var group sync.WaitGroup
	for i := range uploads {
		group.Go(func() {
			for version := 0; ; version++ {
				key := fmt.Sprintf("upload/%03d", i)
				data := body(key, version, 1<<10+i*2000)
				_, err := client.Put(t.Context(), backends.PutRequest{
					Key: key, Body: bytes.NewReader(data), Size: int64(len(data)),
					Header: map[string][]string{"Content-Type": {fmt.Sprintf("test/v%d", version)}},
				})
				mu.Lock()
				if err != nil {
					acked[key+"?"] = data // may have been stored, may not
					mu.Unlock()
					return
				}
				acked[key] = data
				mu.Unlock()
			}
		})
	}
	process.Eventually(t, 30*time.Second, func(context.Context) error {
		mu.Lock()
		defer mu.Unlock()
		if len(acked) < uploads/2 {
			return fmt.Errorf("%d uploads acknowledged", len(acked))
		}
		return nil
	})
	g.Kill(t)
	group.Wait()

	restarted := time.Now()
	g.Restart(t)
	process.Eventually(t, 30*time.Second, func(ctx context.Context) error {
		old, err := content(ctx, oldStore)
		if err != nil {
			return err
		}
		new, err := content(ctx, newStore)
		if err != nil {
			return err
		}
		return errors.Join(same(old, new), kept(old, acked))
	})
	t.Logf("%d keys equal on both stores %v after the restart", uploads, time.Since(restarted).Round(time.Millisecond))
}

// same compares two stores.
func same(old, new map[string]string) error {
	for key, value := range old {
		if new[key] != value {
			return fmt.Errorf("%q differs", key)
		}
	}
	for key := range new {
		if _, ok := old[key]; !ok {
			return fmt.Errorf("%q is on new alone", key)
		}
	}
	return nil
}

// kept: of each key the last acknowledged upload is there, or the one that was
// under way when the gateway died.
func kept(store map[string]string, acked map[string][]byte) error {
	for key, data := range acked {
		if key[len(key)-1] == '?' {
			continue
		}
		_, got, _ := bytes.Cut([]byte(store[key]), []byte{0})
		if !bytes.Equal(got, data) && !bytes.Equal(got, acked[key+"?"]) {
			return fmt.Errorf("the acknowledged upload of %q is lost", key)
		}
	}
	return nil
}
