package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/crisp-go/crisp"
)

// ErrCredentials is what an error matches that says that credentials are missing.
var ErrCredentials = errors.New("credentials are missing")

type missing struct{ error }

func (missing) Is(target error) bool { return target == ErrCredentials }

// Read reads the file of a path, unless that is empty, and the environment, and checks
// all that has to do with the log: CheckIn checks the rest. The error joins all that is wrong.
func Read(path string, environ []string) (Config, error) {
	c := Default()
	if path != "" {
		if err := c.readFile(path); err != nil {
			return c, err
		}
	}
	if err := c.readEnvironment(environ); err != nil {
		return c, err
	}
	if len(c.Transports) == 0 {
		c.Transports = c.defaultTransports()
	}
	return c, errors.Join(append(c.checkEngine(), c.checkRest()...)...)
}

// defaultTransports are those that there are credentials for.
func (c *Config) defaultTransports() (transports []string) {
	if c.Crisp.Identifier != "" || c.Secrets.Key != "" {
		transports = append(transports, TransportRTM)
	}
	if c.Secrets.SigningSecret != "" || c.Secrets.URLSecret != "" {
		transports = append(transports, TransportHooks)
	}
	return transports
}

var validPrefix = regexp.MustCompile(`^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+){0,31}$`)

var validName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// CheckIn returns what is wrong with how events come in, joined.
func (c *Config) CheckIn() error {
	return errors.Join(append(c.checkCrisp(), append(c.checkRTM(), c.checkHooks()...)...)...)
}

// checkCrisp checks who asks which Crisp.
func (c *Config) checkCrisp() (problems []error) {
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if len(c.Transports) == 0 {
		problems = append(problems, missing{errors.New("there is nothing to receive events by: set CRISP_IDENTIFIER and CRISP_KEY for the RTM API, CRISP_SIGNING_SECRET or CRISP_URL_SECRET for web hooks, or both")})
	}
	for i, t := range c.Transports {
		switch {
		case t != TransportRTM && t != TransportHooks:
			wrong("transports: %q is none; there are rtm and hooks", t)
		case slices.Contains(c.Transports[:i], t):
			wrong("transports: %s is there twice", t)
		}
	}
	switch c.Crisp.Tier {
	case crisp.TierPlugin, crisp.TierUser:
	case crisp.TierWebsite:
		if c.Crisp.WebsiteID == "" {
			problems = append(problems, missing{errors.New("crisp.website_id: a token of the tier website belongs to a website, which is missing: set CRISP_WEBSITE_ID")})
		}
	default:
		wrong("crisp.tier: %q is none; it is plugin, user or website", string(c.Crisp.Tier))
	}
	if c.Crisp.BaseURL != "" && !isURL(c.Crisp.BaseURL) {
		wrong("crisp.base_url: it is no URL such as https://api.crisp.chat/v1")
	}
	return problems
}

// checkRTM checks what comes over the RTM API.
func (c *Config) checkRTM() (problems []error) {
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if !c.Has(TransportRTM) {
		return nil
	}
	if c.Crisp.Identifier == "" || c.Secrets.Key == "" {
		problems = append(problems, missing{errors.New("the RTM API needs a token: set CRISP_IDENTIFIER, and CRISP_KEY or crisp.key_file")})
	}
	if !validName.MatchString(c.RTM.Name) {
		wrong("rtm.name: it has 1 to 64 letters, digits, dashes and underscores")
	}
	if c.RTM.LeaseTTL < Duration(time.Second) || c.RTM.LeaseTTL > Duration(time.Hour) {
		wrong("rtm.lease_ttl: %s is not within 1s and 1h", c.RTM.LeaseTTL)
	}
	if c.RTM.Concurrency < 1 || c.RTM.Concurrency > 10_000 {
		wrong("rtm.concurrency: %d is not within 1 and 10000", c.RTM.Concurrency)
	}
	if c.RTM.BackfillMaxAge <= 0 {
		wrong("rtm.backfill_max_age: %s is not above 0; rtm.backfill = false turns it off", c.RTM.BackfillMaxAge)
	}
	return problems
}

// checkHooks checks what comes by web hook.
func (c *Config) checkHooks() (problems []error) {
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if !c.Has(TransportHooks) {
		return nil
	}
	if c.Secrets.SigningSecret == "" && c.Secrets.URLSecret == "" {
		problems = append(problems, missing{errors.New("web hooks need a secret to be verified by: set CRISP_SIGNING_SECRET, or CRISP_URL_SECRET for those of websites, or their files")})
	}
	if !strings.HasPrefix(c.Hooks.Path, "/") || !isClean(c.Hooks.Path) || strings.ContainsAny(c.Hooks.Path, "{} ?#") || slices.Contains([]string{"/healthz", "/readyz", "/metrics"}, c.Hooks.Path) {
		wrong("hooks.path: %q is no path for web hooks, such as /hooks", c.Hooks.Path)
	}
	if c.Secrets.URLSecret != "" && c.Hooks.URLParam == "" {
		wrong("hooks.url_param: it is the name of the parameter that has the secret, such as key")
	}
	if c.Hooks.Timeout < Duration(100*time.Millisecond) {
		wrong("hooks.timeout: %s is below 100ms", c.Hooks.Timeout)
	}
	return problems
}

// isClean reports whether requests for a path are not redirected to another.
func isClean(text string) bool {
	clean := path.Clean(text)
	return text == clean || text == clean+"/" && clean != "/"
}

func isURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// checkEngine checks where the log is to be.
func (c *Config) checkEngine() (problems []error) {
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	e := c.Engine
	switch e.Kind {
	case EngineEmbedded:
		if e.Dir == "" {
			wrong("engine.dir: the embedded engine needs a folder")
		}
		if len(e.Servers) > 0 {
			wrong("engine.servers: the embedded engine has none; did you mean engine.kind = \"nats\"?")
		}
		if e.Replicas > 1 {
			wrong("engine.replicas: the embedded engine has one copy of the log; more need NATS")
		}
	case EngineNATS, EngineKafka:
		if len(e.Servers) == 0 {
			wrong("engine.servers: %s needs the address of a server at least", e.Kind)
		}
		if e.Listen != "" {
			wrong("engine.listen: only the embedded engine listens")
		}
		if e.Kind == EngineKafka && (e.CredsFile != "" || e.MaxBytes != nil) {
			wrong("engine.creds_file and engine.max_bytes are of NATS; Kafka has engine.user with engine.token_file, and limits of its own")
		}
		if e.Kind == EngineKafka && (e.User == "") != (c.Secrets.EngineToken == "") {
			wrong("engine.user: Kafka needs both a user and a password (engine.token_file), or neither")
		}
		if e.Kind == EngineNATS && e.User != "" && c.Secrets.EngineToken == "" {
			wrong("engine.user: the user needs a password: set engine.token_file or %s", varEngineToken)
		}
		if err := checkFile(e.CredsFile); err != nil {
			wrong("engine.creds_file: %w", err)
		}
		if err := checkFile(e.CAFile); err != nil {
			wrong("engine.ca_file: %w", err)
		}
	default:
		wrong("engine.kind: %q is none; there are embedded, nats and kafka", e.Kind)
	}
	if e.Listen != "" && !isLoopback(e.Listen) {
		wrong("engine.listen: %q is no address on this machine, such as 127.0.0.1:4222; for others, run NATS", e.Listen)
	}
	if e.Partitions < 0 || e.Partitions > 256 {
		wrong("engine.partitions: %d is not within 1 and 256", e.Partitions)
	}
	if e.Replicas != 0 && e.Replicas != 1 && e.Replicas != 3 && e.Replicas != 5 {
		wrong("engine.replicas: %d is none of 1, 3 and 5", e.Replicas)
	}
	if e.MaxAge != nil && *e.MaxAge != 0 && *e.MaxAge < Duration(time.Minute) {
		wrong("engine.max_age: %s is below 1m; 0s is no limit", e.MaxAge)
	}
	if e.MaxBytes != nil && *e.MaxBytes != 0 && *e.MaxBytes < 1<<20 {
		wrong("engine.max_bytes: %d is below 1048576; 0 is no limit", *e.MaxBytes)
	}
	if !validPrefix.MatchString(e.Prefix) || len(e.Prefix) > 64 {
		wrong("engine.prefix: it has up to 64 letters, digits and hyphens, and dots between them")
	}
	return problems
}

// checkFile returns an error if a file that a setting names can't be read. What can be read
// only once, such as a pipe, it leaves to whoever needs it.
func checkFile(path string) error {
	if path == "" {
		return nil
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("%s is a folder", path)
	case !info.Mode().IsRegular():
		return nil
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	return file.Close()
}

func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

// checkRest checks how the program runs.
func (c *Config) checkRest() (problems []error) {
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if _, _, err := net.SplitHostPort(c.HTTP.Addr); err != nil {
		wrong("http.addr: %q is no address such as 127.0.0.1:8080", c.HTTP.Addr)
	}
	if c.Drain <= 0 {
		wrong("drain: %s is not above 0", c.Drain)
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.Log.Level) {
		wrong("log.level: %q is none; there are debug, info, warn and error", c.Log.Level)
	}
	if !slices.Contains([]string{"text", "json"}, c.Log.Format) {
		wrong("log.format: %q is none; there are text and json", c.Log.Format)
	}
	return problems
}
