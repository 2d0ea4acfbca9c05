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
