package gateway

import (
	"fmt"
	"strings"

	"sluice/gateway/events"
	"sluice/gateway/migrate"
)

// remember makes events of what operators ordered before this start.
func (g *Gateway) remember(stateDir string) {
	lines, err := migrate.ReadAudit(stateDir)
	if err != nil {
		g.log.Warn("earlier commands are not among the events", "error", err)
	}
	for _, line := range lines {
		g.audited(line)
	}
}

// audited makes an event of an operator's command.
func (g *Gateway) audited(a migrate.Audited) {
	e := events.Event{Time: a.Time, Kind: events.Command, Bucket: a.Bucket, By: a.By, Message: string(a.Command)}
	switch {
	case a.Error != "":
		e.Level, e.Message = events.Warn, a.Error
		if !strings.HasPrefix(a.Error, string(a.Command)) {
			e.Message = string(a.Command) + ": " + a.Error
		}
	case a.From != a.To:
		e.Kind, e.Message = events.Phase, fmt.Sprintf("%s: %s → %s", a.Command, a.From, a.To)
	}
	if len(a.Override) > 0 {
		e.Message += " (overriding " + strings.Join(a.Override, ", ") + ")"
	}
	g.events.Add(e)
}

// happened makes an event of the gateway itself.
func (g *Gateway) happened(level events.Level, format string, args ...any) {
	g.events.Add(events.Event{Kind: events.Gateway, Level: level, Message: fmt.Sprintf(format, args...)})
}
