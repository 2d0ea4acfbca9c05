package cli

import (
	"context"
	"log/slog"
	"strings"
)

// logLines is a slog handler that writes what the library and net/http log to stderr,
// a line per record. -q silences warnings, but not errors.
type logLines struct {
	app   *app
	attrs []slog.Attr
}

func (logLines) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

func (l logLines) Handle(_ context.Context, record slog.Record) error {
	var line strings.Builder
	line.WriteString("crisp: " + strings.TrimPrefix(record.Message, "crisp: "))
	add := func(attr slog.Attr) bool {
		line.WriteString("; " + attr.Key + ": " + strings.TrimPrefix(attr.Value.String(), "crisp: "))
		return true
	}
	for _, attr := range l.attrs {
		add(attr)
	}
	record.Attrs(add)
	if record.Level >= slog.LevelError {
		l.app.tell("%s", line.String())
	} else {
		l.app.note("%s", line.String())
	}
	return nil
}

func (l logLines) WithAttrs(attrs []slog.Attr) slog.Handler {
	return logLines{l.app, append(l.attrs[:len(l.attrs):len(l.attrs)], attrs...)}
}

func (l logLines) WithGroup(string) slog.Handler { return l }
