package main

import (
	"log/slog"
	"slices"
	"strings"
	"testing"

	"sluice/gateway/admin"
	"sluice/gateway/config"
)

func TestReload(t *testing.T) {
	const at = "POST /v1/config/reload"
	changes := config.Changes{Settings: []string{"credentials", "log.level"}}
	f := newFake(t, map[string][]any{at: {
		changes, changes,
		config.Changes{Settings: []string{"credentials", "listen.http"}, Restart: []string{"listen.http"}},
		config.Changes{Settings: []string{}},
		&admin.Error{Kind: admin.BadConfig, Message: "[3:1] what; nothing was changed"},
	}})
	const table = `
SETTING      TAKES EFFECT
credentials  at once
log.level    at once
`
	f.run(t, 0, "config", "reload").expect(t, 0, table, "")
	f.run(t, 0, "config", "reload", "--dry-run").expect(t, 0, table, "")
	f.run(t, 0, "config", "reload", "--dry-run").expect(t, exitConfigInvalid, `
SETTING      TAKES EFFECT
credentials  at once
listen.http  with a restart
`, "sluice: listen.http can only change with a restart of the gateway\n")
	f.run(t, 0, "config", "reload").expect(t, 0, "nothing differs from the configuration in force\n", "")
	o := f.run(t, 0, "config", "reload", "-o", "json")
	o.expect(t, exitConfigInvalid, "", "sluice: [3:1] what; nothing was changed\n")
	if want := []string{at + " {}", at + ` {"dry_run":true}`}; !slices.Equal(o.requests[:2], want) {
		t.Errorf("%q", o.requests)
	}
}

// TestLogSwitch: format and level change for loggers that were made before, too.
func TestLogSwitch(t *testing.T) {
	var text strings.Builder
	s := newLogSwitchTo(&text, config.Log{Level: "warn", Format: "text"})
	log := slog.New(s).With("bucket", "b").WithGroup("g")
	log.Info("one", "k", 1)
	log.Warn("two", "k", 2)
	s.set(config.Log{Level: "info", Format: "json"})
	log.Info("three", "k", 3)
	lines := strings.Split(strings.TrimSpace(text.String()), "\n")
	if len(lines) != 2 || !strings.HasSuffix(lines[0], "level=WARN msg=two bucket=b g.k=2") ||
		!strings.HasSuffix(lines[1], `"level":"INFO","msg":"three","bucket":"b","g":{"k":3}}`) {
		t.Errorf("%q", lines)
	}
}
