// Package cli has the commands: one file each, named like the command.
package cli

import (
	"context"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/crisp-go/crisp"
	"github.com/crisp-go/crisp/bridge/cmd/crisp-bridge/internal/config"
	"github.com/crisp-go/crisp/bridge/cmd/crisp-bridge/internal/engine"
	"github.com/crisp-go/crisp/internal/terminal"
)

// Surroundings are what a command uses of the process that it runs in.
type Surroundings struct {
	Stdout  io.Writer
	Stderr  io.Writer
	Environ []string
}

// Process returns the surroundings of this process.
func Process() Surroundings {
	return Surroundings{Stdout: os.Stdout, Stderr: os.Stderr, Environ: os.Environ()}
}

// app is one run of the program: its surroundings, and the flags of all commands.
type app struct {
	Surroundings
	configPath string
	secrets    []string // what strings.NewReplacer puts in the place of secrets
}

// Run runs a command line, without the program's name, and returns its exit code.
func Run(ctx context.Context, args []string, in Surroundings) int {
	a := &app{Surroundings: in}
	slog.SetDefault(a.newLogger(config.Default().Log))
	root := a.rootCommand()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil && exitCode(err) != exitOK { // that the user has ended it is no news
		a.tell(err)
	}
	return exitCode(err)
}

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "crisp-bridge",
		Short: "Take Crisp's events into a durable log",
		Long: `Take Crisp's events into a durable log, from which any number of programs handle
them: over the RTM API, of which one of several processes is the leader, and by web
hook, at any of them. Without a command, it does so until SIGTERM or SIGINT.

It is configured by a TOML file and by the environment; without any file, the
variables that crisp serve gives are enough:

  crisp serve --exec crisp-bridge`,
		Version:       crisp.Version,
		SilenceErrors: true, // Run tells them
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return a.daemon(cmd.Context()) },
	}
	root.SetOut(a.Stdout)
	root.SetErr(a.Stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError(err) })
	root.PersistentFlags().StringVar(&a.configPath, "config", "", "the `file` that says what to do ($CRISP_BRIDGE_CONFIG)")
	root.AddCommand(a.checkCommand(), a.dlqCommand(), a.tailCommand(), a.versionCommand())
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	asUsageErrors(root)
	return root
}

// asUsageErrors has arguments that a command does not take end the program with
// the code for it.
func asUsageErrors(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usageError(err)
			}
			return nil
		}
	}
	for _, child := range cmd.Commands() {
		asUsageErrors(child)
	}
}

// group has a command that stands for others say what there is, and refuse what there
// is not.
func group(cmd *cobra.Command) *cobra.Command {
	cmd.Args = cobra.NoArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	return cmd
}

// tell writes an error on stderr, without secrets and control characters: each of joined
// ones on a line.
func (a *app) tell(err error) {
	for text := range strings.SplitSeq(err.Error(), "\n") {
		a.line(a.Stderr, "crisp-bridge: "+strings.TrimPrefix(text, "crisp: "))
	}
}

// line writes a line that holds no secrets and no control characters.
func (a *app) line(w io.Writer, text string) {
	_, _ = io.WriteString(w, terminal.Line(a.hide(text))+"\n") // there is nobody left to tell
}

// config reads the configuration, as far as it has to do with the log, and sets the
// default logger by it.
func (a *app) config() (config.Config, error) {
	path := a.configPath
	if path == "" {
		for _, entry := range a.Environ {
			if value, ok := strings.CutPrefix(entry, config.VarConfig+"="); ok {
				path = value
			}
		}
	}
	c, err := config.Read(path, a.Environ)
	a.keepSecret(c)
	if err != nil {
		return c, configError(err)
	}
	slog.SetDefault(a.newLogger(c.Log))
	return c, nil
}

// configIn is config with what it takes to receive events.
func (a *app) configIn() (config.Config, error) {
	c, err := a.config()
	if err != nil {
		return c, err
	}
	if err := c.CheckIn(); err != nil {
		return c, configError(err)
	}
	return c, nil
}

// closePatience is how long an engine may take to close.
const closePatience = 10 * time.Second

// closeEngine closes an engine though ctx may have ended.
func closeEngine(ctx context.Context, e engine.Engine) error {
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), closePatience)
	defer cancel()
	return e.Close(patience)
}
