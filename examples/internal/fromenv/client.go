// Package fromenv makes the client of the examples from environment variables.
package fromenv

import (
	"fmt"

	"github.com/crisp-go/crisp"
)

// Client returns a client for CRISP_IDENTIFIER, CRISP_KEY, CRISP_TIER (plugin,
// which is the default, user or website) and CRISP_WEBSITE_ID (for the tier
// website). CRISP_BASE_URL is the base URL of another REST API than Crisp's, such
// as crisptest's. More options may be given. It returns an error if one of them is invalid
// or missing.
func Client(getenv func(string) string, opts ...crisp.Option) (*crisp.Client, error) {
	token, err := token(getenv)
	if err != nil {
		return nil, err
	}
	if url := getenv("CRISP_BASE_URL"); url != "" {
		opts = append(opts, crisp.WithBaseURL(url))
	}
	return crisp.New(token, opts...)
}

func token(getenv func(string) string) (crisp.Token, error) {
	identifier, key := getenv("CRISP_IDENTIFIER"), getenv("CRISP_KEY")
	switch tier := crisp.Tier(getenv("CRISP_TIER")); tier {
	case crisp.TierPlugin, "":
		return crisp.PluginToken(identifier, key), nil
	case crisp.TierUser:
		return crisp.UserToken(identifier, key), nil
	case crisp.TierWebsite:
		return crisp.WebsiteToken(getenv("CRISP_WEBSITE_ID"), identifier, key), nil
	default:
		return crisp.Token{}, fmt.Errorf("CRISP_TIER is %q: plugin, user or website", string(tier))
	}
}
