package migration

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/gateway/migrate"
	"sluice/gateway/mirror"
	"sluice/test/process"
)

var transitions = flag.Int("transitions", 8, "how many phase changes to kill the gateway in")

// small is a bucket between two stores in this process, that outlive the gateway.
func small(t *testing.T, n int, change ...func(old *process.Upstream)) *life {
	t.Helper()
	l := &life{t: t, library: library(n, 0, 0)}
	var oldUp, newUp process.Upstream
	_, l.old, oldUp = process.Embedded(t, "old")
	l.newServer, l.new, newUp = process.Embedded(t, "new")
	for _, o := range l.library {
		if err := o.put(t.Context(), l.old); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range change {
		c(&oldUp)
	}
	l.gateway = process.StartBefore(t, oldUp, newUp, "migration: { mirror: { quarantine: 300ms } }")
	l.operator = l.gateway.Operator(t)
	l.players = newPlayers(l.gateway.Client(t), l.library)
	return l
}

// next is the command that the gateway is killed in: forth and back for so many turns,
// then to the end.
func next(from mirror.PhaseName, turn int) migrate.Command {
	switch {
	case from == mirror.Passthrough:
		return migrate.Start
	case from == mirror.Switched && turn >= *transitions:
		return migrate.Complete
	case from == mirror.Switched:
		return migrate.Rollback
	case turn%3 == 0 && turn < *transitions:
		return migrate.Cancel
	}
	return migrate.Switch
}

// TestKilledTransitions kills the gateway at any moment of a phase change. After the
// restart the phase is the one before or the one after, clients find everything they
// know, and the next command works.
func TestKilledTransitions(t *testing.T) {
	l := small(t, 60)
	r := rand.New(rand.NewPCG(7, 7))
	l.traffic()
	outcomes := make(map[bool]int)
	for turn := 0; l.phase() != mirror.Completed; turn++ {
		from := l.phase()
		command := next(from, turn)
		if command == migrate.Switch || command == migrate.Complete {
			l.until("the backfill is finished", func(s migrate.Status) bool { return s.Backfilled })
		}
		l.quiet()
		if command == migrate.Switch || command == migrate.Rollback {
			l.players.start(t.Context())
			l.asked(100)
			l.players.end()
			l.quiet()
		}
		ended := make(chan error, 1)
		go func() {
			order := migrate.Order{}
			if command == migrate.Switch {
				order.Override = []string{"verified"}
			}
			_, err := l.operator.Command(context.Background(), process.Bucket, command, order)
			ended <- err
		}()
		<-time.After(time.Duration(r.IntN(30_000)) * time.Microsecond)
		l.gateway.Kill(t)
		<-ended
		l.gateway.Restart(t)
		now := l.phase()
		if to, _ := command.Leads(); now != from && now != to {
			t.Fatalf("%s of a bucket that was %s: after the kill it is %s", command, from, now)
		}
		outcomes[now != from]++
		for _, known := range l.players.known {
			for _, o := range known {
				if err := o.check(t.Context(), l.players.client); err != nil {
					t.Fatalf("%s, then %s: %v", command, now, err)
				}
			}
		}
	}
	t.Logf("%d kills: the phase was that before %d times, that after %d times; %v", outcomes[false]+outcomes[true], outcomes[false], outcomes[true], l.players)
	if failures := l.players.failures(); len(failures) > 0 {
		t.Error(errors.Join(failures...))
	}
	if outcomes[true] == 0 || outcomes[false] == 0 {
		t.Error("only one side of the decision was met")
	}
}

// traffic has the players make a few requests each, one after the other.
func (l *life) traffic() {
	l.t.Helper()
	for range 20 {
		for i := range playerN {
			l.players.play(l.t.Context(), i)
		}
	}
}

// phase is what the gateway says it is, once it says something.
func (l *life) phase() (name mirror.PhaseName) {
	l.t.Helper()
	process.Eventually(l.t, 30*time.Second, func(ctx context.Context) error {
		list, err := l.operator.Buckets(ctx)
		if err == nil && len(list) == 0 {
			err = errors.New("no bucket is open")
		}
		if err == nil {
			name = list[0].Name
		}
		return err
	})
	return name
}

// TestRefusals: what would lose data is refused with the exit code 3, by a guard with a
// name.
func TestRefusals(t *testing.T) {
	t.Parallel()
	l := small(t, 200)
	refused := func(guard string, words ...string) {
		t.Helper()
		out, talk, code := l.gateway.Sluice(t, words...)
		if code != 3 || !strings.Contains(out+talk, guard) {
			t.Errorf("%v: exit code %d, want 3 and the guard %s\n%s%s", words, code, guard, out, talk)
		}
	}
	must := func(words ...string) {
		t.Helper()
		if out, talk, code := l.gateway.Sluice(t, words...); code != 0 {
			t.Fatalf("%v: exit code %d\n%s%s", words, code, out, talk)
		}
	}
	if _, _, code := l.gateway.Sluice(t, "switch"); code != 9 {
		t.Errorf("a switch before the start: exit code %d, want 9", code)
	}
	must("throttle", "--bandwidth", "1B")
	must("start")
	refused("backfilled", "switch")
	refused("verified", "switch", "--dry-run")
	must("throttle", "--none")
	l.until("the backfill is finished", func(s migrate.Status) bool { return s.Backfilled })
	refused("verified", "switch")
	must("verify", "--level", "content")
	must("switch", "--dry-run")

	// A write that new has missed, and a new store that is not there.
	if err := l.newServer.Stop(); err != nil {
		t.Fatal(err)
	}
	l.traffic()
	refused("new-writable", "switch")
	out, talk, code := l.gateway.Sluice(t, "switch", "--override", "caught-up")
	if code == 0 || !strings.Contains(out+talk, "can not be overridden") {
		t.Errorf("a guard that never may be: exit code %d\n%s%s", code, out, talk)
	}
	if err := l.newServer.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.quiet()

	// A verification of the day before yesterday.
	l.gateway.Kill(t)
	l.age("verify-media.json", 48*time.Hour)
	l.gateway.Restart(t)
	l.quiet()
	refused("verified", "switch")
	must("verify")
	must("switch")
}

// TestStateLostAfterTheSwitch: without its state directory the gateway would take old for
// right again; it refuses to serve, and says why and what to do.
func TestStateLostAfterTheSwitch(t *testing.T) {
	t.Parallel()
	l := small(t, 20)
	l.run(migrate.Start)
	l.until("the backfill is finished", func(s migrate.Status) bool { return s.Backfilled })
	if _, err := l.operator.Command(t.Context(), process.Bucket, migrate.Switch, migrate.Order{Override: []string{"verified"}}); err != nil {
		t.Fatal(err)
	}
	l.gateway.Kill(t)
	if err := os.RemoveAll(l.gateway.State()); err != nil {
		t.Fatal(err)
	}
	_, talk, code := l.gateway.Sluice(t, "serve")
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	for _, word := range []string{"state directory", ".sluice/marker.json", "switched", "Put the state directory back"} {
		if !strings.Contains(talk, word) {
			t.Errorf("the gateway says %q, and nothing of %q", talk, word)
		}
	}
}

// age makes a sweep's record older. The gateway must not run.
func (l *life) age(name string, by time.Duration) {
	l.t.Helper()
	path := filepath.Join(l.gateway.State(), name)
	raw, err := os.ReadFile(path)
	var record map[string]any
	if err == nil {
		err = json.Unmarshal(raw, &record)
	}
	if err != nil {
		l.t.Fatal(err)
	}
	record["finished"] = time.Now().Add(-by)
	if raw, err = json.Marshal(record); err == nil {
		err = os.WriteFile(path, raw, 0o600)
	}
	if err != nil {
		l.t.Fatal(err)
	}
}
