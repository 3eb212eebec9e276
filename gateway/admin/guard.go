package admin

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// desk is what operators reach by an address: the API, to who has the token or a session, and
// the dashboard.
type desk struct {
	api      http.Handler
	pages    http.Handler
	lock     *lock
	sessions *sessions
	origin   *http.CrossOriginProtection
}

// Guard lets in, beside the owner of the socket, who has the token: in the header of a request,
// or once for a session of the dashboard. Health and metrics are for everyone who reaches the
// address; the dashboard's pages, too, which know nothing.
func Guard(api http.Handler, token string) http.Handler {
	return &desk{
		api: api, pages: pages(), lock: newLock(token),
		sessions: &sessions{ends: make(map[[sha256.Size]byte]time.Time)}, origin: http.NewCrossOriginProtection(),
	}
}

// ServeHTTP answers one request.
func (d *desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if at, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && at.Network() == "unix" {
		d.api.ServeHTTP(w, r)
		return
	}
	harden(w.Header())
	w.Header().Set("Cache-Control", "no-store")
	if err := d.origin.Check(r); err != nil { // a page of somebody else's sends it, with our cookie
		_ = answer(w, http.StatusForbidden, Error{Kind: Denied, Message: err.Error()})
		return
	}
	switch path := r.URL.Path; {
	case path == "/livez" || path == "/readyz" || path == "/metrics":
		d.api.ServeHTTP(w, r)
	case path == "/" || path == "/dashboard":
		http.Redirect(w, r, "/dashboard/", http.StatusFound)
	case strings.HasPrefix(path, "/dashboard/"):
		d.pages.ServeHTTP(w, r)
	case path == "/v1/session" && r.Method == http.MethodGet:
		_, err := d.who(r)
		_ = answer(w, http.StatusOK, map[string]bool{"open": err == nil})
	case path == "/v1/session" && r.Method == http.MethodPost:
		d.login(w, r)
	case path == "/v1/session" && r.Method == http.MethodDelete:
		d.logout(w, r)
	default:
		by, err := d.who(r)
		if err != nil {
			deny(w, err)
			return
		}
		d.api.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), peer{}, by)))
	}
}

// harden keeps browsers from doing anything with an answer but what the dashboard needs.
func harden(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

// who names the sender of a request, for the audit log.
func (d *desk) who(r *http.Request) (string, error) {
	address, _, _ := net.SplitHostPort(r.RemoteAddr)
	if given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return "token from " + address, d.lock.open(given)
	}
	if c, err := r.Cookie(sessionCookie); err == nil && d.sessions.holds(c.Value, time.Now()) {
		return "dashboard from " + address, nil
	}
	return "", errDenied
}

// login begins a session. By plain http its cookie can not be Secure; the browser tells by
// which it came, also where a proxy ends TLS.
func (d *desk) login(w http.ResponseWriter, r *http.Request) {
	var given struct {
		Token string `json:"token"`
	}
	r.Body = http.MaxBytesReader(w, r.Body, 4<<10)
	if err := decode(r, &given); err != nil {
		refuse(w, err)
		return
	}
	if err := d.lock.open(strings.TrimSpace(given.Token)); err != nil {
		deny(w, err)
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: sessionCookie, Value: d.sessions.begin(time.Now()), Path: "/", MaxAge: int(sessionTime.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: strings.HasPrefix(r.Header.Get("Origin"), "https://"),
	})
	w.WriteHeader(http.StatusNoContent)
}

func (d *desk) logout(w http.ResponseWriter, r *http.Request) {
	if c, err := r.Cookie(sessionCookie); err == nil {
		d.sessions.end(c.Value)
	}
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteStrictMode})
	w.WriteHeader(http.StatusNoContent)
}

func deny(w http.ResponseWriter, err error) {
	status := http.StatusUnauthorized
	if errors.Is(err, errTooMany) {
		status = http.StatusTooManyRequests
		w.Header().Set("Retry-After", "5")
	} else {
		w.Header().Set("WWW-Authenticate", `Bearer realm="sluice"`)
	}
	_ = answer(w, status, Error{Kind: Denied, Message: err.Error()})
}

// Token is the one in admin.token in the state directory, which is made if there is none.
func Token(dir string) (string, error) {
	path := filepath.Join(dir, "admin.token")
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		raw = []byte(rand.Text() + rand.Text())
		err = os.WriteFile(path, raw, 0o600)
	}
	token := strings.TrimSpace(string(raw))
	if err == nil && token == "" {
		err = fmt.Errorf("%s is empty: remove it for a new one", path)
	}
	if err != nil {
		return "", fmt.Errorf("the admin API's token: %w", err)
	}
	return token, nil
}
