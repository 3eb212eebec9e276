package migrate_test

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/backends"
	"sluice/backends/faulty"
	"sluice/backends/memory"
	"sluice/gateway/migrate"
	"sluice/gateway/mirror"
)

// The files hazards_*_test.go hold a test for each hazard of the design's section 10
// that concerns the protocol. Each was seen to fail with the protection taken out
// that its comment names.

// everything is what the stores in memory do.
var everything = backends.Profile{
	ConditionalCreate: true, Checksums: true, Trailers: true, ACLs: true, Tags: true, TagCounts: true, Subresources: true, MD5ETags: true,
}

// hazard plays a test on stores in memory, in a bubble of virtual time.
func hazard(t *testing.T, play func(t *testing.T, r *rig), change ...func(*rig, *mirror.Phase)) {
	t.Helper()
	inMemory := func(r *rig, _ *mirror.Phase) {
		r.old, r.new = faulty.Wrap(memory.New("old")), faulty.Wrap(memory.New("new"))
		r.oldProfile, r.newProfile = everything, everything
		r.quarantine, r.patience = time.Minute, time.Hour
	}
	synctest.Test(t, func(t *testing.T) {
		play(t, newRig(t, append([]func(*rig, *mirror.Phase){inMemory}, change...)...))
	})
}

// switched is a bucket that was switched before the backfill was complete.
func switched(_ *rig, p *mirror.Phase) { p.Name, p.Epoch = mirror.Switched, 2 }

// readOnly is one whose old store can not be written to.
func readOnly(r *rig, _ *mirror.Phase) { r.readOnly = true }

// unconditional: neither store honours If-None-Match.
func unconditional(r *rig, _ *mirror.Phase) {
	r.oldProfile.ConditionalCreate, r.newProfile.ConditionalCreate = false, false
}

// oddETags: the stores' ETags are no hashes of the content.
func oddETags(r *rig, _ *mirror.Phase) { r.oldProfile.MD5ETags, r.newProfile.MD5ETags = false, false }

// teeing: reads bring along all that a copy needs, so that lazy copies are made from
// them.
func teeing(r *rig, _ *mirror.Phase) {
	r.old, r.new = faulty.Wrap(kept(r.t, memory.New("old"))), faulty.Wrap(kept(r.t, memory.New("new")))
	r.oldProfile.ACLs, r.newProfile.ACLs = false, false
}

// hold makes the store's next call of an operation wait until the gate opens.
func hold(s *faulty.Store, op, key string) gate {
	g := newGate()
	s.Fail(faulty.Fault{Op: op, Key: key, Times: 1, Before: g.wait})
	return g
}

// await waits until a call has come to a gate.
func (r *rig) await(g gate) {
	r.t.Helper()
	select {
	case <-g.arrived:
	case <-time.After(r.patience):
		r.t.Fatal("the store was not asked")
	}
}

// loseAnswer holds the next call of an operation, which then never reaches the store;
// the caller does not learn that.
func loseAnswer(s *faulty.Store, op, key string) gate {
	g := newGate()
	s.Fail(faulty.Fault{Op: op, Key: key, Times: 1, Before: func(ctx context.Context) error {
		_ = g.wait(ctx)
		return s.Unknown(op, key)
	}})
	return g
}

// refuse makes the store answer an operation with an error, until it is healed.
func refuse(s *faulty.Store, op string, kind error) {
	s.Fail(faulty.Fault{Op: op, Before: func(context.Context) error {
		return &backends.Error{Store: s.Name(), Op: op, Kind: kind, Message: "refused"}
	}})
}

// background runs what a client does without waiting for it.
func background(run func() error) chan error {
	done := make(chan error, 1)
	go func() { done <- run() }()
	return done
}

// failed fails the test unless an operation went wrong.
func (r *rig) failed(what string, err error) {
	r.t.Helper()
	if err == nil {
		r.t.Errorf("%s: no error", what)
	}
}

// crash is kill -9 at a moment when operations are under way: the gate lets them end
// after it, and what they still record is lost.
func (r *rig) crash(g gate, under chan error) {
	r.t.Helper()
	synctest.Wait()
	log := r.log.Crash()
	r.stop()
	close(g.open)
	<-under
	r.log = log
	r.start(r.bucket.Phase())
}

// quiet waits until nothing is left to the repairer and to copies.
func (r *rig) quiet() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), r.patience)
	defer cancel()
	r.ok(r.bucket.CopiesDone(ctx))
	r.ok(r.journal.Quiet(ctx))
}

// listed is what a client sees of the keys.
func (r *rig) listed(q backends.ListRequest) ([]string, error) {
	var keys []string
	for o, err := range backends.Walk(r.t.Context(), r.bucketReader(), q) {
		if err != nil {
			return nil, err
		}
		keys = append(keys, o.Key)
	}
	return keys, nil
}

// pieces is a multipart upload by a client.
type pieces struct {
	r   *rig
	key string
	backends.CompleteRequest
}

func (r *rig) open(key string) *pieces {
	r.t.Helper()
	up, err := r.bucket.CreateUpload(r.t.Context(), backends.CreateUploadRequest{Key: key})
	if err != nil {
		r.t.Fatal(err)
	}
	return &pieces{r, key, backends.CompleteRequest{Key: key, UploadID: up.UploadID}}
}

// add uploads the next part.
func (p *pieces) add(content string) {
	p.r.t.Helper()
	number := len(p.Parts) + 1
	res, err := p.r.bucket.UploadPart(p.r.t.Context(), backends.PartRequest{
		Key: p.key, UploadID: p.UploadID, Number: number, Body: bytes.NewReader([]byte(content)), Size: int64(len(content)),
	})
	if err != nil {
		p.r.t.Fatal(err)
	}
	p.Parts = append(p.Parts, backends.CompletedPart{Number: number, ETag: res.ETag})
}

func (p *pieces) complete() error {
	_, err := p.r.bucket.CompleteUpload(p.r.t.Context(), p.CompleteRequest)
	return err
}

// operator is who changes the phase, with a state directory of its own.
func (r *rig) operator() (m *migrate.Migration, dir string) {
	r.t.Helper()
	dir = r.t.TempDir()
	return r.operatorIn(dir), dir
}

// operatorIn opens the state in a directory, and records the phase there if it holds
// none.
func (r *rig) operatorIn(dir string) *migrate.Migration {
	r.t.Helper()
	state, err := migrate.OpenState(dir)
	if err != nil {
		r.t.Fatal(err)
	}
	if _, known := state.Phase("b"); !known {
		r.ok(state.SetPhase("b", r.bucket.Phase()))
	}
	return &migrate.Migration{Bucket: r.bucket, State: state, Log: slog.New(slog.DiscardHandler), Hold: func() time.Duration { return 2 * time.Second }, Life: new(sync.Mutex)}
}

// do runs commands that must succeed.
func (r *rig) do(m *migrate.Migration, commands ...migrate.Command) {
	r.t.Helper()
	for _, c := range commands {
		if err := m.Do(r.t.Context(), c); err != nil {
			r.t.Fatalf("%s: %v", c, err)
		}
	}
}

func (r *rig) backfill(key string) error {
	_, err := r.bucket.Backfill(r.t.Context(), mirror.Copy{Key: key})
	return err
}
