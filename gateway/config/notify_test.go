package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func parseNotify(t *testing.T, text string) (Notify, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "urls")
	if err := os.WriteFile(file, []byte("# whom to tell\n\nntfy://ntfy.sh/${KEY}\n  gotify://gotify.test/AzyoeNS.D4iJLVa\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := parse(t, valid+"notify: { "+strings.ReplaceAll(text, "URLSFILE", file)+" }\n")
	return c.Notify, err
}

func TestNotify(t *testing.T) {
	n, err := parseNotify(t, `urls: ["ntfy://ntfy.sh/${KEY}"], webhook_secret_file: SECRETFILE, heartbeat: { url_file: SECRETFILE }`)
	if err == nil || err.Error() != "notify.heartbeat.url: it is not an http or https URL" {
		t.Error(err)
	}
	if !slices.Equal(n.URLs, []string{"ntfy://ntfy.sh/id"}) || n.WebhookSecret != "from a file" {
		t.Errorf("%+v", n)
	}
	n, err = parseNotify(t, `urls_file: URLSFILE, heartbeat: { url: "https://hc.test/${KEY}", every: 5m }, repeat: 1h`)
	if err != nil || !slices.Equal(n.URLs, []string{"ntfy://ntfy.sh/id", "gotify://gotify.test/AzyoeNS.D4iJLVa"}) {
		t.Errorf("%+v, %v", n, err)
	}
	if n.Heartbeat.URL != "https://hc.test/id" || time.Duration(n.Heartbeat.Every) != 5*time.Minute || time.Duration(n.Repeat) != time.Hour {
		t.Errorf("%+v", n)
	}
	c, err := parse(t, valid)
	if n = c.Notify; err != nil || len(n.URLs) > 0 || time.Duration(n.Heartbeat.Every) != time.Minute || time.Duration(n.Repeat) != 6*time.Hour {
		t.Errorf("by default %+v, %v", n, err)
	}
}

// TestNotifyErrors: they name the entry, and show nothing of it.
func TestNotifyErrors(t *testing.T) {
	for text, want := range map[string]string{
		`urls: ["ntfy://ntfy.sh/topic", "hush://hush"]`: "notify.urls[1]: it names no service",
		`urls: ["hush"]`:                                     "notify.urls[0]: it is not a URL",
		`urls: ["${HUSH}"]`:                                  "notify.urls[0]: the environment variable HUSH is not set",
		`urls: ["signed+https://hook.test/hush"]`:            "notify.urls[0]: a signed webhook needs notify.webhook_secret",
		`urls: ["ntfy://hush.test/hush?hush=hush"]`:          "notify.urls[0]: setting query parameter",
		`urls: ["ntfy://ntfy.sh/hush"], urls_file: URLSFILE`: "notify.urls: give the URLs or their file, not both",
		`urls_file: SECRETFILE`:                              "notify.urls_file: URL 1: it is not a URL",
		`urls_file: /absent`:                                 "notify.urls_file: open /absent",
		`heartbeat: { url: "hush" }`:                         "notify.heartbeat.url: it is not",
		`heartbeat: { every: 1ms }`:                          "notify.heartbeat.every: must be at least 1s",
		`repeat: 1s`:                                         "notify.repeat: must be at least 1m",
	} {
		_, err := parseNotify(t, text)
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
