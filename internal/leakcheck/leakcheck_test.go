package leakcheck

import (
	"os"
	"os/signal"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { Main(m) }

func blockUntil(stop <-chan struct{}) { <-stop }

func TestLeakIsToldWithItsStack(t *testing.T) {
	before := goroutines()
	stop := make(chan struct{})
	go blockUntil(stop)

	leaked := wait(before, 10*time.Millisecond)
	close(stop)
	require.Len(t, leaked, 1)
	assert.Contains(t, string(leaked[0]), "leakcheck.blockUntil")

	assert.Empty(t, wait(before, grace), "it has ended")
}

func TestGoroutineThatIsAboutToEndIsNoLeak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := goroutines()
		go func() { <-time.After(grace / 2) }()
		assert.Empty(t, wait(before, grace))
	})
}

func TestOlderGoroutinesAreNoLeak(t *testing.T) {
	stop := make(chan struct{})
	defer close(stop)
	go blockUntil(stop)
	assert.Empty(t, wait(goroutines(), 0))
}

func TestSignalHandlingIsNoLeak(t *testing.T) {
	before := goroutines()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt)
	signal.Stop(signals)
	assert.Empty(t, wait(before, 0))
}
