package cli

import (
	"encoding/base64"
	"strings"
)

// hidden is printed in place of a secret.
const hidden = "(hidden)"

// shortestSecret is the length in bytes from which secrets are hidden. Anything shorter
// is not a real secret, and could be part of any word.
const shortestSecret = 8

// hide keeps secrets out of everything that tell prints from now on: a server may echo
// them in its answer.
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
