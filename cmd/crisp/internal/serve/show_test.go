package serve_test

import (
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp/cmd/crisp/internal/output"
)

// formatLine returns the options of a command without flags.
func formatLine(t *testing.T) (o output.Options) {
	t.Helper()
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	o.AddTo(flags)
	require.NoError(t, flags.Parse(nil))
	return o
}
