// Package credentials finds the credentials to use in files, on stdin, in the environment
// or in a profile. They are never arguments, which other users of a machine can see.
package credentials

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/pflag"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/cmd/crisp/internal/profile"
	"github.com/crisp-go/crisp/internal/secrets"
)

// Credentials are what a command needs to reach Crisp.
type Credentials struct {
	Token         crisp.Token
	SigningSecret string // for web hooks; empty if none was found
	WebsiteID     string // the website to work on; empty if none was found
	BaseURL       string // of the REST API; empty for Crisp's
	From          string // where the key comes from, for people
}

// String hides the secrets from fmt.
func (c Credentials) String() string { return fmt.Sprintf("%s, from %s", c.Token, c.From) }

// GoString hides the secrets from fmt.
func (c Credentials) GoString() string { return c.String() }

// Flags are the flags that say where credentials are.
type Flags struct {
	Profile  string
	KeyFile  string
	KeyStdin bool
	EnvFile  string
	BaseURL  string
}

// AddTo adds the flags to a command's.
func (f *Flags) AddTo(flags *pflag.FlagSet) {
	flags.StringVar(&f.Profile, "profile", "", "the `name` of the profile to use, instead of the one in use")
	flags.StringVar(&f.KeyFile, "key-file", "", "the `file` that holds the key of the token")
	flags.BoolVar(&f.KeyStdin, "key-stdin", false, "read the key of the token from stdin")
	flags.StringVar(&f.EnvFile, "env-file", "", "a `file` of lines NAME=value, for names that the environment does not have")
	flags.StringVar(&f.BaseURL, "base-url", "", "the `URL` of another REST API than Crisp's, such as that of crisp serve ($CRISP_BASE_URL)")
}

// Surroundings are the parts of the process that are used.
type Surroundings struct {
	Stdin  io.Reader
	Getenv func(string) string
}

// MissingError says which credential is missing, and how to give it.
type MissingError struct{ What, How string }

func (e *MissingError) Error() string { return e.What + " is missing: " + e.How }

// ErrUsage matches, by errors.Is, errors in flags and environment variables.
var ErrUsage = errors.New("usage")

// usage returns an error that matches ErrUsage.
func usage(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

type usageError struct{ error }

func (e usageError) Is(target error) bool { return target == ErrUsage }
func (e usageError) Unwrap() error        { return e.error }

// Load returns the credentials to use. Each comes from the first place that has it: the
// flags --key-file, --key-stdin and --base-url, the environment, --env-file, the profile.
// The profile is used only if none of the others has an identifier. The error is a
// *[MissingError] if something is missing.
func Load(flags Flags, in Surroundings) (Credentials, error) {
	get, fromFile, err := environment(flags.EnvFile, in.Getenv)
	if err != nil {
		return Credentials{}, err
	}
	given := values{
		tier:       crisp.Tier(get("CRISP_TIER")),
		identifier: get("CRISP_IDENTIFIER"),
		key:        get("CRISP_KEY"),
		secret:     get("CRISP_SIGNING_SECRET"),
		website:    get("CRISP_WEBSITE_ID"),
		baseURL:    get("CRISP_BASE_URL"),
		from:       "the environment",
	}
	if fromFile("CRISP_KEY") {
		given.from = flags.EnvFile
	}
	if flags.BaseURL != "" {
		given.baseURL = flags.BaseURL
	}
	if flags.KeyFile != "" || flags.KeyStdin {
		if given.key, given.from, err = ExplicitKey(flags, in.Stdin); err != nil {
			return Credentials{}, err
		}
	}
	if given.identifier == "" {
		if err := given.fillFromProfile(flags.Profile, in.Getenv); err != nil {
			return Credentials{}, err
		}
	}
	return given.credentials()
}

// environment returns get, which looks up a variable in the environment and then in the
// file, and fromFile, which reports whether get finds it in the file.
func environment(file string, getenv func(string) string) (get func(string) string, fromFile func(string) bool, err error) {
	if file == "" {
		return getenv, func(string) bool { return false }, nil
	}
	values, err := readEnvFile(file)
	if err != nil {
		return nil, nil, usageError{err}
	}
	fromFile = func(name string) bool { return getenv(name) == "" && values[name] != "" }
	get = func(name string) string {
		if fromFile(name) {
			return values[name]
		}
		return getenv(name)
	}
	return get, fromFile, nil
}

// ExplicitKey returns the key that flags name, and where it comes from.
func ExplicitKey(flags Flags, stdin io.Reader) (key, from string, err error) {
	path := flags.KeyFile
	from = path
	switch {
	case flags.KeyFile != "" && flags.KeyStdin:
		return "", "", usage("--key-file and --key-stdin both give the key: use one of them")
	case flags.KeyStdin:
		path, from = "-", "stdin"
	}
	if key, err = secrets.Read(path, stdin); err != nil {
		return "", "", usage("the key: %w", err)
	}
	return key, from, nil
}

// values are the credentials found so far.
type values struct {
	tier                     crisp.Tier
	identifier, key          string
	secret, website, baseURL string
	from                     string
}

// fillFromProfile fills in missing values from the profile with a name, or without one
// from the profile in use, if there is one. Tier and identifier are always the profile's.
func (v *values) fillFromProfile(name string, getenv func(string) string) error {
	folder, err := profile.Folder(getenv)
	if err != nil {
		if name == "" {
			return nil
		}
		return err
	}
	config, err := profile.Read(folder)
	if err != nil {
		return err
	}
	if name == "" {
		name = config.Current
	}
	if name == "" {
		return nil
	}
	p, err := config.Find(name)
	if err != nil {
		return usageError{err}
	}
	v.tier, v.identifier = p.Tier, p.Identifier
	setIfEmpty(&v.website, p.WebsiteID)
	if p.Tier == crisp.TierWebsite {
		v.website = p.WebsiteID // a website's token works for no other
	}
	setIfEmpty(&v.baseURL, p.BaseURL)
	if v.key != "" {
		return nil
	}
	kept, err := profile.OpenStore(p.Store, folder).Get(name)
	if err != nil {
		return fmt.Errorf("the profile %q: %w", name, err)
	}
	v.key, v.from = kept.Key, fmt.Sprintf("the profile %q (%s)", name, p.Store)
	setIfEmpty(&v.secret, kept.SigningSecret)
	return nil
}

func setIfEmpty(s *string, value string) {
	if *s == "" {
		*s = value
	}
}

func (v *values) credentials() (Credentials, error) {
	found := Credentials{SigningSecret: v.secret, WebsiteID: v.website, BaseURL: v.baseURL, From: v.from}
	if v.identifier == "" {
		return found, &MissingError{"the identifier of the token", "run crisp login, or set CRISP_IDENTIFIER and CRISP_KEY"}
	}
	if v.key == "" {
		return found, &MissingError{"the key of the token", "set CRISP_KEY, or use --key-file or --key-stdin"}
	}
	token, err := NewToken(v.tier, v.website, v.identifier, v.key)
	if err != nil {
		return found, err
	}
	found.Token = token
	return found, nil
}

// NewToken returns a token of a tier; empty means plugin.
func NewToken(tier crisp.Tier, websiteID, identifier, key string) (crisp.Token, error) {
	switch tier {
	case crisp.TierPlugin, "":
		return crisp.PluginToken(identifier, key), nil
	case crisp.TierUser:
		return crisp.UserToken(identifier, key), nil
	case crisp.TierWebsite:
		if websiteID == "" {
			return crisp.Token{}, &MissingError{"the website that the token belongs to", "set CRISP_WEBSITE_ID"}
		}
		return crisp.WebsiteToken(websiteID, identifier, key), nil
	default:
		return crisp.Token{}, usage("the tier is %q; it must be plugin, user or website", strings.TrimSpace(string(tier)))
	}
}
