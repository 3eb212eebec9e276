package admin

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestGuard(t *testing.T) {
	dir := t.TempDir()
	token, err := Token(dir)
	if err != nil || len(token) < 40 {
		t.Fatalf("%q, %v", token, err)
	}
	if again, err := Token(dir); err != nil || again != token {
		t.Errorf("another at the next start: %v", err)
	}
	if info, err := os.Stat(filepath.Join(dir, "admin.token")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	h := Guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if by := who(r.Context()); strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") != strings.HasPrefix(by, "token from ") {
			t.Errorf("%s: it is said to be by %q", r.URL, by)
		}
		w.WriteHeader(http.StatusTeapot)
	}), token)
	for _, c := range []struct {
		path, authorization string
		status              int
	}{
		{"/v1/buckets", "", http.StatusUnauthorized},
		{"/v1/buckets", "Bearer " + token[1:], http.StatusUnauthorized},
		{"/v1/buckets", "Bearer ", http.StatusUnauthorized},
		{"/v1/buckets/b/switch", "Bearer wrong", http.StatusUnauthorized},
		{"/metrics/../v1/buckets", "", http.StatusUnauthorized},
		{"/v1/buckets", "Bearer " + token, http.StatusTeapot},
		{"/metrics", "", http.StatusTeapot},
		{"/livez", "", http.StatusTeapot},
		{"/readyz", "", http.StatusTeapot},
	} {
		r := httptest.NewRequest(http.MethodGet, c.path, nil)
		r.Header.Set("Authorization", c.authorization)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.status {
			t.Errorf("%s with %q: %d, want %d", c.path, c.authorization, w.Code, c.status)
		}
	}
	r := httptest.NewRequest(http.MethodGet, "/v1/buckets", nil)
	r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, &net.UnixAddr{Net: "unix"}))
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, r); w.Code != http.StatusTeapot {
		t.Errorf("by the socket: %d", w.Code)
	}
	if err := os.WriteFile(filepath.Join(dir, "admin.token"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Token(dir); err == nil {
		t.Error("an empty token lets everyone in")
	}
}
