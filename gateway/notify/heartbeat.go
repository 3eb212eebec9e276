package notify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"
)

// pulse is the heartbeat: who watches it rings when it stops.
type pulse struct {
	url    string
	every  time.Duration
	hide   *hider
	streak streak
}

// CheckHeartbeat says what is wrong with a heartbeat's URL, and does not show it.
func CheckHeartbeat(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return errors.New("it is not an http or https URL")
	}
	return nil
}

func newPulse(raw string, every time.Duration, log *slog.Logger) *pulse {
	label, host := "heartbeat", ""
	u, err := url.Parse(raw)
	if err == nil {
		host = u.Host
		label += " " + host
	}
	return &pulse{url: raw, every: every, hide: newHider(raw, u, host), streak: streak{what: "heartbeats", service: label, log: log}}
}

// run beats until ctx is done. The first beat comes after one interval: a gateway that is
// started again and again and never lives so long is not alive.
func (p *pulse) run(ctx context.Context) {
	for pause(ctx, p.every) == nil {
		err := p.beat(ctx)
		if ctx.Err() == nil {
			p.streak.note(err)
		}
	}
}

func (p *pulse) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url, http.NoBody)
	if err != nil {
		return p.hide.error(err)
	}
	return p.hide.error(do(r))
}

// do sends a request; an answer that is no success is an error.
func do(r *http.Request) error {
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, 64<<10) // so that the connection can be used again
	if answer.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("it answered %s", answer.Status)
	}
	return nil
}
