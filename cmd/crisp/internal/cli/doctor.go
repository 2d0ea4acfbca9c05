package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/crisp-go/crisp/cmd/crisp/internal/doctor"
	"github.com/crisp-go/crisp/cmd/crisp/internal/eventinfo"
	"github.com/crisp-go/crisp/cmd/crisp/internal/output"
	"github.com/crisp-go/crisp/internal/terminal"
)

const doctorHelp = `Find out what is wrong: go the way that events take, from the key to the
handlers of a web hook, and say of each step what was seen and what to do.

It sends nothing but what reads, and keeps a connection open for as long as
the server's heartbeat takes (half a minute, or what --for says).

With --url it delivers web hooks, good ones and such as must be refused: the
program's handlers run, with a sample of message:send, or of another event if
that is not wanted. Aim it at a program in development, not at one that serves
customers. Whether a repeated delivery runs the handlers twice shows in what
they do: --effect is a command whose output changes then. Without it, only the
time that they take can tell.

A check is ok, or it warns, or it is wrong, or it can't tell ("--").

Exit codes: 0 if nothing is wrong, also if there are warnings; 5 if something
is, whatever it is; 2 if the flags make no sense.`

const doctorExamples = `  crisp doctor
  crisp doctor -e 'message:*' -e session:set_email
  crisp doctor --url http://127.0.0.1:8080/hooks/crisp --effect 'wc -l < events.log'
  crisp doctor --json | jq 'select(.status == "wrong")'`

func (a *app) doctorCommand() *cobra.Command {
	var config doctor.Config
	var patterns []string
	var effect string
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "doctor",
		Short:   "Find out what is wrong, and what to do",
		Long:    doctorHelp,
		Example: doctorExamples,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if err := a.preferJSON(cmd, asJSON); err != nil {
				return err
			}
			if config.Events, err = eventinfo.Expand(patterns); err != nil {
				return usageError(err)
			}
			if err := checkHookURL(config.Hook); err != nil {
				return usageError(err)
			}
			config.Credentials, config.CredentialsErr = a.credentials()
			config.Effect = effectOf(effect)
			config.Getenv = a.Getenv
			config.Network.Proxy = http.ProxyFromEnvironment
			config.Note = a.note
			return a.examine(cmd.Context(), config)
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVarP(&patterns, "event", "e", nil, "an event that is wanted, or a `pattern` such as 'message:*'; again for more")
	flags.StringArrayVar(&config.Websites, "website", nil, "the `id` of a website that events are wanted of; again for more")
	flags.StringVar(&config.Hook, "url", "", "the `URL` of a web hook to try")
	flags.StringVar(&effect, "effect", "", "a shell `command` whose output changes when the hook's handlers have run")
	flags.DurationVar(&config.Limits.HookAnswer, "answer-within", 10*time.Second, "how `long` the web hook may take to answer")
	flags.DurationVar(&config.HeartbeatFor, "for", 0, "how `long` to wait for the heartbeat at most (default as long as it takes, a minute at most)")
	flags.BoolVar(&asJSON, "json", false, "the same as --format json")
	a.completeEvents(cmd, "event")
	return cmd
}

// checkHookURL returns an error if web hooks can't be delivered to a URL. The error does
// not quote the URL, which may hold a secret.
func checkHookURL(hook string) error {
	if hook == "" {
		return nil
	}
	u, err := url.Parse(hook)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("--url is no URL such as http://127.0.0.1:8080/hooks/crisp")
	}
	return nil
}

// effectOf returns a function that runs a command and returns its output; nil without a
// command.
func effectOf(command string) func(context.Context) (string, error) {
	if command == "" {
		return nil
	}
	return func(ctx context.Context) (string, error) {
		text, err := shell(ctx, command).Output()
		return string(text), err
	}
}

// examine makes the checks and prints their findings. It returns an error if one of them
// finds something wrong.
func (a *app) examine(ctx context.Context, config doctor.Config) error {
	printer, err := a.printer()
	if err != nil {
		return err
	}
	var made, wrong, warnings int
	var failed error
	doctor.Run(ctx, config, func(f doctor.Finding) {
		made++
		f.Saw, f.Advice = a.withoutSecrets(f.Saw), a.withoutSecrets(f.Advice)
		switch f.Status {
		case doctor.Wrong:
			wrong++
		case doctor.Warning:
			warnings++
		case doctor.OK, doctor.Skipped:
		}
		if err := printer.Print(output.Item{Line: findingLine(f), Value: f}); err != nil && failed == nil {
			failed = err
		}
	})
	switch {
	case failed != nil:
		return failed
	case hasEnded(ctx):
		return coded{errors.New("ended before all checks were made"), exitFailed}
	case wrong > 0:
		return checkError(fmt.Errorf("%d of %d checks found something wrong", wrong, made))
	case warnings > 0:
		a.note("nothing is wrong, with %s (%s)", output.Count(warnings, "warning"), output.Count(made, "check"))
	default:
		a.note("nothing is wrong (%s)", output.Count(made, "check"))
	}
	return nil
}

func hasEnded(ctx context.Context) bool { return ctx.Err() != nil }

// findingLine returns a finding for people: what was seen, and below it what to do.
func findingLine(f doctor.Finding) func(output.Style) string {
	return func(style output.Style) string {
		status := fmt.Sprintf("%-8s", f.Status)
		switch f.Status {
		case doctor.OK:
			status = style.Good(status)
		case doctor.Warning:
			status = style.Warn(status)
		case doctor.Wrong:
			status = style.Bad(status)
		case doctor.Skipped:
			status = style.Dim(fmt.Sprintf("%-8s", "--"))
		}
		line := fmt.Sprintf("%s %-15s %s", status, f.Check, terminal.Line(f.Saw))
		if f.Advice != "" {
			line += fmt.Sprintf("\n%25s%s", "> ", terminal.Line(f.Advice))
		}
		return line
	}
}
