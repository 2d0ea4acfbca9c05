package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/crisp-go/crisp"
)

// The variables of the environment:
//
//	CRISP_IDENTIFIER, CRISP_KEY         the token
//	CRISP_TIER                          its tier: plugin (the default), user or website
//	CRISP_WEBSITE_ID                    the website; needed for the tiers user and website
//	CRISP_BASE_URL                      another REST API than Crisp's, for tests
//	AIBOT_MODEL_URL                     the model's API, such as https://api.openai.com/v1
//	AIBOT_MODEL                         the model's name
//	AIBOT_MODEL_KEY_FILE                the file with the API's key, or …
//	AIBOT_MODEL_KEY                     … the key; neither is needed for an API without keys
//	AIBOT_PROMPT_FILE                   the file with the system message, instead of the one in bot.go
//	AIBOT_OPERATOR                      the user ID of whom conversations are handed over to

// crispFromEnv returns a client of Crisp.
func crispFromEnv(getenv func(string) string) (*crisp.Client, error) {
	identifier, key := getenv("CRISP_IDENTIFIER"), getenv("CRISP_KEY")
	var token crisp.Token
	switch tier := crisp.Tier(getenv("CRISP_TIER")); tier {
	case crisp.TierPlugin, "":
		token = crisp.PluginToken(identifier, key)
	case crisp.TierUser:
		token = crisp.UserToken(identifier, key)
	case crisp.TierWebsite:
		token = crisp.WebsiteToken(getenv("CRISP_WEBSITE_ID"), identifier, key)
	default:
		return nil, fmt.Errorf("CRISP_TIER is %q: plugin, user or website", string(tier))
	}
	var opts []crisp.Option
	if base := getenv("CRISP_BASE_URL"); base != "" {
		opts = append(opts, crisp.WithBaseURL(base))
	}
	return crisp.New(token, opts...)
}

// modelFromEnv returns a client of the model.
func modelFromEnv(getenv func(string) string, log *slog.Logger) (*model, error) {
	base := getenv("AIBOT_MODEL_URL")
	if base == "" || getenv("AIBOT_MODEL") == "" {
		return nil, errors.New("AIBOT_MODEL_URL and AIBOT_MODEL are needed: which model answers")
	}
	key := getenv("AIBOT_MODEL_KEY")
	if path := getenv("AIBOT_MODEL_KEY_FILE"); path != "" {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("AIBOT_MODEL_KEY_FILE: %w", err)
		}
		if key = strings.TrimSpace(string(data)); key == "" {
			return nil, errors.New("AIBOT_MODEL_KEY_FILE: the file is empty")
		}
	}
	if key != "" && inTheClear(base) {
		return nil, errors.New("AIBOT_MODEL_URL needs https, or the key is sent in the clear")
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = concurrency
	transport.TLSHandshakeTimeout = 5 * time.Second
	return newModel(&http.Client{Transport: transport}, base, getenv("AIBOT_MODEL"), key, log)
}

// inTheClear reports whether a URL leads to another machine without encryption.
func inTheClear(base string) bool {
	u, err := url.Parse(base)
	if err != nil || u.Scheme == "https" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback())
}

func settingsFromEnv(getenv func(string) string) (settings, error) {
	s := settings{operator: getenv("AIBOT_OPERATOR"), settle: settle}
	if path := getenv("AIBOT_PROMPT_FILE"); path != "" {
		data, err := os.ReadFile(path)
		if err != nil {
			return s, fmt.Errorf("AIBOT_PROMPT_FILE: %w", err)
		}
		s.prompt = strings.TrimSpace(string(data))
	}
	return s, nil
}
