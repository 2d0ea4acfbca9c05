package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/cmd/crisp/internal/credentials"
	"github.com/crisp-go/crisp/cmd/crisp/internal/profile"
	"github.com/crisp-go/crisp/internal/secrets"
)

// loginFlags are the flags of crisp login.
type loginFlags struct {
	identifier string
	tier       string
	website    string
	secretFile string
	store      string
	noCheck    bool
}

func (a *app) loginCommand() *cobra.Command {
	var f loginFlags
	cmd := &cobra.Command{
		Use:   "login [NAME]",
		Short: "Keep the credentials of a token in a profile",
		Long: `Keep the credentials of a token in a profile, and use it from now on.

Identifier and key are those of a token: of a plugin (app.crisp.chat, Marketplace, Tokens), of a website, or of
an operator's account. What no flag gives is asked for, if a person is there to answer. The key is never an
argument, which others on the machine can see: it is asked for, or read from --key-file or --key-stdin.

Crisp is asked whether it takes the token before it is kept. What is no secret goes to config.toml in
$XDG_CONFIG_HOME/crisp; the key goes to the system's keyring or, with --store file, to a file that only you can
read.`,
		Example: `  crisp login
  crisp login shop --tier website --website 0f2c… --identifier 5a1b… --key-file key.txt
  pass crisp/key | crisp login --identifier 5a1b… --key-stdin --store file`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := a.login.Profile
			if len(args) == 1 {
				name = args[0]
			}
			if name == "" {
				name = "default"
			}
			return a.keepProfile(cmd.Context(), name, f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.identifier, "identifier", "", "the identifier of the token, which is not secret ($CRISP_IDENTIFIER)")
	flags.StringVar(&f.tier, "tier", "", "the tier of the token: plugin, user or website")
	flags.StringVar(&f.website, "website", "", "the website to work on; a token of the tier website belongs to it")
	flags.StringVar(&f.secretFile, "secret-file", "", "the `file` that holds the signing secret of the plugin's web hooks")
	flags.StringVar(&f.store, "store", string(profile.StoreKeyring), "where the key is kept: keyring or file")
	flags.BoolVar(&f.noCheck, "no-check", false, "do not ask Crisp whether it takes the token")
	return cmd
}

// keepProfile makes a profile from the flags and the user's answers, and stores it.
func (a *app) keepProfile(ctx context.Context, name string, f loginFlags) error {
	folder, err := profile.Folder(a.Getenv)
	if err != nil {
		return err
	}
	config, err := profile.Read(folder)
	if err != nil {
		return err
	}
	p, kept, err := a.askForProfile(f)
	switch {
	case hasEnded(ctx):
		return coded{errEnded, exitFailed}
	case err != nil:
		return err
	}
	if err := config.Put(name, p); err != nil {
		return usageError(err)
	}
	if !f.noCheck {
		if err := a.checkToken(ctx, p, kept.Key); err != nil {
			return err
		}
	}
	err = profile.Change(folder, func(config *profile.Config) error {
		if err := profile.OpenStore(p.Store, folder).Set(name, kept); err != nil {
			return err
		}
		return config.Put(name, p)
	})
	if err != nil {
		return err
	}
	a.note("the profile %q is kept, its key in the %s; it is in use from now on", name, p.Store)
	return nil
}

// askForProfile returns a profile from the flags, and asks the user for the rest.
func (a *app) askForProfile(f loginFlags) (*profile.Profile, profile.Secrets, error) {
	ask := a.asker()
	p := &profile.Profile{
		Tier:       crisp.Tier(f.tier),
		Identifier: f.identifier,
		WebsiteID:  f.website,
		BaseURL:    a.login.BaseURL,
		Store:      profile.StoreName(f.store),
	}
	if p.BaseURL == "" {
		p.BaseURL = a.Getenv("CRISP_BASE_URL")
	}
	var kept profile.Secrets
	var err error
	if f.secretFile != "" {
		if kept.SigningSecret, err = secrets.Read(f.secretFile, a.stdin()); err != nil {
			return nil, kept, asUsageError(fmt.Errorf("--secret-file: %w", err))
		}
	}
	if p.Tier == "" {
		if p.Tier = crisp.Tier(ask.line("Tier of the token (plugin, user, website) [plugin]: ")); p.Tier == "" {
			p.Tier = crisp.TierPlugin
		}
	}
	if p.Tier == crisp.TierWebsite && p.WebsiteID == "" {
		p.WebsiteID = ask.line("Website identifier: ")
	}
	if p.Identifier == "" {
		p.Identifier = a.Getenv("CRISP_IDENTIFIER")
	}
	if p.Identifier == "" {
		p.Identifier = ask.line("Identifier: ")
	}
	if p.Identifier == "" {
		return nil, kept, usageError(errors.New("the identifier of the token is missing: use --identifier"))
	}
	kept.Key, err = a.loginKey(ask)
	return p, kept, err
}

// loginKey returns the key to store: the one that a flag names, or else the one that the
// user types without echo.
func (a *app) loginKey(ask asker) (string, error) {
	if a.login.KeyFile != "" || a.login.KeyStdin {
		key, err := orEnded(a, func() (string, error) {
			key, _, err := credentials.ExplicitKey(a.login, a.Stdin)
			return key, err
		})
		if err != nil {
			return "", asUsageError(err)
		}
		return key, nil
	}
	if key := ask.secret("Key: "); key != "" {
		return key, nil
	}
	return "", usageError(errors.New("the key of the token is missing: use --key-file or --key-stdin"))
}

// checkToken asks Crisp whether it accepts the token.
func (a *app) checkToken(ctx context.Context, p *profile.Profile, key string) error {
	a.hide(p.Identifier, key, "")
	token, err := credentials.NewToken(p.Tier, p.WebsiteID, p.Identifier, key)
	if err != nil {
		return err
	}
	var opts []crisp.Option
	if p.BaseURL != "" {
		opts = append(opts, crisp.WithBaseURL(p.BaseURL))
	}
	client, err := crisp.New(token, opts...)
	if err != nil {
		return usageError(err)
	}
	defer client.CloseIdleConnections()
	_, err = client.ConnectEndpoints(ctx)
	switch {
	case hasEnded(ctx):
		return coded{errEnded, exitFailed}
	case err != nil:
		return fmt.Errorf("nothing was kept: %w", err)
	}
	return nil
}

// asker asks the user at the terminal, if there is one.
type asker struct {
	app   *app
	stdin *os.File // nil without a terminal
	lines *bufio.Reader
}

func (a *app) asker() asker {
	file, ok := a.Stdin.(*os.File)
	if !ok || a.login.KeyStdin || !term.IsTerminal(int(file.Fd())) {
		return asker{app: a}
	}
	return asker{app: a, stdin: file, lines: bufio.NewReader(untilEnded{a, byteByByte{file}})}
}

// byteByByte reads single bytes, so that a buffered reader does not read past a line into
// the secret that follows.
type byteByByte struct{ r io.Reader }

func (b byteByByte) Read(p []byte) (int, error) { return b.r.Read(p[:1]) }

// line returns a line that the user types; empty without a terminal.
func (k asker) line(prompt string) string {
	if k.stdin == nil || k.app.hasEnded() {
		return ""
	}
	fmt.Fprint(k.app.Stderr, prompt)
	line, _ := k.lines.ReadString('\n') // on an error the caller checks what there is of it
	return strings.TrimSpace(line)
}

// secret is like line, but without echo.
func (k asker) secret(prompt string) string {
	if k.stdin == nil || k.app.hasEnded() {
		return ""
	}
	fmt.Fprint(k.app.Stderr, prompt)
	fd := int(k.stdin.Fd())
	before, _ := term.GetState(fd)
	text, err := orEnded(k.app, func() ([]byte, error) { return term.ReadPassword(fd) }) // ReadPassword can't be cancelled
	if err != nil && before != nil {
		_ = term.Restore(fd, before) // the abandoned ReadPassword would not
	}
	fmt.Fprintln(k.app.Stderr)
	return strings.TrimSpace(string(text))
}
