package notify

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// watch turns what is seen of conditions into messages. It belongs to one goroutine.
type watch struct {
	repeat time.Duration
	seen   map[place]*episode
}

// place is one condition of one subject.
type place struct{ subject, condition string }

// episode is what is known of a condition from when it turned bad until the operators
// were told that it is good again, or it was before anyone was told.
type episode struct {
	bad    bool
	turned time.Time // when bad was first seen as it is
	since  time.Time // when it turned bad first
	told   time.Time // when it was last told of; zero: never
	last   Condition
}

func newWatch(repeat time.Duration) *watch {
	return &watch{repeat: repeat, seen: make(map[place]*episode)}
}

// look answers what there is to tell, now that the conditions are these. A condition that
// is there no more, such as a bucket's that has finished its migration, is good.
func (w *watch) look(now time.Time, subjects []Subject) []Message {
	here := make(map[place]Condition)
	for _, s := range subjects {
		for _, c := range s.Conditions {
			if t := troubleOf(c.Type); t != nil {
				at := place{s.Name, c.Type}
				here[at] = c
				w.see(now, at, c, c.Status == t.bad)
			}
		}
	}
	var messages []Message
	for _, at := range slices.SortedFunc(maps.Keys(w.seen), comparePlaces) {
		if _, ok := here[at]; !ok {
			w.see(now, at, Condition{}, false)
		}
		if m := w.tell(now, at); m != nil {
			messages = append(messages, *m)
		}
	}
	return messages
}

// see notes how a condition is. Of good ones that nobody worries about nothing is kept.
func (w *watch) see(now time.Time, at place, c Condition, bad bool) {
	e := w.seen[at]
	switch {
	case e == nil && !bad:
		return
	case e == nil:
		e = &episode{bad: true, turned: now, since: now}
		if !c.Since.IsZero() {
			e.since = c.Since
		}
		w.seen[at] = e
	case !bad && e.told.IsZero():
		delete(w.seen, at) // a flap
		return
	case bad != e.bad:
		e.bad, e.turned = bad, now
	}
	e.last = c
}

// tell answers the message that is due, if any.
func (w *watch) tell(now time.Time, at place) *Message {
	e, ok := w.seen[at]
	if !ok {
		return nil
	}
	t := troubleOf(at.condition)
	m := &Message{
		Subject: at.subject, Condition: at.condition, Title: t.title, Detail: e.last.Message,
		Since: e.since, Time: now,
	}
	settled := now.Sub(e.turned) >= t.after
	switch {
	case !e.bad && settled:
		m.Kind = Resolved
		delete(w.seen, at)
	case e.bad && e.told.IsZero() && settled:
		m.Kind, m.Todo = Problem, t.todo
		e.told = now
	case e.bad && !e.told.IsZero() && now.Sub(e.told) >= w.repeat:
		m.Kind, m.Todo = Still, t.todo
		e.told = now
	default:
		return nil
	}
	return m
}

func comparePlaces(a, b place) int {
	return cmp.Or(cmp.Compare(a.subject, b.subject), cmp.Compare(a.condition, b.condition))
}
