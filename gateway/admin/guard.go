package admin

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// Guard lets in, beside the owner of the socket, who has the token. Health and metrics are for
// everyone who reaches the address.
func Guard(api http.Handler, token string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		open := r.URL.Path == "/livez" || r.URL.Path == "/readyz" || r.URL.Path == "/metrics"
		if !open && (at == nil || at.Network() != "unix") {
			given, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
			if subtle.ConstantTimeCompare([]byte(given), []byte(token)) != 1 {
				w.Header().Set("WWW-Authenticate", `Bearer realm="sluice"`)
				_ = answer(w, http.StatusUnauthorized, Error{Kind: Denied, Message: "send the token in admin.token, in the state directory, as Authorization: Bearer TOKEN"})
				return
			}
			r = r.WithContext(context.WithValue(r.Context(), peer{}, "token"))
		}
		api.ServeHTTP(w, r)
	})
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
