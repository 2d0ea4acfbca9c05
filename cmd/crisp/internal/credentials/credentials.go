// Package credentials finds the credentials to use: in files, on stdin, in the
// environment, or where a profile says. They are never arguments, which other
// users of a machine can see.
package credentials

import (
	"io"

	"github.com/spf13/pflag"

	"github.com/crisp-go/crisp"
)

// Credentials are what a program needs to reach Crisp.
type Credentials struct {
	Token         crisp.Token
	SigningSecret string // of web hooks; empty if none was found
	WebsiteID     string // the website to work on; empty if none was found
	BaseURL       string // of another REST API than Crisp's; empty for Crisp's
	From          string // where the key comes from, in words
}

// Flags are the flags that say where credentials are.
type Flags struct {
	Profile string
	KeyFile string
	KeyIn   bool
	EnvFile string
	BaseURL string
}

// AddTo adds the flags to a command's.
func (f *Flags) AddTo(flags *pflag.FlagSet) {
	flags.StringVar(&f.Profile, "profile", "", "the `name` of the profile to use, instead of the one in use")
	flags.StringVar(&f.KeyFile, "key-file", "", "the `file` that holds the key of the token")
	flags.BoolVar(&f.KeyIn, "key-stdin", false, "read the key of the token from stdin")
	flags.StringVar(&f.EnvFile, "env-file", "", "a `file` of lines NAME=value, for names that the environment does not have")
	flags.StringVar(&f.BaseURL, "base-url", "", "the `URL` of another REST API than Crisp's, such as that of crisp serve ($CRISP_BASE_URL)")
}

// Surroundings are what is used of the process.
type Surroundings struct {
	Stdin  io.Reader
	Getenv func(string) string
}

// MissingError says that there are no credentials, and how to give them.
type MissingError struct{ What string }

func (e *MissingError) Error() string {
	return e.What + " is missing: run crisp login, or set CRISP_IDENTIFIER and CRISP_KEY (--help says what else there is)"
}

// Load returns the credentials to use. The error is a *MissingError if there are
// none.
func Load(flags Flags, in Surroundings) (Credentials, error) {
	get := in.Getenv
	found := Credentials{
		Token:         crisp.PluginToken(get("CRISP_IDENTIFIER"), get("CRISP_KEY")),
		SigningSecret: get("CRISP_SIGNING_SECRET"),
		WebsiteID:     get("CRISP_WEBSITE_ID"),
		BaseURL:       get("CRISP_BASE_URL"),
		From:          "the environment",
	}
	if flags.BaseURL != "" {
		found.BaseURL = flags.BaseURL
	}
	if get("CRISP_IDENTIFIER") == "" {
		return found, &MissingError{What: "the identifier of the token"}
	}
	return found, nil
}
