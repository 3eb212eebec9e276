package gateway

import (
	"fmt"
	"strings"
	"time"

	"sluice/gateway/events"
	"sluice/gateway/migrate"
	"sluice/gateway/notify"
	"sluice/tls"
)

// changes turns what is seen of the gateway, again and again, into events. It belongs to one
// goroutine. The zero value has seen nothing.
type changes struct {
	conditions   map[string]*matter          // by subject and type
	runs         map[string]migrate.Progress // by bucket and name: the last that was seen
	certificates map[string]tls.Certificate  // by name
	begun        time.Time                   // the first look
}

// matter is what is known of a condition.
type matter struct {
	told, seen string    // a word for how it is
	since      time.Time // when seen was first so
	here       bool      // it was there at the last look
}

// settling is how long a change must last to be an event, of what changes all the time: any
// slow write is pending for a moment, and a limit is felt in one second and not in the next.
var settling = map[string]time.Duration{"caught-up": 30 * time.Second, throttled: 15 * time.Second}

const throttled = "throttled"

// see tells what has changed.
func (c *changes) see(now time.Time, subjects []notify.Subject, statuses []migrate.Status, certificates []tls.Certificate, tell func(events.Event)) {
	first := c.conditions == nil
	if first {
		c.begun, c.conditions = now, make(map[string]*matter)
	}
	for _, m := range c.conditions {
		m.here = false
	}
	for _, s := range subjects {
		for _, cond := range s.Conditions {
			c.seeCondition(now, s.Name, cond, tell)
		}
	}
	for at, m := range c.conditions {
		if subject, kind, _ := strings.Cut(at, "\x00"); !m.here && kind == throttled && m.told+m.seen != "" {
			c.seeCondition(now, subject, notify.Condition{Type: throttled}, tell) // it has none while nothing holds it back
		} else if !m.here {
			delete(c.conditions, at)
		}
	}
	c.seeRuns(statuses, tell)
	c.seeCertificates(certificates, first, tell)
}

func (c *changes) seeCondition(now time.Time, subject string, cond notify.Condition, tell func(events.Event)) {
	at := subject + "\x00" + cond.Type
	m := c.conditions[at]
	if m == nil {
		m = &matter{told: stateOf(cond), since: now}
		if trouble(cond) && !cond.Status {
			m.told = stateOf(notify.Condition{Type: cond.Type, Status: true})
		}
		if cond.Type == throttled {
			m.told = ""
		}
		m.seen = m.told
		c.conditions[at] = m
	}
	m.here = true
	if state := stateOf(cond); state != m.seen {
		m.seen, m.since = state, now
	}
	if m.seen != m.told && now.Sub(m.since) >= settling[cond.Type] {
		m.told = m.seen
		tell(eventOf(subject, cond))
	}
}

// stateOf is a word for how a condition is. Of the throttle it is the reason, without the
// figures in it.
func stateOf(c notify.Condition) string {
	if c.Type == throttled {
		return strings.Map(func(r rune) rune {
			if '0' <= r && r <= '9' || r == '.' {
				return -1
			}
			return r
		}, c.Message)
	}
	return fmt.Sprint(c.Status)
}

// trouble tells whether a condition is one that should hold.
func trouble(c notify.Condition) bool {
	return c.Type == notify.StoreAnswers || c.Type == certificatesHeld || c.Type == "notifications"
}

// eventOf is what is told of a condition that changed.
func eventOf(subject string, c notify.Condition) events.Event {
	e := events.Event{Kind: events.Condition}
	e.Bucket, _ = strings.CutPrefix(subject, ofBucket)
	if e.Bucket == subject {
		e.Bucket = ""
	}
	switch {
	case c.Type == notify.StoreAnswers && c.Status:
		e.Kind, e.Message = events.Store, subject+" answers again"
	case c.Type == notify.StoreAnswers:
		e.Kind, e.Level, e.Message = events.Store, events.Error, subject+" does not answer: "+c.Message
	case c.Type == throttled && c.Message == "":
		e.Kind, e.Message = events.Throttle, "nothing holds background work back any more"
	case c.Type == throttled:
		e.Kind, e.Message = events.Throttle, "background work is held back: "+c.Message
	default:
		if c.Type == certificatesHeld {
			e.Kind = events.Certificate
		}
		if !c.Status && (trouble(c) || c.Type == "caught-up") {
			e.Level = events.Warn
		}
		word := " does not hold"
		if c.Status {
			word = " holds"
		}
		e.Message = c.Type + word
		if c.Message != "" {
			e.Message += ": " + c.Message
		}
	}
	return e
}

// lately: what began so shortly before the first look was begun by this process.
const lately = 5 * time.Second

// seeRuns tells of backfills and verifications that began or ended, but not of the beginning
// of those that an earlier process began.
func (c *changes) seeRuns(statuses []migrate.Status, tell func(events.Event)) {
	seen := make(map[string]migrate.Progress)
	for _, s := range statuses {
		for _, run := range []struct {
			kind     events.Kind
			progress *migrate.Progress
		}{{events.Backfill, s.Backfill}, {events.Verify, s.Verify}} {
			if run.progress == nil {
				continue
			}
			at := s.Bucket + "\x00" + string(run.kind)
			p := *run.progress
			before, known := c.runs[at]
			seen[at] = migrate.Progress{State: p.State, Started: p.Started}
			began := p.Started.After(c.begun.Add(-lately)) && (!known || !before.Started.Equal(p.Started))
			if began {
				tell(events.Event{Kind: run.kind, Bucket: s.Bucket, Message: string(run.kind) + " started" + how(p)})
			}
			ended := p.State == migrate.Finished || p.State == migrate.Stopped
			if ended && (began || known && before.State != p.State) {
				tell(endOf(run.kind, s.Bucket, p))
			}
		}
	}
	c.runs = seen
}

// how says what a verification looks at; a backfill looks at everything.
func how(p migrate.Progress) string {
	words := ""
	if p.Level != "" {
		words = ", level " + string(p.Level)
	}
	if p.Prefix != "" {
		words += fmt.Sprintf(", keys with the prefix %q", p.Prefix)
	}
	return words
}

func endOf(kind events.Kind, bucket string, p migrate.Progress) events.Event {
	e := events.Event{Kind: kind, Bucket: bucket}
	switch {
	case p.State == migrate.Stopped:
		e.Level, e.Message = events.Warn, fmt.Sprintf("%s stopped before its end, after %d objects", kind, p.Done.Objects)
	case kind == events.Backfill:
		e.Message = fmt.Sprintf("backfill finished: %d objects, %d copied, %d extra on new", p.Done.Objects, p.Copied.Objects, p.Extra)
	default:
		e.Message = fmt.Sprintf("verify ended: %d same, %d missing, %d extra, %d different, %d failed, %d fixed",
			p.Same, p.Missing, p.Extra, p.Different, p.Failed, p.Fixed)
		if p.Missing+p.Extra+p.Different+p.Failed > p.Fixed {
			e.Level = events.Warn
		}
	}
	return e
}

// seeCertificates tells of certificates that were had, renewed, or refused.
func (c *changes) seeCertificates(list []tls.Certificate, first bool, tell func(events.Event)) {
	seen := make(map[string]tls.Certificate, len(list))
	for _, cert := range list {
		before := c.certificates[cert.Name]
		seen[cert.Name] = cert
		if !first && !cert.NotAfter.IsZero() && !cert.NotAfter.Equal(before.NotAfter) {
			tell(events.Event{Kind: events.Certificate, Message: fmt.Sprintf(
				"%s has a certificate of %s until %s", cert.Name, cert.Issuer, cert.NotAfter.UTC().Format(time.DateOnly))})
		}
		if cert.Error != "" && cert.Error != before.Error {
			tell(events.Event{Kind: events.Certificate, Level: events.Warn, Message: "no certificate for " + cert.Name + ": " + cert.Error})
		}
	}
	c.certificates = seen
}
