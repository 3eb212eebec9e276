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
	problems                         []error
}

// compare reads both stores, key by key and byte by byte.
func (s *stage) compare(ctx context.Context) (comparison, error) {
	want := maps.Clone(s.players.present)
	for _, o := range s.library {
		want[o.key] = o
	}
	var c comparison
	problem := func(format string, args ...any) {
		if len(c.problems) < maxErrors {
			c.problems = append(c.problems, fmt.Errorf(format, args...))
		}
	}
	listed := make(map[string]int)
	for i, store := range []backends.Store{s.oldRaw, s.newRaw} {
		for o, err := range backends.Walk(ctx, store, backends.ListRequest{}) {
			switch {
			case err != nil:
				return c, err
			case mirror.IsReserved(o.Key):
				continue
			case s.players.deleted[o.Key]:
				c.undeleted++
				problem("%q was deleted and is still on %s", o.Key, store.Name())
			}
			listed[o.Key] |= 1 << i
			if i == 0 {
				c.old++
			} else {
				c.new++
			}
		}
	}
	for key, on := range listed {
		if _, ok := want[key]; !ok && !s.players.deleted[key] {
			problem("%q is on a store and nobody uploaded it (%d)", key, on)
		}
	}
	for key, o := range want {
		if listed[key] != 3 {
			c.missing++
			problem("%q is not on both stores", key)
			continue
		}
		err := errors.Join(s.verify(ctx, s.oldRaw, o), s.verify(ctx, s.newRaw, o))
		if err != nil {
			c.differ++
			problem("%w", err)
			continue
		}
		c.same++
	}
	return c, nil
}

func (s *stage) verify(ctx context.Context, store backends.Store, o object) error {
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

// report prints what came of it. The verdict is nil if nothing was wrong.
func (s *stage) report(ctx context.Context) (verdict, err error) {
	c, err := s.compare(ctx)
	if err != nil {
		return nil, fmt.Errorf("comparing the stores: %w", err)
	}
	repaired, _ := s.gateway.Repairer().Repaired()
	cache := s.gateway.Cache().Stats()
	s.say("Compared both stores by content.\n")
	table(s.o.Out, [][2]string{
		{"requests", fmt.Sprint(s.players.requests.Load())},
		{"failed or wrong", fmt.Sprint(s.players.failed.Load())},
		{"slowest request", s.players.slowest.Round(time.Millisecond).String()},
		{"objects on old / on new", fmt.Sprintf("%d / %d", c.old, c.new)},
		{"same on both, byte by byte", fmt.Sprint(c.same)},
		{"different / missing / not deleted", fmt.Sprintf("%d / %d / %d", c.differ, c.missing, c.undeleted)},
		{"keys repaired after the outage", fmt.Sprint(repaired)},
		{"last repair after the last request", s.repairTook.Round(100 * time.Millisecond).String()},
		{"reads answered by the cache", fmt.Sprintf("%d of %d", cache.Hits, cache.Hits+cache.Misses)},
		{"in the cache", fmt.Sprintf("%d objects, %d MiB", cache.Objects, cache.Bytes>>20)},
	})
	problems := append(s.players.errors, c.problems...)
	if s.players.failed.Load() > 0 || len(c.problems) > 0 {
		return errors.Join(append([]error{ErrWrong}, problems...)...), nil
	}
	fmt.Fprintln(s.o.Out, "\nNothing lost, nothing wrong, nobody waited for the store that was down.")
	return nil, nil
}

func table(w io.Writer, rows [][2]string) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.TabIndent)
	for _, r := range rows {
		fmt.Fprintf(t, "  %s\t%s\n", r[0], r[1])
	}
	_ = t.Flush()
}
