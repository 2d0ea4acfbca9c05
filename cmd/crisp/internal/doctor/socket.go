package doctor

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/internal/socketio"
)

// socketChecks cover the way from the endpoint that the REST API names to a live
// connection. They share one connection.
var socketChecks = []Check{
	{ID: "endpoint", About: "REST says where to connect to", needs: []string{"token"}, run: (*examination).checkEndpoint},
	{ID: "endpoint.reach", About: "the endpoint can be reached (DNS, TCP)", needs: []string{"endpoint"}, run: (*examination).checkEndpointReach},
	{ID: "websocket", About: "a WebSocket gets through, certificate included", needs: []string{"endpoint.reach"}, run: (*examination).checkWebSocket},
	{ID: "session", About: "the server speaks Engine.IO and Socket.IO", needs: []string{"websocket"}, run: (*examination).checkSession},
	{ID: "authentication", About: "the server answers the authentication", needs: []string{"session"}, run: (*examination).checkAuthentication},
	{ID: "heartbeat", About: "the connection outlives a silence, until the server's heartbeat", needs: []string{"authentication"}, run: (*examination).checkHeartbeat},
}

// isEndpointError reports whether an answer is Crisp's, but names no usable endpoint.
func isEndpointError(answer *crisp.AnswerError) bool {
	text := answer.Err.Error()
	return strings.HasPrefix(text, "socket.app:") || strings.HasPrefix(text, "the data")
}

func (e *examination) checkEndpoint(context.Context) Finding {
	if e.fetchErr != nil {
		return wrong("%s", sentence(e.fetchErr)).do("the credentials are sent to no such endpoint: ask Crisp's support, or check the base URL")
	}
	if e.endpoints.Rescue.Socket.App != "" {
		return ok("%s, and in its stead %s", hostOf(e.endpoints.Socket.App), hostOf(e.endpoints.Rescue.Socket.App))
	}
	return ok("%s", hostOf(e.endpoints.Socket.App))
}

func hostOf(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return "(no URL)"
	}
	return u.Host
}

func (e *examination) checkEndpointReach(ctx context.Context) Finding {
	ctx, cancel := context.WithTimeout(ctx, e.Limits.Connect)
	defer cancel()
	u, err := url.Parse(e.endpoints.Socket.App)
	if err != nil {
		return wrong("the endpoint is no URL")
	}
	if proxy := e.proxyFor(u); proxy != "" {
		return ok("by the proxy %s", proxy)
	}
	began := time.Now()
	conn, err := e.Network.dial(ctx, "tcp", withPort(u))
	if err == nil {
		_ = conn.Close()
		return ok("%s can be connected to, within %s", u.Host, rounded(time.Since(began)))
	}
	if rescue, broken := url.Parse(e.endpoints.Rescue.Socket.App); broken == nil && rescue.Host != "" {
		if conn, rescueErr := e.Network.dial(ctx, "tcp", withPort(rescue)); rescueErr == nil {
			_ = conn.Close()
			return warning("%s can't be reached (%v), the rescue endpoint %s can", u.Host, err, rescue.Host).
				do("have the firewall let this machine connect to %s", u.Host)
		}
	}
	return e.unreachable(u.Host, err)
}

// proxyFor returns the host of the proxy for a URL; empty for none.
func (e *examination) proxyFor(u *url.URL) string {
	if e.Network.Proxy == nil {
		return ""
	}
	web := *u
	web.Scheme = strings.Replace(web.Scheme, "ws", "http", 1)
	proxy, err := e.Network.Proxy(&http.Request{URL: &web})
	if err != nil || proxy == nil {
		return ""
	}
	return proxy.Host
}

// withPort returns the host and port of a URL, with the scheme's port if it names none.
func withPort(u *url.URL) string {
	usual := "443"
	if u.Scheme == "http" || u.Scheme == "ws" {
		usual = "80"
	}
	return net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), usual))
}

func (e *examination) checkWebSocket(ctx context.Context) Finding {
	began := time.Now()
	upgraded := e.dial(ctx, e.endpoints.Socket.App)
	if upgraded {
		return ok("open within %s", rounded(time.Since(began)))
	}
	first := e.connErr
	if rescue := e.endpoints.Rescue.Socket.App; rescue != "" {
		if e.dial(ctx, rescue) {
			return warning("%s does not work (%s), the rescue endpoint %s does", hostOf(e.endpoints.Socket.App), plain(first), hostOf(rescue)).
				do("programs fall back to it by themselves; if this lasts, see why %s can't be used: %s", hostOf(e.endpoints.Socket.App), adviceOnUpgrade(e.endpoints.Socket.App, first))
		}
	}
	if refused := certificateError(first); refused != nil {
		return refusedCertificate(hostOf(e.endpoints.Socket.App), refused)
	}
	return wrong("%s", plain(first)).do("%s", adviceOnUpgrade(e.endpoints.Socket.App, first))
}

// dial tries to open a session, and reports whether at least a WebSocket was opened.
func (e *examination) dial(ctx context.Context, endpoint string) (upgraded bool) {
	ctx, cancel := context.WithTimeout(ctx, e.Limits.Connect)
	defer cancel()
	before, _ := e.witness.last(hostOf(endpoint))
	e.conn, e.connErr = socketio.Dial(ctx, endpoint, socketio.Options{
		HTTPClient: e.httpClient(),
		Header:     http.Header{"User-Agent": {"crisp-go/" + crisp.Version}},
	})
	seen, _ := e.witness.last(hostOf(endpoint))
	return e.connErr == nil || seen.status == http.StatusSwitchingProtocols && seen.came != before.came
}

// plain returns a connection error's text without the names of the packages.
func plain(err error) string { return strings.ReplaceAll(sentence(err), "socketio: ", "") }

const adviceOnStripping = "something in between (a proxy, a gateway, an antivirus) removes the Upgrade header, or does not know WebSockets: " +
	"have it pass on HTTP/1.1 upgrades to %s, or go around it (NO_PROXY=%s)"

// adviceOnUpgrade says what to do about a WebSocket that did not get through.
func adviceOnUpgrade(endpoint string, err error) string {
	host := hostOf(endpoint)
	stripped := fmt.Sprintf(adviceOnStripping, host, hostname(host))
	var refusal *socketio.UpgradeError
	var proxy *proxyError
	switch {
	case errors.As(err, &proxy) && proxy.status == http.StatusProxyAuthRequired:
		return "the proxy wants other credentials: check user and password in HTTPS_PROXY"
	case errors.As(err, &proxy):
		return fmt.Sprintf("have the proxy let through CONNECT to %s, or go around it (NO_PROXY=%s)", host, hostname(host))
	case errors.As(err, &refusal):
		return adviceOnStatus(refusal.StatusCode, stripped, host)
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer to the request for a WebSocket: " + stripped
	default:
		return "the connection ended before there was a WebSocket: " + stripped
	}
}

func adviceOnStatus(status int, stripped, host string) string {
	switch {
	case status == http.StatusNotFound, status == http.StatusGone:
		return "the server has no RTM API at this path: Crisp moves it, so that programs have to fetch the endpoint before each connection, and a proxy must leave the path alone"
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusProxyAuthRequired:
		return "a gateway or proxy forbids it: have it let WebSockets to " + host + " through"
	case status >= http.StatusInternalServerError:
		return "the server, or a gateway before it, fails: try again later; if it stays, " + stripped
	default:
		return stripped
	}
}

func (e *examination) checkSession(context.Context) Finding {
	if e.connErr != nil {
		return wrong("%s", plain(e.connErr)).do("what answers is not Crisp's RTM server of today, or something in between cuts the connection at its first packets: "+
			"check what lies between this machine and %s", hostOf(e.endpoints.Socket.App))
	}
	handshake := e.conn.Handshake()
	return ok("heartbeat each %s, answered within %s", handshake.PingInterval, handshake.PingTimeout)
}

func (e *examination) checkAuthentication(ctx context.Context) Finding {
	began := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, e.Limits.Authentication, crisp.ErrSilent)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = e.conn.Close() })()
	err := e.authenticate(ctx)
	var refusal *refusedError
	switch {
	case err == nil:
		return ok("accepted within %s", rounded(time.Since(began)))
	case errors.Is(context.Cause(ctx), crisp.ErrSilent):
		return wrong("no answer within %s, though REST accepts the token", e.Limits.Authentication).
			do("most likely too many connections are open: Crisp leaves those over its limits per IP, token or website silent. " +
				"End programs that are no longer needed, and share one RTM client between your users")
	case errors.As(err, &refusal):
		return wrong("%v", refusal).do("REST accepts the token, the RTM API doesn't: check the tier (CRISP_TIER), and that each --website is open to it")
	default:
		return wrong("closed instead of answered: %s", plain(err)).
			do("refused credentials look so, and too many connections: close others with this token, and check the tier (CRISP_TIER)")
	}
}

// refusedError is the event "unauthorized".
type refusedError struct{ message string }

func (e *refusedError) Error() string {
	return fmt.Sprintf("refused: the server says %.200q", e.message)
}

// authenticate sends the credentials and waits for the answer.
func (e *examination) authenticate(ctx context.Context) error {
	token := e.Credentials.Token
	events := e.Events
	if len(events) == 0 {
		events = []string{"message:send"}
	}
	request := map[string]any{
		"tier":     token.Tier,
		"username": strings.TrimSpace(token.Identifier),
		"password": strings.TrimSpace(token.Key),
		"events":   events,
	}
	if len(e.Websites) > 0 {
		request["rooms"] = e.Websites
	}
	if err := e.conn.Emit(ctx, "authentication", request); err != nil {
		return err
	}
	for {
		event, err := e.conn.Next()
		if err != nil {
			return err
		}
		switch string(event.Name) {
		case "authenticated":
			return nil
		case "unauthorized":
			var said struct{ Message string }
			_ = json.Unmarshal(event.Args, &said) // a refusal may have no message
			return &refusedError{said.Message}
		}
	}
}
