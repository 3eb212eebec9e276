// Command journalbench compares engines for the journal: what a write waits for
// its intent to be durable, with 64 writers at once.
//
//	cd test/journalbench && go run . -dir DIRECTORY-ON-THE-DISK-TO-MEASURE
package main

import (
	"context"
	"database/sql"
	"encoding/binary"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"go.etcd.io/bbolt"
	_ "modernc.org/sqlite"

	"sluice/gateway/journal"
)

const writers = 64

// engine is a way to keep records: add returns when the record is durable,
// forget may be lazy.
type engine interface {
	add(r journal.Record) error
	forget(id uint64) error
	close() error
}

var engines = []struct {
	name string
	open func(dir string) (engine, error)
}{
	{"file log", openFileLog},
	{"bbolt", openBolt},
	{"pebble", openPebble},
	{"sqlite", openSQLite},
}

func main() {
	seconds := flag.Int("seconds", 5, "for each engine")
	parent := flag.String("dir", "", "where the engines keep their files; a temporary directory by default")
	flag.Parse()
	log.SetFlags(0)
	fmt.Printf("%-10s %10s %10s %10s %12s %10s\n", "engine", "p50", "p95", "p99", "records/s", "on disk")
	for _, e := range engines {
		dir, err := os.MkdirTemp(*parent, "journalbench-")
		if err != nil {
			log.Fatal(err)
		}
		if err := measure(e.name, dir, e.open, time.Duration(*seconds)*time.Second); err != nil {
			log.Fatalf("%s: %v", e.name, err)
		}
		if err := os.RemoveAll(dir); err != nil {
			log.Fatal(err)
		}
	}
}

func measure(name, dir string, open func(string) (engine, error), length time.Duration) error {
	e, err := open(dir)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), length)
	defer cancel()
	var mu sync.Mutex
	var waits []time.Duration
	var group sync.WaitGroup
	for w := range uint64(writers) {
		group.Go(func() {
			var mine []time.Duration
			for n := uint64(1); ctx.Err() == nil; n++ {
				id := n*writers + w
				began := time.Now()
				r := journal.Record{ID: id, Epoch: 1, Kind: journal.Write, Bucket: "media", Key: fmt.Sprintf("media_attachments/files/%d/original.jpg", id)}
				if err := e.add(r); err != nil {
					log.Fatalf("%s: %v", name, err)
				}
				mine = append(mine, time.Since(began))
				if err := e.forget(id); err != nil {
					log.Fatalf("%s: %v", name, err)
				}
			}
			mu.Lock()
			waits = append(waits, mine...)
			mu.Unlock()
		})
	}
	group.Wait()
	if err := e.close(); err != nil {
		return err
	}
	slices.Sort(waits)
	at := func(p float64) time.Duration { return waits[int(p*float64(len(waits)-1))].Round(10 * time.Microsecond) }
	fmt.Printf("%-10s %10v %10v %10v %12.0f %7d KiB\n", name, at(0.5), at(0.95), at(0.99),
		float64(len(waits))/length.Seconds(), onDisk(dir)>>10)
	return nil
}

func onDisk(dir string) (bytes int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil {
			if info, err := d.Info(); err == nil && !d.IsDir() {
				bytes += info.Size()
			}
		}
		return nil
	})
	return bytes
}

type fileLog struct{ *journal.FileLog }

func openFileLog(dir string) (engine, error) {
	l, err := journal.OpenLog(dir)
	return fileLog{l}, err
}

func (l fileLog) add(r journal.Record) error {
	return l.Append([]journal.Record{r}).Wait(context.Background())
}

func (l fileLog) forget(id uint64) error {
	l.Forget([]uint64{id})
	return nil
}

func (l fileLog) close() error { return l.Close() }

func key(id uint64) []byte { return binary.BigEndian.AppendUint64(nil, id) }

// lazy collects settled ids, which the next write takes along.
type lazy struct {
	mu  sync.Mutex
	ids []uint64
}

func (l *lazy) push(id uint64) {
	l.mu.Lock()
	l.ids = append(l.ids, id)
	l.mu.Unlock()
}

func (l *lazy) take() []uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	ids := l.ids
	l.ids = nil
	return ids
}

type bolt struct {
	db *bbolt.DB
	lazy
}

var bucket = []byte("intents")

func openBolt(dir string) (engine, error) {
	db, err := bbolt.Open(filepath.Join(dir, "db"), 0o600, &bbolt.Options{NoFreelistSync: true, FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return nil, err
	}
	db.MaxBatchDelay = time.Millisecond
	db.MaxBatchSize = writers
	return &bolt{db: db}, db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(bucket)
		return err
	})
}

func (b *bolt) add(r journal.Record) error {
	return b.db.Batch(func(tx *bbolt.Tx) error {
		t := tx.Bucket(bucket)
		for _, id := range b.take() {
			if err := t.Delete(key(id)); err != nil {
				return err
			}
		}
		return t.Put(key(r.ID), []byte(r.Key))
	})
}

func (b *bolt) forget(id uint64) error {
	b.push(id)
	return nil
}

func (b *bolt) close() error { return b.db.Close() }

type pebbleDB struct{ db *pebble.DB }

type silent struct{}

func (silent) Infof(string, ...any)         {}
func (silent) Errorf(f string, args ...any) { log.Printf(f, args...) }
func (silent) Fatalf(f string, args ...any) { log.Fatalf(f, args...) }

func openPebble(dir string) (engine, error) {
	db, err := pebble.Open(dir, &pebble.Options{Logger: silent{}})
	return pebbleDB{db}, err
}

func (p pebbleDB) add(r journal.Record) error { return p.db.Set(key(r.ID), []byte(r.Key), pebble.Sync) }
func (p pebbleDB) forget(id uint64) error     { return p.db.Delete(key(id), pebble.NoSync) }
func (p pebbleDB) close() error               { return p.db.Close() }

// sqlite has one writer; a goroutine commits what the others hand it.
type sqlite struct {
	db    *sql.DB
	queue chan request
	ended chan error
	lazy
}

type request struct {
	r    journal.Record
	done chan error
}

func openSQLite(dir string) (engine, error) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("CREATE TABLE intents (id INTEGER PRIMARY KEY, key TEXT)"); err != nil {
		return nil, err
	}
	s := &sqlite{db: db, queue: make(chan request, writers), ended: make(chan error, 1)}
	go s.write()
	return s, nil
}

func (s *sqlite) write() {
	for first := range s.queue {
		batch := []request{first}
		for len(s.queue) > 0 {
			batch = append(batch, <-s.queue)
		}
		err := s.commit(batch)
		for _, b := range batch {
			b.done <- err
		}
	}
	s.ended <- nil
}

func (s *sqlite) commit(batch []request) error {
	tx, err := s.db.Begin()
	if err != nil {
		return err
	}
	for _, id := range s.take() {
		if _, err := tx.Exec("DELETE FROM intents WHERE id = ?", id); err != nil {
			return err
		}
	}
	for _, b := range batch {
		if _, err := tx.Exec("INSERT INTO intents VALUES (?, ?)", b.r.ID, b.r.Key); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func (s *sqlite) add(r journal.Record) error {
	done := make(chan error)
	s.queue <- request{r, done}
	return <-done
}

func (s *sqlite) forget(id uint64) error {
	s.push(id)
	return nil
}

func (s *sqlite) close() error {
	close(s.queue)
	<-s.ended
	return s.db.Close()
}
