package migrate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"sluice/gateway/mirror"
)

// Audit writes down what operators did, a line of JSON for each command.
type Audit struct {
	// Told is called with every line; nil: nobody wants to know.
	Told func(Audited)

	path string
	mu   sync.Mutex
}

// Audited is a line of the audit log.
type Audited struct {
	Time     time.Time        `json:"time"`
	By       string           `json:"by"`
	Bucket   string           `json:"bucket"`
	Command  Command          `json:"command"`
	Override []string         `json:"override,omitempty"`
	From     mirror.PhaseName `json:"from"`
	To       mirror.PhaseName `json:"to"`
	Done     bool             `json:"done"`
	Error    string           `json:"error,omitempty"`
}

const auditName = "audit.log"

// NewAudit writes to audit.log in the state directory.
func NewAudit(dir string) *Audit { return &Audit{path: filepath.Join(dir, auditName)} }

// Write adds a line, durably.
func (a *Audit) Write(order Order, r Report, failed error) error {
	line := Audited{time.Now().UTC(), order.By, r.Bucket, r.Command, order.Override, r.From, r.To, r.Done, ""}
	if failed != nil {
		line.Error, line.To = failed.Error(), r.From
	}
	if a.Told != nil {
		a.Told(line)
	}
	raw, err := json.Marshal(line)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	f, err := os.OpenFile(a.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.Write(append(raw, '\n'))
		err = errors.Join(err, f.Sync(), f.Close())
	}
	if err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	return nil
}

// auditTail bounds what is read of the audit log, from its end.
const auditTail = 256 << 10

// ReadAudit answers the last lines of the audit log in a state directory, oldest first.
func ReadAudit(dir string) (list []Audited, err error) {
	f, err := os.Open(filepath.Join(dir, auditName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	raw := make([]byte, min(size, auditTail))
	if _, err := f.ReadAt(raw, size-int64(len(raw))); err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	for line := range bytes.Lines(raw) {
		var a Audited
		if json.Unmarshal(line, &a) == nil { // the first may be cut, and the last, by a crash
			list = append(list, a)
		}
	}
	return list, nil
}
