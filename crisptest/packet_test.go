package crisptest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/crisp-go/crisp/crisptest"
)

// Crisp's own SDK verifies the signature of what JavaScript makes of the body.
func TestPayloadsAreWrittenAsJavaScriptWritesThem(t *testing.T) {
	srv := crisptest.NewServer(t)
	visitor := srv.Visitor()
	visitor.Say("<&> \u2028\u2029 \\u2028 \\\u2028 é 👋\b\f")
	assert.Equal(t, "\"<&> \u2028\u2029 \\\\u2028 \\\\\u2028 é 👋\\b\\f\"", string(visitor.Conversation().Messages[0].Content))
}
