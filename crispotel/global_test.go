package crispotel_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/crispotel"
)

// alone runs a test in a process of its own, as a global provider stays. It reports whether this is that process.
func alone(t *testing.T) bool {
	t.Helper()
	const inside = "CRISPOTEL_TEST_GLOBAL"
	if os.Getenv(inside) != "" {
		return true
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), inside+"=1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return false
}

func TestAGlobalProviderThatIsSetLater(t *testing.T) {
	if !alone(t) {
		return
	}
	router := crisp.NewRouter()
	router.Use(crispotel.Middleware())
	router.OnAny(nop)
	require.NoError(t, router.Dispatch(t.Context(), message()), "there is no provider")
	spans := tracetest.NewSpanRecorder()
	otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)))
	require.NoError(t, router.Dispatch(t.Context(), message()))
	assert.Len(t, spans.Ended(), 1)
}
