package cli

import (
	"encoding/base64"
	"strings"
)

// hidden stands where a secret would be.
const hidden = "(hidden)"

// shortestSecret is how many bytes a secret has at least: what is shorter is none, and
// could be part of any word.
const shortestSecret = 8

// hide keeps secrets out of what is told from now on: a server may answer with what it
// was sent.
func (a *app) hide(identifier, key, signingSecret string) {
	for _, secret := range []string{base64.StdEncoding.EncodeToString([]byte(identifier + ":" + key)), key, signingSecret} {
		if len(secret) >= shortestSecret {
			a.secrets = append(a.secrets, secret, hidden)
		}
	}
}

func (a *app) withoutSecrets(text string) string {
	if len(a.secrets) == 0 {
		return text
	}
	return strings.NewReplacer(a.secrets...).Replace(text)
}
