package cli

import (
	"io"
	"log/slog"
	"strings"

	"github.com/crisp-go/crisp/bridge/cmd/crisp-bridge/internal/config"
)

// newLogger returns a logger that writes to stderr, without secrets.
func (a *app) newLogger(c config.Log) *slog.Logger {
	var level slog.Level
	if level.UnmarshalText([]byte(c.Level)) != nil {
		level = slog.LevelInfo
	}
	options := &slog.HandlerOptions{Level: level}
	out := hiding{a.Stderr, strings.NewReplacer(a.secrets...)}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(out, options))
	}
	return slog.New(slog.NewTextHandler(out, options))
}

// hiding takes secrets out of the lines that a handler writes, each with one call.
type hiding struct {
	w       io.Writer
	replace *strings.Replacer
}

func (h hiding) Write(line []byte) (int, error) {
	if _, err := io.WriteString(h.w, h.replace.Replace(string(line))); err != nil {
		return 0, err
	}
	return len(line), nil
}
