package tls

import (
	"context"
	"log/slog"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// logCore passes CertMagic's log on. Its information and warnings are our debugging: what an
// operator should know is logged where it becomes known, in words. Its errors may be of what
// is known nowhere else, such as a disk that is full at a renewal.
type logCore struct {
	log *slog.Logger
}

func newZap(log *slog.Logger) *zap.Logger { return zap.New(logCore{log}) }

func level(l zapcore.Level) slog.Level {
	if l >= zapcore.ErrorLevel {
		return slog.LevelWarn
	}
	return slog.LevelDebug
}

// Enabled is part of zapcore.Core, as are the others.
func (c logCore) Enabled(l zapcore.Level) bool {
	return l >= zapcore.InfoLevel && c.log.Enabled(context.Background(), level(l))
}

// With keeps fields for all that follows.
func (c logCore) With(fields []zapcore.Field) zapcore.Core {
	return logCore{slog.New(c.log.Handler().WithAttrs(attributes(fields)))}
}

// Check says whether an entry is written.
func (c logCore) Check(e zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return checked.AddCore(e, c)
	}
	return checked
}

// Write writes an entry.
func (c logCore) Write(e zapcore.Entry, fields []zapcore.Field) error {
	c.log.LogAttrs(context.Background(), level(e.Level), "certificates: "+e.Message, attributes(fields)...)
	return nil
}

// Sync has nothing to do.
func (logCore) Sync() error { return nil }

func attributes(fields []zapcore.Field) []slog.Attr {
	values := zapcore.NewMapObjectEncoder()
	for _, f := range fields {
		f.AddTo(values)
	}
	list := make([]slog.Attr, 0, len(values.Fields))
	for name, value := range values.Fields {
		list = append(list, slog.Any(name, value))
	}
	return list
}
