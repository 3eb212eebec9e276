package cache

import (
	"bytes"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"sluice/backends"
)

func always() bool { return true }

func key(i int) Key { return Key{"bucket", fmt.Sprint(i)} }

// object is an entry of an object with this many bytes, and the bytes.
func object(size int) (*Entry, []byte) {
	return newEntry(backends.Info{Size: int64(size), ETag: fmt.Sprint(size)}, true), bytes.Repeat([]byte("x"), size)
}

func add(c *Cache, k Key, size int, still func() bool) bool {
	e, body := object(size)
	return c.Add(k, e, body, still)
}

func has(c *Cache, k Key) bool {
	e, _ := c.Get(k, always)
	return e != nil
}

func TestCacheIsBoundedByBytes(t *testing.T) {
	const most = 8 << 20
	c := New(Options{MaxBytes: most})
	for i := range 1000 {
		add(c, key(i), 100<<10, always)
		if s := c.Stats(); s.Bytes > most {
			t.Fatalf("%d bytes after %d objects", s.Bytes, i)
		}
	}
	if s := c.Stats(); s.Items < 40 || s.Evicted < 900 {
		t.Errorf("%+v", s)
	}
	for i := range 1000 {
		c.Remove(key(i))
	}
	if s := c.Stats(); s.Bytes != 0 || s.Items != 0 {
		t.Errorf("emptied, it holds %+v", s)
	}
}

func TestCacheDropsTheLeastRecentlyUsed(t *testing.T) {
	c := New(Options{MaxBytes: 8 << 20})
	add(c, key(0), 10<<10, always)
	for i := 1; i < 5000; i++ {
		add(c, key(i), 10<<10, always)
		if !has(c, key(0)) {
			t.Fatalf("an object in use was dropped after %d others", i)
		}
	}
}

func TestCacheRefuses(t *testing.T) {
	c := New(Options{MaxBytes: 8 << 20, MaxObject: 1000})
	if c.Whole(1001) || !c.Whole(1000) {
		t.Error("max_object_size does not hold")
	}
	if add(c, key(1), 2<<20, always) || has(c, key(1)) {
		t.Error("what a shard has no room for was taken")
	}
	if add(c, key(2), 1, func() bool { return false }) || has(c, key(2)) {
		t.Error("a fill that was overtaken was taken")
	}
	var off *Cache
	if has(off, key(1)) || off.Whole(1) || off.PurgePrefix("bucket", "") != 0 {
		t.Error("a cache that is off holds something")
	}
	off.Remove(key(1))
}

// TestAgeing: fresh, then stale, and at last not there; an absence is short.
func TestAgeing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Options{MaxBytes: 8 << 20, TTL: time.Minute, Stale: time.Hour, Absent: time.Second})
		add(c, key(1), 1, always)
		c.AddAbsent(key(2), always)
		e, body := c.Get(key(1), always)
		want := func(after time.Duration, state State, ages, there bool) {
			t.Helper()
			time.Sleep(after)
			if c.State(e) != state || c.Aging(e) != ages || has(c, key(1)) != there {
				t.Errorf("aged %v: state %v, ageing %v, there %v", e.Age(), c.State(e), c.Aging(e), has(c, key(1)))
			}
		}
		want(0, Fresh, false, true)
		if !has(c, key(2)) {
			t.Error("an absence is not remembered")
		}
		want(time.Minute, Fresh, false, true)
		if has(c, key(2)) {
			t.Error("an absence is remembered for too long")
		}
		want(1, Stale, true, true)
		want(time.Minute, Stale, false, true)
		c.Confirm(key(1), e, body, func() bool { return false })
		want(0, Stale, false, true)
		c.Confirm(key(1), e, body, always)
		want(0, Fresh, false, true)
		want(time.Minute+time.Hour+1, Stale, false, false)
	})
}

// TestBlocks are found with the entry they were read for alone, and one object does not get
// more than its share.
func TestBlocks(t *testing.T) {
	c := New(Options{MaxBytes: 64 << 20})
	e, _ := object(100 << 20)
	c.Add(key(1), e, nil, always)
	c.AddBlock(key(1), e, 2, make([]byte, BlockSize), always)
	c.AddBlock(key(1), e, 3, make([]byte, BlockSize), always)
	if _, ok := c.Block(key(1), e, 2, always); !ok {
		t.Error("a block is missing")
	}
	if at := c.Missing(key(1), e, 2*BlockSize+5, 10*BlockSize); at != 4*BlockSize {
		t.Errorf("missing from %d", at)
	}
	if at := c.Missing(key(1), e, 2*BlockSize+5, 4*BlockSize-7); at != 4*BlockSize-7 {
		t.Errorf("missing from %d, where nothing is", at)
	}
	if at := c.Missing(key(1), e, 5, 4*BlockSize); at != 5 {
		t.Errorf("missing from %d, where all is", at)
	}
	other, _ := object(100 << 20)
	if _, ok := c.Block(key(1), other, 2, always); ok {
		t.Error("a block is found for another state of the object")
	}
	for n := range int64(100) {
		c.AddBlock(key(1), e, n, make([]byte, BlockSize), always)
	}
	if s := c.Stats(); s.Bytes > 17<<20 || s.Bytes < 14<<20 {
		t.Errorf("one object holds %d of 64 MiB", s.Bytes>>20)
	}
}

func TestPurge(t *testing.T) {
	c := New(Options{MaxBytes: 8 << 20})
	for _, k := range []Key{{"a", "x/1"}, {"a", "x/2"}, {"a", "y"}, {"b", "x/1"}} {
		add(c, k, 1, always)
	}
	epoch := c.Epoch()
	if n := c.PurgePrefix("a", "x/"); n != 2 || has(c, Key{"a", "x/1"}) || !has(c, Key{"a", "y"}) || !has(c, Key{"b", "x/1"}) {
		t.Errorf("%d purged", n)
	}
	if c.Epoch() == epoch {
		t.Error("reads under way may put in again what was purged")
	}
	epoch = c.Epoch()
	if !c.Purge(Key{"a", "y"}) || c.Purge(Key{"a", "y"}) || has(c, Key{"a", "y"}) || c.Epoch() == epoch {
		t.Error("a key is not purged")
	}
}
