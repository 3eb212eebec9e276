package migrate

import (
	"time"

	"sluice/gateway/config"
	"sluice/gateway/mirror"
)

// Status is all that an operator is told of a bucket.
type Status struct {
	Bucket string `json:"bucket"`
	Old    string `json:"old"` // the stores' names
	New    string `json:"new,omitempty"`
	mirror.Phase
	Since      time.Time   `json:"since"`   // of the phase
	Pending    int         `json:"pending"` // writes that are open or wait for the repairer
	Conditions []Condition `json:"conditions"`
	Backfill   *Progress   `json:"backfill,omitempty"` // of the crawl; nil before the first
	Verify     *Progress   `json:"verify,omitempty"`   // of the last run; nil before the first
}

// Condition is something that holds of a bucket, or not, beside its phase.
type Condition struct {
	Type    string    `json:"type"` // backfilled, caught-up, verified, paused, throttled, reversible, baseline
	Status  bool      `json:"status"`
	Message string    `json:"message,omitempty"`
	Since   time.Time `json:"since"` // when the status was first seen as it is, by this process
}

// RunState says what became of a crawl or a verification.
type RunState string

// The states.
const (
	Running  RunState = "running"
	Paused   RunState = "paused"   // goes on by resume, or at the next start
	Waiting  RunState = "waiting"  // for what failed to be tried again
	Finished RunState = "finished" // went through everything, nothing failed
	Stopped  RunState = "stopped"  // given up by command or phase change
)

// Progress is how far a crawl or a verification is.
type Progress struct {
	State    RunState  `json:"state"`
	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished,omitzero"`
	// Total is what the old store holds, as far as it was counted; Counted tells
	// whether that is all.
	Total   Amount `json:"total"`
	Counted bool   `json:"counted"`
	Done    Amount `json:"done"`
	// Rate is of the last seconds, Remaining the time left at that rate; 0: not known.
	Rate      Rate          `json:"rate"`
	Remaining time.Duration `json:"remaining_ns,omitempty"`

	// Of a crawl.
	Copied Amount        `json:"copied"`
	Passed []config.Rule `json:"passed,omitempty"` // whose keys are left to reads
	// Of a verification.
	Level  Level   `json:"level,omitempty"`
	Prefix string  `json:"prefix,omitempty"` // of the keys that are looked at
	Sample float64 `json:"sample,omitempty"` // percent of the objects whose content is read
	Read   Amount  `json:"read"`             // content really compared

	// What was found.
	Same      int64 `json:"same"`
	Missing   int64 `json:"missing"`   // on new
	Extra     int64 `json:"extra"`     // on new alone
	Different int64 `json:"different"` // on both
	Failed    int64 `json:"failed"`    // could not be read or copied
	Left      int64 `json:"left"`      // on old alone, where a rule leaves them to reads
	Fixed     int64 `json:"fixed"`     // of missing, extra and different: made equal by VerifyOrder.Fix
	// Failures are the first of those that failed; Failed counts all.
	Failures []Failure `json:"failures,omitempty"`
}

// Amount is a number of objects and their bytes.
type Amount struct {
	Objects int64 `json:"objects"`
	Bytes   int64 `json:"bytes"`
}

// Rate is an Amount a second.
type Rate struct {
	Objects float64 `json:"objects"`
	Bytes   float64 `json:"bytes"`
}

// Failure is a key that could not be worked on.
type Failure struct {
	Key      string `json:"key"`
	Error    string `json:"error"`
	Attempts int    `json:"attempts"`
}

// Level says how closely a verification looks.
type Level string

// The levels.
const (
	List    Level = "list"    // keys and sizes, and ETags where they are hashes
	Meta    Level = "meta"    // headers, tags and ACLs too
	Content Level = "content" // the bytes too
)

// VerifyOrder asks for a verification.
type VerifyOrder struct {
	Level  Level   `json:"level"`
	Sample float64 `json:"sample"` // percent of the objects whose content is read; 0 means all
	Prefix string  `json:"prefix,omitempty"`
	// Fix makes new hold what old holds, or, after the switch, old what new holds.
	Fix bool `json:"fix,omitempty"`
	// DeleteExtra lets Fix delete what the primary lacks, at most MaxDelete objects.
	DeleteExtra bool  `json:"delete_extra,omitempty"`
	MaxDelete   int64 `json:"max_delete,omitempty"`
	// Restart begins anew instead of going on with a run that was interrupted.
	Restart bool `json:"restart,omitempty"`
}

// Order is an operator's command with its options.
type Order struct {
	DryRun   bool     `json:"dry_run,omitempty"`
	Override []string `json:"override,omitempty"` // guards to pass over, by name
	By       string   `json:"-"`                  // who; the audit log's
}

// Guard is one condition of a command.
type Guard struct {
	Name        string `json:"name"`
	OK          bool   `json:"ok"`
	Overridable bool   `json:"overridable"`
	Overridden  bool   `json:"overridden,omitempty"`
	Message     string `json:"message,omitempty"` // what is wrong and what to do; or what was seen
}

// Report is what a command did, or would do.
type Report struct {
	Bucket  string           `json:"bucket"`
	Command Command          `json:"command"`
	From    mirror.PhaseName `json:"from"`
	To      mirror.PhaseName `json:"to"`
	DryRun  bool             `json:"dry_run,omitempty"`
	Done    bool             `json:"done"`
	Guards  []Guard          `json:"guards"`
	Steps   []string         `json:"steps"`
	Held    time.Duration    `json:"held_ns,omitempty"` // how long writes were held
	Notes   []string         `json:"notes,omitempty"`   // what the operator should know
}
