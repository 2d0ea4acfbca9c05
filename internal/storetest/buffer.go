package storetest

import (
	"bytes"
	"sync"
)

// syncBuffer keeps what is written to it from several goroutines.
type syncBuffer struct {
	mu  sync.Mutex // guards all
	all bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.String()
}
