package crisptest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/crisp-go/crisp"
)

// Option configures [Start] and [NewServer].
type Option func(*config) error

type config struct {
	network       network
	tokens        []crisp.Token // one of each tier; Server.Token is the first
	websites      websiteSet    // those that exist; guarded by Server.mu
	pluginID      string
	signingSecret string
	heartbeat     heartbeat
	authTimeout   time.Duration
	maxSessions   int // 0: no limit
	overLimit     OverLimit

	strictSessions bool
	rate           rateLimit
	hookAttempts   int
	hookDelay      time.Duration
	campaignPace   time.Duration
	addr           string // of REST; empty for any
	single         bool   // the RTM API is at the address of REST
	history        int    // how much is remembered of everything
	journal        int    // how many entries are kept; 0: none
}

func newConfig(opts []Option) (config, error) {
	c := config{
		network:       loopback{},
		tokens:        randomTokens(),
		pluginID:      PluginID,
		signingSecret: rand.Text(),
		heartbeat:     heartbeat{interval: defaultPingInterval, timeout: defaultPingTimeout},
		authTimeout:   10 * time.Second,
		hookAttempts:  defaultHookAttempts,
		hookDelay:     defaultHookDelay,
		campaignPace:  50 * time.Millisecond,
		history:       defaultHistory,
	}
	for _, opt := range opts {
		if err := opt(&c); err != nil {
			return config{}, err
		}
	}
	return c, nil
}

// randomTokens makes a token of each tier. They are random so that a program
// which mixes up two servers is noticed.
func randomTokens() []crisp.Token {
	identifier := func() string { return "crisptest-" + strings.ToLower(rand.Text()[:12]) }
	return []crisp.Token{
		crisp.PluginToken(identifier(), rand.Text()),
		crisp.UserToken(identifier(), rand.Text()),
		crisp.WebsiteToken(WebsiteID, identifier(), rand.Text()),
	}
}

// InMemory makes the server use a network in memory instead of sockets. It can
// then be reached only with [Server.HTTPClient], which [Server.Client] uses. Tests
// in a [testing/synctest] bubble need it: sockets don't work in virtual time.
func InMemory() Option {
	return func(c *config) error {
		c.network = newMemory()
		return nil
	}
}

// WithTier makes [Server.Token] return the token of that tier instead of plugin.
func WithTier(tier crisp.Tier) Option {
	return func(c *config) error {
		i := slices.IndexFunc(c.tokens, func(t crisp.Token) bool { return t.Tier == tier })
		if i < 0 {
			return fmt.Errorf("crisptest: WithTier: no token of tier %q: use plugin, user or website", tier)
		}
		c.tokens[0], c.tokens[i] = c.tokens[i], c.tokens[0]
		return nil
	}
}

// WithToken makes the server accept this token instead of the random one of the
// same tier, and [Server.Token] return it. It needs an identifier and a key.
func WithToken(token crisp.Token) Option {
	return func(c *config) error {
		if token.Identifier == "" || token.Key == "" {
			return errors.New("crisptest: WithToken: the token needs an identifier and a key")
		}
		c.tokens = slices.DeleteFunc(c.tokens, func(t crisp.Token) bool { return t.Tier == token.Tier })
		c.tokens = slices.Insert(c.tokens, 0, token)
		return nil
	}
}

// WithWebsites sets the IDs of the websites that exist: REST knows no others, and
// an RTM session that lists another among its rooms is refused. By default, any
// website that is named exists.
func WithWebsites(ids ...string) Option {
	return func(c *config) error {
		if len(ids) == 0 || slices.Contains(ids, "") {
			return errors.New("crisptest: WithWebsites: needs website identifiers")
		}
		c.websites = websiteSet{only: slices.Clone(ids)}
		return nil
	}
}

// WithPluginID sets the ID of the plugin whose token [Server.Token] is. By default
// it is [PluginID].
func WithPluginID(id string) Option {
	return func(c *config) error {
		if id == "" {
			return errors.New("crisptest: WithPluginID: the identifier is empty")
		}
		c.pluginID = id
		return nil
	}
}

// WithStrictSessions makes REST know only the conversations that a visitor has
// begun ([Server.Visitor]) or that were created over REST. By default, a
// conversation is also created when something is added to it, so that a program
// can answer an event that was only emitted.
func WithStrictSessions() Option {
	return func(c *config) error {
		c.strictSessions = true
		return nil
	}
}

// WithSigningSecret sets the secret with which the web hooks of the plugin are
// signed. By default it is random: see [Server.SigningSecret].
func WithSigningSecret(secret string) Option {
	return func(c *config) error {
		if secret == "" {
			return errors.New("crisptest: WithSigningSecret: the secret is empty")
		}
		c.signingSecret = secret
		return nil
	}
}

// WithHeartbeat sets pingInterval, the time between two pings, and pingTimeout,
// the time to wait for the answer, at least a millisecond each. The handshake
// sends them to the client. By default they are 25 s and 20 s.
func WithHeartbeat(interval, timeout time.Duration) Option {
	return func(c *config) error {
		if interval < time.Millisecond || timeout < time.Millisecond {
			return fmt.Errorf("crisptest: WithHeartbeat: %s and %s: at least a millisecond each", interval, timeout)
		}
		c.heartbeat = heartbeat{interval: interval, timeout: timeout}
		return nil
	}
}

// WithAuthTimeout sets how long an RTM session may take to authenticate before it
// is disconnected. By default that is 10 s.
func WithAuthTimeout(d time.Duration) Option {
	return func(c *config) error {
		if d <= 0 {
			return fmt.Errorf("crisptest: WithAuthTimeout: %s is not positive", d)
		}
		c.authTimeout = d
		return nil
	}
}

// OverLimit says what happens to RTM sessions beyond [WithSessionLimit].
type OverLimit int

const (
	// OverLimitDisconnect disconnects the session when it authenticates.
	OverLimitDisconnect OverLimit = iota
	// OverLimitSilent never answers the session's authentication.
	OverLimitSilent
)

// WithSessionLimit sets how many RTM sessions may be authenticated at a time, and
// what happens to others. By default there is no limit; Crisp has one, which is
// not documented.
func WithSessionLimit(n int, over OverLimit) Option {
	return func(c *config) error {
		if n < 1 {
			return fmt.Errorf("crisptest: WithSessionLimit: %d is less than 1", n)
		}
		c.maxSessions, c.overLimit = n, over
		return nil
	}
}

// WithHookRetries sets how often the delivery of a plugin's web hook is attempted
// at most, until it is answered with a 2xx status, and the delay between two
// attempts. By default it is attempted 5 times, 100 ms apart; Crisp's own delays
// are not documented.
func WithHookRetries(attempts int, delay time.Duration) Option {
	return func(c *config) error {
		if attempts < 1 || delay < 0 {
			return fmt.Errorf("crisptest: WithHookRetries: %d attempts, %s apart: at least 1, and no negative delay", attempts, delay)
		}
		c.hookAttempts, c.hookDelay = attempts, delay
		return nil
	}
}

// WithCampaignPace sets how long a campaign that was dispatched takes for each quarter
// of its progress. By default that is 50 ms.
func WithCampaignPace(quarter time.Duration) Option {
	return func(c *config) error {
		if quarter <= 0 {
			return fmt.Errorf("crisptest: WithCampaignPace: %s is not positive", quarter)
		}
		c.campaignPace = quarter
		return nil
	}
}

// WithRateLimit makes REST answer with status 429 and a Retry-After header after n
// requests within a period of time. A period begins with its first request.
func WithRateLimit(n int, per time.Duration) Option {
	return func(c *config) error {
		if n < 1 || per <= 0 {
			return fmt.Errorf("crisptest: WithRateLimit: %d requests per %s: at least 1, in a positive time", n, per)
		}
		c.rate = rateLimit{max: n, per: per}
		return nil
	}
}

// WithDailyQuota makes REST answer with status 423 after n requests in total,
// as Crisp does when a token's daily quota is used up.
func WithDailyQuota(n int) Option {
	return func(c *config) error {
		if n < 1 {
			return fmt.Errorf("crisptest: WithDailyQuota: %d is less than 1", n)
		}
		c.rate.quota = n
		return nil
	}
}
