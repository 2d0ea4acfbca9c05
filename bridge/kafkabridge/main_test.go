package kafkabridge

import (
	"log/slog"
	"strings"
	"sync"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// buffer is what was logged.
type buffer struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
