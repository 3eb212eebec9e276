package journal

import "context"

// Kind is what an intent's operation does to its key.
type Kind uint8

const (
	// Write creates or replaces an object (PUT, POST, copy,
	// complete-multipart).
	Write Kind = iota + 1
	// Delete removes it.
	Delete
	// Copy is a background copy from one store to the other.
	Copy
	// Change leaves the content as it is, or brings an older one back: ACL,
	// tags, locks, the removal of a version.
	Change
)

// Record is the durable part of an intent: "key K of this bucket may differ
// between the stores".
type Record struct {
	ID     uint64 // unique in the log, ascending, never used twice
	Epoch  uint64 // of the bucket's phase when the intent began
	Kind   Kind
	Bucket string
	Key    string
}

// Log keeps records on disk. It is the durable half of a Journal, which keeps
// everything else in memory.
//
//   - A record is durable when its Commit is done without an error: it then
//     survives kill -9 and power loss. Commits of concurrent callers share one
//     fsync.
//   - Forget may reach the disk late or, after a crash, never: a record comes
//     back too often rather than once too little. It names ids, never keys. But
//     when a record is durable, so is every Forget before its Append.
//   - After a failed write or fsync nothing is promised about what is on disk, so
//     the Log refuses every further Append with that error.
//   - Records names every record that was durable and not durably forgotten
//     when the Log was opened, ascending by id. A torn tail (a crash in the
//     middle of a write) is dropped: its Commit was never done. Damage anywhere
//     else is an error, not a shorter log.
//   - One process at a time: opening a Log that is open elsewhere fails.
type Log interface {
	// Append queues the records, all or none, and returns at once.
	Append(records []Record) *Commit
	// Forget notes that the intents with these ids are settled.
	Forget(ids []uint64)
	// Records is what the log held when it was opened.
	Records() []Record
	// LastID is the highest id the log has ever held, forgotten ones included:
	// new ids are chosen above it.
	LastID() uint64
	// Close makes everything durable that was appended or forgotten before.
	Close() error
}

// Commit is an Append on its way to the disk.
type Commit struct {
	done chan struct{}
	err  error // set before done is closed
}

// Wait returns when the records are durable (nil), will never be known to be
// (the error), or ctx is done (its error; the records may still become durable).
func (c *Commit) Wait(ctx context.Context) error {
	select {
	case <-c.done:
		return c.err
	case <-ctx.Done():
		return ctx.Err()
	}
}
