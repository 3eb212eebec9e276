package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"

	"sluice/backends"
)

// onDisk runs a test with the cache of a directory; start begins it anew, with an empty
// memory, as after a restart.
func onDisk(t *testing.T, test func(t *testing.T, start func(change ...func(*Options)) *Cache)) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var stop func()
		test(t, func(change ...func(*Options)) *Cache {
			if stop != nil {
				stop()
			}
			o := Options{MaxBytes: 64 << 20, Dir: dir, MaxDisk: 64 << 20}
			for _, f := range change {
				f(&o)
			}
			c := New(o)
			ctx, cancel := context.WithCancel(t.Context())
			var running sync.WaitGroup
			running.Go(func() { c.Run(ctx) })
			stop = func() { cancel(); running.Wait() }
			synctest.Wait()
			return c
		})
		stop()
	})
}

// files are those of a directory.
func files(t *testing.T, dir string) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, f fs.DirEntry, err error) error {
		if err == nil && !f.IsDir() {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// TestDiskSurvivesRestarts: objects, blocks, headers and checksums come back as they were,
// and what was removed does not.
func TestDiskSurvivesRestarts(t *testing.T) {
	onDisk(t, func(t *testing.T, start func(...func(*Options)) *Cache) {
		c := start()
		small := newEntry(backends.Info{Key: "1", Size: 5, ETag: "e", ACL: "private", Header: http.Header{
			"Content-Type": {"text/plain"}, "X-Amz-Meta-Odd": {"\xff\xfe"}, "X-Amz-Checksum-Crc32": {"AAAA"},
		}}, true)
		c.Add(key(1), small, []byte("small"), always)
		empty, _ := object(0)
		c.Add(key(2), empty, []byte{}, always)
		large, _ := object(3 * BlockSize)
		c.Add(key(3), large, nil, always)
		c.AddBlock(key(3), large, 1, bytes.Repeat([]byte("1"), BlockSize), always)
		add(c, key(4), 5, always)
		synctest.Wait()
		c.Remove(key(4))

		c = start()
		e, body := c.Get(key(1), always)
		if e == nil || string(body) != "small" || e.Info.ACL != "private" || e.Info.Header.Get("X-Amz-Meta-Odd") != "\xff\xfe" ||
			e.Sums.Get("X-Amz-Checksum-Crc32") != "AAAA" || c.State(e) != Fresh {
			t.Errorf("%+v %q", e, body)
		}
		if e, body := c.Get(key(2), always); e == nil || body == nil || e.Sums == nil {
			t.Errorf("the empty one: %+v %v", e, body)
		}
		e, body = c.Get(key(3), always)
		if e == nil || body != nil {
			t.Fatalf("the large one: %+v", e)
		}
		if at := c.Missing(key(3), e, BlockSize, 3*BlockSize); at != 2*BlockSize {
			t.Errorf("missing from %d", at)
		}
		if data, ok := c.Block(key(3), e, 1, always); !ok || len(data) != BlockSize || data[7] != '1' {
			t.Errorf("the block: %v", ok)
		}
		if has(c, key(4)) {
			t.Error("what was removed is back")
		}
		if e, _ := c.Get(key(1), func() bool { return false }); e == nil {
			t.Error("who asks does not get it")
		}
	})
}

// TestDiskIsNotBelieved: a file that is not as it was written is none. Seen to fail without
// the checksum, and without the look at the key.
func TestDiskIsNotBelieved(t *testing.T) {
	for name, spoil := range map[string]func(path string, raw []byte) error{
		"a bit":     func(path string, raw []byte) error { raw[len(raw)-2] ^= 1; return os.WriteFile(path, raw, 0o600) },
		"cut short": func(path string, raw []byte) error { return os.Truncate(path, int64(len(raw)-1)) },
		"empty":     func(path string, _ []byte) error { return os.Truncate(path, 0) },
		"gone":      func(path string, _ []byte) error { return os.Remove(path) },
		"another's": func(path string, _ []byte) error {
			_, _, err := writeFile(path, record{Bucket: "bucket", Name: "other", Block: entire, Body: true}, []byte("other"))
			return errors.Join(err, os.Rename(path+asideExt, path))
		},
	} {
		for _, restarted := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " restarted ", restarted), func(t *testing.T) {
				onDisk(t, func(t *testing.T, start func(...func(*Options)) *Cache) {
					c := start()
					add(c, key(1), 1000, always)
					synctest.Wait()
					path := c.disk.path(item{key(1), entire})
					raw, err := os.ReadFile(path)
					if err != nil {
						t.Fatal(err)
					}
					if !restarted {
						// What memory holds is not asked of the disk.
						c.shard(item{key(1), entire}).lru.Purge()
					}
					if err := spoil(path, raw); err != nil {
						t.Fatal(err)
					}
					if restarted {
						c = start()
					}
					if has(c, key(1)) {
						t.Error("it is served")
					}
					if left := files(t, c.o.Load().Dir); len(left) != 0 {
						t.Errorf("left: %v", left)
					}
				})
			})
		}
	}
}

// TestDoubtfulAfterAPowerFailure: a removal may have been lost with the machine. Seen to
// fail without Boot.
func TestDoubtfulAfterAPowerFailure(t *testing.T) {
	onDisk(t, func(t *testing.T, start func(...func(*Options)) *Cache) {
		c := start()
		c.disk.boot = "before"
		add(c, key(1), 5, always)
		c = start()
		e, body := c.Get(key(1), always)
		if e == nil || c.State(e) != Doubtful {
			t.Fatalf("%+v", e)
		}
		c.Confirm(key(1), e, body, always)
		synctest.Wait()
		if c.State(e) != Fresh {
			t.Error("a store's word is not enough")
		}
		c = start()
		if e, _ := c.Get(key(1), always); e == nil || c.State(e) != Fresh {
			t.Error("it is forgotten that a store answered for it")
		}
	})
}

// TestDiskIsBounded, by what it is told and by what earlier runs left.
func TestDiskIsBounded(t *testing.T) {
	onDisk(t, func(t *testing.T, start func(...func(*Options)) *Cache) {
		c := start()
		for i := range 100 {
			add(c, key(i), 500<<10, always)
			synctest.Wait()
		}
		less := func(o *Options) { o.MaxDisk = 10 << 20 }
		c = start(less)
		use := func() (n int64) {
			for _, path := range files(t, c.o.Load().Dir) {
				info, err := os.Stat(path)
				if err != nil {
					t.Fatal(err)
				}
				n += info.Size()
			}
			return n
		}
		if n := use(); n > 10<<20 || n < 9<<20 || c.Stats().Disk.Bytes != n {
			t.Errorf("%d bytes on disk, counted %+v", n, c.Stats().Disk)
		}
		if !has(c, key(99)) || has(c, key(1)) {
			t.Error("the wrong ones are left")
		}
		for i := range 50 {
			add(c, key(1000+i), 500<<10, always)
			synctest.Wait()
		}
		if n := use(); n > 10<<20 || n < 9<<20 {
			t.Errorf("%d bytes on disk", n)
		}
	})
}

// TestRemovedWhileTheDiskIsSearched: what earlier runs left is not known yet when a key is
// removed. Seen to fail without the look at ready.
func TestRemovedWhileTheDiskIsSearched(t *testing.T) {
	onDisk(t, func(t *testing.T, start func(...func(*Options)) *Cache) {
		c := start()
		add(c, key(1), 5, always)
		synctest.Wait()
		early := New(*c.o.Load()) // does not run yet
		early.Remove(key(1))
		if left := files(t, c.o.Load().Dir); len(left) != 0 {
			t.Errorf("left: %v", left)
		}
	})
}

// TestOvertakenOnDisk: the key is written to while its former state is on its way to the
// disk. Seen to fail without the second look at still in write.
func TestOvertakenOnDisk(t *testing.T) {
	onDisk(t, func(t *testing.T, start func(...func(*Options)) *Cache) {
		c := start()
		looks := 0
		e, body := object(5)
		c.disk.add(item{key(1), entire}, held{entry: e, data: body}, func() bool { looks++; return looks == 1 })
		synctest.Wait()
		if left := files(t, c.o.Load().Dir); len(left) != 0 || looks != 2 {
			t.Errorf("%d looks, left: %v", looks, left)
		}
	})
}

// TestPurgeOnDisk: by prefix, also what is not in memory.
func TestPurgeOnDisk(t *testing.T) {
	onDisk(t, func(t *testing.T, start func(...func(*Options)) *Cache) {
		c := start()
		for _, k := range []Key{{"a", "x/1"}, {"a", "y"}} {
			add(c, k, 1, always)
		}
		synctest.Wait()
		c = start()
		if n := c.PurgePrefix("a", "x/"); n != 1 || has(c, Key{"a", "x/1"}) || !has(c, Key{"a", "y"}) {
			t.Errorf("%d purged", n)
		}
	})
}
