package natsembed

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
)

// serverLog takes what the server logs.
type serverLog struct {
	logger *slog.Logger // nil = the default one, from warnings on

	mu   sync.Mutex // guards last
	last string     // the last error
}

func (l *serverLog) log(level slog.Level, format string, v []any) {
	text := fmt.Sprintf(format, v...)
	if level >= slog.LevelError {
		l.mu.Lock()
		l.last = text
		l.mu.Unlock()
	}
	logger := l.logger
	if logger == nil {
		if level < slog.LevelWarn {
			return
		}
		logger = slog.Default()
	}
	logger.Log(context.Background(), level, "natsembed: "+text)
}

// lastError is the last error that the server has told of, for the end of an error text.
func (l *serverLog) lastError() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == "" {
		return ""
	}
	return ": " + l.last
}

func (l *serverLog) Noticef(format string, v ...any) { l.log(slog.LevelInfo, format, v) }
func (l *serverLog) Warnf(format string, v ...any)   { l.log(slog.LevelWarn, format, v) }
func (l *serverLog) Errorf(format string, v ...any)  { l.log(slog.LevelError, format, v) }
func (l *serverLog) Fatalf(format string, v ...any)  { l.log(slog.LevelError, format, v) }
func (l *serverLog) Debugf(string, ...any)           {}
func (l *serverLog) Tracef(string, ...any)           {}
