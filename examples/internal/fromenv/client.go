// Package fromenv makes the examples' client of what the environment tells.
package fromenv

import (
	"fmt"

	"github.com/crisp-go/crisp"
)

// Client makes a client of CRISP_IDENTIFIER, CRISP_KEY, CRISP_TIER (plugin, user
// or website; default plugin) and CRISP_WEBSITE_ID (for the website tier).
// CRISP_BASE_URL is for a Crisp elsewhere, such as crisptest's.
func Client(getenv func(string) string) (*crisp.Client, error) {
	token, err := token(getenv)
	if err != nil {
		return nil, err
	}
	var opts []crisp.Option
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
