package migrate_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"sluice/backends"
	"sluice/backends/faulty"
	"sluice/gateway/migrate"
	"sluice/gateway/mirror"
)

// TestHazard10UploadsAcrossPhaseChanges: an upload is open while the phase changes,
// between its parts and before its completion. With sides that takes the ids as they
// were given out for those of primary and secondary the upload is lost at each change
// of the primary; without the completion elsewhere (onPrimary) one that was opened when
// there was no mirror is.
func TestHazard10UploadsAcrossPhaseChanges(t *testing.T) {
	nothing := []migrate.Command{}
	for name, c := range map[string]struct {
		phase         func(*rig, *mirror.Phase)
		parts, before []migrate.Command // between the parts, before the completion
	}{
		"switch between the parts":           {mirroring, []migrate.Command{migrate.Switch}, nothing},
		"switch before the completion":       {mirroring, nothing, []migrate.Command{migrate.Switch}},
		"rollback between the parts":         {complete, []migrate.Command{migrate.Rollback}, nothing},
		"rollback before the completion":     {switched, nothing, []migrate.Command{migrate.Rollback}},
		"there and back":                     {mirroring, []migrate.Command{migrate.Switch, migrate.Rollback}, []migrate.Command{migrate.Switch}},
		"start and switch":                   {passthrough, []migrate.Command{migrate.Start, migrate.Switch}, nothing},
		"start, then switch":                 {passthrough, []migrate.Command{migrate.Start}, []migrate.Command{migrate.Switch}},
		"complete between the parts":         {complete, []migrate.Command{migrate.Complete}, nothing},
		"complete before the completion":     {complete, nothing, []migrate.Command{migrate.Complete}},
		"start and switch, then roll back":   {passthrough, []migrate.Command{migrate.Start, migrate.Switch}, []migrate.Command{migrate.Rollback}},
		"opened while new could not, switch": {mirroring, []migrate.Command{migrate.Switch}, nothing},
	} {
		t.Run(name, func(t *testing.T) {
			hazard(t, func(t *testing.T, r *rig) {
				m, _ := r.operator()
				_, err := r.old.Store.CreateUpload(t.Context(), backends.CreateUploadRequest{Key: "other"})
				r.ok(err) // the stores' ids differ from here on
				if strings.HasPrefix(name, "opened while") {
					r.new.Fail(faulty.Fault{Op: "CreateMultipartUpload", Times: 1, Before: denied})
				}
				p := r.open("video")
				p.add("one ")
				r.do(m, c.parts...)
				p.add("two")
				r.do(m, c.before...)
				if err := p.complete(); err != nil {
					t.Fatal(err)
				}
				r.want("read", r.read("video"), "one two")
				r.quiet()
				for _, s := range []*mirror.Store{r.bucket.Primary(), r.bucket.Secondary()} {
					if s != nil {
						r.want("store "+s.Name(), r.on(s.Store.(*faulty.Store), "video"), "one two")
					}
				}
			}, c.phase)
		})
	}
}

// mirroring is a bucket as the rig has it.
func mirroring(*rig, *mirror.Phase) {}

// TestHazard10ErrorAnswerToComplete: a store answers the completion of an upload with
// 200 and an error, or not at all, and the object may be there or not. With an unknown
// outcome that counts as Untouched, or as Applied (call.outcome), reads go on showing
// new's former state. (How
// the answer is read is tested with the S3 store.)
func TestHazard10ErrorAnswerToComplete(t *testing.T) {
	for name, c := range map[string]struct {
		store func(*rig) *faulty.Store
		fault faulty.Fault
		fails bool
		want  string
	}{
		"primary did it":       {func(r *rig) *faulty.Store { return r.old }, faulty.Fault{After: unknown}, true, "two"},
		"secondary did it not": {func(r *rig) *faulty.Store { return r.new }, faulty.Fault{Before: lost}, false, "two"},
	} {
		t.Run(name, func(t *testing.T) {
			hazard(t, func(t *testing.T, r *rig) {
				r.mustPut("video", "one")
				c.fault.Op, c.fault.Times = "CompleteMultipartUpload", 1
				c.store(r).Fail(c.fault)
				if err := r.upload2("video", "two"); (err != nil) != c.fails {
					t.Errorf("completion: %v", err)
				}
				r.want("read", r.read("video"), c.want)
				r.settled("video", c.want)
			})
		})
	}
}

func lost(context.Context) error { return unknown }

// TestHazard10EqualPartsRequired: new wants all parts but the last of one size, and gets
// an object that was uploaded otherwise. Without the second way of copyWith it never
// has the object.
func TestHazard10EqualPartsRequired(t *testing.T) {
	equal := func(r *rig, _ *mirror.Phase) { r.new.Store = equalParts{r.new.Store} }
	unequal := func(r *rig) {
		p := r.open("video")
		for _, part := range []string{"one", "and", "thirteen", "more"} {
			p.add(part)
		}
		r.ok(p.complete())
	}
	t.Run("written while mirroring", func(t *testing.T) {
		hazard(t, func(_ *testing.T, r *rig) {
			unequal(r)
			r.settled("video", "oneandthirteenmore")
		}, equal)
	})
	t.Run("copied", func(t *testing.T) {
		hazard(t, func(t *testing.T, r *rig) {
			r.new.SetDown(true)
			unequal(r)
			r.new.SetDown(false)
			r.quiet()
			_, err := r.new.Store.Delete(t.Context(), backends.DeleteRequest{Key: "video"})
			r.ok(err)
			r.ok(r.backfill("video"))
			r.settled("video", "oneandthirteenmore")
		}, equal)
	})
}

// equalParts is a store as R2: all parts but the last have one size.
type equalParts struct{ backends.Store }

func (s equalParts) CompleteUpload(ctx context.Context, r backends.CompleteRequest) (*backends.PutResult, error) {
	page, err := s.ListParts(ctx, backends.ListPartsRequest{Key: r.Key, UploadID: r.UploadID})
	if err != nil {
		return nil, err
	}
	for i, p := range page.Parts {
		if i < len(page.Parts)-1 && p.Size != page.Parts[0].Size {
			return nil, &backends.Error{
				Store: s.Name(), Op: "CompleteMultipartUpload", Key: r.Key, Kind: backends.ErrInvalid, Status: 400, Code: "InvalidPart",
				Message: "All non-trailing parts must have the same length.",
			}
		}
	}
	return s.Store.CompleteUpload(ctx, r)
}

// TestHazard11CopySourceOnlyOnOld: a client copies an object that new lacks.
func TestHazard11CopySourceOnlyOnOld(t *testing.T) {
	copyTo := func(r *rig, key string) error {
		_, err := r.bucket.Copy(r.t.Context(), r.bucket, backends.CopyRequest{Key: key, SourceKey: "source"})
		return err
	}
	copyPart := func(r *rig, key string) error {
		p := r.open(key)
		res, err := r.bucket.CopyPart(r.t.Context(), r.bucket, backends.CopyPartRequest{
			Key: key, UploadID: p.UploadID, Number: 1, SourceKey: "source",
		})
		if err != nil {
			return err
		}
		p.Parts = append(p.Parts, backends.CompletedPart{Number: 1, ETag: res.ETag})
		return p.complete()
	}
	ways := map[string]func(*rig, string) error{"object": copyTo, "part": copyPart}
	for name, way := range ways {
		// With an intent that settles although the outcomes differ (Intent.End) new
		// never has the copy.
		t.Run(name+", mirroring", func(t *testing.T) {
			hazard(t, func(_ *testing.T, r *rig) {
				r.direct(r.old, "source", "one")
				r.mustPut("copy", "former")
				r.ok(way(r, "copy"))
				r.want("read", r.read("copy"), "one")
				r.settled("copy", "one")
			})
		})
		// Without the needs of Copy and CopyPart the client is told that there is no
		// source.
		t.Run(name+", incomplete primary", func(t *testing.T) {
			hazard(t, func(_ *testing.T, r *rig) {
				r.direct(r.old, "source", "one")
				r.ok(way(r, "copy"))
				r.settled("copy", "one")
				r.settled("source", "one")
			}, switched)
		})
		// Without bring's look at Deleted the source is back.
		t.Run(name+", deleted source", func(t *testing.T) {
			hazard(t, func(t *testing.T, r *rig) {
				r.direct(r.old, "source", "one")
				r.ok(r.delete("source"))
				r.quiet()
				if err := way(r, "copy"); !errors.Is(err, backends.ErrNotFound) {
					t.Errorf("error %v, want ErrNotFound", err)
				}
				r.want("source", r.read("source"), absent)
				r.want("copy", r.read("copy"), absent)
			}, switched, readOnly)
		})
	}
	// Where the source counts although it is not clean (source) new copies what it had
	// before.
	t.Run("stale source on new", func(t *testing.T) {
		hazard(t, func(_ *testing.T, r *rig) {
			r.mustPut("source", "one")
			refuse(r.new, "PutObject", backends.ErrDenied)
			r.mustPut("source", "two")
			r.ok(copyTo(r, "copy"))
			r.new.Heal()
			r.settled("copy", "two")
		}, oddETags)
	})
}
