package migrate_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/backends"
	"sluice/backends/faulty"
	"sluice/gateway/cache"
	"sluice/gateway/journal"
	"sluice/gateway/migrate"
	"sluice/gateway/mirror"
)

// TestHazard15JournalStops: the journal's disk is full, or its fsync failed. (What the
// file does then is tested with the journal.) Without the error of Durable in deliver,
// or in backfill, the stores change without an intent.
func TestHazard15JournalStops(t *testing.T) {
	for name, run := range map[string]func(r *rig) error{
		"put":        func(r *rig) error { return r.put("k", "two") },
		"empty put":  func(r *rig) error { return r.put("k", "") },
		"large put":  func(r *rig) error { return r.put("k", strings.Repeat("0123456789abcdef", 100<<10)) },
		"delete":     func(r *rig) error { return r.delete("k") },
		"many":       func(r *rig) error { _, err := r.bucket.DeleteMany(r.t.Context(), named([]string{"k"})); return err },
		"completion": func(r *rig) error { return r.upload2("k", "two") },
		"copy": func(r *rig) error {
			_, err := r.bucket.Copy(r.t.Context(), r.bucket, backends.CopyRequest{Key: "k", SourceKey: "other"})
			return err
		},
		"ACL": func(r *rig) error {
			return r.document("PutObjectAcl", "acl", http.Header{"X-Amz-Acl": {"public-read"}}, "")
		},
		"backfill": func(r *rig) error { r.direct(r.old, "only on old", "one"); return r.backfill("only on old") },
	} {
		t.Run(name, func(t *testing.T) {
			hazard(t, func(t *testing.T, r *rig) {
				r.mustPut("k", "one")
				r.mustPut("other", "two")
				r.log.Fail(errors.New("disk full"))
				r.failed(name, run(r))
				r.want("on new", r.on(r.new, "only on old"), absent)
				acl, err := backends.CannedACL(t.Context(), r.old.Store, "k")
				r.ok(err)
				r.want("ACL", acl, "private")
				r.settled("k", "one")
			})
		})
	}
}

// TestHazard15JournalFull: as many intents are unsettled as there may be. Without the
// question in mutate a body is taken in for nothing; without the limit of reserve memory
// and disk have none.
func TestHazard15JournalFull(t *testing.T) {
	hazard(t, func(t *testing.T, r *rig) {
		r.new.SetDown(true)
		for _, key := range []string{"a", "b", "c"} {
			r.mustPut(key, "one")
		}
		for _, size := range []int{3, 3 << 20} {
			body := &counted{r: strings.NewReader(strings.Repeat("x", size))}
			_, err := r.bucket.Put(t.Context(), backends.PutRequest{Key: "d", Body: body, Size: int64(size)})
			if !errors.Is(err, journal.ErrFull) || body.n > 0 {
				t.Errorf("a write of %d bytes: error %v after %d bytes", size, err, body.n)
			}
		}
		if err := r.delete("a"); !errors.Is(err, journal.ErrFull) {
			t.Errorf("delete: %v", err)
		}
		r.want("a read", r.read("a"), "one")
		r.new.SetDown(false)
		r.settled("d", absent)
		if _, err := r.bucket.DeleteMany(t.Context(), named([]string{"a", "b", "c", "d"})); !errors.Is(err, journal.ErrFull) {
			t.Errorf("four keys at once: %v", err)
		}
		r.settled("a", "one")
		r.mustPut("d", "one")
		r.settled("d", "one")
	}, func(r *rig, _ *mirror.Phase) { r.limit = 3 })
}

// counted is a body that counts what is read of it.
type counted struct {
	r io.Reader
	n int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

// TestHazard15StateNotWritten: the state's disk is full, or its directory gone. With a
// change that ignores the error of SetPhase (Migration.change), or a State that takes
// the new record before it is written, the phase changes although nobody will know
// after a restart.
func TestHazard15StateNotWritten(t *testing.T) {
	for name, spoil := range map[string]func(dir string) error{
		"no room":      os.RemoveAll,
		"half written": func(dir string) error { return inTheWay(filepath.Join(dir, "state.json")) },
	} {
		t.Run(name, func(t *testing.T) {
			hazard(t, func(t *testing.T, r *rig) {
				m, dir := r.operator()
				r.mustPut("k", "one")
				r.ok(spoil(dir))
				r.failed("switch", m.Do(t.Context(), migrate.Switch))
				p, _ := m.State.Phase("b")
				r.want("phase", string(r.bucket.Phase().Name)+" "+string(p.Name), "mirroring mirroring")
				r.mustPut("k", "two")
				r.settled("k", "two")
			})
		})
	}
}

// inTheWay makes a file one that can not be replaced.
func inTheWay(path string) error {
	return errors.Join(os.Remove(path), os.MkdirAll(filepath.Join(path, "full"), 0o700))
}

// TestHazard15StateFromABackup: the state is not the one that led here.
func TestHazard15StateFromABackup(t *testing.T) {
	check := func(r *rig, m *migrate.Migration, known bool) error {
		return migrate.CheckMarkers(r.t.Context(), r.bucket, m.State.ID(), known)
	}
	for name, c := range map[string]struct {
		// replace answers the state as it is found after the switch.
		replace func(r *rig, dir string, before []byte) *migrate.Migration
		known   bool
	}{
		// Without the comparison of the epochs (agrees) it is served, with old as the
		// primary.
		"an old backup": {func(r *rig, dir string, before []byte) *migrate.Migration {
			r.ok(os.WriteFile(filepath.Join(dir, "state.json"), before, 0o600))
			return r.operatorIn(dir)
		}, true},
		// Without known (agrees) a bucket begins anew.
		"lost, with its id kept": {func(r *rig, dir string, _ []byte) *migrate.Migration { return r.operatorIn(dir) }, false},
		// Without the comparison of the ids two gateways write to the same stores.
		"another gateway's": {func(r *rig, dir string, _ []byte) *migrate.Migration {
			return r.operatorIn(r.t.TempDir())
		}, true},
	} {
		for _, unreachable := range []string{"", "old", "new"} {
			t.Run(strings.TrimSpace(name+" "+unreachable), func(t *testing.T) {
				hazard(t, func(t *testing.T, r *rig) {
					m, dir := r.operator()
					before, err := os.ReadFile(filepath.Join(dir, "state.json"))
					r.ok(err)
					r.do(m, migrate.Switch)
					r.ok(check(r, m, true))
					m = c.replace(r, dir, before)
					p, _ := m.State.Phase("b")
					r.stop()
					r.start(p)
					for _, s := range []*faulty.Store{r.old, r.new} {
						s.SetDown(s.Name() == unreachable)
					}
					if err := check(r, m, c.known); !errors.Is(err, migrate.ErrDisagree) {
						t.Errorf("error %v, want ErrDisagree", err)
					}
				})
			})
		}
	}
	// With a CheckMarkers that is content when nothing was heard the phase is anybody's
	// guess.
	t.Run("neither store can be asked", func(t *testing.T) {
		hazard(t, func(t *testing.T, r *rig) {
			m, _ := r.operator()
			r.old.SetDown(true)
			r.new.SetDown(true)
			r.failed("check", check(r, m, true))
		})
	})
}

// TestHazard16CacheFillRacingAWrite: a read's body is still going to the client when
// the object is replaced. With an Add that ignores still (cache) the former state is
// served from the cache.
func TestHazard16CacheFillRacingAWrite(t *testing.T) {
	hazard(t, func(t *testing.T, r *rig) {
		r.mustPut("k", "one")
		o, _, err := r.bucket.Get(t.Context(), backends.GetRequest{Key: "k"})
		if err != nil {
			t.Fatal(err)
		}
		r.mustPut("k", "two")
		r.want("the read that began before", content(t, o, nil), "one")
		r.want("a read after the write", r.read("k"), "two")
		r.want("and again", r.read("k"), "two")
		if hits := r.cache.Stats().Hits; hits != 1 {
			t.Errorf("%d cache hits, want the last read's", hits)
		}
	})
}

// TestHazard16TornBody: the body of the stores' answers ends too early, and again where it
// is gone on with (lasting.go). With a fill that takes any end for the whole (read.go) the
// cache serves the torn object.
func TestHazard16TornBody(t *testing.T) {
	for name, tear := range map[string]func(r *rig){
		"with an error": func(r *rig) {
			breaking(r.new, 3)
			breaking(r.old, 2)
		},
		"silently": func(r *rig) {
			r.new.Store = &torn{Store: r.new.Store, times: 3}
			r.old.Store = &torn{Store: r.old.Store, times: 2}
		},
	} {
		t.Run(name, func(t *testing.T) {
			hazard(t, func(t *testing.T, r *rig) {
				r.mustPut("k", poem)
				tear(r)
				if got := r.read("k"); got == poem {
					t.Fatal("the body was whole")
				}
				r.want("the next read", r.read("k"), poem)
				r.want("and the next, from the cache", r.read("k"), poem)
				r.settled("k", poem)
			})
		})
	}
}

// torn ends the first bodies it answers too early, without a word.
type torn struct {
	backends.Store
	times int
}

func (s *torn) Get(ctx context.Context, r backends.GetRequest) (*backends.Object, error) {
	o, err := s.Store.Get(ctx, r)
	if err == nil && s.times > 0 {
		s.times--
		o.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(o.Body, 5), o.Body}
	}
	return o, err
}

// TestHazard16FormerStateStillServed: an object is in the cache when it is deleted or
// made private. Without the call of changed in moved (journal) the cache goes on serving
// it; with an ACL that is changed without an intent (ChangeSubresource) what is cached
// stays. (The public host is not there yet.)
func TestHazard16FormerStateStillServed(t *testing.T) {
	cached := func(r *rig) bool {
		e, _ := r.cache.Held(cache.Key{Bucket: "b", Name: "k"})
		return e != nil
	}
	for name, run := range map[string]func(r *rig) error{
		"deleted": func(r *rig) error { return r.delete("k") },
		"deleted among many": func(r *rig) error {
			_, err := r.bucket.DeleteMany(r.t.Context(), named([]string{"k"}))
			return err
		},
		"made private": func(r *rig) error {
			return r.document("PutObjectAcl", "acl", http.Header{"X-Amz-Acl": {"private"}}, "")
		},
	} {
		t.Run(name, func(t *testing.T) {
			hazard(t, func(t *testing.T, r *rig) {
				r.ok(r.send("k", "one", http.Header{"X-Amz-Acl": {"public-read"}}, nil, false))
				r.want("read", r.read("k"), "one")
				if !cached(r) {
					t.Fatal("not cached")
				}
				r.ok(run(r))
				if cached(r) {
					t.Error("still cached")
				}
				if name != "made private" {
					r.want("read", r.read("k"), absent)
				}
			})
		})
	}
}
