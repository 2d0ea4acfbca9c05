package nearest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/internal/nearest"
)

func TestTo(t *testing.T) {
	var known []string
	for _, info := range crisp.Events() {
		known = append(known, info.Name)
	}
	for name, want := range map[string]string{
		"mesage:send":           "message:send",
		"Message:Send":          "message:send",
		"message:sent":          "message:send",
		"set_email":             "session:set_email",
		"session:setemail":      "session:set_email",
		"people:profile:update": "people:profile:updated",
	} {
		names := nearest.To(name, known)
		if assert.NotEmpty(t, names, name) {
			assert.Equal(t, want, names[0], name)
		}
	}
	assert.Empty(t, nearest.To("nothing of the kind", known))
	assert.Empty(t, nearest.To("", known))
	assert.LessOrEqual(t, len(nearest.To("session:sync", known)), 3)
}
