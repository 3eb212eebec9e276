package cache

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func always() bool { return true }

func key(i int) Key { return Key{"bucket", fmt.Sprint(i)} }

func TestCacheIsBoundedByBytes(t *testing.T) {
	const most = 8 << 20
	c := New(Options{MaxBytes: most, MaxObject: 1 << 20})
	for i := range 1000 {
		c.Add(key(i), &Entry{Body: make([]byte, 100<<10)}, always)
		if s := c.Stats(); s.Bytes > most {
			t.Fatalf("%d bytes after %d objects", s.Bytes, i)
		}
	}
	if s := c.Stats(); s.Objects < 40 || s.Evicted < 900 {
		t.Errorf("%+v", s)
	}
	for i := range 1000 {
		c.Remove(key(i))
	}
	if s := c.Stats(); s.Bytes != 0 || s.Objects != 0 {
		t.Errorf("emptied, it holds %+v", s)
	}
}

func TestCacheDropsTheLeastRecentlyUsed(t *testing.T) {
	c := New(Options{MaxBytes: 8 << 20, MaxObject: 1 << 20})
	c.Add(key(0), &Entry{Body: make([]byte, 10<<10)}, always)
	for i := 1; i < 5000; i++ {
		c.Add(key(i), &Entry{Body: make([]byte, 10<<10)}, always)
		if _, ok := c.Get(key(0)); !ok {
			t.Fatalf("an object in use was dropped after %d others", i)
		}
	}
}

func TestCacheRefuses(t *testing.T) {
	c := New(Options{MaxBytes: 8 << 20, MaxObject: 1000})
	if c.Add(key(1), &Entry{Body: make([]byte, 1001)}, always) || c.Fits(1001) {
		t.Error("an object above the limit was taken")
	}
	if c.Add(key(2), &Entry{Body: []byte("x")}, func() bool { return false }) {
		t.Error("a fill that was overtaken was taken")
	}
	if _, ok := c.Get(key(2)); ok {
		t.Error("a fill that was overtaken is served")
	}
	var off *Cache
	if _, ok := off.Get(key(1)); ok || off.Fits(1) {
		t.Error("a cache that is off holds something")
	}
	off.Remove(key(1))
}

func TestCacheTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Options{MaxBytes: 8 << 20, MaxObject: 1000, TTL: time.Minute})
		c.Add(key(1), &Entry{Body: []byte("x")}, always)
		time.Sleep(time.Minute)
		if _, ok := c.Get(key(1)); !ok {
			t.Error("dropped before its time")
		}
		time.Sleep(time.Second)
		if _, ok := c.Get(key(1)); ok {
			t.Error("served after its time")
		}
	})
}
