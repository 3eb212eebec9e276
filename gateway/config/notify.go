package config

import (
	"fmt"
	"os"
	"strings"
	"time"

	"sluice/gateway/notify"
)

// Notify says whom to tell of trouble. Without URLs nobody is told.
type Notify struct {
	// The services, as shoutrrr names them; or `signed+https://HOST/PATH`, which gets JSON.
	URLs []string `yaml:"urls" example:"['ntfy://ntfy.sh/TOPIC', 'telegram://TOKEN@telegram?chats=ID', 'generic+https://HOST/PATH']"`
	// A file that holds them instead, one on a line; `#` begins a comment.
	URLsFile string `yaml:"urls_file"`
	// Signs what `signed+https://` gets, in `X-Sluice-Signature`.
	WebhookSecret string `yaml:"webhook_secret" example:"${HOOK_SECRET}"`
	// A file that holds it instead.
	WebhookSecretFile string `yaml:"webhook_secret_file"`
	// Asked for regularly while the gateway serves; who watches it rings when that stops.
	Heartbeat Heartbeat `yaml:"heartbeat"`
	// How often to tell again of what lasts; at least 1m.
	Repeat Duration `yaml:"repeat"`
}

// Heartbeat is asked for regularly while the gateway serves; who watches it rings when
// that stops.
type Heartbeat struct {
	// What is asked for; empty: nothing.
	URL string `yaml:"url" example:"https://hc-ping.com/${HC_ID}"`
	// A file that holds it instead.
	URLFile string `yaml:"url_file"`
	// How often; at least 1s.
	Every Duration `yaml:"every"`
}

// path is where an URL stands in the configuration.
func (n *Notify) path(i int) string {
	if n.URLsFile != "" {
		return fmt.Sprintf("notify.urls_file: URL %d", i+1)
	}
	return fmt.Sprintf("notify.urls[%d]", i)
}

func (n *Notify) resolve(r resolver) error {
	if n.URLsFile != "" {
		if len(n.URLs) > 0 {
			return fmt.Errorf("notify.urls: give the URLs or their file, not both")
		}
		if err := r.file("notify.urls_file", &n.URLsFile); err != nil {
			return err
		}
		raw, err := os.ReadFile(n.URLsFile)
		if err != nil {
			return fmt.Errorf("notify.urls_file: %w", err)
		}
		for line := range strings.Lines(string(raw)) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				n.URLs = append(n.URLs, line)
			}
		}
	}
	for i := range n.URLs {
		if err := r.expand(n.path(i), &n.URLs[i]); err != nil {
			return err
		}
	}
	for _, v := range []struct {
		path, file string
		value      *string
	}{
		{"notify.webhook_secret", n.WebhookSecretFile, &n.WebhookSecret},
		{"notify.heartbeat.url", n.Heartbeat.URLFile, &n.Heartbeat.URL},
	} {
		if err := r.expand(v.path, v.value); err != nil {
			return err
		}
		if err := r.secret(v.path, v.value, v.file); err != nil {
			return err
		}
	}
	return nil
}

func (n *Notify) check(bad func(path, format string, args ...any)) {
	for i, url := range n.URLs {
		if err := notify.Check(url, n.WebhookSecret); err != nil {
			bad(n.path(i), "%v", err)
		}
	}
	if n.Repeat < Duration(time.Minute) {
		bad("notify.repeat", "must be at least 1m")
	}
	if n.Heartbeat.URL != "" {
		if err := notify.CheckHeartbeat(n.Heartbeat.URL); err != nil {
			bad("notify.heartbeat.url", "%v", err)
		}
	}
	if n.Heartbeat.Every < Duration(time.Second) {
		bad("notify.heartbeat.every", "must be at least 1s")
	}
}
