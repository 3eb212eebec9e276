package gateway

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/gateway/events"
	"sluice/gateway/migrate"
	"sluice/gateway/notify"
	"sluice/tls"
)

// view is what one look sees.
type view struct {
	at           int // seconds since the first
	conditions   map[string]notify.Condition
	backfill     *migrate.Progress
	certificates []tls.Certificate
	want         string // words of the events, between "; "
}

// TestChanges: what changes between two looks is an event, once; what flaps, and what was so
// at the start, is none.
func TestChanges(t *testing.T) {
	begun := time.Now()
	is := func(kind string, status bool, message string) notify.Condition {
		return notify.Condition{Type: kind, Status: status, Message: message}
	}
	on := func(subject string, c notify.Condition) map[string]notify.Condition {
		return map[string]notify.Condition{subject: c}
	}
	run := func(state migrate.RunState, started time.Duration) *migrate.Progress {
		return &migrate.Progress{State: state, Started: begun.Add(started)}
	}
	for name, views := range map[string][]view{
		"a store": {
			{0, on("store new", is(notify.StoreAnswers, true, "")), nil, nil, ""},
			{3, on("store new", is(notify.StoreAnswers, false, "refused")), nil, nil, "error store: store new does not answer: refused"},
			{6, on("store new", is(notify.StoreAnswers, false, "timeout")), nil, nil, ""},
			{9, on("store new", is(notify.StoreAnswers, true, "")), nil, nil, "info store: store new answers again"},
		},
		"a store that is away at the start": {
			{0, on("store new", is(notify.StoreAnswers, false, "refused")), nil, nil, "error store: store new does not answer: refused"},
		},
		"a condition": {
			{0, on("bucket b", is("verified", false, "run verify")), nil, nil, ""},
			{3, on("bucket b", is("verified", true, "9 same")), nil, nil, "info condition b: verified holds: 9 same"},
			{6, nil, nil, nil, ""},
			{9, on("bucket b", is("verified", false, "run verify")), nil, nil, ""},
		},
		"writes that are pending for a moment, then for long": {
			{0, on("bucket b", is("caught-up", true, "")), nil, nil, ""},
			{3, on("bucket b", is("caught-up", false, "1 write")), nil, nil, ""},
			{6, on("bucket b", is("caught-up", true, "")), nil, nil, ""},
			{9, on("bucket b", is("caught-up", false, "1 write")), nil, nil, ""},
			{36, on("bucket b", is("caught-up", false, "2 writes")), nil, nil, ""},
			{39, on("bucket b", is("caught-up", false, "3 writes")), nil, nil, "warn condition b: caught-up does not hold: 3 writes"},
		},
		"the throttle": {
			{0, nil, nil, nil, ""},
			{3, on("bucket b", is(throttled, true, "load average 5.1, allowed 4")), nil, nil, ""},
			{18, on("bucket b", is(throttled, true, "load average 7, allowed 4")), nil, nil, "info throttle b: background work is held back: load average 7, allowed 4"},
			{40, on("bucket b", is(throttled, true, "load average 9.55, allowed 4")), nil, nil, ""},
			{43, nil, nil, nil, ""},
			{58, nil, nil, nil, "info throttle b: nothing holds background work back any more"},
			{80, nil, nil, nil, ""},
		},
		"a backfill": {
			{0, nil, nil, nil, ""},
			{3, nil, run(migrate.Running, 2*time.Second), nil, "info backfill b: backfill started"},
			{6, nil, run(migrate.Waiting, 2*time.Second), nil, ""},
			{9, nil, run(migrate.Finished, 2*time.Second), nil, "info backfill b: backfill finished: 0 objects, 0 copied, 0 extra on new"},
			{12, nil, run(migrate.Finished, 2*time.Second), nil, ""},
			{15, nil, run(migrate.Stopped, 14*time.Second), nil, "info backfill b: backfill started; warn backfill b: backfill stopped before its end, after 0 objects"},
		},
		"a backfill of an earlier process": {
			{0, nil, run(migrate.Running, -time.Hour), nil, ""},
			{3, nil, run(migrate.Finished, -time.Hour), nil, "info backfill b: backfill finished: 0 objects, 0 copied, 0 extra on new"},
		},
		"certificates": {
			{0, nil, nil, []tls.Certificate{{Name: "a", Issuer: "CA", NotAfter: begun}, {Name: "b", Error: "no"}}, "warn certificate: no certificate for b: no"},
			{3, nil, nil, []tls.Certificate{{Name: "a", Issuer: "CA", NotAfter: begun}, {Name: "b", Error: "no"}}, ""},
			{6, nil, nil, []tls.Certificate{
				{Name: "a", Issuer: "CA", NotAfter: begun, Error: "timeout"}, {Name: "b", Issuer: "CA", NotAfter: time.Unix(0, 0)},
			}, "warn certificate: no certificate for a: timeout; info certificate: b has a certificate of CA until 1970-01-01"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var c changes
			for _, v := range views {
				var got []string
				var subjects []notify.Subject
				for name, condition := range v.conditions {
					subjects = append(subjects, notify.Subject{Name: name, Conditions: []notify.Condition{condition}})
				}
				c.see(begun.Add(time.Duration(v.at)*time.Second), subjects, []migrate.Status{{Bucket: "b", Backfill: v.backfill}}, v.certificates, func(e events.Event) {
					if e.Level == "" {
						e.Level = events.Info
					}
					got = append(got, strings.TrimSpace(fmt.Sprintf("%s %s %s", e.Level, e.Kind, e.Bucket))+": "+e.Message)
				})
				if text := strings.Join(got, "; "); text != v.want {
					t.Errorf("after %d s: %q, want %q", v.at, text, v.want)
				}
			}
		})
	}
}
