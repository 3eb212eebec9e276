package notify

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// hider takes what is secret of a URL out of texts. Services put tokens into every part of
// a URL, and quote the URLs they make of them in their errors: so whatever looks like a URL
// goes, and every part of the configured one but the host, where that is a server's name.
type hider struct{ secret *regexp.Regexp }

const (
	anyURL = `[a-z][a-z0-9+.-]*://[^\s"']*`
	// minSecret: a shorter part is no secret, and is in every text.
	minSecret = 4
	hidden    = "[hidden]"
)

// newHider hides a URL, but not the words to show; u is nil if it can not be parsed.
func newHider(raw string, u *url.URL, show ...string) *hider {
	parts := []string{raw}
	if u != nil {
		password, _ := u.User.Password()
		basic := []byte(u.User.Username() + ":" + password) // as a server sees it, and may quote it
		parts = append(parts, u.User.Username(), password, base64.StdEncoding.EncodeToString(basic),
			u.Opaque, u.Path, u.RawQuery, u.Fragment)
		if !slices.Contains(show, u.Host) {
			parts = append(parts, u.Host)
		}
		for _, values := range u.Query() {
			parts = append(parts, values...)
		}
	}
	for _, p := range slices.Clone(parts[1:]) {
		parts = append(parts, strings.FieldsFunc(p, func(r rune) bool {
			return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
		})...)
		parts = append(parts, strings.Split(p, "/")...)
	}
	for _, p := range slices.Clone(parts) {
		parts = append(parts, url.QueryEscape(p), url.PathEscape(p))
	}
	parts = slices.DeleteFunc(parts, func(p string) bool { return len(p) < minSecret || slices.Contains(show, p) })
	slices.SortFunc(parts, func(a, b string) int { return cmp.Compare(len(b), len(a)) }) // the longest match
	alternatives := []string{anyURL}
	for _, p := range slices.Compact(parts) {
		alternatives = append(alternatives, regexp.QuoteMeta(p))
	}
	return &hider{regexp.MustCompile(`(?i)` + strings.Join(alternatives, "|"))}
}

// text hides.
func (h *hider) text(s string) string { return h.secret.ReplaceAllString(s, hidden) }

// error is err in words that can be shown. Nothing of the chain is kept: it has the URL.
func (h *hider) error(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.DeadlineExceeded):
		return errors.New("there was no answer within " + sendTimeout.String())
	}
	return errors.New(line(h.text(err.Error())))
}
