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

// modelFromEnv returns a client of the model.
func modelFromEnv(log *slog.Logger) (*model, error) {
	base := os.Getenv("AIBOT_MODEL_URL")
	if base == "" || os.Getenv("AIBOT_MODEL") == "" {
		return nil, errors.New("AIBOT_MODEL_URL and AIBOT_MODEL are needed: which model answers")
	}
	key := os.Getenv("AIBOT_MODEL_KEY")
	if path := os.Getenv("AIBOT_MODEL_KEY_FILE"); path != "" {
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
	return newModel(&http.Client{Transport: transport}, base, os.Getenv("AIBOT_MODEL"), key, log)
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

func settingsFromEnv() (settings, error) {
	s := settings{operator: os.Getenv("AIBOT_OPERATOR"), settle: settle}
	if path := os.Getenv("AIBOT_PROMPT_FILE"); path != "" {
		data, err := os.ReadFile(path)
		if err != nil {
			return s, fmt.Errorf("AIBOT_PROMPT_FILE: %w", err)
		}
		s.prompt = strings.TrimSpace(string(data))
	}
	return s, nil
}
