package migrate

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"

	"sluice/backends"
	"sluice/gateway/config"
	"sluice/gateway/migrate/throttle"
	"sluice/gateway/mirror"
)

// Verification compares the stores when an operator asks for it. What is in use while
// it is looked at is looked at again.
type Verification struct {
	runner
	report *report
}

// NewVerification is a bucket's verification, going on with the one in the directory if
// that was under way. Of what rules leave to reads nothing is expected of new, until it
// holds everything.
func NewVerification(m *Migration, t *throttle.Throttle, rules func() []config.Rule, dir string) (*Verification, error) {
	b := m.Bucket
	path := recordPath(dir, "verify", b.Name)
	v := &Verification{report: &report{path: findingsPath(dir, b.Name)}, runner: runner{
		bucket: b, throttle: t, path: path, log: m.Log, giveUp: 8,
	}}
	v.visitor = func(s *sweep) visitor {
		return &comparer{bucket: b, throttle: t, rules: rules, order: s.rec.Order, report: v.report, deletions: s}
	}
	v.due, v.runner.finish = b.Mirrored, v.finished
	return v, v.open()
}

func (v *Verification) finished(_ context.Context, s *sweep) {
	if err := s.finished(); err != nil {
		s.log.Error("that the verification is finished could not be recorded", "error", err)
	}
	p := s.progress()
	s.log.Info("verification finished", "level", p.Level, "same", p.Same, "missing", p.Missing, "extra", p.Extra,
		"different", p.Different, "failed", p.Failed, "fixed", p.Copied.Objects)
}

// Begin begins a verification. One with the same order that was interrupted is gone on
// with.
func (v *Verification) Begin(o VerifyOrder) error {
	if !v.bucket.Mirrored() {
		return fmt.Errorf("verify: %w: the bucket is %s, and writes go to one store alone: the other does not have them", ErrWrongPhase, v.bucket.Phase().Name)
	}
	if err := o.check(); err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	restart := o.Restart
	o.Restart = false
	switch s := v.sweep; {
	case v.underWay():
		return fmt.Errorf("%w: a verification is under way; stop it first", ErrInvalid)
	case s != nil && s.state() != Finished && s.rec.Order == o && !restart:
		s.setState(Running)
	default:
		if err := v.report.clear(); err != nil {
			return err
		}
		rec := newRecord(o.Prefix, nil, false)
		rec.Order = o
		v.begin(rec)
	}
	v.Wake()
	return nil
}

func (o VerifyOrder) check() error {
	switch {
	case o.Level != List && o.Level != Meta && o.Level != Content:
		return fmt.Errorf("%w: level %q is not one of list, meta, content", ErrInvalid, o.Level)
	case o.Sample < 0 || o.Sample > 100:
		return fmt.Errorf("%w: a sample of %v %% is not between 0 and 100", ErrInvalid, o.Sample)
	case o.DeleteExtra && (!o.Fix || o.MaxDelete <= 0):
		return fmt.Errorf("%w: deleting what is extra needs fix, and the most objects it may delete", ErrInvalid)
	}
	return nil
}

// Forget gives up what earlier verifications found.
func (v *Verification) Forget() error { return errors.Join(v.runner.Forget(), v.report.clear()) }

// Stop stops the verification where it is.
func (v *Verification) Stop() error {
	defer v.Wake() // another may have been ordered meanwhile
	return v.halt(Stopped)
}

// Findings writes what was found, in the order in which it was.
func (v *Verification) Findings(w io.Writer) error {
	f, err := os.Open(v.report.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	seen := make(map[string]bool) // after a crash some keys are looked at again
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 64<<10)
	for lines.Scan() {
		if line := lines.Text(); !seen[line] {
			seen[line] = true
			if _, err := fmt.Fprintln(w, line); err != nil {
				return err
			}
		}
	}
	return lines.Err()
}

// report is the file of findings.
type report struct {
	path string
	mu   sync.Mutex
	n    int
}

// maxFindings bounds the findings written down; the rest is counted.
const maxFindings = 100_000

func (r *report) add(line string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.n++; r.n > maxFindings {
		return nil
	}
	f, err := os.OpenFile(r.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, line)
	return errors.Join(err, f.Close())
}

// clear makes room for another verification's findings.
func (r *report) clear() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n = 0
	return removeFile(r.path)
}

// comparer is the verification's visitor.
type comparer struct {
	bucket   *mirror.Bucket
	throttle *throttle.Throttle
	rules    func() []config.Rule
	order    VerifyOrder
	report   *report

	deletions interface { // what may still be deleted; durable
		reserve(most int64) (bool, error)
		giveBack()
	}
}

func (v *comparer) look(p pair) (result, bool) {
	if p.new == nil && v.left(p.key) {
		return result{found: left, size: p.old.Size}, false
	}
	if v.order.Level == List && p.old != nil && p.new != nil && alike(v.bucket, p.old, p.new) {
		return result{found: equal, size: p.old.Size}, false
	}
	return result{}, true
}

func (v *comparer) visit(ctx context.Context, p pair) (result, error) {
	if !v.bucket.Mirrored() {
		return result{}, errLeft
	}
	if err := v.throttle.Request(ctx, 2); err != nil {
		return result{}, err
	}
	c, err := v.bucket.Compare(ctx, p.key, v.reads(p.key), v.throttle.Bytes)
	if err != nil {
		return result{}, err
	}
	r := result{size: c.Size, read: c.Read}
	switch c.Difference {
	case mirror.MissingOnNew:
		r.found = missing
	case mirror.OnNewAlone:
		r.found = extra
	case mirror.Differs:
		r.found = different
	}
	if r.found == missing && v.left(p.key) {
		r.found = left
	}
	if r.found != equal && r.found != left && v.order.Fix {
		r.copied, err = v.fix(ctx, p.key, r.found)
	}
	return r, err
}

// left tells whether a rule lets old alone hold the key.
func (v *comparer) left(key string) bool {
	return !v.bucket.Phase().Backfilled && leftOut(v.rules(), key)
}

// reads tells whether a key's content is compared: always the same ones.
func (v *comparer) reads(key string) bool {
	if v.order.Level != Content {
		return false
	}
	h := fnv.New64a()
	_, _ = io.WriteString(h, key)
	return v.order.Sample == 0 || float64(h.Sum64()%1e6) < v.order.Sample*1e4
}

// fix makes the stores agree on a key: by the primary, or, while that is incomplete, by
// copying what it lacks.
func (v *comparer) fix(ctx context.Context, key string, found finding) (done bool, err error) {
	phase := v.bucket.Phase()
	unfilled := phase.Name == mirror.Switched && !phase.Backfilled
	if found == missing && (unfilled || phase.Name == mirror.Mirroring) {
		copied, err := v.bucket.Backfill(ctx, mirror.Copy{Key: key, Pace: v.throttle.Bytes})
		return copied == mirror.Created || copied == mirror.There, err
	}
	lacking := found == extra && phase.Name == mirror.Mirroring || found == missing // on the primary
	if lacking {
		if !v.order.DeleteExtra {
			return false, nil
		}
		if may, err := v.deletions.reserve(v.order.MaxDelete); !may || err != nil {
			return false, err
		}
	}
	copied, err := v.bucket.Align(ctx, key, lacking, v.throttle.Bytes)
	if lacking && copied != mirror.Replaced && !backends.Unknown(err) {
		v.deletions.giveBack()
	}
	return copied == mirror.Replaced, err
}

var symbols = map[finding]string{missing: "+", extra: "-", different: "*", failed: "!"}

func (v *comparer) found(key string, r result) {
	if r.found == left {
		return
	}
	line := fmt.Sprintf("%s %q", symbols[r.found], key)
	switch {
	case r.copied:
		line += ": fixed"
	case r.why != nil:
		line += ": " + strings.ReplaceAll(r.why.Error(), "\n", " ")
	}
	_ = v.report.add(line) // it is counted all the same
}
