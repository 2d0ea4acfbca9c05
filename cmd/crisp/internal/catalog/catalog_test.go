package catalog_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/cmd/crisp/internal/catalog"
)

func TestMatch(t *testing.T) {
	names, err := catalog.Match([]string{"message:se*", "session:removed", "message:send"}, crisp.TierPlugin)
	require.NoError(t, err)
	assert.Equal(t, []string{"session:removed", "message:send"}, names)

	for glob, want := range map[string]string{
		"mesage:send":  `no event is called "mesage:send"; did you mean message:send?`,
		"MessageSend":  "did you mean message:send?",
		"nothing:like": "crisp events list shows them all",
		"[":            "is no pattern",
		"campaign:*":   "is not for tokens of tier plugin, but for user",
	} {
		_, err := catalog.Match([]string{glob}, crisp.TierPlugin)
		assert.ErrorContains(t, err, want)
	}
	all, err := catalog.Match([]string{"*"}, crisp.TierUser)
	require.NoError(t, err)
	assert.Contains(t, all, "campaign:progress")
}
