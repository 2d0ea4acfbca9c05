package nearest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/crisp-go/crisp/cmd/crisp/internal/eventinfo"
	"github.com/crisp-go/crisp/cmd/crisp/internal/nearest"
)

func TestTo(t *testing.T) {
	for name, want := range map[string]string{
		"mesage:send":           "message:send",
		"Message:Send":          "message:send",
		"message:sent":          "message:send",
		"set_email":             "session:set_email",
		"session:setemail":      "session:set_email",
		"people:profile:update": "people:profile:updated",
	} {
		names := nearest.To(name, eventinfo.Names())
		if assert.NotEmpty(t, names, name) {
			assert.Equal(t, want, names[0], name)
		}
	}
	assert.Empty(t, nearest.To("nothing of the kind", eventinfo.Names()))
	assert.Empty(t, nearest.To("", eventinfo.Names()))
	assert.LessOrEqual(t, len(nearest.To("session:sync", eventinfo.Names())), 3)
}
