package eventinfo_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/crisp-go/crisp/cmd/crisp/internal/eventinfo"
)

func TestExpand(t *testing.T) {
	for _, row := range []struct {
		patterns []string
		want     []string
		err      string
	}{
		{patterns: []string{"message:send"}, want: []string{"message:send"}},
		{patterns: []string{"new:event"}, want: []string{"new:event"}},
		{patterns: []string{"spam:*", "spam:decision"}, want: []string{"spam:message", "spam:decision"}},
		{patterns: []string{"message:compose:*"}, want: []string{"message:compose:send", "message:compose:receive"}},
		{patterns: []string{"plan:*", "email:*"}, want: []string{"plan:subscription:updated", "email:subscribe", "email:track:view"}},
		{patterns: []string{"mesage:*"}, err: `no event has a name like "mesage:*"`},
		{patterns: []string{"message:["}, err: "makes no sense"},
	} {
		got, err := eventinfo.Expand(row.patterns)
		if row.err != "" {
			assert.ErrorContains(t, err, row.err)
			continue
		}
		assert.NoError(t, err)
		assert.Equal(t, row.want, got, "%q", row.patterns)
	}
	all, err := eventinfo.Expand([]string{"*"})
	assert.NoError(t, err)
	assert.Equal(t, eventinfo.Names(), all)
}

func TestKnown(t *testing.T) {
	assert.True(t, eventinfo.Known("message:send"))
	assert.False(t, eventinfo.Known("mesage:send"))
	assert.False(t, eventinfo.Known(""))
}

func TestForTier(t *testing.T) {
	for _, row := range []struct {
		patterns []string
		tier     string
		want     []string
		err      string
	}{
		{patterns: []string{"message:send", "message:s*"}, tier: "plugin", want: []string{"message:send"}},
		{patterns: []string{"MessageSend"}, tier: "plugin", want: []string{"message:send"}},
		{patterns: []string{"mesage:send"}, tier: "plugin", err: "is message:send meant?"},
		{patterns: []string{"mesage:*"}, tier: "plugin", err: `no event has a name like "mesage:*"`},
		{patterns: []string{"message:send", "identity:verify:request"}, tier: "user", err: "identity:verify:request is not for tokens of tier user, but for plugin"},
	} {
		got, err := eventinfo.ForTier(row.patterns, row.tier)
		if row.err != "" {
			assert.ErrorContains(t, err, row.err)
			continue
		}
		assert.NoError(t, err)
		assert.Equal(t, row.want, got, "%q", row.patterns)
	}
}
