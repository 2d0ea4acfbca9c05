package config

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestPasswordsWithOddCharactersAreHidden: whatever form of a server's URL is told of.
func TestPasswordsWithOddCharactersAreHidden(t *testing.T) {
	for server, password := range map[string]string{
		"nats://user:hidden-password@host:4222":      "hidden-password",
		"nats://user:hidden@password@host:4222":      "hidden@password",
		"user:hidden@password@host:4222":             "hidden@password",
		"nats://hidden-token@host:4222":              "hidden-token",
		"nats://user:hidden%40password@host:4222":    "hidden%40password",
		"tls://user:hidden/password://x@host:4222":   "hidden/password://x",
		"nats://user:hidden%zz-password@host:4222/x": "hidden%zz-password",
	} {
		c := Config{Engine: Engine{Servers: []string{server}}}
		shown := server
		for _, secret := range c.Hidden() {
			shown = strings.ReplaceAll(shown, secret, "")
		}
		for _, part := range strings.FieldsFunc(password, func(r rune) bool { return r == '@' || r == '/' }) {
			assert.NotContains(t, shown, part, server)
		}
	}
}
