package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/cmd/crisp/internal/credentials"
	"github.com/crisp-go/crisp/cmd/crisp/internal/output"
	"github.com/crisp-go/crisp/internal/terminal"
)

// app is one run of the program: its surroundings and the flags that all commands share.
type app struct {
	Surroundings
	ended   <-chan struct{} // closed when the user ends the program
	secrets []string        // each secret, followed by its replacement: strings.NewReplacer's arguments
	quiet   bool
	output  output.Options
	login   credentials.Flags
}

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "crisp",
		Short:         "See, send, keep and repeat the events of Crisp",
		Version:       crisp.Version,
		SilenceErrors: true, // Run prints them
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(a.Stdin)
	root.SetOut(a.Stdout)
	root.SetErr(a.Stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError(err) })

	flags := root.PersistentFlags()
	flags.BoolVarP(&a.quiet, "quiet", "q", false, "tell only errors on stderr")
	a.output.AddTo(flags)
	a.login.AddTo(flags)

	root.AddCommand(
		a.serveCommand(),
		a.listenCommand(),
		a.receiveCommand(),
		a.triggerCommand(),
		a.replayCommand(),
		a.eventsCommand(),
		a.doctorCommand(),
		a.apiCommand(),
		a.mcpCommand(),
		a.loginCommand(),
		a.profileCommand(),
		a.verifyCommand(),
		a.secretCommand(),
		a.versionCommand(),
	)
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "help":
			cmd.Args = func(cmd *cobra.Command, args []string) error {
				found, rest, err := cmd.Root().Find(args)
				if err == nil && len(rest) > 0 {
					err = fmt.Errorf("unknown command %q for %q", rest[0], found.CommandPath())
				}
				return err
			}
		case "completion":
			cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		}
	}
	asUsageErrors(root)
	return root
}

// asUsageErrors makes a command and its subcommands exit with exitUsage when they are
// given arguments that they don't take.
func asUsageErrors(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			err := check(cmd, args)
			if err == nil {
				return nil
			}
			if cmd.SuggestionsMinimumDistance = 2; len(args) > 0 && cmd.HasSubCommands() {
				if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
					err = fmt.Errorf("%w: is %s meant?", err, strings.Join(near, " or "))
				}
			}
			return usageError(err)
		}
	}
	for _, child := range cmd.Commands() {
		asUsageErrors(child)
	}
}

// tell writes a line to stderr. The arguments may come from anywhere, so control
// characters and secrets are taken out.
func (a *app) tell(format string, args ...any) {
	fmt.Fprintln(a.Stderr, terminal.Line(a.withoutSecrets(fmt.Sprintf(format, args...))))
}

// note is like tell, but -q silences it.
func (a *app) note(format string, args ...any) {
	if !a.quiet {
		a.tell(format, args...)
	}
}

// printer returns the printer that writes a command's data to stdout.
func (a *app) printer() (*output.Printer, error) {
	options := a.output
	options.Ended = a.ended
	options.Plain = a.Getenv("NO_COLOR") != "" || a.Getenv("TERM") == "dumb"
	printer, err := output.New(a.Stdout, options, a.StdoutIsTerminal)
	if err != nil {
		return nil, usageError(err)
	}
	return printer, nil
}

// preferJSON sets --format json if the command's --json flag was given.
func (a *app) preferJSON(cmd *cobra.Command, asked bool) error {
	if !asked {
		return nil
	}
	format := cmd.Flag("format")
	if format.Changed && format.Value.String() != string(output.FormatJSON) {
		return usageError(fmt.Errorf("--json and --format %s: use one of them", terminal.Line(format.Value.String())))
	}
	return format.Value.Set(string(output.FormatJSON))
}

// credentials loads the credentials to use and hides them from later output.
func (a *app) credentials() (credentials.Credentials, error) {
	found, err := orEnded(a, func() (credentials.Credentials, error) {
		return credentials.Load(a.login, credentials.Surroundings{Stdin: a.Stdin, Getenv: a.Getenv})
	})
	a.hide(found.Token.Identifier, found.Token.Key, found.SigningSecret)
	var missing *credentials.MissingError
	switch {
	case errors.As(err, &missing):
		err = coded{err, exitCredentials}
	case errors.Is(err, credentials.ErrUsage):
		err = usageError(err)
	}
	return found, err
}

// client returns a REST client and the credentials that it uses. The caller closes its
// idle connections.
func (a *app) client(opts ...crisp.Option) (*crisp.Client, credentials.Credentials, error) {
	found, err := a.credentials()
	if err != nil {
		return nil, found, err
	}
	if found.BaseURL != "" {
		opts = append(opts, crisp.WithBaseURL(found.BaseURL))
	}
	client, err := crisp.New(found.Token, opts...)
	if err != nil {
		err = usageError(err)
	}
	return client, found, err
}

// words joins names for a sentence.
func words(names []string) string { return strings.Join(names, ", ") }
