package migrate_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"sluice/backends"
	"sluice/backends/faulty"
	"sluice/gateway/mirror"
)

const poem = "a body that is long enough to be broken off in more places than one"

// breaking cuts bodies of a store after a few bytes, so many times.
func breaking(s *faulty.Store, times int) {
	s.Fail(faulty.Fault{Op: "GetObject", Times: times, Truncate: 5})
}

// TestBodiesGoOn: a body that breaks off is whole for its reader. Without lasting.go each of
// them breaks off.
func TestBodiesGoOn(t *testing.T) {
	for name, c := range map[string]struct {
		in   func(*rig, *mirror.Phase)
		play func(r *rig)
	}{
		"new, then old": {func(*rig, *mirror.Phase) {}, func(r *rig) {
			r.mustPut("k", poem)
			breaking(r.new, 1)
		}},
		"new, old, and new again": {func(*rig, *mirror.Phase) {}, func(r *rig) {
			r.mustPut("k", poem)
			breaking(r.new, 1)
			breaking(r.old, 1)
		}},
		"new, and old is down": {func(*rig, *mirror.Phase) {}, func(r *rig) {
			r.mustPut("k", poem)
			breaking(r.new, 1)
			r.old.SetDown(true)
		}},
		"old has it alone": {func(*rig, *mirror.Phase) {}, func(r *rig) {
			r.direct(r.old, "k", poem)
			breaking(r.old, 1)
		}},
		"switched, and new goes down": {switched, func(r *rig) {
			r.mustPut("k", poem)
			breaking(r.new, 1)
		}},
		"switched, and old has it alone": {switched, func(r *rig) {
			r.direct(r.old, "k", poem)
			breaking(r.old, 2)
		}},
		"one store": {passthrough, func(r *rig) {
			r.mustPut("k", poem)
			breaking(r.old, 1)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			hazard(t, func(t *testing.T, r *rig) {
				c.play(r)
				r.want("the read", r.read("k"), poem)
				r.old.SetDown(false)
				r.want("the next, from the cache", r.read("k"), poem)
			}, c.in)
		})
	}
}

// TestRangesGoOn: what goes on is the rest of the range.
func TestRangesGoOn(t *testing.T) {
	for name, asked := range map[string]string{"10-29": poem[10:30], "10-": poem[10:], "-20": poem[len(poem)-20:]} {
		t.Run(name, func(t *testing.T) {
			hazard(t, func(t *testing.T, r *rig) {
				r.mustPut("k", poem)
				breaking(r.new, 2)
				o, _, err := r.bucket.Get(t.Context(), backends.GetRequest{Key: "k", Range: "bytes=" + name})
				r.want("the range", content(t, o, err), asked)
			})
		})
	}
}

// TestAnotherObjectDoesNotGoOn: no body is made of two objects, and one that nobody can bring
// to its end breaks off in good time.
func TestAnotherObjectDoesNotGoOn(t *testing.T) {
	other := strings.ToUpper(poem)
	for name, c := range map[string]struct {
		change func(r *rig)
		next   string
	}{
		"replaced":      {func(r *rig) { r.mustPut("k", other) }, other},
		"deleted":       {func(r *rig) { r.ok(r.delete("k")) }, absent},
		"never to come": {func(r *rig) { breaking(r.new, 2); breaking(r.old, 2) }, poem},
	} {
		t.Run(name, func(t *testing.T) {
			hazard(t, func(t *testing.T, r *rig) {
				r.mustPut("k", poem)
				breaking(r.new, 1)
				o, _, err := r.bucket.Get(t.Context(), backends.GetRequest{Key: "k"})
				r.ok(err)
				c.change(r)
				got, err := io.ReadAll(o.Body)
				o.Body.Close()
				if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.HasPrefix(poem, string(got)) || len(got) == len(poem) {
					t.Errorf("%q, %v", got, err)
				}
				r.want("the next", r.read("k"), c.next)
			})
		})
	}
}

// TestAClosedBodyDoesNotGoOn: a client leaves while the rest is asked for. Without the look
// at closed in become the rest's connection would never be given back.
func TestAClosedBodyDoesNotGoOn(t *testing.T) {
	hazard(t, func(t *testing.T, r *rig) {
		r.mustPut("k", poem)
		breaking(r.new, 1)
		rest := &watched{Store: r.old.Store}
		r.old.Store = rest
		o, _, err := r.bucket.Get(t.Context(), backends.GetRequest{Key: "k", Header: http.Header{"X-Not": {"cached"}}})
		r.ok(err)
		g := hold(r.old, "GetObject", "k")
		read := make(chan error)
		go func() {
			_, err := io.ReadAll(o.Body)
			read <- err
		}()
		r.await(g)
		o.Body.Close()
		close(g.open)
		if err := <-read; err == nil {
			t.Error("it was read to its end")
		}
		if rest.opened != rest.closed {
			t.Errorf("%d bodies were opened, %d closed", rest.opened, rest.closed)
		}
	})
}

// watched counts bodies.
type watched struct {
	backends.Store
	opened, closed int
}

func (s *watched) Get(ctx context.Context, r backends.GetRequest) (*backends.Object, error) {
	o, err := s.Store.Get(ctx, r)
	if err == nil {
		s.opened++
		o.Body = watchedBody{o.Body, s}
	}
	return o, err
}

type watchedBody struct {
	io.ReadCloser
	s *watched
}

func (b watchedBody) Close() error {
	b.s.closed++
	return b.ReadCloser.Close()
}
