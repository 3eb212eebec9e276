package admin

import (
	"crypto/sha256"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const testToken = "the-token"

// desk is a guard before an API that says who asks.
func testDesk() http.Handler {
	return Guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, who(r.Context())) }), testToken)
}

// send sends a request from a browser on the gateway's own page; change may make it another's.
func send(h http.Handler, method, path, body string, change func(*http.Request)) *http.Response {
	r := httptest.NewRequest(method, "http://127.0.0.1:9180"+path, strings.NewReader(body))
	r.RemoteAddr = "127.0.0.9:1234"
	r.Header.Set("Origin", "http://127.0.0.1:9180")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func logIn(t *testing.T, h http.Handler, change func(*http.Request)) *http.Cookie {
	t.Helper()
	resp := send(h, http.MethodPost, "/v1/session", `{"token": " `+testToken+`\n"}`, change)
	if resp.StatusCode != http.StatusNoContent || len(resp.Cookies()) != 1 {
		t.Fatalf("login is answered %s with %v", resp.Status, resp.Cookies())
	}
	return resp.Cookies()[0]
}

// TestSession: a login makes a cookie that no script reads and no other site sends; with it the
// API is open, and the audit log knows from where; after the logout it is not.
func TestSession(t *testing.T) {
	h := testDesk()
	c := logIn(t, h, nil)
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Secure || c.Path != "/" || c.MaxAge != 12*60*60 || len(c.Value) < 26 {
		t.Errorf("the cookie is %v", c)
	}
	if again := logIn(t, h, nil); again.Value == c.Value {
		t.Error("two sessions are one")
	}
	if c := logIn(t, h, func(r *http.Request) {
		r.Host = "sluice.example.com"
		r.Header.Set("Origin", "https://sluice.example.com")
	}); !c.Secure {
		t.Errorf("by https the cookie is %v", c)
	}
	with := func(r *http.Request) { r.AddCookie(c) }
	resp := send(h, http.MethodPost, "/v1/buckets/b/switch", "", with)
	if by, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK || string(by) != "dashboard from 127.0.0.9" {
		t.Errorf("%s, by %q", resp.Status, by)
	}
	if resp := send(h, http.MethodGet, "/v1/buckets", "", func(r *http.Request) {
		r.AddCookie(&http.Cookie{Name: sessionCookie, Value: c.Value[1:]})
	}); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("another cookie is answered %s", resp.Status)
	}
	if resp := send(h, http.MethodDelete, "/v1/session", "", with); resp.StatusCode != http.StatusNoContent || resp.Cookies()[0].MaxAge >= 0 {
		t.Errorf("the logout is answered %s with %v", resp.Status, resp.Cookies())
	}
	if resp := send(h, http.MethodGet, "/v1/buckets", "", with); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("after the logout it is %s", resp.Status)
	}
}

// TestOtherSites: what a page of somebody else's has the browser send is refused, with the
// cookie too; what it asks by GET changes nothing.
func TestOtherSites(t *testing.T) {
	h := testDesk()
	c := logIn(t, h, nil)
	for name, change := range map[string]func(*http.Request){
		"another site":            func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
		"another port":            func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") },
		"another origin":          func(r *http.Request) { r.Header.Del("Sec-Fetch-Site"); r.Header.Set("Origin", "http://evil.example") },
		"an origin without names": func(r *http.Request) { r.Header.Del("Sec-Fetch-Site"); r.Header.Set("Origin", "null") },
	} {
		for _, ask := range []string{"POST /v1/buckets/b/switch", "PUT /v1/throttle", "DELETE /v1/buckets/b/verify", "POST /v1/session", "DELETE /v1/session"} {
			method, path, _ := strings.Cut(ask, " ")
			resp := send(h, method, path, `{"token": "`+testToken+`"}`, func(r *http.Request) { r.AddCookie(c); change(r) })
			if resp.StatusCode != http.StatusForbidden || len(resp.Cookies()) > 0 {
				t.Errorf("%s from %s: %s", ask, name, resp.Status)
			}
		}
	}
	resp := send(h, http.MethodPost, "/v1/buckets/b/switch", "", func(r *http.Request) { // no browser
		r.Header = http.Header{"Authorization": {"Bearer " + testToken}}
	})
	if by, _ := io.ReadAll(resp.Body); string(by) != "token from 127.0.0.9" {
		t.Errorf("%s, by %q", resp.Status, by)
	}
}

// TestSessionsEnd: by time, and the first of too many.
func TestSessionsEnd(t *testing.T) {
	s := &sessions{ends: make(map[[sha256.Size]byte]time.Time)}
	now := time.Now()
	first := s.begin(now)
	if !s.holds(first, now.Add(sessionTime-1)) || s.holds(first, now.Add(sessionTime)) || len(s.ends) != 0 {
		t.Errorf("a session does not end after %v; %d are kept", sessionTime, len(s.ends))
	}
	var ids []string
	for i := range maxSessions + 3 {
		ids = append(ids, s.begin(now.Add(time.Duration(i))))
	}
	for i, id := range ids {
		if s.holds(id, now) != (i >= 3) {
			t.Errorf("session %d of %d is held: %t", i, len(ids), i < 3)
		}
	}
	if len(s.ends) != maxSessions {
		t.Errorf("%d sessions are kept", len(s.ends))
	}
}

// TestWrongTokensCostTime: after a few, the right one has to wait too; who is in stays in.
func TestWrongTokensCostTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := testDesk()
		c := logIn(t, h, nil)
		status := func(token string) int {
			return send(h, http.MethodPost, "/v1/session", `{"token": "`+token+`"}`, nil).StatusCode
		}
		for range freeTries {
			if got := status("wrong"); got != http.StatusUnauthorized {
				t.Fatalf("a wrong token is answered %d", got)
			}
		}
		bearer := send(h, http.MethodGet, "/v1/buckets", "", func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+testToken) })
		if got := status(testToken); got != http.StatusTooManyRequests || bearer.StatusCode != got || bearer.Header.Get("Retry-After") == "" {
			t.Errorf("one more is answered %d and %d", got, bearer.StatusCode)
		}
		if resp := send(h, http.MethodGet, "/v1/buckets", "", func(r *http.Request) { r.AddCookie(c) }); resp.StatusCode != http.StatusOK {
			t.Errorf("who is in is answered %s", resp.Status)
		}
		time.Sleep(time.Second)
		if got := status(testToken); got != http.StatusNoContent {
			t.Errorf("a second later it is %d", got)
		}
	})
}

// TestHardened: pages are for everyone, and browsers are told to do nothing else with them.
func TestHardened(t *testing.T) {
	h := testDesk()
	for path, kind := range map[string]string{
		"/dashboard/": "text/html", "/dashboard/app.js": "text/javascript", "/dashboard/style.css": "text/css", "/dashboard/icon.svg": "image/svg+xml",
	} {
		resp := send(h, http.MethodGet, path, "", nil)
		body, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), kind) || len(body) == 0 {
			t.Errorf("%s is answered %s, %s", path, resp.Status, resp.Header.Get("Content-Type"))
		}
		if strings.Contains(string(body), testToken) {
			t.Errorf("%s holds the token", path)
		}
	}
	for _, path := range []string{"/dashboard/", "/v1/buckets", "/metrics"} {
		got := send(h, http.MethodGet, path, "", nil).Header
		for name, value := range map[string]string{
			"Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
			"X-Content-Type-Options":  "nosniff", "Referrer-Policy": "no-referrer",
		} {
			if got.Get(name) != value {
				t.Errorf("%s has %s %q", path, name, got.Get(name))
			}
		}
	}
	for _, path := range []string{"/", "/dashboard"} {
		if resp := send(h, http.MethodGet, path, "", nil); resp.Header.Get("Location") != "/dashboard/" {
			t.Errorf("%s is answered %s", path, resp.Status)
		}
	}
}
