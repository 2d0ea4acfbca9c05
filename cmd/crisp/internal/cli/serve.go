package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/crisp-go/crisp"

	"github.com/crisp-go/crisp/cmd/crisp/internal/control"
	"github.com/crisp-go/crisp/cmd/crisp/internal/fault"
	"github.com/crisp-go/crisp/cmd/crisp/internal/forward"
	"github.com/crisp-go/crisp/cmd/crisp/internal/inspect"
	"github.com/crisp-go/crisp/cmd/crisp/internal/output"
	"github.com/crisp-go/crisp/cmd/crisp/internal/scenario"
	"github.com/crisp-go/crisp/cmd/crisp/internal/serve"
	"github.com/crisp-go/crisp/internal/secrets"
)

// serveFlags are the flags of crisp serve.
type serveFlags struct {
	addr        string
	allowRemote bool
	tier        string
	websites    []string
	secretFile  string
	history     int
	hooks       []string
	faults      []string
	scenario    string
	speed       float64
	seed        uint64
	verbose     bool
	readyFile   string
	writeEnv    string
	exec        string
	ui          string
}

func (a *app) serveCommand() *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run a Crisp on this machine, for programs in development",
		Long: `Run a Crisp on this machine: the REST API, the RTM API and web hooks, with
visitors and operators that do what a scenario or the control API says. A program
in development needs no account for it, only the environment that is on stderr.

What is sent to programs, and what they say, is written to stdout. --ui shows it on a
page of this machine, on which a visitor and an operator can be played by hand.`,
		Example: `  crisp serve
  crisp serve --scenario first-conversation --hook http://127.0.0.1:8080/hooks
  crisp serve --fault slow-rest,delay=5s --write-env .env
  crisp serve --exec 'go test ./...'
  crisp serve --ui`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.serve(cmd, f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.addr, "addr", "127.0.0.1:7700", "the `address` to serve at")
	flags.BoolVar(&f.allowRemote, "allow-remote", false, "let the address be one that other machines reach, unencrypted")
	flags.StringVar(&f.tier, "tier", "", "the tier of the token: plugin, user or website (default plugin, or $CRISP_TIER)")
	flags.StringSliceVar(&f.websites, "website", nil, "the `ID` of a website that exists, repeatable; without, any exists")
	flags.StringVar(&f.secretFile, "secret-file", "", "the `file` that holds the secret to sign web hooks with")
	flags.IntVar(&f.history, "history", 10_000, "how much to remember of everything")
	flags.StringArrayVar(&f.hooks, "hook", nil, "a `URL` to send web hooks to, repeatable")
	flags.StringArrayVar(&f.faults, "fault", nil, "what goes wrong from the beginning, repeatable: NAME,PARAM=VALUE,… (list says what there is)")
	flags.StringVar(&f.scenario, "scenario", "", "the `file` of a scenario, or the name of one that ships (list says which)")
	flags.Float64Var(&f.speed, "speed", 0, "how many `times` faster the scenario goes than its file says (default as it says)")
	flags.Uint64Var(&f.seed, "seed", 0, "the `number` that makes the scenario's choices the same again")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "show requests, connections and deliveries on stdout, too")
	flags.StringVar(&f.readyFile, "ready-file", "", "a `file` to write the base URL to when the server is ready")
	flags.StringVar(&f.writeEnv, "write-env", "", "a `file` to write the environment of programs to, for shells and --env-file")
	flags.StringVar(&f.exec, "exec", "", "a `command` to run in that environment; the server ends when it ends")
	addUI(flags, &f.ui)
	return cmd
}

func (a *app) serve(cmd *cobra.Command, f serveFlags) error {
	printer, err := a.printer()
	if err != nil {
		return err
	}
	if err := checkUI(cmd.Flags(), f.ui); err != nil {
		return err
	}
	if len(f.faults) == 1 && f.faults[0] == "list" {
		return listFaults(printer)
	}
	if f.scenario == "list" {
		return listScenarios(printer)
	}
	play, err := loadScenario(f)
	if err != nil {
		return err
	}
	options, err := a.serveOptions(cmd, f)
	if err != nil {
		return err
	}
	if f.readyFile != "" { // a program that waits for it must not see an earlier run's
		if err := os.Remove(f.readyFile); err != nil && !errors.Is(err, os.ErrNotExist) {
			return coded{fmt.Errorf("--ready-file: %w", err), exitFailed}
		}
	}
	srv, err := serve.Start(options)
	var unfit serve.AddrError
	switch {
	case errors.As(err, &unfit):
		return usageError(fmt.Errorf("--addr: %w", err))
	case err != nil:
		return coded{err, exitFailed}
	}
	defer srv.Close()
	return a.serveUntilEnd(cmd.Context(), srv, f, play, printer)
}

// loadScenario loads the scenario that the flags name; nil if they name none.
func loadScenario(f serveFlags) (*scenario.Scenario, error) {
	if f.speed != 0 && !(f.speed >= 0.01 && f.speed <= 10_000) { // also refuses NaN
		return nil, usageError(fmt.Errorf("--speed is %g; it must be from 0.01 to 10000", f.speed))
	}
	if f.scenario == "" {
		if f.speed != 0 || f.seed != 0 {
			return nil, usageError(errors.New("--speed and --seed are those of a scenario: --scenario is missing"))
		}
		return nil, nil
	}
	loaded, err := scenario.Load(f.scenario)
	if err != nil {
		return nil, usageError(fmt.Errorf("--scenario: %w", err))
	}
	return loaded, nil
}

// showPatience is how long writing the last entries to stdout may take after
// everything else has ended.
const showPatience = 2 * time.Second

// serveUntilEnd says that the server is ready, and runs the scenario, the command and
// the output beside it. It returns when the command ends, the output fails, or the user
// ends the program.
func (a *app) serveUntilEnd(parent context.Context, srv *serve.Server, f serveFlags, play *scenario.Scenario, printer *output.Printer) error {
	ctx, end := context.WithCancelCause(parent)
	defer end(nil)
	if f.ui != "" {
		page, err := a.serveUI(ctx, srv, f)
		if err != nil {
			return err
		}
		defer page.Close()
	}
	if err := a.tellReady(srv, f, printer); err != nil {
		return coded{err, exitFailed}
	}
	var beside sync.WaitGroup
	show := serve.Show{All: f.verbose, Item: printer.Print, Note: a.note, Lost: a.tell}
	shown := make(chan struct{})
	go func() {
		defer close(shown)
		if err := show.Run(ctx, srv); err != nil {
			end(err)
		}
	}()
	if play != nil {
		beside.Go(func() {
			_ = play.Run(ctx, srv.Server, scenario.Options{ // fails only if ctx ends; Tell says the rest
				WebsiteID: srv.WebsiteID(),
				Speed:     f.speed,
				Seed:      f.seed,
				Hooks:     len(f.hooks) > 0,
				Tell:      a.note,
			})
		})
	}
	if f.exec != "" {
		beside.Go(func() { end(srv.Exec(ctx, f.exec, a.Stderr)) })
	}
	<-ctx.Done()
	beside.Wait()
	select {
	case <-shown:
	case <-time.After(showPatience):
		return coded{errors.New("not everything could be shown: nobody reads stdout"), exitFailed}
	}
	if err := context.Cause(ctx); parent.Err() == nil && !errors.Is(err, context.Canceled) {
		return coded{err, exitFailed}
	}
	return nil
}

// serveUI starts the page and feeds it until ctx ends.
func (a *app) serveUI(ctx context.Context, srv *serve.Server, f serveFlags) (*inspect.Server, error) {
	ring, run := inspect.NewRing(0), inspect.NewRun()
	journal := inspect.NewServe(srv.Server, srv.WebsiteID(), run, ring)
	page, err := a.startUI(f.ui, inspect.Config{
		Command: "serve",
		Run:     run,
		Ring:    ring,
		Signing: forward.Signing{Secret: srv.SigningSecret()},
		Repeat:  journal.Repeat,
		Serve:   journal,
	})
	if err != nil {
		return nil, err
	}
	go journal.Feed(ctx)
	return page, nil
}

func (a *app) serveOptions(cmd *cobra.Command, f serveFlags) (serve.Options, error) {
	o := serve.Options{Addr: f.addr, AllowRemote: f.allowRemote, Websites: f.websites, History: f.history}
	if f.history < 1 {
		return o, usageError(fmt.Errorf("--history is %d; it must be at least 1", f.history))
	}
	for _, url := range f.hooks {
		if err := control.CheckHookURL(url); err != nil {
			return o, usageError(fmt.Errorf("--hook: %w", err))
		}
		o.Hooks = append(o.Hooks, control.Hook{URL: url})
	}
	for _, text := range f.faults {
		parsed, err := fault.ParseFlag(text)
		if err != nil {
			return o, usageError(fmt.Errorf("--fault: %w (--fault list says more)", err))
		}
		o.Faults = append(o.Faults, parsed)
	}
	err := a.serveSecrets(cmd, f, &o)
	return o, err
}

// serveSecrets sets the token and signing secret that the server accepts: those that
// flags or the environment give, or else the published defaults. The profile in use, and
// so the keyring, does not count as given.
func (a *app) serveSecrets(cmd *cobra.Command, f serveFlags, o *serve.Options) error {
	identifier, key := serve.Identifier, serve.Key
	o.SigningSecret = serve.SigningSecret
	if a.hasCredentials(cmd) {
		found, err := a.credentials()
		if err != nil {
			return err
		}
		identifier, key, o.TokenGiven = found.Token.Identifier, found.Token.Key, true
		if found.SigningSecret != "" {
			o.SigningSecret, o.SecretGiven = found.SigningSecret, true
		}
	}
	if secret := a.Getenv("CRISP_SIGNING_SECRET"); secret != "" {
		o.SigningSecret, o.SecretGiven = secret, true
	}
	if f.secretFile != "" {
		secret, err := secrets.Read(f.secretFile, a.stdin())
		if err != nil {
			return asUsageError(fmt.Errorf("--secret-file: %w", err))
		}
		o.SigningSecret, o.SecretGiven = secret, true
	}
	token, err := a.serveToken(f, o, identifier, key)
	o.Token = token
	return err
}

// hasCredentials reports whether flags or the environment give credentials.
func (a *app) hasCredentials(cmd *cobra.Command) bool {
	for _, flag := range []string{"key-file", "key-stdin", "env-file", "profile"} {
		if cmd.Flags().Changed(flag) {
			return true
		}
	}
	return a.Getenv("CRISP_IDENTIFIER") != "" || a.Getenv("CRISP_KEY") != ""
}

func (a *app) serveToken(f serveFlags, o *serve.Options, identifier, key string) (crisp.Token, error) {
	tier := f.tier
	if tier == "" {
		tier = a.Getenv("CRISP_TIER")
	}
	switch crisp.Tier(tier) {
	case "", crisp.TierPlugin:
		return crisp.PluginToken(identifier, key), nil
	case crisp.TierUser:
		return crisp.UserToken(identifier, key), nil
	case crisp.TierWebsite:
		return crisp.WebsiteToken(o.WebsiteID(), identifier, key), nil
	default:
		return crisp.Token{}, usageError(fmt.Errorf("the tier is %q; it must be plugin, user or website", tier))
	}
}

// tellReady says that the server is ready and how to use it: by stderr to people, and
// by stdout, --write-env and --ready-file to programs.
func (a *app) tellReady(srv *serve.Server, f serveFlags, printer *output.Printer) error {
	if f.writeEnv != "" {
		if err := srv.WriteEnv(f.writeEnv); err != nil {
			return fmt.Errorf("--write-env: %w", err)
		}
	}
	ready := srv.Ready()
	if printer.Format() == output.FormatJSON {
		if err := printer.Print(output.Item{Value: ready}); err != nil {
			return err
		}
	}
	a.note("crisp serve is ready at %s: REST below /v1/, control below %s", srv.Origin(), control.Prefix)
	a.note("a program finds it by this environment:")
	for _, v := range srv.Env() {
		if v.Given {
			a.note("  %s as you have given it", v.Name)
		} else {
			a.note("  %s=%s", v.Name, v.Value)
		}
	}
	if f.readyFile == "" {
		return nil
	}
	if err := serve.WriteFile(f.readyFile, []byte(srv.URL()+"\n")); err != nil {
		return fmt.Errorf("--ready-file: %w", err)
	}
	return nil
}

func listScenarios(printer *output.Printer) error {
	for _, s := range scenario.Shipped() {
		err := printer.Print(output.Item{
			Line:  func(style output.Style) string { return style.Strong(fmt.Sprintf("%-19s", s.Name)) + " " + s.Title },
			Value: map[string]any{"scenario": s.Name, "title": s.Title, "speed": s.Speed},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func listFaults(printer *output.Printer) error {
	for _, kind := range fault.Kinds() {
		err := printer.Print(output.Item{
			Line: func(style output.Style) string {
				text := style.Strong(fmt.Sprintf("%-17s", kind.Name)) + " " + kind.What
				for _, p := range kind.Params {
					text += fmt.Sprintf("\n    %-13s %s (default %s)", p.Name, p.What, p.Default)
				}
				return text
			},
			Value: kind,
		})
		if err != nil {
			return err
		}
	}
	return nil
}
