package credentials_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/zalando/go-keyring"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/cmd/crisp/internal/credentials"
	"github.com/crisp-go/crisp/cmd/crisp/internal/profile"
)

// loading is a machine on which credentials are looked for.
type loading struct {
	folder string // of configurations, and other files
	env    map[string]string
	flags  credentials.Flags
	stdin  string
}

func newLoading(t *testing.T) *loading {
	keyring.MockInit()
	folder := t.TempDir()
	return &loading{folder: folder, env: map[string]string{"XDG_CONFIG_HOME": folder}}
}

func (l *loading) load() (credentials.Credentials, error) {
	return credentials.Load(l.flags, credentials.Surroundings{
		Stdin:  strings.NewReader(l.stdin),
		Getenv: func(name string) string { return l.env[name] },
	})
}

// file writes a file and returns its path.
func (l *loading) file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(l.folder, name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// profile keeps a profile, whose key is "key of NAME".
func (l *loading) profile(t *testing.T, name string, store profile.StoreName) {
	t.Helper()
	folder := filepath.Join(l.folder, "crisp")
	require.NoError(t, profile.Change(folder, func(config *profile.Config) error {
		if err := profile.OpenStore(store, folder).Set(name, profile.Secrets{Key: "key of " + name, SigningSecret: "secret of " + name}); err != nil {
			return err
		}
		return config.Put(name, &profile.Profile{
			Tier: crisp.TierUser, Identifier: "id of " + name, WebsiteID: "website of " + name, BaseURL: "url of " + name, Store: store,
		})
	}))
}

func TestTheFirstThatHasCredentialsGivesThem(t *testing.T) {
	for name, test := range map[string]struct {
		set  func(t *testing.T, l *loading)
		want credentials.Credentials
	}{
		"environment": {
			func(t *testing.T, l *loading) {
				l.profile(t, "shop", profile.StoreFile)
				l.env["CRISP_IDENTIFIER"], l.env["CRISP_KEY"] = "id", "key"
				l.env["CRISP_SIGNING_SECRET"], l.env["CRISP_WEBSITE_ID"], l.env["CRISP_BASE_URL"] = "secret", "website", "url"
				l.flags.EnvFile = l.file(t, "env", "CRISP_IDENTIFIER=other\nCRISP_KEY=other\n")
			},
			credentials.Credentials{Token: crisp.PluginToken("id", "key"), SigningSecret: "secret", WebsiteID: "website", BaseURL: "url", From: "the environment"},
		},
		"tier of the environment": {
			func(_ *testing.T, l *loading) {
				l.env["CRISP_IDENTIFIER"], l.env["CRISP_KEY"] = "id", "key"
				l.env["CRISP_TIER"], l.env["CRISP_WEBSITE_ID"] = "website", "website"
			},
			credentials.Credentials{Token: crisp.WebsiteToken("website", "id", "key"), WebsiteID: "website", From: "the environment"},
		},
		"file of names": {
			func(t *testing.T, l *loading) {
				l.profile(t, "shop", profile.StoreFile)
				l.flags.EnvFile = l.file(t, "env", "# mine\nexport CRISP_IDENTIFIER='id'\nCRISP_KEY=\"key\"\nCRISP_WEBSITE_ID=other\n")
				l.env["CRISP_WEBSITE_ID"] = "website"
			},
			credentials.Credentials{Token: crisp.PluginToken("id", "key"), WebsiteID: "website", From: "ENV"},
		},
		"key in a file": {
			func(t *testing.T, l *loading) {
				l.env["CRISP_IDENTIFIER"], l.env["CRISP_KEY"] = "id", "other"
				l.flags.KeyFile = l.file(t, "key", "key\n")
			},
			credentials.Credentials{Token: crisp.PluginToken("id", "key"), From: "KEY"},
		},
		"key in a file of Windows": {
			func(t *testing.T, l *loading) {
				l.env["CRISP_IDENTIFIER"] = "id"
				l.flags.KeyFile = l.file(t, "key", "\ufeffkey\r\n")
			},
			credentials.Credentials{Token: crisp.PluginToken("id", "key"), From: "KEY"},
		},
		"key on stdin": {
			func(_ *testing.T, l *loading) {
				l.env["CRISP_IDENTIFIER"], l.env["CRISP_KEY"] = "id", "other"
				l.flags.KeyStdin, l.stdin = true, "key"
			},
			credentials.Credentials{Token: crisp.PluginToken("id", "key"), From: "stdin"},
		},
		"profile in use": {
			func(t *testing.T, l *loading) {
				l.profile(t, "blog", profile.StoreKeyring)
				l.profile(t, "shop", profile.StoreFile)
				l.env["CRISP_WEBSITE_ID"] = "website"
			},
			credentials.Credentials{
				Token: crisp.UserToken("id of shop", "key of shop"), SigningSecret: "secret of shop",
				WebsiteID: "website", BaseURL: "url of shop", From: `the profile "shop" (file)`,
			},
		},
		"profile by name": {
			func(t *testing.T, l *loading) {
				l.profile(t, "blog", profile.StoreKeyring)
				l.profile(t, "shop", profile.StoreFile)
				l.flags.Profile, l.flags.BaseURL = "blog", "url"
			},
			credentials.Credentials{
				Token: crisp.UserToken("id of blog", "key of blog"), SigningSecret: "secret of blog",
				WebsiteID: "website of blog", BaseURL: "url", From: `the profile "blog" (keyring)`,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLoading(t)
			test.set(t, l)
			got, err := l.load()
			require.NoError(t, err)
			switch test.want.From {
			case "ENV":
				test.want.From = l.flags.EnvFile
			case "KEY":
				test.want.From = l.flags.KeyFile
			}
			assert.Equal(t, test.want, got)
		})
	}
}

func TestTheKeyringIsNotAskedInVain(t *testing.T) {
	for name, set := range map[string]func(t *testing.T, l *loading){
		"credentials in the environment": func(_ *testing.T, l *loading) {
			l.env["CRISP_IDENTIFIER"], l.env["CRISP_KEY"] = "id", "key"
		},
		"credentials in a file of names": func(t *testing.T, l *loading) {
			l.flags.EnvFile = l.file(t, "env", "CRISP_IDENTIFIER=id\nCRISP_KEY=key\n")
		},
		"key in a file": func(t *testing.T, l *loading) { l.flags.KeyFile = l.file(t, "key", "key") },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLoading(t)
			l.profile(t, "shop", profile.StoreKeyring)
			set(t, l)
			keyring.MockInitWithError(fmt.Errorf("was asked"))
			_, err := l.load()
			assert.NoError(t, err)
		})
	}
	t.Run("but by a profile", func(t *testing.T) {
		l := newLoading(t)
		l.profile(t, "shop", profile.StoreKeyring)
		keyring.MockInitWithError(fmt.Errorf("was asked"))
		_, err := l.load()
		assert.ErrorContains(t, err, `the profile "shop": the keyring: was asked`)
	})
}

func TestWhatIsWrongIsSaidWithoutSecrets(t *testing.T) {
	for name, test := range map[string]struct {
		set   func(t *testing.T, l *loading)
		want  string
		usage bool
	}{
		"nothing": {func(*testing.T, *loading) {}, "the identifier of the token is missing: run crisp login", false},
		"no key":  {func(_ *testing.T, l *loading) { l.env["CRISP_IDENTIFIER"] = "id" }, "the key of the token is missing: set CRISP_KEY", false},
		"no website": {func(_ *testing.T, l *loading) {
			l.env["CRISP_IDENTIFIER"], l.env["CRISP_KEY"], l.env["CRISP_TIER"] = "id", "s3cret", "website"
		}, "set CRISP_WEBSITE_ID", false},
		"tier": {func(_ *testing.T, l *loading) {
			l.env["CRISP_IDENTIFIER"], l.env["CRISP_KEY"], l.env["CRISP_TIER"] = "id", "s3cret", "x"
		}, `the tier is "x"`, true},
		"two keys":  {func(_ *testing.T, l *loading) { l.flags.KeyFile, l.flags.KeyStdin = "key", true }, "use one of them", true},
		"no file":   {func(_ *testing.T, l *loading) { l.flags.KeyFile = "nowhere" }, "nowhere", true},
		"two lines": {func(t *testing.T, l *loading) { l.flags.KeyFile = l.file(t, "key", "s3cret\ns3cret") }, "it has several lines; a secret is one", true},
		"UTF-16":    {func(t *testing.T, l *loading) { l.flags.KeyFile = l.file(t, "key", "s\x003\x00") }, "key: it is no plain text", true},
		"empty":     {func(_ *testing.T, l *loading) { l.flags.KeyStdin = true }, "stdin: it is empty", true},
		"env file":  {func(t *testing.T, l *loading) { l.flags.EnvFile = l.file(t, "env", "A=1\ns3cret\n") }, "env:2: the line is not of the form NAME=value", true},
		"quote":     {func(t *testing.T, l *loading) { l.flags.EnvFile = l.file(t, "env", `CRISP_KEY="s3cret`) }, "env:1: the value of CRISP_KEY begins with a quote", true},
		"profile":   {func(_ *testing.T, l *loading) { l.flags.Profile = "shop" }, `there is no profile "shop"`, true},
		"secrets": {func(t *testing.T, l *loading) {
			l.profile(t, "shop", profile.StoreFile)
			l.file(t, "crisp/secrets.toml", "[shop]\nkey = s3cret\n")
		}, `secrets.toml can't be understood (line 2)`, false},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLoading(t)
			test.set(t, l)
			got, err := l.load()
			require.ErrorContains(t, err, test.want)
			assert.Equal(t, test.usage, errors.Is(err, credentials.ErrUsage))
			assert.NotContains(t, err.Error()+fmt.Sprintf("%v %+v %#v", got, got, got), "s3cret")
		})
	}
}

func FuzzEnvFile(f *testing.F) {
	f.Add("CRISP_KEY=a\n#b\nexport C='d'\n")
	f.Add("=\n")
	f.Fuzz(func(t *testing.T, text string) {
		l := newLoading(t)
		l.flags.EnvFile = l.file(t, "env", text)
		_, _ = l.load() // which must not panic
	})
}
