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
	tokens        []crisp.Token // the first is Server.Token's
	websites      reach         // nil: any website exists; Server.mu guards it
	signingSecret string
	heartbeat     heartbeat
	authTimeout   time.Duration
	maxSessions   int // 0: no limit
	overLimit     OverLimit

	strictSessions bool
	rate           rateLimit
	hookAttempts   int
	hookDelay      time.Duration
}

func newConfig(opts []Option) (config, error) {
	c := config{
		network:       loopback{},
		tokens:        randomTokens(),
		signingSecret: rand.Text(),
		heartbeat:     heartbeat{interval: defaultPingInterval, timeout: defaultPingTimeout},
		authTimeout:   10 * time.Second,
		hookAttempts:  defaultHookAttempts,
		hookDelay:     defaultHookDelay,
	}
	for _, opt := range opts {
		if err := opt(&c); err != nil {
			return config{}, err
		}
	}
	return c, nil
}

// randomTokens makes a token of each tier. Random, so that a program under
// test that mixes up two servers is noticed.
func randomTokens() []crisp.Token {
	identifier := func() string { return "crisptest-" + strings.ToLower(rand.Text()[:12]) }
	return []crisp.Token{
		crisp.PluginToken(identifier(), rand.Text()),
		crisp.UserToken(identifier(), rand.Text()),
		crisp.WebsiteToken(WebsiteID, identifier(), rand.Text()),
	}
}

// InMemory keeps the server off the machine's network: it can be reached with
// [Server.HTTPClient] alone, which [Server.Client] uses. It is the network for
// tests in a [testing/synctest] bubble, where time is virtual and real sockets
// don't work.
func InMemory() Option {
	return func(c *config) error {
		c.network = newMemory()
		return nil
	}
}

// WithTier makes [Server.Token] give the token of another tier than plugin.
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

// WithToken makes the server accept this token instead of its own of that
// tier, and [Server.Token] give it.
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

// WithWebsites fixes the websites that exist: REST knows no other, and an RTM
// session that names another in its rooms is refused. Without it, any website
// that is named exists.
func WithWebsites(ids ...string) Option {
	return func(c *config) error {
		if len(ids) == 0 || slices.Contains(ids, "") {
			return errors.New("crisptest: WithWebsites: needs website identifiers")
		}
		c.websites = slices.Clone(ids)
		return nil
	}
}

// WithStrictSessions makes REST know no conversations but those that a visitor
// has begun ([Server.Visitor]) or that REST has created. Without it, a
// conversation also comes into being when something is done to it, so that a
// program can answer an event that was made up.
func WithStrictSessions() Option {
	return func(c *config) error {
		c.strictSessions = true
		return nil
	}
}

// WithSigningSecret sets the secret that plugin web hooks are signed with. It
// is random otherwise: see [Server.SigningSecret].
func WithSigningSecret(secret string) Option {
	return func(c *config) error {
		if secret == "" {
			return errors.New("crisptest: WithSigningSecret: the secret is empty")
		}
		c.signingSecret = secret
		return nil
	}
}

// WithHeartbeat sets how often pings are due and how long their answer may
// take, at least a millisecond each; 25 s and 20 s otherwise. The handshake
// tells them to the client.
func WithHeartbeat(interval, timeout time.Duration) Option {
	return func(c *config) error {
		if interval < time.Millisecond || timeout < time.Millisecond {
			return fmt.Errorf("crisptest: WithHeartbeat: %s and %s: at least a millisecond each", interval, timeout)
		}
		c.heartbeat = heartbeat{interval: interval, timeout: timeout}
		return nil
	}
}

// WithAuthTimeout sets how long an RTM session may take to authenticate before
// it is disconnected; 10 s otherwise.
func WithAuthTimeout(d time.Duration) Option {
	return func(c *config) error {
		if d <= 0 {
			return fmt.Errorf("crisptest: WithAuthTimeout: %s is not positive", d)
		}
		c.authTimeout = d
		return nil
	}
}

// OverLimit is what happens to RTM sessions beyond [WithSessionLimit].
type OverLimit int

const (
	// OverLimitDisconnect disconnects them when they authenticate.
	OverLimitDisconnect OverLimit = iota
	// OverLimitSilent never answers their authentication.
	OverLimitSilent
)

// WithSessionLimit sets how many RTM sessions may be authenticated at a time.
// Crisp has such a limit and doesn't tell it.
func WithSessionLimit(n int, over OverLimit) Option {
	return func(c *config) error {
		if n < 1 {
			return fmt.Errorf("crisptest: WithSessionLimit: %d is less than 1", n)
		}
		c.maxSessions, c.overLimit = n, over
		return nil
	}
}

// WithHookRetries sets how often a plugin's web hook is delivered at most,
// until it is answered with a 2xx, and the delay between the attempts; 5 times
// and 100 ms otherwise. Crisp's own delays are not documented.
func WithHookRetries(attempts int, delay time.Duration) Option {
	return func(c *config) error {
		if attempts < 1 || delay < 0 {
			return fmt.Errorf("crisptest: WithHookRetries: %d attempts, %s apart: at least 1, and no negative delay", attempts, delay)
		}
		c.hookAttempts, c.hookDelay = attempts, delay
		return nil
	}
}

// WithRateLimit makes REST answer 429 with Retry-After to what comes beyond n
// requests in each span of time. The span begins with its first request.
func WithRateLimit(n int, per time.Duration) Option {
	return func(c *config) error {
		if n < 1 || per <= 0 {
			return fmt.Errorf("crisptest: WithRateLimit: %d requests per %s: at least 1, in a positive time", n, per)
		}
		c.rate = rateLimit{max: n, per: per}
		return nil
	}
}

// WithDailyQuota makes REST answer 420 to what comes beyond n requests in all.
func WithDailyQuota(n int) Option {
	return func(c *config) error {
		if n < 1 {
			return fmt.Errorf("crisptest: WithDailyQuota: %d is less than 1", n)
		}
		c.rate.quota = n
		return nil
	}
}
