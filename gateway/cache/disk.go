package cache

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// disk is the tier on disk: a file for each item, named by its hash, whole or not there
// (see file.go). It survives restarts. What was removed is gone after a crash of the
// process; after one of the machine a file may be back, and so an entry from before it is
// doubtful until a store has answered for it.
type disk struct {
	dir  string
	max  int64
	boot string // the running of the machine

	queue chan write
	ready atomic.Bool // the files of earlier runs are known

	mu    sync.Mutex // also around a file's coming and going
	lru   *simplelru.LRU[item, *kept]
	bytes int64

	hits, dropped, broken, evicted atomic.Int64
}

// kept is a file that is there.
type kept struct {
	size int64
	id   uint64 // of the entry
}

// write is an item on its way to the disk.
type write struct {
	item
	held
	still func() bool
}

// queued bounds the items that wait for the disk; more are left out.
const queued = 16

func newDisk(dir string, most int64) *disk {
	d := &disk{dir: dir, max: most, boot: bootID(), queue: make(chan write, queued)}
	d.lru, _ = simplelru.NewLRU(math.MaxInt, func(_ item, k *kept) { d.bytes -= k.size }) // bounded by bytes
	return d
}

// bootID names the running of the machine, so that a power failure shows. Where the system
// does not tell, every start counts as one.
func bootID() string {
	raw, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil || len(raw) == 0 {
		return rand.Text()
	}
	return string(raw)
}

// path is where an item's file is.
func (d *disk) path(i item) string {
	sum := sha256.Sum256([]byte(strconv.Itoa(len(i.Bucket)) + " " + i.Bucket + i.Name + " " + strconv.FormatInt(i.block, 10)))
	name := hex.EncodeToString(sum[:20])
	return filepath.Join(d.dir, name[:2], name[2:])
}

// run finds what earlier runs left, and writes what is to be kept until ctx is done.
func (d *disk) run(ctx context.Context) {
	d.scan(ctx)
	for {
		select {
		case w := <-d.queue:
			d.write(w)
		case <-ctx.Done():
			return
		}
	}
}

// add has an item written, if there is time.
func (d *disk) add(i item, h held, still func() bool) {
	select {
	case d.queue <- write{i, h, still}:
	default:
		d.dropped.Add(1)
	}
}

// addEntry has an entry without its body written, unless it is there.
func (d *disk) addEntry(k Key, e *Entry, still func() bool) {
	if i := (item{k, entire}); !d.has(i, e.id) {
		d.add(i, held{entry: e}, still)
	}
}

// has tells whether an item of an entry is there.
func (d *disk) has(i item, id uint64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	k, ok := d.lru.Peek(i)
	return ok && k.id == id
}

// write writes an item's file aside and puts it in its place if nothing has happened to
// the key since its content was read. A file that can not be written is left out: a full
// disk costs the cache and nothing else.
func (d *disk) write(w write) {
	if !w.still() {
		return
	}
	path := d.path(w.item)
	aside, size, err := writeFile(path, record{
		Bucket: w.Bucket, Name: w.Name, Block: w.block, ID: w.entry.id, Boot: d.boot,
		Info: w.entry.Info, Sums: w.entry.Sums, SumsKnown: w.entry.Sums != nil, Checked: w.entry.checked.Load(), Body: w.data != nil,
	}, w.data)
	if err != nil {
		d.dropped.Add(1)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !w.still() || size > d.max/4 || os.Rename(aside, path) != nil {
		_ = os.Remove(aside)
		return
	}
	d.keep(w.item, &kept{size, w.entry.id})
}

// keep notes a file, and makes room for it. The caller holds mu.
func (d *disk) keep(i item, k *kept) {
	d.lru.Remove(i)
	d.bytes += k.size
	d.lru.Add(i, k)
	for d.bytes > d.max {
		oldest, _, _ := d.lru.RemoveOldest()
		_ = os.Remove(d.path(oldest))
		d.evicted.Add(1)
	}
}

// get reads an item. A file that is not what was written is removed.
func (d *disk) get(i item) (held, bool) {
	d.mu.Lock()
	_, ok := d.lru.Get(i)
	d.mu.Unlock()
	if !ok {
		return held{}, false
	}
	path := d.path(i)
	r, data, err := readFile(path)
	if err != nil || r.Bucket != i.Bucket || r.Name != i.Name || r.Block != i.block {
		d.broken.Add(1)
		d.remove(i)
		return held{}, false
	}
	d.hits.Add(1)
	if !r.Body {
		data = nil
	}
	e := &Entry{Info: r.Info, Sums: r.Sums, id: r.ID}
	if r.SumsKnown && e.Sums == nil {
		e.Sums = make(http.Header) // gob leaves out what is empty
	}
	e.checked.Store(r.Checked)
	e.doubtful.Store(r.Boot != d.boot)
	return held{e, data, weight(i.Key, e, data)}, true
}

// remove removes an item's file before it returns, and tells whether it was known.
func (d *disk) remove(i item) (was bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if was = d.lru.Remove(i); was || !d.ready.Load() {
		_ = os.Remove(d.path(i))
	}
	return was
}

// purge removes the files of the keys that match, and adds those keys to gone.
func (d *disk) purge(match func(item) bool, gone map[Key]bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, i := range d.lru.Keys() {
		if match(i) {
			d.lru.Remove(i)
			_ = os.Remove(d.path(i))
			gone[i.Key] = true
		}
	}
}

// scan notes the files of earlier runs, those used least recently first as far as their
// times tell. Until it has ended they are not looked for.
func (d *disk) scan(ctx context.Context) {
	type found struct {
		item
		kept
		written time.Time
	}
	var all []found
	_ = filepath.WalkDir(d.dir, func(path string, f fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return fs.SkipAll
		}
		if err != nil || f.IsDir() {
			return nil
		}
		info, err := f.Info()
		if err != nil {
			return nil
		}
		r, err := readHead(path)
		i := item{Key{r.Bucket, r.Name}, r.Block}
		if err != nil || d.path(i) != path {
			_ = os.Remove(path) // half written, or of another version
			return nil
		}
		all = append(all, found{i, kept{info.Size(), r.ID}, info.ModTime()})
		return nil
	})
	slices.SortFunc(all, func(a, b found) int { return a.written.Compare(b.written) })
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, f := range all {
		if _, err := os.Stat(d.path(f.item)); err == nil && !d.lru.Contains(f.item) {
			d.keep(f.item, &f.kept)
		}
	}
	d.ready.Store(true)
}

func (d *disk) stats() DiskStats {
	d.mu.Lock()
	defer d.mu.Unlock()
	return DiskStats{
		Hits: d.hits.Load(), Dropped: d.dropped.Load(), Broken: d.broken.Load(), Evicted: d.evicted.Load(),
		Items: int64(d.lru.Len()), Bytes: d.bytes,
	}
}
