// Package config reads what the bridge is to do: from a TOML file, and from the
// environment, which wins. Secrets are in files of their own or in the environment; they
// are no values of the file and no flags, which other people see.
package config

import (
	"encoding"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/crisp-go/crisp"
)

// Config is what the bridge is to do. Each value has the name of its tags in the file,
// such as engine.kind, and a variable, such as CRISP_BRIDGE_ENGINE_KIND.
type Config struct {
	Transports []string `toml:"transports"`
	// Drain is how long an end may take that loses nothing.
	Drain Duration `toml:"drain"`

	Crisp  Crisp  `toml:"crisp"`
	RTM    RTM    `toml:"rtm"`
	Hooks  Hooks  `toml:"hooks"`
	HTTP   HTTP   `toml:"http"`
	Engine Engine `toml:"engine"`
	Log    Log    `toml:"log"`

	Secrets Secrets `toml:"-"`
}

// Crisp says which Crisp it is, and who asks.
type Crisp struct {
	BaseURL    string     `toml:"base_url" env:"CRISP_BASE_URL"`
	Tier       crisp.Tier `toml:"tier" env:"CRISP_TIER"`
	Identifier string     `toml:"identifier" env:"CRISP_IDENTIFIER"`
	KeyFile    string     `toml:"key_file"`
	WebsiteID  string     `toml:"website_id" env:"CRISP_WEBSITE_ID"`
}

// RTM says what comes over the RTM API.
type RTM struct {
	// Name is that of the lease and of the position: those of one name take turns.
	Name        string   `toml:"name"`
	Events      []string `toml:"events"`
	Websites    []string `toml:"websites"`
	LeaseTTL    Duration `toml:"lease_ttl"`
	Concurrency int      `toml:"concurrency"`
	Backfill    bool     `toml:"backfill"`
	// BackfillMaxAge is how old what is fetched after a gap may be.
	BackfillMaxAge Duration `toml:"backfill_max_age"`
}

// Hooks says what comes by web hook.
type Hooks struct {
	Path              string   `toml:"path"`
	SigningSecretFile string   `toml:"signing_secret_file"`
	URLParam          string   `toml:"url_param"`
	URLSecretFile     string   `toml:"url_secret_file"`
	Timeout           Duration `toml:"timeout"`
}

// HTTP says where the bridge listens.
type HTTP struct {
	Addr string `toml:"addr"`
}

// Engine says where the log is. What is zero stays as it is in a log that is there.
type Engine struct {
	Kind       string `toml:"kind"`
	Partitions int    `toml:"partitions"`

	// Of the embedded engine.
	Dir    string `toml:"dir"`
	Listen string `toml:"listen"`

	// Of NATS and Kafka.
	Servers   []string `toml:"servers"`
	Replicas  int      `toml:"replicas"`
	User      string   `toml:"user"`
	TokenFile string   `toml:"token_file"`
	CredsFile string   `toml:"creds_file"`
	CAFile    string   `toml:"ca_file"`

	Prefix   string    `toml:"prefix"` // of all names in the engine
	MaxAge   *Duration `toml:"max_age"`
	MaxBytes *int64    `toml:"max_bytes"`
}

// Log says what is logged, and how.
type Log struct {
	Level  string `toml:"level"`
	Format string `toml:"format"`
}

// Secrets are what nobody may see. They have no names in the file.
type Secrets struct {
	Key           string
	SigningSecret string
	URLSecret     string
	EngineToken   string
}

// String hides the secrets from fmt.
func (Secrets) String() string { return "secrets" }

// GoString hides the secrets from fmt.
func (Secrets) GoString() string { return "secrets" }

// Hidden is what nobody may see: secrets, and what servers' URLs have before their
// hosts.
func (c *Config) Hidden() (hidden []string) {
	s := c.Secrets
	for _, secret := range []string{s.Key, s.SigningSecret, s.URLSecret, s.EngineToken} {
		if secret != "" {
			hidden = append(hidden, secret)
		}
	}
	for _, server := range c.Engine.Servers {
		if at := strings.LastIndexByte(server, '@'); at >= 0 { // those before it are the password's
			before := server[:at]
			if _, after, ok := strings.Cut(before, "://"); ok {
				before = after
			}
			_, password, _ := strings.Cut(before, ":")
			hidden = append(hidden, before, password)
		}
	}
	return hidden
}

// The transports.
const (
	TransportRTM   = "rtm"
	TransportHooks = "hooks"
)

// The kinds of engines.
const (
	EngineEmbedded = "embedded"
	EngineNATS     = "nats"
	EngineKafka    = "kafka"
)

// Default is what holds where nothing else is said.
func Default() Config {
	return Config{
		Drain: Duration(20 * time.Second),
		Crisp: Crisp{Tier: crisp.TierPlugin},
		RTM: RTM{
			Name:           "rtm",
			LeaseTTL:       Duration(10 * time.Second),
			Concurrency:    64,
			Backfill:       true,
			BackfillMaxAge: Duration(24 * time.Hour),
		},
		Hooks:  Hooks{Path: "/hooks", URLParam: "key", Timeout: Duration(5 * time.Second)},
		HTTP:   HTTP{Addr: "127.0.0.1:8080"},
		Engine: Engine{Kind: EngineEmbedded, Dir: "crisp-bridge-data", Prefix: "crisp"},
		Log:    Log{Level: "info", Format: "text"},
	}
}

// Duration is a time.Duration that is written as 1m30s.
type Duration time.Duration

var _ encoding.TextUnmarshaler = (*Duration)(nil)

const noDuration = "is no duration such as 90s or 1h30m"

// UnmarshalText reads a text such as 1m30s.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q "+noDuration, text)
	}
	*d = Duration(parsed)
	return nil
}

// Std is the same as a time.Duration.
func (d Duration) Std() time.Duration { return time.Duration(d) }

func (d Duration) String() string { return time.Duration(d).String() }

// Has reports whether a transport is in use.
func (c *Config) Has(transport string) bool { return slices.Contains(c.Transports, transport) }

// Token is the token to ask Crisp with.
func (c *Config) Token() crisp.Token {
	switch c.Crisp.Tier {
	case crisp.TierUser:
		return crisp.UserToken(c.Crisp.Identifier, c.Secrets.Key)
	case crisp.TierWebsite:
		return crisp.WebsiteToken(c.Crisp.WebsiteID, c.Crisp.Identifier, c.Secrets.Key)
	default:
		return crisp.PluginToken(c.Crisp.Identifier, c.Secrets.Key)
	}
}

// Rooms are the websites whose events come over the RTM API; none = all that the
// token sees.
func (c *Config) Rooms() []string {
	if len(c.RTM.Websites) == 0 && c.Crisp.WebsiteID != "" {
		return []string{c.Crisp.WebsiteID}
	}
	return c.RTM.Websites
}
