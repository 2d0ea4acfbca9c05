package main

import (
	"errors"
	"os"

	"github.com/crisp-go/crisp"
)

// newClient returns a client with the credentials from the environment, and the website
// that CRISP_WEBSITE_ID names.
func newClient() (client *crisp.Client, websiteID string, err error) {
	websiteID = os.Getenv("CRISP_WEBSITE_ID")
	if websiteID == "" {
		return nil, "", errors.New("CRISP_WEBSITE_ID is not set: the contacts are of one website")
	}
	client, err = crisp.NewFromEnv()
	return client, websiteID, err
}
