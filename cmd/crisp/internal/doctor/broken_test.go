package doctor_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/cmd/crisp/internal/doctor"
	"github.com/crisp-go/crisp/crisptest"
)

const (
	anIdentifier = "0b5b1d5c-7a3e-4f0e-9c39-5a8d2b6f1e74"
	aKey         = "4f6d1c0a9b8e7d6c5b4a39281706f5e4d3c2b1a0918273645566778899aabbcc"
)

// brokenSetups are set-ups in which one thing is wrong, made of a server and what is
// around it.
var brokenSetups = []struct {
	name    string
	opts    []crisptest.Option
	arrange func(t *testing.T, srv *crisptest.Server, config *doctor.Config)
	check   string        // which finds it
	status  doctor.Status // wrong, unless another is given
	words   []string      // of what is said
}{
	// The token.
	{
		name: "no credentials",
		arrange: func(_ *testing.T, _ *crisptest.Server, config *doctor.Config) {
			config.CredentialsErr = errors.New("the identifier of the token is missing")
		},
		check: "credentials", words: []string{"identifier of the token is missing", "CRISP_IDENTIFIER", "crisp login"},
	},
	{
		name: "key swapped with identifier, as their form shows",
		opts: []crisptest.Option{crisptest.WithToken(crisp.PluginToken(anIdentifier, aKey))},
		arrange: func(_ *testing.T, _ *crisptest.Server, config *doctor.Config) {
			config.Credentials.Token = crisp.PluginToken(aKey, anIdentifier)
		},
		check: "credentials", words: []string{"swapped", "exchange the two"},
	},
	{
		name: "key swapped with identifier, as Crisp's refusal shows",
		opts: []crisptest.Option{crisptest.WithToken(crisp.PluginToken(anIdentifier, "a-short-key"))},
		arrange: func(_ *testing.T, _ *crisptest.Server, config *doctor.Config) {
			config.Credentials.Token = crisp.PluginToken("a-short-key", anIdentifier)
		},
		check: "token", words: []string{"invalid_session", "swapped", "CRISP_IDENTIFIER is the UUID"},
	},
	{
		name: "key with a line break in it",
		arrange: func(_ *testing.T, _ *crisptest.Server, config *doctor.Config) {
			config.Credentials.Token.Key = "the key\nand more"
		},
		check: "credentials", words: []string{"line break", "copy"},
	},
	{
		name: "wrong key",
		arrange: func(_ *testing.T, srv *crisptest.Server, config *doctor.Config) {
			config.Credentials.Token = crisp.PluginToken(srv.Token().Identifier, "another-key")
		},
		check: "token", words: []string{"invalid_session", "copy identifier and key again"},
	},
	{
		name: "wrong tier",
		arrange: func(_ *testing.T, srv *crisptest.Server, config *doctor.Config) {
			user := srv.TokenFor(crisp.TierUser)
			config.Credentials.Token = crisp.PluginToken(user.Identifier, user.Key)
		},
		check: "token", words: []string{"one of tier user, not plugin", "CRISP_TIER=user"},
	},
	{
		name: "website's token as a plugin's",
		arrange: func(_ *testing.T, srv *crisptest.Server, config *doctor.Config) {
			website := srv.TokenFor(crisp.TierWebsite)
			config.Credentials.Token = crisp.PluginToken(website.Identifier, website.Key)
			config.Credentials.WebsiteID = crisptest.WebsiteID
		},
		check: "token", words: []string{"one of tier website, not plugin", "CRISP_TIER=website"},
	},
	{
		name: "missing website id",
		opts: []crisptest.Option{crisptest.WithTier(crisp.TierWebsite)},
		arrange: func(_ *testing.T, srv *crisptest.Server, config *doctor.Config) {
			config.Credentials.Token = crisp.WebsiteToken("", srv.Token().Identifier, srv.Token().Key)
		},
		check: "credentials", words: []string{"needs its website", "CRISP_WEBSITE_ID"},
	},
	{
		name: "quota used up",
		arrange: func(_ *testing.T, srv *crisptest.Server, _ *doctor.Config) {
			srv.FailREST(http.StatusLocked, -1)
		},
		check: "token", words: []string{"quota_limit_exceeded", "wait until it is renewed"},
	},
	{
		name: "too many calls",
		arrange: func(_ *testing.T, srv *crisptest.Server, _ *doctor.Config) {
			srv.FailREST(http.StatusTooManyRequests, -1)
		},
		check: "token", words: []string{"rate_limited", "share one client"},
	},
	// What is wanted.
	{
		name: "an event that the tier does not get",
		arrange: func(_ *testing.T, _ *crisptest.Server, config *doctor.Config) {
			config.Events = []string{"message:send", "campaign:progress"}
		},
		check: "events", words: []string{"plugin don't get campaign:progress", "token of tier user"},
	},
	{
		name: "an event that is misspelt",
		arrange: func(_ *testing.T, _ *crisptest.Server, config *doctor.Config) {
			config.Events = []string{"mesage:send"}
		},
		check: "events", words: []string{"no event is known as mesage:send", "message:send"},
	},
	{
		name: "an event that no web hook brings",
		arrange: func(t *testing.T, srv *crisptest.Server, config *doctor.Config) {
			config.Credentials.Token = srv.TokenFor(crisp.TierUser)
			config.Events = []string{"message:send", "widget:action:processed"}
			config.Hook = srv.Serve(webhook(t, srv.SigningSecret(), func() {}))
		},
		check: "events", status: doctor.Warning, words: []string{"no web hook ever brings", "RTM API"},
	},
	{
		name: "missing scope",
		arrange: func(_ *testing.T, srv *crisptest.Server, _ *doctor.Config) {
			srv.HandleREST("GET website/{website_id}/conversation/{session_id}/messages", func(*http.Request) (int, any) {
				return http.StatusForbidden, nil // not_allowed
			})
		},
		check: "scopes", words: []string{"missing: website:conversation:messages read", "add the scope"},
	},
	{
		name: "a scope to connect is missing",
		arrange: func(_ *testing.T, srv *crisptest.Server, _ *doctor.Config) {
			srv.HandleREST("GET plugin/connect/endpoints", func(*http.Request) (int, any) { return http.StatusForbidden, nil })
		},
		check: "token", words: []string{"not_allowed", "scopes"},
	},
	{
		name: "a conversation in place of the website",
		arrange: func(_ *testing.T, _ *crisptest.Server, config *doctor.Config) {
			config.Websites = []string{"session_19e5240f-0a8d-461e-a661-a3123fc6eec9"}
		},
		check: "website", words: []string{"conversation's identifier", "website_id"},
	},
	{
		name: "a website that has not installed the plugin",
		opts: []crisptest.Option{crisptest.WithWebsites(crisptest.WebsiteID)},
		arrange: func(_ *testing.T, _ *crisptest.Server, config *doctor.Config) {
			config.Websites = []string{"6a1b7c56-90a1-4e0e-8f4e-5d2b3c4a5e6f"}
		},
		check: "website", words: []string{"not installed on 6a1b7c56", "CRISP_WEBSITE_ID"},
	},
	{
		name: "nobody has installed the plugin",
		arrange: func(_ *testing.T, srv *crisptest.Server, _ *doctor.Config) {
			srv.HandleREST("GET plugin/connect/websites/all/{page}", func(*http.Request) (int, any) { return http.StatusOK, []string{} })
		},
		check: "website", status: doctor.Warning, words: []string{"no website has installed the plugin", "install it"},
	},
	// The way to REST.
	{
		name: "REST unreachable",
		arrange: func(t *testing.T, _ *crisptest.Server, config *doctor.Config) {
			config.Credentials.BaseURL = "http://" + closedPort(t) + "/v1/"
		},
		check: "rest.reach", words: []string{"can't be reached", "refused", "firewall"},
	},
	{
		name: "REST swallowed by a firewall",
		arrange: func(_ *testing.T, srv *crisptest.Server, config *doctor.Config) {
			srv.SlowREST(time.Minute)
			config.Limits.REST = 50 * time.Millisecond
		},
		check: "rest.reach", words: []string{"can't be reached", "deadline exceeded", "HTTPS_PROXY"},
	},
	{
		name: "a host that does not exist",
		arrange: func(_ *testing.T, _ *crisptest.Server, config *doctor.Config) {
			config.Credentials.BaseURL = "https://api.crisp.invalid/v1/"
			config.Network.Dial = func(context.Context, string, string) (net.Conn, error) {
				return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "api.crisp.invalid", IsNotFound: true}}
			}
		},
		check: "rest.reach", words: []string{"no such host", "DNS"},
	},
	{
		name: "REST blocked by a gateway",
		arrange: func(_ *testing.T, srv *crisptest.Server, _ *doctor.Config) {
			srv.GatewayREST(http.StatusForbidden, "<html><body>Blocked by policy</body></html>", -1)
		},
		check: "rest.answer", words: []string{"403", "HTML", "in its place", "NO_PROXY=127.0.0.1"},
	},
	{
		name: "a captive portal",
		arrange: func(_ *testing.T, srv *crisptest.Server, _ *doctor.Config) {
			srv.GarbleREST("<html><body>Welcome to the hotel</body></html>", -1)
		},
		check: "rest.answer", words: []string{"HTML", "captive portal"},
	},
	{
		name: "Crisp itself fails",
		arrange: func(_ *testing.T, srv *crisptest.Server, _ *doctor.Config) {
			srv.FailREST(http.StatusInternalServerError, -1)
		},
		check: "rest.answer", words: []string{"500", "try again later"},
	},
	{
		name: "a proxy that refuses its credentials",
		arrange: func(t *testing.T, _ *crisptest.Server, config *doctor.Config) {
			proxy := forwardProxy(t, http.StatusProxyAuthRequired, nil)
			config.Credentials.BaseURL = ""
			config.Network.Proxy = http.ProxyURL(proxy)
		},
		check: "rest.reach", words: []string{"407", "user and password in HTTPS_PROXY"},
	},
	{
		name: "a proxy that lets nothing through to Crisp",
		arrange: func(t *testing.T, _ *crisptest.Server, config *doctor.Config) {
			proxy := forwardProxy(t, http.StatusForbidden, nil)
			config.Credentials.BaseURL = ""
			config.Network.Proxy = http.ProxyURL(proxy)
		},
		check: "rest.reach", words: []string{"403", "CONNECT to api.crisp.chat", "NO_PROXY=api.crisp.chat"},
	},
	{
		name: "HTTPS_PROXY is no URL",
		arrange: func(_ *testing.T, _ *crisptest.Server, config *doctor.Config) {
			config.Getenv = environment("HTTPS_PROXY", "http://[::1")
		},
		check: "proxy", words: []string{"no URL", "http://proxy"},
	},
	{
		name: "a proxy that Go programs don't heed",
		arrange: func(_ *testing.T, _ *crisptest.Server, config *doctor.Config) {
			config.Getenv = environment("ALL_PROXY", "http://user:pass@proxy.example.com:3128")
		},
		check: "proxy", status: doctor.Warning, words: []string{"ALL_PROXY", "set HTTPS_PROXY"},
	},
	{
		name: "TLS intercepted, by an authority that nobody knows",
		arrange: func(t *testing.T, srv *crisptest.Server, config *doctor.Config) {
			intercept(t, srv, config)
			config.Credentials.BaseURL = "https://example.com/v1/" // which the certificate is for
		},
		check: "rest.tls", words: []string{"Acme Co", "unknown authority", "intercepted", "SSL_CERT_FILE"},
	},
	{
		name: "TLS intercepted, by an authority that this machine trusts",
		arrange: func(t *testing.T, srv *crisptest.Server, config *doctor.Config) {
			interceptor := intercept(t, srv, config)
			roots := x509.NewCertPool()
			roots.AddCert(interceptor.Certificate())
			config.Credentials.BaseURL = "https://example.com/v1/" // which the certificate is for
			config.Network.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
		},
		check: "rest.tls", status: doctor.Warning, words: []string{"Acme Co", "no public authority", "reads the key"},
	},
	{
		name: "another server's certificate",
		arrange: func(t *testing.T, srv *crisptest.Server, config *doctor.Config) {
			intercept(t, srv, config)
			config.Credentials.BaseURL = "https://api.crisp.chat/v1/"
		},
		check: "rest.tls", words: []string{"Acme Co", "not api.crisp.chat", "another server answers", "DNS"},
	},
	{
		name: "clock skewed beyond the tolerance of signatures",
		arrange: func(_ *testing.T, srv *crisptest.Server, _ *doctor.Config) {
			srv.SkewClock(-10 * time.Minute)
		},
		check: "clock", words: []string{"10m0s ahead of", "more than the 5m0s", "NTP"},
	},
	{
		name: "clock skewed",
		arrange: func(_ *testing.T, srv *crisptest.Server, _ *doctor.Config) {
			srv.SkewClock(2 * time.Minute)
		},
		check: "clock", status: doctor.Warning, words: []string{"2m0s behind", "NTP"},
	},
	// The way to the RTM API.
	{
		name: "an endpoint without TLS",
		arrange: func(_ *testing.T, srv *crisptest.Server, _ *doctor.Config) {
			announce(srv, "http://rtm.example.com/")
		},
		check: "endpoint", words: []string{"without TLS", "base URL"},
	},
	{
		name: "endpoint unreachable",
		arrange: func(t *testing.T, srv *crisptest.Server, _ *doctor.Config) {
			announce(srv, "http://"+closedPort(t)+"/rtm/")
		},
		check: "endpoint.reach", words: []string{"can't be reached", "refused", "firewall"},
	},
	{
		name: "endpoint gone, but not its rescue",
		arrange: func(_ *testing.T, srv *crisptest.Server, _ *doctor.Config) {
			srv.BreakEndpoint()
		},
		check: "websocket", status: doctor.Warning, words: []string{"404", "rescue endpoint", "Crisp moves it"},
	},
	{
		name: "WebSocket stripped by a proxy: the server sees none",
		arrange: func(t *testing.T, srv *crisptest.Server, _ *doctor.Config) {
			endpoint := endpointOf(t, srv)
			proxy := reverseProxy(t, endpoint, func(r *http.Request) {
				r.Header.Del("Upgrade")
				r.Header.Del("Connection")
			})
			announce(srv, proxy+pathOf(t, endpoint))
		},
		check: "websocket", words: []string{"400", "Bad request", "removes the Upgrade header", "HTTP/1.1 upgrades"},
	},
	{
		name: "WebSocket stripped by a proxy: it answers by itself",
		arrange: func(t *testing.T, srv *crisptest.Server, _ *doctor.Config) {
			portal := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }))
			t.Cleanup(portal.Close)
			announce(srv, portal.URL+"/rtm/")
		},
		check: "websocket", words: []string{"200", "removes the Upgrade header", "NO_PROXY=127.0.0.1"},
	},
	{
		name: "WebSockets forbidden",
		arrange: func(_ *testing.T, srv *crisptest.Server, _ *doctor.Config) {
			srv.RefuseUpgrade(http.StatusForbidden, -1)
		},
		check: "websocket", words: []string{"403", "forbids"},
	},
	{
		name: "a server that is none of Socket.IO's",
		arrange: func(_ *testing.T, srv *crisptest.Server, _ *doctor.Config) {
			srv.HangUp(-1)
		},
		check: "session", words: []string{"cuts the connection"},
	},
	{
		name: "authentication silent: too many connections",
		opts: []crisptest.Option{crisptest.WithSessionLimit(1, crisptest.OverLimitSilent)},
		arrange: func(t *testing.T, srv *crisptest.Server, config *doctor.Config) {
			takeSession(t, srv)
			config.Limits.Authentication = 100 * time.Millisecond
		},
		check: "authentication", words: []string{"no answer within 100ms", "too many connections", "share one RTM client"},
	},
	{
		name: "authentication ended: too many connections",
		opts: []crisptest.Option{crisptest.WithSessionLimit(1, crisptest.OverLimitDisconnect)},
		arrange: func(t *testing.T, srv *crisptest.Server, _ *doctor.Config) {
			takeSession(t, srv)
		},
		check: "authentication", words: []string{"closed instead of answered", "too many connections"},
	},
	{
		name: "authentication refused",
		arrange: func(_ *testing.T, srv *crisptest.Server, _ *doctor.Config) {
			srv.RejectAuth("not today")
		},
		check: "authentication", words: []string{`"not today"`, "check the tier"},
	},
	{
		name: "heartbeat lost: a middlebox cuts idle connections",
		opts: []crisptest.Option{crisptest.WithHeartbeat(2*time.Second, 10*time.Second)},
		arrange: func(t *testing.T, srv *crisptest.Server, _ *doctor.Config) {
			endpoint := endpointOf(t, srv)
			box := middlebox(t, hostOfURL(t, endpoint), 200*time.Millisecond, false)
			announce(srv, "http://"+box+pathOf(t, endpoint))
		},
		check: "heartbeat", words: []string{"was cut after 2", "ms without traffic", "each 2s", "allow at least 4s", "proxy_read_timeout"},
	},
	{
		name: "heartbeat lost: a middlebox swallows it",
		arrange: func(t *testing.T, srv *crisptest.Server, _ *doctor.Config) {
			endpoint := endpointOf(t, srv)
			box := middlebox(t, hostOfURL(t, endpoint), 100*time.Millisecond, true)
			announce(srv, "http://"+box+pathOf(t, endpoint))
		},
		check: "heartbeat", words: []string{"nothing came for 1.3s", "each 300ms", "no longer passes anything on"},
	},
	{
		name: "the server ends the connection",
		opts: []crisptest.Option{crisptest.WithHeartbeat(5*time.Second, 10*time.Second)},
		arrange: func(t *testing.T, srv *crisptest.Server, _ *doctor.Config) {
			soon(t, srv, func() { srv.DropConnections() })
		},
		check: "heartbeat", words: []string{"the server ended the connection", "too many connections"},
	},
	// The web hook.
	{
		name: "no signing secret",
		arrange: func(t *testing.T, srv *crisptest.Server, config *doctor.Config) {
			config.Hook = srv.Serve(webhook(t, srv.SigningSecret(), func() {}))
			config.Credentials.SigningSecret = ""
		},
		check: "hook.secret", words: []string{"no signing secret", "CRISP_SIGNING_SECRET"},
	},
	{
		name: "nobody at the hook's URL",
		arrange: func(t *testing.T, _ *crisptest.Server, config *doctor.Config) {
			config.Hook = "http://" + closedPort(t) + "/hook"
		},
		check: "hook.reach", words: []string{"refused", "start the program"},
	},
	{
		name: "hook at another path",
		arrange: func(_ *testing.T, srv *crisptest.Server, config *doctor.Config) {
			config.Hook = srv.Serve(http.NotFoundHandler())
		},
		check: "hook.reach", words: []string{"404", "check the path"},
	},
	{
		name: "hook that redirects",
		arrange: func(_ *testing.T, srv *crisptest.Server, config *doctor.Config) {
			config.Hook = srv.Serve(http.RedirectHandler("/hook/", http.StatusMovedPermanently))
		},
		check: "hook.reach", words: []string{"301", "follows no redirect"},
	},
	{
		name: "hook that verifies nothing",
		arrange: func(_ *testing.T, srv *crisptest.Server, config *doctor.Config) {
			config.Hook = srv.Serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }))
		},
		check: "hook.unsigned", words: []string{"accepted: 200", "verify the signature", "crisp.NewWebhook"},
	},
	{
		name: "hook that only looks for a signature",
		arrange: func(_ *testing.T, srv *crisptest.Server, config *doctor.Config) {
			config.Hook = srv.Serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("X-Crisp-Signature") == "" {
					w.WriteHeader(http.StatusUnauthorized)
				}
			}))
		},
		check: "hook.forged", words: []string{"accepted: 200", "verify the signature"},
	},
	{
		name: "hook that accepts a wrong secret in its URL",
		arrange: func(_ *testing.T, srv *crisptest.Server, config *doctor.Config) {
			config.Credentials.SigningSecret = ""
			config.Hook = srv.Serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Query().Get("key") == "" {
					w.WriteHeader(http.StatusUnauthorized)
				}
			})) + "?key=the-secret"
		},
		check: "hook.forged", words: []string{"accepted: 200"},
	},
	{
		name: "hook that accepts what is old",
		arrange: func(t *testing.T, srv *crisptest.Server, config *doctor.Config) {
			config.Hook = srv.Serve(webhook(t, srv.SigningSecret(), func() {}, crisp.WithTolerance(0)))
		},
		check: "hook.stale", words: []string{"accepted: 200", "5 minutes", "crisp.WithTolerance"},
	},
	{
		name: "hook with another secret",
		arrange: func(t *testing.T, srv *crisptest.Server, config *doctor.Config) {
			config.Hook = srv.Serve(webhook(t, "another secret", func() {}))
		},
		check: "hook.signed", words: []string{"refused: 401", "same secret as CRISP_SIGNING_SECRET"},
	},
	{
		name: "hook whose handlers fail",
		arrange: func(_ *testing.T, srv *crisptest.Server, config *doctor.Config) {
			config.Hook = srv.Serve(verifying(srv.SigningSecret(), func(w http.ResponseWriter) { w.WriteHeader(http.StatusInternalServerError) }))
		},
		check: "hook.signed", words: []string{"500", "handlers fail", "message:send"},
	},
	{
		name: "hook that refuses good signatures: body encoded anew as Node does",
		arrange: func(t *testing.T, srv *crisptest.Server, config *doctor.Config) {
			config.Hook = srv.Serve(reencoding(webhook(t, srv.SigningSecret(), func() {}), json.Marshal))
		},
		check: "hook.bytes", words: []string{"how the JSON is spelt", "raw body", "express.raw"},
	},
	{
		name: "hook that refuses good signatures: body encoded anew as Python does",
		arrange: func(t *testing.T, srv *crisptest.Server, config *doctor.Config) {
			config.Hook = srv.Serve(reencoding(webhook(t, srv.SigningSecret(), func() {}), func(v any) ([]byte, error) {
				text, err := json.Marshal(v)
				return doctor.Spelt(text, ": ", ", "), err
			}))
		},
		check: "hook.bytes", words: []string{"how the JSON is spelt", "request.get_data"},
	},
	{
		name: "hook that runs repeated deliveries twice, as its effect shows",
		arrange: func(t *testing.T, srv *crisptest.Server, config *doctor.Config) {
			runs := new(counter)
			config.Effect = runs.effect
			config.Limits.EffectSettles = 50 * time.Millisecond
			config.Hook = srv.Serve(webhook(t, srv.SigningSecret(), runs.count, crisp.WithDedupe(nil)))
		},
		check: "hook.repeated", words: []string{"has run the handlers again", "hash of the body", "crisp.WithDedupe"},
	},
	{
		name: "hook that refuses repeated deliveries",
		arrange: func(_ *testing.T, srv *crisptest.Server, config *doctor.Config) {
			config.Hook = srv.Serve(verifyingAttempts(srv.SigningSecret()))
		},
		check: "hook.repeated", words: []string{"refused: 409", "answer 200"},
	},
	{
		name: "hook that gives no answer",
		arrange: func(_ *testing.T, srv *crisptest.Server, config *doctor.Config) {
			release := make(chan struct{})
			config.Limits.HookAnswer = 100 * time.Millisecond
			config.Hook = srv.Serve(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				select {
				case <-release:
				case <-r.Context().Done():
				}
			}))
		},
		check: "hook.reach", words: []string{"did not answer within 100ms", "Refuse what is not signed at once"},
	},
}

func TestBrokenSetups(t *testing.T) {
	for _, broken := range brokenSetups {
		t.Run(broken.name, func(t *testing.T) {
			t.Parallel()
			srv := onWebsite(t, broken.opts...)
			config := healthy(srv)
			broken.arrange(t, srv, &config)
			found := examine(t, config)
			want := doctor.Wrong
			if broken.status != "" {
				want = broken.status
				for id, f := range found { // it works all the same, as far as the set-up is made
					if f.Status == doctor.Warning {
						assert.Equal(t, broken.check, id)
					}
				}
			} else {
				assert.Equal(t, broken.check, firstWrong(found))
			}
			f := found[broken.check]
			assert.Equal(t, want, f.Status)
			for _, word := range broken.words {
				assert.True(t, mentions(f.Saw+" "+f.Advice, word), "%q is not in %q, %q", word, f.Saw, f.Advice)
			}
		})
	}
}

// In virtual time: how long handlers take is exact.
func TestSlowHooks(t *testing.T) {
	for _, row := range []struct {
		name   string
		takes  time.Duration
		opts   []crisp.WebhookOption
		check  string
		status doctor.Status
		words  []string
	}{
		{name: "answers too slowly", takes: 20 * time.Second, check: "hook.time", status: doctor.Wrong, words: []string{"no answer within 10s", "answer first, and work later"}},
		{name: "answers late", takes: 4 * time.Second, check: "hook.time", status: doctor.Warning, words: []string{"answered after 4s"}},
		{
			name: "runs repeated deliveries twice, as the time shows", takes: 200 * time.Millisecond, opts: []crisp.WebhookOption{crisp.WithDedupe(nil)},
			check: "hook.repeated", status: doctor.Warning, words: []string{"seem to run again", "--effect CMD"},
		},
		{name: "runs them once, as the time shows", takes: 200 * time.Millisecond, check: "hook.repeated", status: doctor.OK, words: []string{"answered at once"}},
		{name: "takes no time, so that nothing shows", check: "hook.repeated", status: doctor.Skipped, words: []string{"can't be told from outside", "--effect CMD"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := crisptest.NewServer(t, crisptest.InMemory())
				srv.Install(crisptest.WebsiteID)
				config := healthy(srv)
				config.Network.Dial = srv.HTTPClient().Transport.(*http.Transport).DialContext
				config.Hook = srv.Serve(webhook(t, srv.SigningSecret(), func() { time.Sleep(row.takes) }, row.opts...))
				f := examine(t, config)[row.check]
				assert.Equal(t, row.status, f.Status)
				for _, word := range row.words {
					assert.True(t, mentions(f.Saw+" "+f.Advice, word), "%q is not in %q, %q", word, f.Saw, f.Advice)
				}
				time.Sleep(time.Minute) // until handlers that were left have ended
			})
		})
	}
}

// With Crisp's own heartbeat, in virtual time.
func TestHeartbeatIsMeasured(t *testing.T) {
	for _, row := range []struct {
		name   string
		wait   time.Duration
		status doctor.Status
		words  []string
	}{
		{name: "as long as it needs", status: doctor.OK, words: []string{"came, after a silence of 25s"}},
		{name: "not long enough", wait: 10 * time.Second, status: doctor.Skipped, words: []string{"lived for 10s", "--for 30s"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := crisptest.NewServer(t, crisptest.InMemory())
				config := healthy(srv)
				config.HeartbeatFor = row.wait
				config.Network.Dial = srv.HTTPClient().Transport.(*http.Transport).DialContext
				f := examine(t, config)["heartbeat"]
				assert.Equal(t, row.status, f.Status)
				assert.True(t, mentions(f.Saw+" "+f.Advice, row.words...), "%q, %q", f.Saw, f.Advice)
			})
		})
	}
}

func environment(name, value string) func(string) string {
	return func(asked string) string {
		if asked == name {
			return value
		}
		return ""
	}
}

// announce makes REST name another endpoint.
func announce(srv *crisptest.Server, endpoint string) {
	srv.HandleREST("GET plugin/connect/endpoints", func(*http.Request) (int, any) {
		return http.StatusOK, map[string]any{"socket": map[string]string{"app": endpoint}}
	})
}

func endpointOf(t *testing.T, srv *crisptest.Server) string {
	t.Helper()
	endpoints, err := srv.Client().ConnectEndpoints(t.Context())
	require.NoError(t, err)
	return endpoints.Socket.App
}

func pathOf(t *testing.T, raw string) string {
	t.Helper()
	u, err := url.Parse(raw)
	require.NoError(t, err)
	return u.Path
}

// intercept has connections to any host end at a server whose certificate is its own,
// and which passes on what it has read.
func intercept(t *testing.T, srv *crisptest.Server, config *doctor.Config) *httptest.Server {
	t.Helper()
	target, err := url.Parse(srv.URL())
	require.NoError(t, err)
	interceptor := httptest.NewUnstartedServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: target.Scheme, Host: target.Host})
	}})
	interceptor.Config.ErrorLog = nil
	interceptor.StartTLS()
	t.Cleanup(interceptor.Close)
	config.Network.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if !strings.HasPrefix(addr, "127.0.0.1:") {
			addr = interceptor.Listener.Addr().String()
		}
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}
	return interceptor
}

// takeSession keeps an RTM session open.
func takeSession(t *testing.T, srv *crisptest.Server) {
	t.Helper()
	router := crisp.NewRouter()
	router.OnAny(func(context.Context, crisp.Event) error { return nil })
	client, err := srv.Client().NewRTM(router, crisp.WithFilter(crisp.Filter{Events: []string{"message:send"}}))
	require.NoError(t, err)
	srv.Run(t, client)
}

// soon does something once a client has been told that it is authenticated.
func soon(t *testing.T, srv *crisptest.Server, do func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		if srv.WaitAuthenticated(t.Context()) == nil {
			do()
		}
	}()
	t.Cleanup(func() { <-done })
}

// verifying is a hook that answers what is authentic by a function.
func verifying(secret string, answer func(http.ResponseWriter)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := make([]byte, r.ContentLength)
		_, _ = r.Body.Read(body)
		if crisp.Verify(secret, r.Header, body, 5*time.Minute) != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		answer(w)
	})
}

// verifyingAttempts refuses all but first attempts.
func verifyingAttempts(secret string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		verifying(secret, func(w http.ResponseWriter) {
			if r.Header.Get("X-Delivery-Attempt-Count") != "1" {
				w.WriteHeader(http.StatusConflict)
			}
		}).ServeHTTP(w, r)
	})
}
