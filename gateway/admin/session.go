package admin

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// sessions are the browsers that are let in. A restart ends them.
type sessions struct {
	mu   sync.Mutex
	ends map[[sha256.Size]byte]time.Time // by the hash of what the cookie holds
}

const (
	sessionCookie = "sluice_session"
	sessionTime   = 12 * time.Hour
	maxSessions   = 64
)

// begin answers what the cookie is to hold. Where too many browsers are in, the one that was
// let in first goes.
func (s *sessions) begin(now time.Time) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ends) >= maxSessions {
		var first [sha256.Size]byte
		for hash, end := range s.ends {
			if before, any := s.ends[first]; !any || end.Before(before) {
				first = hash
			}
		}
		delete(s.ends, first)
	}
	id := rand.Text() + rand.Text()
	s.ends[sha256.Sum256([]byte(id))] = now.Add(sessionTime)
	return id
}

// holds tells whether a cookie is a session's.
func (s *sessions) holds(id string, now time.Time) bool {
	hash := sha256.Sum256([]byte(id))
	s.mu.Lock()
	defer s.mu.Unlock()
	end, ok := s.ends[hash]
	if ok && !now.Before(end) {
		delete(s.ends, hash)
		return false
	}
	return ok
}

func (s *sessions) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.ends, sha256.Sum256([]byte(id)))
}

// lock opens to the token. After some wrong ones it is tried once a second only, whoever
// brings it: a short token that somebody chose is not guessed. Sessions do not pass here.
type lock struct {
	token string
	mu    sync.Mutex
	wrong *rate.Limiter
}

var (
	errDenied  = errors.New("send the token in admin.token, in the state directory, as Authorization: Bearer TOKEN")
	errTooMany = errors.New("too many wrong tokens came in: wait a few seconds")
)

// freeTries are the wrong tokens that cost no time.
const freeTries = 10

func newLock(token string) *lock { return &lock{token: token, wrong: rate.NewLimiter(1, freeTries)} }

func (l *lock) open(given string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case given == "":
		return errDenied
	case l.wrong.Tokens() < 1:
		return errTooMany
	case subtle.ConstantTimeCompare([]byte(given), []byte(l.token)) == 1:
		return nil
	}
	l.wrong.Allow()
	return errDenied
}
