// Package load puts the gateway under more than it should get, and watches what it
// uses.
package load

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/backends"
	"sluice/backends/embedded"
	"sluice/backends/s3"
	"sluice/gateway/journal"
	"sluice/gateway/mirror"
	"sluice/test/process"
)

// rig is a gateway between two stores, as its operating system sees it.
type rig struct {
	t                  *testing.T
	gateway            *process.Gateway
	client             *s3.Store
	new                *embedded.Server
	oldStore, newStore *s3.Store
	pid                int
	state              string // its state directory
}

func newRig(t *testing.T, extra string) *rig {
	t.Helper()
	r := &rig{t: t}
	var oldUp, newUp process.Upstream
	_, r.oldStore, oldUp = process.Embedded(t, "old")
	r.new, r.newStore, newUp = process.Embedded(t, "new")
	r.gateway = process.Start(t, oldUp, newUp, extra)
	r.pid, r.state = r.gateway.PID(), r.gateway.State()
	r.client = r.gateway.Client(t)
	return r
}

func (r *rig) proc(file string) string {
	r.t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", r.pid, file))
	if err != nil {
		r.t.Fatal(err)
	}
	return string(raw)
}

// use is what a process takes of its machine.
type use struct {
	rss          int64 // bytes
	fds, threads int
}

func (r *rig) use() use {
	r.t.Helper()
	var u use
	for line := range strings.Lines(r.proc("status")) {
		name, value, _ := strings.Cut(line, ":")
		switch name {
		case "VmRSS":
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			if err != nil {
				r.t.Fatal(err)
			}
			u.rss = kib << 10
		case "Threads":
			u.threads, _ = strconv.Atoi(strings.TrimSpace(value))
		}
	}
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", r.pid))
	if err != nil {
		r.t.Fatal(err)
	}
	u.fds = len(fds)
	return u
}

func (u use) String() string {
	return fmt.Sprintf("%d MiB, %d files, %d threads", u.rss>>20, u.fds, u.threads)
}

// most is the larger of each.
func most(a, b use) use {
	return use{max(a.rss, b.rss), max(a.fds, b.fds), max(a.threads, b.threads)}
}

// equal: both stores hold the same.
func (r *rig) equal(ctx context.Context) error {
	old, err := content(ctx, r.oldStore)
	if err != nil {
		return err
	}
	new, err := content(ctx, r.newStore)
	if err != nil {
		return err
	}
	different := 0
	for key, sum := range old {
		if new[key] != sum {
			different++
		}
		delete(new, key)
	}
	if different += len(new); different > 0 {
		return fmt.Errorf("%d keys differ", different)
	}
	return nil
}

func content(ctx context.Context, s backends.Reader) (map[string][sha256.Size]byte, error) {
	all := make(map[string][sha256.Size]byte)
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
		all[o.Key] = sha256.Sum256(raw)
	}
	return all, nil
}

// settled waits until nothing is pending (the stores can be equal before the gateway
// has seen that they are), ends the gateway as an operator does, and looks for what it
// left in its journal.
func (r *rig) settled() {
	r.t.Helper()
	operator := r.gateway.Operator(r.t)
	process.Eventually(r.t, 2*time.Minute, func(ctx context.Context) error {
		all, err := operator.Buckets(ctx)
		if err == nil && all[0].Pending > 0 {
			err = fmt.Errorf("%d writes are pending", all[0].Pending)
		}
		return err
	})
	if err := syscall.Kill(r.pid, syscall.SIGTERM); err != nil {
		r.t.Fatal(err)
	}
	process.Eventually(r.t, time.Minute, func(context.Context) error {
		if stat := r.proc("stat"); !strings.HasPrefix(stat[strings.LastIndexByte(stat, ')')+1:], " Z") {
			return errors.New("the gateway has not ended")
		}
		return nil
	})
	log, err := journal.OpenLog(r.state)
	if err != nil {
		r.t.Fatal(err)
	}
	j := journal.New(log, journal.Options{Limit: 1 << 20, Quarantine: time.Minute})
	if n := j.Pending(); n > 0 {
		r.t.Errorf("%d writes are not settled", n)
	}
	if err := j.Close(); err != nil {
		r.t.Error(err)
	}
}
