package config

import (
	"fmt"
	"strings"

	"github.com/crisp-go/crisp/internal/secrets"
)

// readSecrets reads each secret from its variable, or else from its file.
func (c *Config) readSecrets(vars map[string]string) (problems []error) {
	for _, s := range []struct {
		secret   *string
		variable string
		setting  string
		file     string
	}{
		{&c.Secrets.Key, "CRISP_KEY", "crisp.key_file", c.Crisp.KeyFile},
		{&c.Secrets.SigningSecret, "CRISP_SIGNING_SECRET", "hooks.signing_secret_file", c.Hooks.SigningSecretFile},
		{&c.Secrets.URLSecret, "CRISP_URL_SECRET", "hooks.url_secret_file", c.Hooks.URLSecretFile},
		{&c.Secrets.EngineToken, varEngineToken, "engine.token_file", c.Engine.TokenFile},
	} {
		if value := vars[s.variable]; value != "" {
			*s.secret = value
			continue
		}
		if s.file == "" {
			continue
		}
		secret, err := secrets.Read(s.file, strings.NewReader(""))
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", s.setting, err))
			continue
		}
		*s.secret = secret
	}
	return problems
}
