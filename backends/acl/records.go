package acl

import (
	"fmt"
	"path/filepath"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
)

// Records are the ACLs that were changed after their objects came into being, on disk. They
// are few, and a change is durable when the call has returned.
type Records struct {
	db  *bbolt.DB
	any atomic.Bool // there are or were some: most gateways have none, and reads need not look
}

// openTimeout is how long to wait for another process that has the file open.
const openTimeout = 5 * time.Second

// OpenRecords opens acl.db in the state directory.
func OpenRecords(dir string) (*Records, error) {
	db, err := bbolt.Open(filepath.Join(dir, "acl.db"), 0o600, &bbolt.Options{Timeout: openTimeout})
	if err != nil {
		return nil, fmt.Errorf("the records of ACLs: %w", err)
	}
	db.MaxBatchDelay = time.Millisecond // for others to share a commit; ten are felt
	r := &Records{db: db}
	err = db.View(func(tx *bbolt.Tx) error {
		first, _ := tx.Cursor().First()
		r.any.Store(first != nil)
		return nil
	})
	if err != nil {
		db.Close()
		return nil, fmt.Errorf("the records of ACLs: %w", err)
	}
	return r, nil
}

// Close closes the file.
func (r *Records) Close() error { return r.db.Close() }

// place is where an object's record is: an object of a bucket, as clients name it, on one of
// its stores.
type place struct{ bucket, store, key string }

func (p place) id() []byte { return []byte(p.store + "\x00" + p.key) }

// get answers an object's canned ACL, or notKnown.
func (r *Records) get(p place) (canned string, err error) {
	if !r.any.Load() {
		return notKnown, nil
	}
	err = r.db.View(func(tx *bbolt.Tx) error {
		if b := tx.Bucket([]byte(p.bucket)); b != nil {
			canned = string(b.Get(p.id()))
		}
		return nil
	})
	return canned, err
}

func (r *Records) set(p place, canned string) error {
	r.any.Store(true)
	return r.db.Batch(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists([]byte(p.bucket))
		if err != nil {
			return err
		}
		return b.Put(p.id(), []byte(canned))
	})
}

// forget drops an object's record, if it has one.
func (r *Records) forget(p place) error {
	if was, err := r.get(p); err != nil || was == notKnown {
		return err
	}
	return r.db.Batch(func(tx *bbolt.Tx) error {
		if b := tx.Bucket([]byte(p.bucket)); b != nil {
			return b.Delete(p.id())
		}
		return nil
	})
}

// Drop drops the records of a bucket that was deleted.
func (r *Records) Drop(bucket string) error {
	there := false
	err := r.db.View(func(tx *bbolt.Tx) error {
		there = tx.Bucket([]byte(bucket)) != nil
		return nil
	})
	if err != nil || !there {
		return err
	}
	return r.db.Update(func(tx *bbolt.Tx) error {
		if tx.Bucket([]byte(bucket)) == nil {
			return nil
		}
		return tx.DeleteBucket([]byte(bucket))
	})
}
