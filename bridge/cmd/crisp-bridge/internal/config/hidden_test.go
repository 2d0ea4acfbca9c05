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

// TestAPathThatNoRequestHas: the HTTP server redirects requests to paths like these, so that
// no web hook would come.
func TestAPathThatNoRequestHas(t *testing.T) {
	for path, ok := range map[string]bool{
		"/hooks": true, "/hooks/": true, "/": true, "/a/b": true,
		"/a//b": false, "//hooks": false, "/a/../b": false, "/./hooks": false, "/hooks//": false,
	} {
		c, err := Read("", append(enough, "CRISP_BRIDGE_HOOKS_PATH="+path))
		if assert.NoError(t, err) {
			assert.Equal(t, ok, c.CheckIn() == nil, path)
		}
	}
}
