package main

import (
	"errors"
	"os"

	"github.com/crisp-go/crisp"
)

// newClient returns a client by the environment, which has to name the website, too.
func newClient() (client *crisp.Client, websiteID string, err error) {
	websiteID = os.Getenv("CRISP_WEBSITE_ID")
	if websiteID == "" {
		return nil, "", errors.New("CRISP_WEBSITE_ID is not set: the rules are for one website")
	}
	client, err = crisp.NewFromEnv()
	return client, websiteID, err
}
