package migrate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"sluice/gateway/config"
)

// record is what survives of a sweep: where it is, what it found, and what it still
// owes. What it says of a key is true of every key up to its span's After; what was
// done behind that is done again after a crash, and counted once.
type record struct {
	Version  int              `json:"version"`
	State    RunState         `json:"state"`
	Started  time.Time        `json:"started"`
	Finished time.Time        `json:"finished,omitzero"`
	Spans    []*spanRecord    `json:"spans"` // not done yet
	Later    map[string]later `json:"later,omitempty"`
	Counts   counts           `json:"counts"`
	Total    Amount           `json:"total"`
	Counted  bool             `json:"counted"` // Total is all of old
	Rules    []config.Rule    `json:"rules,omitempty"`
	All      bool             `json:"all,omitempty"`  // what the rules leave to reads is swept too
	Order    VerifyOrder      `json:"order,omitzero"` // of a verification
	Deleted  int64            `json:"deleted,omitempty"`
}

// spanRecord is a span with the rule it belongs to; that of the last is len(Rules).
type spanRecord struct {
	span
	Rule int `json:"rule,omitempty"`
}

// later is a key that could not be worked on, and will be tried again.
type later struct {
	Error    string `json:"error"`
	Attempts int    `json:"attempts"`
	Size     int64  `json:"size,omitempty"`
	Busy     bool   `json:"busy,omitempty"` // something else ran on it: that is no failure

	due time.Time
	// item is the key's place in its span, while there is one: what becomes of the key
	// is counted when the record moves over it, or it would be counted again after a
	// crash.
	item *item
	// ahead: it was put off before a restart, and will be listed again. Until then it
	// is left alone.
	ahead bool
}

// counts are what a sweep found.
type counts struct {
	Done   Amount `json:"done"`
	Copied Amount `json:"copied"`
	Read   Amount `json:"read"`

	Found [findings]int64 `json:"found"` // by finding
}

func (c *counts) add(r result) {
	c.Done.add(1, r.size)
	c.Found[r.found]++
	if r.copied {
		c.Copied.add(1, r.size)
	}
	if r.read > 0 {
		c.Read.add(1, r.read)
	}
}

func (a *Amount) add(objects, bytes int64) {
	a.Objects += objects
	a.Bytes += bytes
}

// ForgetRecords removes what is known of a bucket's sweeps: one of this name comes into
// being.
func ForgetRecords(dir, bucket string) error {
	for _, path := range []string{recordPath(dir, "crawl", bucket), recordPath(dir, "verify", bucket), findingsPath(dir, bucket)} {
		if err := removeFile(path); err != nil {
			return err
		}
	}
	return nil
}

// removeFile removes a file, if it is there.
func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// newRecord begins a sweep of the keys with a prefix: those of the rules in their
// order, then the rest. With all, the keys that the rules leave to reads are swept too.
func newRecord(prefix string, rules []config.Rule, all bool) record {
	r := record{Version: recordVersion, State: Running, Started: time.Now().UTC(), Rules: rules, All: all, Later: make(map[string]later)}
	for i, rule := range rules {
		if all || rule.Mode == config.Copy {
			r.Spans = append(r.Spans, &spanRecord{span{Prefix: rule.Prefix}, i})
		}
	}
	r.Spans = append(r.Spans, &spanRecord{span{Prefix: prefix}, len(rules)})
	return r
}

const recordVersion = 1

// recordPath is where a bucket's record of a kind of sweep is kept.
func recordPath(dir, kind, bucket string) string {
	return filepath.Join(dir, kind+"-"+url.PathEscape(bucket)+".json")
}

// findingsPath is where a bucket's verification writes what it finds.
func findingsPath(dir, bucket string) string {
	return filepath.Join(dir, "verify-"+url.PathEscape(bucket)+".txt")
}

// readRecord reads what survived of a sweep; ok is false if there is nothing.
func readRecord(path string) (r record, ok bool, err error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, false, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &r)
	}
	if err == nil && r.Version != recordVersion {
		err = fmt.Errorf("it has version %d, this program knows %d", r.Version, recordVersion)
	}
	if err != nil {
		return r, false, fmt.Errorf("%s: %w: remove the file to begin anew", path, err)
	}
	if err := r.recode(fromText); err != nil {
		return r, false, fmt.Errorf("%s: %w: remove the file to begin anew", path, err)
	}
	return r, true, nil
}

// recode changes every key. JSON knows only valid UTF-8, and would replace the rest:
// with other keys the sweep would go on elsewhere.
func (r *record) recode(code func(string) (string, error)) (err error) {
	change := func(key string) string {
		key, failed := code(key)
		err = errors.Join(err, failed)
		return key
	}
	for _, s := range r.Spans {
		s.Prefix, s.After, s.To = change(s.Prefix), change(s.After), change(s.To)
	}
	keys := make(map[string]later, len(r.Later))
	for key, l := range r.Later {
		keys[change(key)] = l
	}
	r.Later = keys
	return err
}

// text is a key as the record has it: quoted, with escapes, where it has to be.
func text(key string) (string, error) {
	if utf8.ValidString(key) && !strings.HasPrefix(key, `"`) {
		return key, nil
	}
	return strconv.Quote(key), nil
}

func fromText(s string) (string, error) {
	if !strings.HasPrefix(s, `"`) {
		return s, nil
	}
	return strconv.Unquote(s)
}

// write writes the record, which is of no use after that.
func (r *record) write(path string) error {
	if err := r.recode(text); err != nil {
		return err
	}
	raw, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := replaceFile(path, raw); err != nil {
		return fmt.Errorf("progress not written: %w", err)
	}
	return nil
}
