package crisp

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// NewFromEnv makes a client by the variables of the environment that all programs of
// this library read, and the command crisp as well:
//
//	CRISP_IDENTIFIER, CRISP_KEY   the token
//	CRISP_TIER                    its tier: plugin (the default), user or website
//	CRISP_WEBSITE_ID              the website; needed for the tier website only
//	CRISP_BASE_URL                another REST API than Crisp's, such as that of crisp serve
//
// The options count more than the environment. The error names the variable that is
// missing or wrong; it quotes no key.
func NewFromEnv(opts ...Option) (*Client, error) {
	token, err := tokenFromEnv()
	if err != nil {
		return nil, err
	}
	if url := os.Getenv("CRISP_BASE_URL"); url != "" {
		opts = append([]Option{baseURLFromEnv(url)}, opts...)
	}
	return New(token, opts...)
}

func baseURLFromEnv(url string) Option {
	return func(cfg *clientConfig) error {
		if err := WithBaseURL(url)(cfg); err != nil {
			return fmt.Errorf("crisp: CRISP_BASE_URL: %s", strings.TrimPrefix(err.Error(), "crisp: WithBaseURL: "))
		}
		return nil
	}
}

func tokenFromEnv() (Token, error) {
	identifier, key := os.Getenv("CRISP_IDENTIFIER"), os.Getenv("CRISP_KEY")
	switch {
	case identifier == "" && key == "":
		return Token{}, errors.New("crisp: CRISP_IDENTIFIER and CRISP_KEY are not set: they are the token")
	case identifier == "":
		return Token{}, errors.New("crisp: CRISP_IDENTIFIER is not set, which is the half of the token that is not secret")
	case key == "":
		return Token{}, errors.New("crisp: CRISP_KEY is not set, which is the secret half of the token")
	}
	switch tier := Tier(os.Getenv("CRISP_TIER")); tier {
	case TierPlugin, "":
		return PluginToken(identifier, key), nil
	case TierUser:
		return UserToken(identifier, key), nil
	case TierWebsite:
		websiteID := os.Getenv("CRISP_WEBSITE_ID")
		if websiteID == "" {
			return Token{}, errors.New("crisp: CRISP_WEBSITE_ID is not set: a token of the tier website is for one website")
		}
		return WebsiteToken(websiteID, identifier, key), nil
	default:
		return Token{}, fmt.Errorf("crisp: CRISP_TIER is %q: needs plugin, user or website", string(tier))
	}
}
