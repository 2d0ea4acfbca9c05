package crisp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
)

// Endpoints says where a token connects to for realtime events. Crisp moves
// them: fetch them before each connection, as [RTM] does.
type Endpoints struct {
	Socket SocketEndpoints `json:"socket"`
	Rescue RescueEndpoints `json:"rescue,omitzero"`
}

// SocketEndpoints are URLs of the RTM API. Host, port and path count: the path
// is that of Socket.IO.
type SocketEndpoints struct {
	App    string `json:"app"`              // https or wss; of a loopback host also http or ws
	Stream string `json:"stream,omitempty"` // for other uses than events; empty if there is none
}

// RescueEndpoints are what to fall back to. Its App is empty if Crisp named
// none that is usable.
type RescueEndpoints struct {
	Socket SocketEndpoints `json:"socket"`
}

// ConnectEndpoints asks Crisp where to connect to for realtime events. An
// answer without a usable socket.app is an [*AnswerError], which matches
// [ErrInsecure] if the endpoint has no TLS and its host is not loopback; an
// unusable rescue endpoint is left out. Other errors are those of [Client.Do];
// but it is asked once, whatever the answer is.
func (c *Client) ConnectEndpoints(ctx context.Context) (*Endpoints, error) {
	route := c.endpointsRoute()
	endpoints := new(Endpoints)
	// Whoever connects has a policy of his own for the next attempt, as RTM does.
	if err := c.do(ctx, c.sendOnce, http.MethodGet, route, nil, endpoints); err != nil {
		return nil, err
	}
	if err := checkEndpoint(endpoints.Socket.App); err != nil {
		return nil, &AnswerError{
			Method:     http.MethodGet,
			Route:      route,
			StatusCode: http.StatusOK,
			Err:        fmt.Errorf("socket.app: %w", err),
		}
	}
	if err := checkEndpoint(endpoints.Rescue.Socket.App); err != nil {
		if endpoints.Rescue.Socket.App != "" {
			c.logger.LogAttrs(ctx, slog.LevelWarn, "crisp: the rescue endpoint is left out", slog.Any("error", err))
		}
		endpoints.Rescue = RescueEndpoints{}
	}
	return endpoints, nil
}

func (c *Client) endpointsRoute() string {
	token := c.token()
	if token.Tier == TierWebsite {
		return "website/" + url.PathEscape(token.WebsiteID()) + "/connect/endpoints"
	}
	return string(token.Tier) + "/connect/endpoints"
}

// checkEndpoint tells what keeps a URL from being connected to.
func checkEndpoint(endpoint string) error {
	if endpoint == "" {
		return errors.New("missing")
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return errors.New("not an absolute URL")
	}
	if u.Scheme == "wss" || u.Scheme == "ws" {
		return checkScheme(u, "wss", "ws")
	}
	return checkScheme(u, "https", "http")
}
