package migrate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/backends"
	"sluice/backends/faulty"
	"sluice/gateway/config"
	"sluice/gateway/mirror"
)

// open is a store that strangers may list.
type open struct{ backends.Store }

func (open) ListsToAnyone(context.Context) (bool, error) { return true, nil }

// ready is a bucket of which nothing speaks against the switch.
func (y *yard) ready() {
	y.t.Helper()
	fill(y.t, y.oldStore, "a", "b")
	y.must(Start)
	y.crawled()
	y.verify(VerifyOrder{Level: Content})
}

// stuck is a write that the secondary does not take, and the repairer can not settle.
func (y *yard) stuck(secondary *faulty.Store) {
	y.t.Helper()
	secondary.Fail(fails(secondary, faulty.Fault{Op: "PutObject", Key: "stuck"}))
	y.ok(y.write("stuck", "x"))
}

// TestGuards: each condition refuses its command under its own name, changes nothing, and
// can be overridden or not, as the design says. Seen to fail, guard by guard, with the
// guard left out of its list, and with Overridable turned.
func TestGuards(t *testing.T) {
	ready := func(y *yard) { y.ready() }
	switched := func(y *yard) { y.ready(); y.must(Switch) }
	deny := func(s func(*yard) *faulty.Store, op string) func(*yard) {
		return func(y *yard) { s(y).Fail(fails(s(y), faulty.Fault{Op: op, Key: canaryKey})) }
	}
	old, new := func(y *yard) *faulty.Store { return y.old }, func(y *yard) *faulty.Store { return y.new }
	noState := func(y *yard) { y.State.path = y.dir + "/gone/state.json" }
	for _, c := range []struct {
		name        string
		command     Command
		before      func(*yard)
		harm        func(*yard)
		guard       string
		overridable bool
		change      func(*yard)
	}{
		{"old can not be listed", Start, nil, func(y *yard) { y.old.Fail(fails(y.old, faulty.Fault{Op: "ListObjects"})) }, "old-readable", false, nil},
		{"new takes nothing", Start, nil, deny(new, "PutObject"), guardNew, false, nil},
		{"no state at start", Start, nil, noState, guardState, false, nil},
		{"new was not empty", Switch, func(y *yard) {
			fill(y.t, y.newStore, "x")
			y.must(Start)
			y.crawled()
			_, err := y.newStore.Delete(y.t.Context(), backends.DeleteRequest{Key: "x"})
			y.ok(err)
			y.verify(VerifyOrder{Level: List})
		}, nil, guardBaseline, false, nil},
		{"not begun", Switch, func(y *yard) { y.must(Start, Pause); y.verify(VerifyOrder{Level: List}) }, nil, guardBackfilled, true, nil},
		{"write pending", Switch, ready, func(y *yard) { y.stuck(y.new) }, guardCaughtUp, false, nil},
		{"never verified", Switch, func(y *yard) { y.must(Start); y.crawled() }, nil, guardVerified, true, nil},
		{"verified yesterday", Switch, ready, func(*yard) { time.Sleep(25 * time.Hour) }, guardVerified, true, nil},
		{"verified in part", Switch, ready, func(y *yard) { y.verify(VerifyOrder{Level: List, Prefix: "a"}) }, guardVerified, true, nil},
		{"differences", Switch, ready, func(y *yard) {
			putOn(y.t, y.newStore, "a", "other", nil)
			y.verify(VerifyOrder{Level: List})
		}, guardVerified, true, nil},
		{"new answers nothing", Switch, ready, deny(new, "GetObject"), guardNew, false, nil},
		{"new removes nothing", Switch, ready, deny(new, "DeleteObject"), guardNew, false, nil},
		{"new takes no ACL", Switch, ready, deny(new, "PutObjectAcl"), guardNew, false, nil},
		{"new cuts what it answers", Switch, ready, func(y *yard) {
			y.new.Fail(faulty.Fault{Op: "GetObject", Key: canaryKey, Truncate: 3})
		}, guardNew, false, nil},
		{"new answers other bytes", Switch, ready, func(y *yard) { y.Bucket.New().Store = lying{y.new, canaryKey} }, guardNew, false, nil},
		{"old takes nothing", Switch, ready, deny(old, "PutObject"), guardOld, false, nil},
		{"everyone can list", Switch, ready, func(y *yard) { y.Bucket.New().Store = open{y.new} }, guardListing, true, nil},
		{"no state at the switch", Switch, ready, noState, guardState, false, nil},
		{"write pending behind the switch", Rollback, switched, func(y *yard) { y.stuck(y.old) }, guardCaughtUp, false, nil},
		{"old lost", Rollback, switched, deny(old, "PutObject"), guardOld, false, nil},
		{"read-only", Rollback, func(*yard) {}, nil, guardReversible, false, frozen},
		{"objects on old alone", Complete, func(y *yard) { y.must(Start, Pause, Switch) }, nil, guardBackfilled, false, nil},
		{"left to reads", Complete, switched, nil, guardBackfilled, false, ruled(config.Rule{Prefix: "a", Mode: config.Lazy})},
		{"pending at the end", Complete, switched, func(y *yard) { y.stuck(y.old) }, guardCaughtUp, false, nil},
		{"new lost at the end", Complete, switched, deny(new, "PutObject"), guardNew, false, nil},
		{"write pending at cancel", Cancel, ready, func(y *yard) { y.stuck(y.new) }, guardCaughtUp, false, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			change := c.change
			if change == nil {
				change = func(*yard) {}
			}
			inYard(t, func(t *testing.T, y *yard) {
				if c.before != nil {
					c.before(y)
				}
				if c.harm != nil {
					c.harm(y)
				}
				phase := y.Bucket.Phase()
				for _, dry := range []bool{true, false} {
					r, err := y.order(c.command, Order{DryRun: dry})
					var refused *RefusedError
					if !errors.As(err, &refused) || !errors.Is(err, ErrGuard) {
						t.Fatalf("dry run %v: %v", dry, err)
					}
					var names []string
					for _, g := range r.Guards {
						if !g.OK {
							names = append(names, g.Name)
						}
						if !g.OK && (g.Message == "" || strings.Contains(g.Message, "%!")) {
							t.Errorf("%s says %q", g.Name, g.Message)
						}
					}
					if !slices.Equal(names, []string{c.guard}) || r.Done || y.Bucket.Phase() != phase {
						t.Errorf("refused by %q in %+v", names, y.Bucket.Phase())
					}
				}
				if named := slices.Contains(Overridable(c.command), c.guard); named != c.overridable {
					t.Errorf("Overridable names it: %v", named)
				}
				_, err := y.order(c.command, Order{Override: []string{c.guard}, By: "ann"})
				if !c.overridable {
					if !errors.Is(err, ErrInvalid) || y.Bucket.Phase() != phase {
						t.Errorf("overridden: %v", err)
					}
					return
				}
				if err != nil || y.Bucket.Phase().Epoch != phase.Epoch+1 {
					t.Errorf("not overridden: %v", err)
				}
				lines := y.audited()
				if last := lines[len(lines)-1]; !strings.Contains(last, `"override":["`+c.guard+`"]`) || !strings.Contains(last, `"by":"ann"`) {
					t.Errorf("the audit log says %s", last)
				}
			}, change)
		})
	}
}

// TestDryRun says what a command would do, and does nothing of it: not to the phase, not
// to what a crawl knows, not to the stores, not in the audit log. Seen to fail with the
// case of DryRun taken out of Command.
func TestDryRun(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard) {
		fill(t, y.oldStore, "a", "b")
		for _, c := range []Command{Start, Switch, Rollback, Switch, Complete} {
			phase, old, new := y.Bucket.Phase(), y.oldStore.Keys(), y.newStore.Keys()
			crawl := y.Crawl.Progress()
			r, err := y.order(c, Order{DryRun: true})
			if err != nil || !r.DryRun || r.Done || r.From != phase.Name || r.To == r.From || len(r.Steps) == 0 || len(r.Guards) == 0 {
				t.Errorf("%s: %v, %+v", c, err, r)
			}
			if now := y.Crawl.Progress(); y.Bucket.Phase() != phase || !slices.Equal(y.oldStore.Keys(), old) || !slices.Equal(y.newStore.Keys(), new) ||
				crawl != nil && now.State != crawl.State {
				t.Errorf("%s changed something: %+v, %q, %q", c, y.Bucket.Phase(), y.oldStore.Keys(), y.newStore.Keys())
			}
			y.must(c)
			if c == Start {
				y.crawled()
				y.verify(VerifyOrder{Level: List})
			}
			if y.Bucket.Phase().Name != r.To {
				t.Errorf("%s leads to %s, and was said to lead to %s", c, y.Bucket.Phase().Name, r.To)
			}
		}
		if n := len(y.audited()); n != 5 {
			t.Errorf("%d commands in the audit log, want 5", n)
		}
	})
}

// TestWrongPhases: a command out of its phase is refused as such, and so noted.
func TestWrongPhases(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard) {
		wrong := func(commands ...Command) {
			t.Helper()
			for _, c := range commands {
				phase := y.Bucket.Phase()
				if r, err := y.order(c, Order{By: "ann"}); !errors.Is(err, ErrWrongPhase) || r.Done || y.Bucket.Phase() != phase {
					t.Errorf("%s in %s: %v, %+v", c, phase.Name, err, r)
				}
				var line struct {
					Command  Command
					From, To mirror.PhaseName
					Done     bool
					Error    string
				}
				lines := y.audited()
				y.ok(json.Unmarshal([]byte(lines[len(lines)-1]), &line))
				if line.Command != c || line.From != phase.Name || line.To != phase.Name || line.Done || line.Error == "" {
					t.Errorf("the audit log says %+v", line)
				}
			}
		}
		wrong(Cancel, Switch, Rollback, Complete, Pause, Resume, "dance")
		y.ready()
		wrong(Start, Rollback, Complete, "dance")
		y.must(Switch)
		wrong(Start, Cancel, Switch, Pause, Resume)
		y.must(Complete)
		wrong(Start, Cancel, Switch, Rollback, Complete, Pause, Resume)
		if err := y.Verify.Begin(VerifyOrder{Level: List}); !errors.Is(err, ErrWrongPhase) {
			t.Error(err)
		}
	})
}

// TestRollbackLeavesAReadOnlyOldAlone: it is refused without trying to write there. Seen
// to fail with the canary on whatever old is.
func TestRollbackLeavesAReadOnlyOldAlone(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard) {
		if _, err := y.order(Rollback, Order{}); !errors.Is(err, ErrGuard) || y.old.Calls("PutObject") > 0 {
			t.Errorf("%v, %d objects written", err, y.old.Calls("PutObject"))
		}
	}, frozen)
}

// TestSkippedIsGivenUp: complete takes what a rule skips as given up, when the crawl of
// that rule is finished. Seen to fail without GivenUp in do.
func TestSkippedIsGivenUp(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard) {
		fill(t, y.oldStore, "a", "cache/a")
		y.must(Start)
		y.crawled()
		y.must(Switch, Complete)
		if got := clients(y.newStore); !slices.Equal(got, []string{"a"}) || y.Bucket.Phase().Name != mirror.Completed {
			t.Errorf("new holds %q in %+v", got, y.Bucket.Phase())
		}
	}, ruled(config.Rule{Prefix: "cache/", Mode: config.Skip}))
}

// TestLostRecords: a crawl whose record was lost begins anew and proves no less; one that
// is damaged, or of another program, is refused in words that say what to do. Seen to
// fail without the question for the version.
func TestLostRecords(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard) {
		fill(t, y.oldStore, numbered("k/%d", 5)...)
		y.old.Fail(fails(y.old, faulty.Fault{Op: "GetObject", Key: "k/3"}))
		y.must(Start)
		time.Sleep(time.Minute)
		path := recordPath(y.dir, "crawl", "b")
		raw, err := os.ReadFile(path)
		y.ok(err)
		for _, bad := range []string{"", "{", `{"version":2}`, strings.Replace(string(raw), `"after":"`, `"after":"\"`, 1)} {
			if bad == string(raw) {
				continue
			}
			damaged := filepath.Join(y.dir, "damaged")
			y.ok(os.WriteFile(damaged, []byte(bad), 0o600))
			if _, _, err := readRecord(damaged); err == nil || !strings.Contains(err.Error(), "remove the file to begin anew") {
				t.Errorf("%.60q is read: %v", bad, err)
			}
		}
		y.stop()
		y.ok(os.Remove(path))
		y.start()
		time.Sleep(time.Minute)
		if y.Bucket.Phase().Backfilled {
			t.Error("backfilled without k/3")
		}
		y.old.Heal()
		if p := y.crawled(); p.Done.Objects != 5 || !y.Bucket.Phase().Backfilled {
			t.Errorf("%+v", p)
		}
		y.same()
	})
}

// TestForgetRecords leaves nothing of a bucket's sweeps to one of the same name.
func TestForgetRecords(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard) {
		y.ready()
		putOn(t, y.newStore, "a", "other", nil)
		y.verify(VerifyOrder{Level: List})
		y.stop()
		defer y.start()
		y.ok(ForgetRecords(y.dir, "b"))
		y.ok(ForgetRecords(y.dir, "b"))
		left, err := filepath.Glob(filepath.Join(y.dir, "*-b.*"))
		y.ok(err)
		var text bytes.Buffer
		if y.ok(y.Verify.Findings(&text)); len(left) > 0 || text.Len() > 0 {
			t.Errorf("left are %q; %s", left, text.String())
		}
	})
}

// TestConditionsAreDated: a condition's date is that of its change, also when nobody looked
// until much later. Seen to fail without the operator looking itself.
func TestConditionsAreDated(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard) {
		forAnHour := func(what string) {
			t.Helper()
			time.Sleep(time.Hour)
			list := y.Status().Conditions
			c := list[slices.IndexFunc(list, func(c Condition) bool { return c.Type == guardVerified })]
			if d := time.Since(c.Since); d < time.Hour-lookEvery || d > time.Hour {
				t.Errorf("it is %s since %v, not for an hour", what, d)
			}
		}
		fill(t, y.oldStore, "a")
		y.must(Start)
		y.crawled()
		forAnHour("unverified")
		y.verify(VerifyOrder{Level: Content})
		forAnHour("verified")
	})
}
