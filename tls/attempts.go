package tls

import (
	"errors"
	"sync"
	"time"

	"github.com/mholt/acmez/v3/acme"
)

// attempts remembers what came of asking for each name's certificate, so that a CA is not
// asked more often than does any good, whoever wants to: the start, the renewal, a
// handshake.
type attempts struct {
	mu     sync.Mutex
	byName map[string]attempt
}

type attempt struct {
	failures int // in a row
	err      string
	next     time.Time
}

// The first pause after a failure, doubled by each further one, and the longest.
const (
	outagePause, longestOutage   = 5 * time.Second, 10 * time.Minute // the CA was not reached
	refusalPause, longestRefusal = time.Minute, 6 * time.Hour        // it said no: Let's Encrypt takes five of these an hour
)

func (a *attempts) get(name string) attempt {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.byName[name]
}

// failed records a failure, unless it is one that is recorded: the next attempt is not due.
func (a *attempts) failed(name string, err error) (next time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	at := a.byName[name]
	if time.Now().Before(at.next) {
		return at.next
	}
	wait, longest := outagePause, longestOutage
	if refused(err) {
		wait, longest = refusalPause, longestRefusal
	}
	at.next = time.Now().Add(min(wait<<min(at.failures, 20), longest))
	at.failures++
	at.err = explain(name, err)
	a.byName[name] = at
	return at.next
}

func (a *attempts) succeeded(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.byName, name)
}

// refused tells a CA's no from its not having been reached, and from its own trouble.
func refused(err error) bool {
	var problem acme.Problem
	return errors.As(err, &problem) && problem.Type != acme.ProblemTypeServerInternal && problem.Type != acme.ProblemTypeBadNonce
}
