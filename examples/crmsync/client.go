package main

import (
	"errors"
	"fmt"

	"github.com/crisp-go/crisp"
)

// newClient returns a client of the token that the environment has. CRISP_BASE_URL is
// that of another REST API than Crisp's, such as crisptest's.
func newClient(getenv func(string) string) (client *crisp.Client, websiteID string, err error) {
	websiteID = getenv("CRISP_WEBSITE_ID")
	if websiteID == "" {
		return nil, "", errors.New("CRISP_WEBSITE_ID is not set: the contacts are of one website")
	}
	var token crisp.Token
	switch identifier, key := getenv("CRISP_IDENTIFIER"), getenv("CRISP_KEY"); getenv("CRISP_TIER") {
	case "plugin", "":
		token = crisp.PluginToken(identifier, key)
	case "user":
		token = crisp.UserToken(identifier, key)
	case "website":
		token = crisp.WebsiteToken(websiteID, identifier, key)
	default:
		return nil, "", fmt.Errorf("CRISP_TIER is %q: plugin, user or website", getenv("CRISP_TIER"))
	}
	var opts []crisp.Option
	if url := getenv("CRISP_BASE_URL"); url != "" {
		opts = append(opts, crisp.WithBaseURL(url))
	}
	client, err = crisp.New(token, opts...)
	return client, websiteID, err
}
