package cli

import (
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/crisp-go/crisp/bridge/cmd/crisp-bridge/internal/config"
)

// hidden stands where a secret would be.
const hidden = "(hidden)"

// shortestSecret is how many bytes a secret has at least: what is shorter is none, and
// could be part of any word.
const shortestSecret = 8

// keepSecret keeps secrets out of what is told and logged from now on: a server may
// answer with what it was sent.
func (a *app) keepSecret(c config.Config) {
	secrets := append(c.Hidden(), base64.StdEncoding.EncodeToString([]byte(c.Crisp.Identifier+":"+c.Secrets.Key)))
	for _, secret := range secrets {
		if len(secret) < shortestSecret {
			continue
		}
		a.secrets = append(a.secrets, secret, hidden)
		if quoted := strconv.Quote(secret); quoted != `"`+secret+`"` { // as in logs
			a.secrets = append(a.secrets, quoted[1:len(quoted)-1], hidden)
		}
	}
}

// hide takes secrets out of a text.
func (a *app) hide(text string) string { return strings.NewReplacer(a.secrets...).Replace(text) }
