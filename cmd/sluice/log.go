package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"sync/atomic"

	"sluice/gateway/config"
)

// logSwitch writes text or JSON, as it was told last, also for the loggers made of it.
type logSwitch struct {
	text, json slog.Handler
	state      *logState
}

type logState struct {
	level slog.LevelVar
	json  atomic.Bool
}

func newLogSwitch(c config.Log) *logSwitch { return newLogSwitchTo(os.Stderr, c) }

func newLogSwitchTo(w io.Writer, c config.Log) *logSwitch {
	s := new(logState)
	o := &slog.HandlerOptions{Level: &s.level}
	l := &logSwitch{slog.NewTextHandler(w, o), slog.NewJSONHandler(w, o), s}
	l.set(c)
	return l
}

// set changes format and level.
func (l *logSwitch) set(c config.Log) {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.Level)) // checked with the configuration
	l.state.level.Set(level)
	l.state.json.Store(c.Format == "json")
}

// Enabled is part of slog.Handler, as are the others.
func (l *logSwitch) Enabled(ctx context.Context, level slog.Level) bool {
	return l.text.Enabled(ctx, level)
}

// Handle writes a record.
func (l *logSwitch) Handle(ctx context.Context, r slog.Record) error {
	if l.state.json.Load() {
		return l.json.Handle(ctx, r)
	}
	return l.text.Handle(ctx, r)
}

// WithAttrs has attributes written with every record.
func (l *logSwitch) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &logSwitch{l.text.WithAttrs(attrs), l.json.WithAttrs(attrs), l.state}
}

// WithGroup puts what follows into a group.
func (l *logSwitch) WithGroup(name string) slog.Handler {
	return &logSwitch{l.text.WithGroup(name), l.json.WithGroup(name), l.state}
}
