package natsembed

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
)

// serverLog takes what the server logs.
type serverLog struct {
	logger *slog.Logger // nil = the default one, from warnings on

	failing sync.Once
	failed  chan struct{} // closed when the server can't write any more

	mu   sync.Mutex // guards what follows
	last string     // the last error
	over bool       // the server has said that it can't go on
}

// cantWrite is what the server says of a write that failed, in capitals or not: what it was for takes
// nothing more until the next start.
const cantWrite = "ritical write error"

func (l *serverLog) log(level slog.Level, format string, v []any) {
	text := fmt.Sprintf(format, v...)
	if level >= slog.LevelError {
		if strings.Contains(format, cantWrite) {
			l.failing.Do(func() { close(l.failed) })
		}
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
func (l *serverLog) Debugf(string, ...any)           {}
func (l *serverLog) Tracef(string, ...any)           {}

// Fatalf notes that the server can't go on: it does not end by itself.
func (l *serverLog) Fatalf(format string, v ...any) {
	l.log(slog.LevelError, format, v)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
}

func (l *serverLog) isOver() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.over
}
