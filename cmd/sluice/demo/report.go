package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"sluice/backends"
	"sluice/gateway/mirror"
)

const partSize = 6 << 20

// put stores an object in one request, or in parts.
func put(ctx context.Context, s backends.Store, o object) error {
	header := map[string][]string{"Content-Type": {"image/jpeg"}, "Cache-Control": {"public, max-age=315576000, immutable"}}
	body := o.body()
	if o.parts == 0 {
		_, err := s.Put(ctx, backends.PutRequest{Key: o.key, Body: bytes.NewReader(body), Size: int64(o.size), Header: header})
		return err
	}
	up, err := s.CreateUpload(ctx, backends.CreateUploadRequest{Key: o.key, Header: header})
	if err != nil {
		return err
	}
	done := backends.CompleteRequest{Key: o.key, UploadID: up.UploadID}
	for piece := range slices.Chunk(body, partSize) {
		number := len(done.Parts) + 1
		part, err := s.UploadPart(ctx, backends.PartRequest{
			Key: o.key, UploadID: up.UploadID, Number: number, Body: bytes.NewReader(piece), Size: int64(len(piece)),
		})
		if err != nil {
			return err
		}
		done.Parts = append(done.Parts, backends.CompletedPart{Number: number, ETag: part.ETag})
	}
	_, err = s.CompleteUpload(ctx, done)
	return err
}

// comparison is what the two stores hold, looked at from behind the gateway.
type comparison struct {
	old, new                         int
	same, differ, missing, undeleted int
}

// everything is what is to be there.
func (s *stage) everything() map[string]object {
	want := maps.Clone(s.players.present)
	for _, o := range s.library {
		want[o.key] = o
	}
	return want
}

// compare reads both stores, key by key and byte by byte.
func (s *stage) compare(ctx context.Context) (c comparison, err error) {
	old, err := listing(ctx, s.oldRaw)
	if err != nil {
		return c, err
	}
	new, err := listing(ctx, s.newRaw)
	if err != nil {
		return c, err
	}
	c.old, c.new = len(old), len(new)
	want := s.everything()
	for _, listed := range []map[string]string{old, new} {
		for key := range listed {
			if s.players.deleted[key] {
				c.undeleted++
				s.wrong("%q was deleted and is still on a store", key)
			} else if _, ok := want[key]; !ok {
				s.wrong("%q is on a store and nobody uploaded it", key)
			}
		}
	}
	for key, o := range want {
		if old[key] == "" || new[key] == "" {
			c.missing++
			s.wrong("%q is not on both stores", key)
			continue
		}
		if err := errors.Join(check(ctx, s.oldRaw, o), check(ctx, s.newRaw, o)); err != nil {
			c.differ++
			s.wrong("%w", err)
			continue
		}
		c.same++
	}
	return c, nil
}

// listing is what a store holds: ETags by key.
func listing(ctx context.Context, store backends.Store) (map[string]string, error) {
	etags := make(map[string]string)
	for o, err := range backends.Walk(ctx, store, backends.ListRequest{}) {
		if err != nil {
			return nil, err
		}
		if !mirror.IsReserved(o.Key) {
			etags[o.Key] = o.ETag
		}
	}
	return etags, nil
}

// check reads an object from a store and tells what is wrong with it.
func check(ctx context.Context, store backends.Store, o object) error {
	got, err := store.Get(ctx, backends.GetRequest{Key: o.key})
	if err != nil {
		return err
	}
	defer got.Body.Close()
	if err := o.check(got.Body); err != nil {
		return fmt.Errorf("on store %s: %w", store.Name(), err)
	}
	return nil
}

// checkOld looks whether old still holds what it held when the migration was completed.
func (s *stage) checkOld(ctx context.Context) error {
	now, err := listing(ctx, s.oldRaw)
	if err != nil {
		return fmt.Errorf("listing the old store: %w", err)
	}
	if !maps.Equal(now, s.leftOnOld) {
		s.wrong("old was changed after the migration was completed: %d objects then, %d now", len(s.leftOnOld), len(now))
	}
	return nil
}

// verdict is nil if nothing was wrong.
func (s *stage) verdict() error {
	problems := append(s.players.errors, s.problems...)
	if s.players.failed.Load() > 0 || len(problems) > 0 {
		return errors.Join(append([]error{ErrWrong}, problems...)...)
	}
	return nil
}

// report prints what came of it.
func (s *stage) report() {
	repaired, _ := s.gateway.Repairer().Repaired()
	cache := s.gateway.Cache().Stats()
	c := s.atComplete
	fmt.Fprintln(s.o.Out)
	table(s.o.Out, [][2]string{
		{"requests", fmt.Sprint(s.players.requests.Load())},
		{"failed or wrong", fmt.Sprint(s.players.failed.Load())},
		{"slowest request", s.players.slowest.Round(time.Millisecond).String()},
		{"longest hold of writes", s.longestHold.Round(time.Millisecond / 10).String()},
		{"keys repaired after the outage", fmt.Sprint(repaired)},
		{"before complete: objects on old / on new", fmt.Sprintf("%d / %d", c.old, c.new)},
		{"  same on both, byte by byte", fmt.Sprint(c.same)},
		{"  different / missing / not deleted", fmt.Sprintf("%d / %d / %d", c.differ, c.missing, c.undeleted)},
		{"reads answered by the cache", fmt.Sprintf("%d of %d", cache.Hits, cache.Hits+cache.Misses)},
	})
	if s.verdict() == nil {
		fmt.Fprintln(s.o.Out, "\nNothing lost, nothing wrong: the bucket has moved, and nobody noticed.")
	}
}

func table(w io.Writer, rows [][2]string) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.TabIndent)
	for _, r := range rows {
		fmt.Fprintf(t, "  %s\t%s\n", r[0], r[1])
	}
	_ = t.Flush()
}
