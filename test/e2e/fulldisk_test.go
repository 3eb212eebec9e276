package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestFullDisk: when the state directory's disk is full no write is acknowledged, for
// nothing could bring it to both stores after a crash; reads go on; what was
// acknowledged before is there, and after a restart with room all is as it was. The
// disk is a real one, if a small one.
func TestFullDisk(t *testing.T) {
	c := settings(t, embeddedStore(t), embeddedStore(t))
	c.StateDir = filepath.Join(t.TempDir(), "state")
	if err := os.Mkdir(c.StateDir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", c.StateDir, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("it takes the right to mount a file system (root): %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(c.StateDir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	r := startRig(t, c)
	r.must(t, 200, "", ask{method: "PUT", path: "/media/before", body: "kept"})
	r.quiet(t)

	filler := filepath.Join(c.StateDir, "filler")
	fill(t, filler)
	var refused answer
	acknowledged := 0
	for i := range 10_000 { // until the log's last block is full, too
		refused = r.do(t, ask{method: "PUT", path: fmt.Sprintf("/media/full%d", i), body: "x"})
		if refused.status != 200 {
			break
		}
		acknowledged++
	}
	if refused.status != 503 && refused.status != 500 {
		t.Fatalf("after %d writes to a full disk: %v", acknowledged, refused)
	}
	for range 3 {
		if got := r.do(t, ask{method: "DELETE", path: "/media/before"}); got.status < 500 {
			t.Errorf("a delete without a journal: %v", got)
		}
	}
	r.must(t, 200, "", ask{method: "GET", path: "/media/before"})
	if !r.log.has("writes are refused until the disk is mended") {
		t.Error("the log does not say what to do")
	}

	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if err := r.stop(); err == nil {
		t.Error("the gateway ended as if it had a journal")
	}
	r.start(t)
	r.must(t, 200, "", ask{method: "GET", path: "/media/before"})
	for i := range acknowledged {
		r.must(t, 200, "", ask{method: "GET", path: fmt.Sprintf("/media/full%d", i)})
	}
	r.must(t, 204, "", ask{method: "DELETE", path: "/media/before"})
	r.quiet(t)
}

// fill writes to a file until the disk is full.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 64 << 10; size > 0; size /= 2 {
		for err == nil {
			_, err = f.Write(bytes.Repeat([]byte{1}, size))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
		err = nil
	}
}
